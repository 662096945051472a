"""Says which rules are trusted with less than their file says, and which are trusted again."""

from __future__ import annotations

import structlog

from remediator.core.policies import Policy, Rule
from remediator.telemetry.metrics import Metrics

MOST_LINES = 50
"""Rules that are named at a time. One missing permission can concern all of thousands."""
_log = structlog.get_logger(__name__)


def say_trust(before: Policy | None, after: Policy, metrics: Metrics) -> None:
    """The difference between two policies in force: a line for each rule, and the gauge."""
    was = {} if before is None else {rule.name: rule.lowered for rule in before.rules}
    lowered = [rule for rule in after.rules if rule.lowered]
    metrics.rules_lowered.set(len(lowered))
    for rule in _bounded([rule for rule in lowered if was.get(rule.name) != rule.lowered]):
        _log.warning("rule lowered to observe", rule=rule.name, where=rule.where, why=rule.lowered)
    for rule in _bounded([rule for rule in after.rules if was.get(rule.name) and not rule.lowered]):
        _log.info("rule raised again", rule=rule.name, where=rule.where, mode=str(rule.mode))


def _bounded(rules: list[Rule]) -> list[Rule]:
    if len(rules) > MOST_LINES:
        _log.warning("more rules than are named here", rules=len(rules), named=MOST_LINES)
    return rules[:MOST_LINES]
