"""How far each rule is trusted, and why: its record, what is in force, what is advised; and lifting it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import structlog
from aiohttp import web

from remediator.core.policies import Mode, Policy, Rule
from remediator.core.store import TrustStore
from remediator.core.text import is_name, plain
from remediator.core.times import format_instant
from remediator.core.trust import LOWERED_TO, Record, advise
from remediator.http.asking import ApiError, Asked, answer
from remediator.policy.findings import quoted, suggestion

_log = structlog.get_logger(__name__)


class Trusting:
    """The handlers. ``policy`` answers the newest loaded, ``ceiling`` is the daemon's own."""

    def __init__(self, *, store: TrustStore, policy: Callable[[], Policy], ceiling: Mode) -> None:
        self._store, self._policy, self._ceiling = store, policy, ceiling

    async def trust(self, asked: Asked) -> web.Response:
        """Every rule, in the policy's order."""
        records = await self._store.records()
        items = [self._show(rule, records) for rule in self._policy().rules]
        return answer({"items": items, "next": None})

    async def restore(self, asked: Asked) -> web.Response:
        """A rule that its failures have lowered is trusted again as its file says."""
        sent = await asked.body("by", "note")
        name = asked.request.match_info["id"]
        policy = self._policy()
        rule = policy.rule(name) if is_name(name) else None
        if rule is None:
            hint = suggestion(name, policy.rules_by_name)
            raise ApiError(404, f"the policy has no rule {quoted(name)}", hint)
        lifted = await self._store.restore_trust(name)
        if lifted is None:
            raise ApiError(409, f"rule {name} is not lowered", "see how it stands with GET /v1/trust")
        _log.warning(
            "rule is trusted again", rule=name, by=asked.principal.name, lowered_because=lifted.why,
            note=plain(sent.get("note") or "", 500),
        )  # fmt: skip
        return answer(self._show(rule, await self._store.records()))

    def _show(self, rule: Rule, records: Mapping[str, Record]) -> dict[str, Any]:
        record = records.get(rule.name) or Record(rule=rule.name)
        mode = rule.mode.capped(self._ceiling)
        lowered = record.lowered
        in_force = mode if lowered is None else mode.capped(LOWERED_TO)
        return {
            "rule": rule.name,
            "where": rule.where,
            "mode": rule.mode.value,
            "in_force": in_force.value,
            "lacks_permissions": rule.lowered,
            "lowered": None
            if lowered is None
            else {"to": LOWERED_TO.value, "why": lowered.why, "at": format_instant(lowered.at)},
            "attempts": record.attempts,
            "counts": dict(sorted(record.counts.items())),
            "failed_in_a_row": record.in_a_row,
            "advice": advise(rule.mode, record),
        }
