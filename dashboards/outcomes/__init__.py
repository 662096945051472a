"""*Remediation outcomes*: whether the daemon earns its place."""

from __future__ import annotations

from dashboards.frame import Board
from dashboards.outcomes import attempts, glance, people, phases, stopped

BOARD = Board(
    uid="remediator-outcomes",
    title="Remediation outcomes",
    text="What came of alerts: what was mended and proven, what was not, and what people were spared.",
    since="now-7d",
    every="1m",
    filters=("severity", "service", "runbook"),
    rows=(glance.ROW, attempts.ROW, phases.ROW, stopped.ROW, people.ROW),
)
