"""Whether this server keeps what it acknowledged, and what to wait for so that it does (P1).

``appendfsync always`` needs nothing more: the reply leaves after the fsync. ``everysec`` needs WAITAOF, which
waits for the last write of this very connection. With replicas, one of them must have it, too.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import structlog
from redis.exceptions import NoPermissionError, ResponseError

from remediator.adapters.redis.faults import forbidden, unavailable
from remediator.adapters.redis.link import Command, Link
from remediator.adapters.redis.lua import script
from remediator.adapters.redis.permissions import ALWAYS, WAITING
from remediator.core.errors import StoreUnavailable

Durability = Literal["strict", "weak"]

EXAMINE_EVERY = 10.0
"""Seconds."""
EXAMINE_AGAIN = 1.0
"""Seconds, while something is wrong."""
EXAMINE_WITHIN = 1.0
"""Seconds."""
WAIT_MS = 2_000

_SETTINGS = ("appendonly", "appendfsync", "maxmemory", "maxmemory-policy", "min-replicas-to-write")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Assurance:
    """What the last examination found. ``waits``: the commands to send after a durable write."""

    trouble: str | None
    waits: tuple[Command, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerFacts:
    """What the server says about itself. ``denied``: commands of ours that our user may not run.

    ``withheld``: questions it refuses; with any of them, the other answers are empty.
    """

    denied: Sequence[str] = ()
    withheld: Sequence[str] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    info: Mapping[str, str] = field(default_factory=dict)
    has_waitaof: bool = False


def assess(facts: ServerFacts) -> Assurance:
    """What to wait for after a write, or why no waiting makes it safe."""
    if facts.withheld:
        return Assurance(trouble=_withheld(facts.withheld))
    settings, info = facts.settings, facts.info
    replicas = int(info.get("connected_slaves", "0"))
    trouble = _trouble(facts, replicas)
    if trouble is not None:
        return Assurance(trouble=trouble)
    waits: list[Command] = []
    if settings["appendfsync"] != "always":
        waits.append(("WAITAOF", 1, 0, WAIT_MS))
    if replicas:
        waits.append(("WAIT", 1, WAIT_MS))
    return Assurance(trouble=None, waits=tuple(waits))


def _withheld(questions: Sequence[str]) -> str:
    return (
        f"Redis refuses {', '.join(questions)}, so nobody can tell whether it keeps what it acknowledges; "
        f"grant our user {' '.join('+' + question.lower().replace(' ', '|') for question in questions)}, or "
        "accept it with REDIS_DURABILITY=weak"
    )


def _trouble(facts: ServerFacts, replicas: int) -> str | None:
    settings, info = facts.settings, facts.info
    if info.get("role") == "slave":
        return "Redis is a read-only replica; point REDIS_URL at the master"
    if settings["appendonly"] != "yes":
        return "Redis has no append-only file, a restart would lose alerts; set appendonly yes"
    fsync = settings["appendfsync"]
    if fsync == "no" or (fsync != "always" and not facts.has_waitaof):
        return f"appendfsync {fsync} may lose alerts on this version of Redis; set appendfsync always"
    if settings["maxmemory-policy"] != "noeviction":
        policy = settings["maxmemory-policy"]
        return f"maxmemory-policy {policy} may evict what was acknowledged; set noeviction"
    if info.get("aof_last_write_status", "ok") != "ok":
        return "Redis cannot write its append-only file; look at its log and at the free space"
    wanted = int(settings.get("min-replicas-to-write", "0"))
    if replicas and not wanted:
        return "Redis has replicas but does not insist on them; set min-replicas-to-write 1"
    if int(info.get("min_slaves_good_slaves", "0")) < wanted:  # 6.2 lets scripts write all the same
        return "Redis has fewer replicas than min-replicas-to-write asks for; bring the replicas back"
    return None


class Examiner:
    """Examines the server when it may have changed: after a reconnect, and every ten seconds."""

    def __init__(self, link: Link, durability: Durability, key: str) -> None:
        """``key``: any of ours, to ask whether we may touch it."""
        self._link = link
        self._key = key
        self._weak = durability == "weak"
        self._found: Assurance | None = None
        self._found_at = 0.0
        self._connects = -1
        self._examining = asyncio.Lock()
        self._warned = False

    async def assurance(self) -> Assurance:
        """What is known, examined anew when that is too old. Raises StoreUnavailable."""
        found = self._fresh()
        if found is not None:
            return found
        async with self._examining:
            return self._fresh() or await self._examine()

    async def insist(self, assured: Assurance) -> None:
        """Raise StoreUnavailable if the write just done met another server than the one examined."""
        if await self.assurance() != assured:
            raise StoreUnavailable(
                "Redis was replaced or set anew during a write; what it keeps is unsure, try again"
            )

    def _fresh(self) -> Assurance | None:
        if self._found is None or self._link.connects != self._connects:
            return None
        keeps = EXAMINE_EVERY if self._found.trouble is None else EXAMINE_AGAIN
        return self._found if time.monotonic() - self._found_at < keeps else None

    async def _examine(self) -> Assurance:
        started = time.monotonic()
        facts = await self._ask()
        found = assess(facts)
        if self._weak and found.trouble is not None:
            if not self._warned:
                self._warned = True
                _log.warning("redis may lose acknowledged alerts, as REDIS_DURABILITY=weak allows",
                             trouble=found.trouble)  # fmt: skip
            found = Assurance(trouble=None)
        needed = {*ALWAYS, *(str(command[0]).lower() for command in found.waits)}
        denied = [command for command in facts.denied if command in needed]
        if denied:
            found = Assurance(trouble=forbidden(denied))
        self._found, self._found_at, self._connects = found, started, self._link.connects
        return found

    async def _ask(self) -> ServerFacts:
        """Raises StoreUnavailable when our user may not even ask, or nobody could just now."""
        allowed = ("EVAL", script("allowed").text, 1, self._key, *ALWAYS, *WAITING)
        questions: list[Command] = [("CONFIG", "GET", name) for name in _SETTINGS]
        questions += [("INFO",), ("COMMAND", "INFO", "WAITAOF")]
        denied, *answers = await self._link.ask(allowed, *questions, within=EXAMINE_WITHIN)
        withheld: dict[str, None] = {}
        for question, answer in zip(questions, answers, strict=True):
            if isinstance(answer, ResponseError):
                if not _is_withheld(answer):
                    raise unavailable(answer) from None
                withheld[" ".join(map(str, question[:2]))] = None
        if isinstance(denied, ResponseError):
            raise unavailable(denied) from None
        denied = [command.decode() for command in denied]
        if withheld:
            return ServerFacts(denied=denied, withheld=tuple(withheld))
        *settings, info, waitaof = answers
        return ServerFacts(
            denied=denied,
            settings={k.decode(): v.decode() for pair in settings for k, v in [pair] if pair},
            info=_read_info(info),
            has_waitaof=bool(waitaof and waitaof[0]),
        )


def _is_withheld(answer: ResponseError) -> bool:
    """Refused to our user, or to everybody, as managed servers do."""
    return isinstance(answer, NoPermissionError) or "unknown" in str(answer).lower()


def _read_info(text: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in text.decode(errors="replace").splitlines())
    return {name: value.strip() for name, colon, value in lines if colon}


def confirm(waits: Sequence[Command], replies: Sequence[Any]) -> None:
    """Raise StoreUnavailable unless every wait reached what it waited for."""
    for command, reply in zip(waits, replies, strict=True):
        if command[0] == "WAITAOF" and reply[0] < 1:
            raise StoreUnavailable(
                "Redis did not write its append-only file in time; look at the load of its disk"
            )
        if command[0] == "WAIT" and reply < 1:
            raise StoreUnavailable("no replica of Redis confirmed in time; look at its replication")
