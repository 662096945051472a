"""Every metric of the daemon, once. See ``row`` for what is said of each."""

from __future__ import annotations

from collections.abc import Mapping

from remediator.telemetry.table import daemon, intake, outcomes, tuning
from remediator.telemetry.table.row import Group, Label, Origin, Row, Type

__all__ = [
    "GROUPS",
    "TABLE",
    "Group",
    "Label",
    "Origin",
    "Row",
    "Type",
    "daemon",
    "intake",
    "outcomes",
    "tuning",
]

GROUPS: tuple[Group, ...] = (outcomes.GROUP, tuning.GROUP, intake.GROUP, daemon.GROUP)
TABLE: Mapping[str, Row] = {row.full_name: row for group in GROUPS for row in group.rows}
