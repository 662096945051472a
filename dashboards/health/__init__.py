"""*Daemon health*: whether it takes in alerts, works, and reaches people."""

from __future__ import annotations

from dashboards.frame import Board
from dashboards.health import glance, intake, peers, process, store, work

BOARD = Board(
    uid="remediator-health",
    title="Daemon health",
    text="Whether the daemon takes in alerts, has room, reaches its store, the cluster and people.",
    since="now-6h",
    every="30s",
    filters=(),
    rows=(glance.ROW, intake.ROW, work.ROW, store.ROW, peers.ROW, process.ROW),
)
