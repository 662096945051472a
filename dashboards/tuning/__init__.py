"""*Policy tuning*: which rules to change, and what speaks for it."""

from __future__ import annotations

from dashboards.frame import Board
from dashboards.tuning import flapping, glance, matching, trust

BOARD = Board(
    uid="remediator-tuning",
    title="Policy tuning",
    text="Which rules match, which do nothing, which alerts are noise, and which rules have earned more "
    "trust or less.",
    since="now-7d",
    every="5m",
    filters=("rule", "severity"),
    rows=(glance.ROW, matching.ROW, flapping.ROW, trust.ROW),
)
