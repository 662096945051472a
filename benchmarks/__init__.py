"""What the daemon costs, as ratios within one run: machines are shared and noisy, seconds alone say little.

``python -m benchmarks`` runs everything and writes ``docs/benchmarks.md``.
"""
