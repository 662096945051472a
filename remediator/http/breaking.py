"""Breakers, as people see and close them: which runbooks are not tried any more, and who allowed them."""

from __future__ import annotations

from typing import Protocol

import structlog
from aiohttp import web

from remediator.core.breakers import Breaker
from remediator.core.store import BreakerStore
from remediator.core.text import is_name, plain
from remediator.http.asking import ApiError, Asked, answer
from remediator.http.views import show_breaker
from remediator.policy.findings import quoted, suggestion

_log = structlog.get_logger(__name__)


class BreakingStore(BreakerStore, Protocol):
    """What is needed of the store."""


class Breaking:
    """The handlers."""

    def __init__(self, store: BreakingStore) -> None:
        self._store = store

    async def breakers(self, asked: Asked) -> web.Response:
        """The open ones, and those that were closed lately."""
        found = await self._store.breakers()
        return answer({"items": [show_breaker(each) for each in found], "next": None})

    async def close(self, asked: Asked) -> web.Response:
        """The runbook may be tried again; its failures are counted anew."""
        runbook = asked.request.match_info["id"]
        sent = await asked.body("note", "by")
        closed = None
        if is_name(runbook):
            note = plain(sent.get("note") or "", 500)
            closed = await self._store.close_breaker(runbook, asked.principal.name, note)
        if closed is None:
            raise _not_open(runbook, await self._store.breakers())
        _log.warning(
            "a breaker is closed", runbook=runbook, by=closed.closed_by, note=closed.note,
            opened_at=closed.opened_at, failures=closed.failures,
        )  # fmt: skip
        return answer(show_breaker(closed))


def _not_open(runbook: str, breakers: tuple[Breaker, ...]) -> ApiError:
    """With the nearest that is."""
    open_ones = [each.runbook for each in breakers if each.open]
    hint = suggestion(runbook, open_ones, otherwise="open are: ") if open_ones else "no breaker is open"
    return ApiError(404, f"the breaker of {quoted(plain(runbook, 63))} is not open", hint)
