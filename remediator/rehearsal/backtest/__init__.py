"""What was recorded, played to policies: ``remediator backtest``.

``files`` finds lines, ``lines`` reads them, ``series`` makes lines of Prometheus' ``ALERTS``; ``shortcut``
knows duplicates without reading them. ``replay`` plays what is left to one policy and ``tally`` counts what
follows; ``comparison`` says in what two replays differ, ``summing`` makes a ``report``, ``telling`` puts
that into ``words`` and ``markdown`` writes them.
"""
