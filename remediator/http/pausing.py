"""The kill switch, as people throw it: who, what, why and until when. In force before it is answered."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any, Protocol

import structlog
from aiohttp import web

from remediator.core.errors import Refused
from remediator.core.pauses import EVERYTHING, NAMED_KINDS, Pause, PauseScope, ScopeKind
from remediator.core.policies import Policy
from remediator.core.store import IncidentStore, PauseStore
from remediator.core.text import plain
from remediator.core.times import (
    DAY,
    Instant,
    format_instant,
    parse_duration,
    parse_stamp,
    stamp_instant,
)
from remediator.http.asking import ApiError, Asked, answer
from remediator.http.views import show_pauses
from remediator.policy.findings import quoted, suggestion

LONGEST_PAUSE = 30 * DAY
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)
_KINDS = ", ".join(NAMED_KINDS)
_log = structlog.get_logger(__name__)


class PausingStore(IncidentStore, PauseStore, Protocol):
    """What is needed of the store: pauses, and its clock."""


class Pausing:
    """The handlers. ``policy`` answers the newest loaded, which knows what can be paused by name."""

    def __init__(self, *, store: PausingStore, policy: Callable[[], Policy]) -> None:
        self._store, self._policy = store, policy

    async def pauses(self, asked: Asked) -> web.Response:
        """All that are in force."""
        return await self._as_it_stands()

    async def pause(self, asked: Asked) -> web.Response:
        """No such changes until resumed, or for a while."""
        sent = await asked.body("by", "reason", "for", "until", others=("scope",))
        scope = _sent_scope(sent.get("scope"))
        self._check_name(scope)
        reason = plain(sent.get("reason") or "", 500)
        if not reason:
            what = 'say why, such as {"reason": "maintenance", "for": "2h"}'
            raise ApiError(400, "reason is missing", what)
        until = await self._until(sent.get("for"), sent.get("until"))
        try:
            pause = await self._store.pause(reason, asked.principal.name, until, scope)
        except Refused as error:
            raise ApiError(409, str(error), "list them with GET /v1/pause") from error
        ends = None if until is None else format_instant(until)
        _log.warning("changes are paused", scope=str(scope), by=pause.by, reason=reason, until=ends)
        return await self._as_it_stands()

    async def resume(self, asked: Asked) -> web.Response:
        """Such changes are allowed again, as far as no other pause stops them."""
        scope = await _asked_scope(asked)
        lifted = await self._store.resume(scope)
        if lifted is None and scope != EVERYTHING:
            raise ApiError(404, f"{scope} is not paused", _nearest(scope, await self._store.pauses()))
        if lifted is not None:
            by = asked.principal.name
            _log.warning(
                "changes are no longer paused", scope=str(scope), by=by, paused_by=lifted.by,
                reason=lifted.reason,
            )  # fmt: skip
        return await self._as_it_stands()

    async def _as_it_stands(self) -> web.Response:
        return answer(show_pauses(await self._store.pauses()))

    def _check_name(self, scope: PauseScope) -> None:
        """A pause of what there is not would stop nothing, and look as if it did."""
        policy = self._policy()
        match scope.kind:
            case ScopeKind.ALL:
                return
            case ScopeKind.NAMESPACE:
                if _NAMESPACE.fullmatch(scope.name) is None:
                    hint = "write up to 63 lower-case letters, digits and -"
                    raise ApiError(400, f"{quoted(scope.name)} is no name of a namespace", hint)
                return
            case ScopeKind.SERVICE:
                known: Collection[str] = policy.services
            case ScopeKind.RULE:
                known = policy.rules_by_name
            case ScopeKind.RUNBOOK:
                known = policy.runbooks
        if scope.name not in known:
            hint = suggestion(scope.name, known)
            raise ApiError(400, f"the policy has no {scope.kind} {quoted(scope.name)}", hint)

    async def _until(self, span: str | None, moment: str | None) -> Instant | None:
        if span and moment:
            raise ApiError(400, "for and until are both given", "keep one of them")
        if not span and not moment:
            return None
        now = (await self._store.load(None, ())).at  # by whose clock it ends
        if span:
            return Instant(now + _span(span))
        until = _moment(moment or "")
        if until <= now:
            raise ApiError(400, "until is over already", f"it is {format_instant(now)} by the store's clock")
        if until > now + LONGEST_PAUSE:
            raise ApiError(
                400, "until is too far away", "use up to 30d; without it the pause lasts until resumed"
            )
        return until


async def _asked_scope(asked: Asked) -> PauseScope:
    """In the query or in the body: a proxy may drop the body of a DELETE, a program may know only that."""
    named = {kind.value: asked.request.query[kind] for kind in NAMED_KINDS if kind in asked.request.query}
    sent = await asked.body("by", "reason", "note", others=("scope",))
    if named and sent.get("scope") is not None:
        raise ApiError(400, "the scope is in the query and in the body", "keep one of them")
    return _sent_scope(named or sent.get("scope"))


def _sent_scope(sent: Any) -> PauseScope:
    """None: everything."""
    if sent is None:
        return EVERYTHING
    hint = 'name one, such as {"service": "web"}; leave scope out for all changes'
    if not isinstance(sent, dict) or len(sent) != 1:
        raise ApiError(400, f"scope must be an object with exactly one of {_KINDS}", hint)
    ((kind, name),) = sent.items()
    if kind not in NAMED_KINDS:
        raise ApiError(400, f"a scope has no {quoted(str(kind))}, it is one of {_KINDS}", hint)
    if not isinstance(name, str) or not name:
        raise ApiError(400, f"{kind} is not text", hint)
    return PauseScope(kind=ScopeKind(kind), name=name)


def _nearest(scope: PauseScope, pauses: Collection[Pause]) -> str:
    """What may have been meant, among what can be lifted."""
    paused = [each.scope.name for each in pauses if each.scope.kind is scope.kind]
    if not paused:
        return f"no {scope.kind} is; list what is with GET /v1/pause"
    return suggestion(scope.name, paused, otherwise="paused are: ")


def _span(text: str) -> int:
    try:
        span = parse_duration(text)
    except ValueError as error:
        raise ApiError(400, f"for: {plain(str(error), 150)}", "use a duration such as 30m or 2h") from None
    if not 0 < span <= LONGEST_PAUSE:
        raise ApiError(400, "for is out of range", "use up to 30d; without it the pause lasts until resumed")
    return span


def _moment(text: str) -> Instant:
    try:
        return stamp_instant(parse_stamp(text))
    except ValueError as error:
        hint = "use a time such as 2026-11-23T18:00:00Z, or for with a duration"
        raise ApiError(400, f"until: {plain(str(error), 150)}", hint) from None
