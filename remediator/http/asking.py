"""A request of the operations interface, taken apart; every refusal names what is wrong and what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from aiohttp import web

from remediator.core.errors import RemediatorError
from remediator.core.incident import IncidentId
from remediator.core.steps import Steps
from remediator.http.auth import Principal, Role
from remediator.http.server import read_body

MAX_BODY_BYTES = 64 * 1024
BODY_WITHIN = 10.0
"""Seconds to send a body."""
LONGEST_PAGE = 1000
WORDS_AT_ONCE = 2_000
"""Words of JSON that are written between two breaks: a millisecond or so."""
_INCIDENT = re.compile(r"[a-z0-9._-]{1,120}")
_DEAD_LETTER = re.compile(r"[0-9]{1,20}-[0-9]{1,20}")


class ApiError(RemediatorError):
    """An answer that is no success: an HTTP status, what is wrong, and what to do."""

    def __init__(self, status: int, error: str, hint: str, **more: object) -> None:
        super().__init__(error)
        self.status, self.error, self.hint, self.more = status, error, hint, more


@dataclass(frozen=True, kw_only=True, slots=True)
class Param:
    """A query parameter. ``schema`` is JSON schema."""

    name: str
    text: str
    schema: Mapping[str, object] = field(default_factory=lambda: {"type": "string"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A request that was let in, and who asks."""

    request: web.Request
    principal: Principal

    @property
    def incident(self) -> IncidentId:
        """The incident in the path. Raises ApiError for what cannot be one."""
        text = self.request.match_info["id"]
        if _INCIDENT.fullmatch(text) is None:
            raise unknown_incident()
        return IncidentId(text)

    @property
    def dead_letter(self) -> str:
        """The dead letter in the path. Raises ApiError for what cannot be one."""
        text = self.request.match_info["id"]
        if _DEAD_LETTER.fullmatch(text) is None:
            raise unknown_dead_letter()
        return text

    def choice(self, name: str, among: Collection[str]) -> str | None:
        """A query parameter that is one of some words."""
        value = self.request.query.get(name)
        if value is None or value in among:
            return value
        raise ApiError(400, f"{name} is none of those there are", f"use one of {', '.join(among)}")

    def pattern(self, name: str, shape: str, hint: str) -> str | None:
        """A query parameter of a certain shape."""
        value = self.request.query.get(name)
        if value is None or re.fullmatch(shape, value, re.ASCII) is not None:
            return value
        raise ApiError(400, f"{name} is malformed", hint)

    def limit(self, default: int = 100) -> int:
        """How many are asked for."""
        value = self.pattern("limit", "[0-9]{1,6}", f"use a number from 1 to {LONGEST_PAGE}")
        number = default if value is None else int(value)
        if not 1 <= number <= LONGEST_PAGE:
            raise ApiError(400, "limit is out of range", f"use a number from 1 to {LONGEST_PAGE}")
        return number

    async def body(self, *known: str, others: Collection[str] = ()) -> dict[str, Any]:
        """The JSON object that was sent, of texts by known names; empty when nothing was sent.

        ``others``: names of what may be anything, for the caller to judge.
        """
        raw = await read_body(self.request, limit=MAX_BODY_BYTES, within=BODY_WITHIN)
        if not raw.strip():
            return {}
        try:
            sent = json.loads(raw)
        except (ValueError, RecursionError):
            sent = None
        if not isinstance(sent, dict):
            what = " and ".join((*known, *others))
            raise ApiError(400, "the body is no JSON object", f"send an object with {what}")
        for name, value in sent.items():
            if name in others:
                continue
            if name not in known:
                may = ", ".join((*known, *others))
                raise ApiError(400, "the body has an unknown member", f"it may have {may}")
            if not isinstance(value, str | None):
                raise ApiError(400, f"{name} is not text", f"send {name} as a string")
        return sent


Handler = Callable[[Asked], Awaitable[web.Response]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """One thing that can be asked. ``role`` None: open to whoever reaches the listener."""

    method: str
    path: str
    handler: Handler
    role: Role | None
    summary: str
    answer: str
    """The name of its answer's schema in ``remediator.http.openapi``."""
    listed: bool = False
    query: tuple[Param, ...] = ()
    body: tuple[Param, ...] = ()
    statuses: Mapping[int, str] = field(default_factory=dict)
    """Answers other than 200, and when they are given."""


def unknown_incident() -> ApiError:
    """Nothing is known of that id."""
    return ApiError(404, "there is no such incident", "list them with GET /v1/incidents")


def unknown_dead_letter() -> ApiError:
    """Nothing is known of that id."""
    return ApiError(404, "there is no such dead letter", "list them with GET /v1/dead-letters")


def answer(data: object, status: int = 200) -> web.Response:
    """``data`` as JSON."""
    return web.Response(status=status, body=json.dumps(data).encode(), content_type="application/json")


def write_answer(data: object) -> Steps[web.Response]:
    """``answer`` to what can be megabytes, dataclasses included: ``json.dumps`` keeps all others waiting."""
    words: list[str] = []
    pieces: list[bytes] = []
    for word in json.JSONEncoder(default=_members).iterencode(data):
        words.append(word)
        if len(words) == WORDS_AT_ONCE:
            pieces.append("".join(words).encode())
            words.clear()
            yield
    pieces.append("".join(words).encode())
    return web.Response(body=b"".join(pieces), content_type="application/json")


def _members(value: Any) -> dict[str, object]:
    """Of a dataclass."""
    return {each.name: getattr(value, each.name) for each in fields(value)}
