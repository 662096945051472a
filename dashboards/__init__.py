"""The Grafana dashboards as code: one module for each, built into ``chart/dashboards/*.json``.

``python -m dashboards`` writes them, ``--check`` compares. Never needed where the daemon runs.
"""
