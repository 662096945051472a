"""Whether this server keeps what it acknowledged, and what to wait for so that it does (P1).

``appendfsync always`` needs nothing more: the reply leaves after the fsync. ``everysec`` needs WAITAOF, which
waits for the last write of this very connection. With replicas, one of them must have it, too.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import structlog
from redis.exceptions import ResponseError

from remediator.adapters.redis.faults import unavailable
from remediator.adapters.redis.link import Command, Link
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
    """What the server says about itself."""

    settings: Mapping[str, str]
    info: Mapping[str, str]
    has_waitaof: bool


def assess(facts: ServerFacts) -> Assurance:
    """What to wait for after a write, or why no waiting makes it safe."""
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

    def __init__(self, link: Link, durability: Durability) -> None:
        self._link = link
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
        found = assess_safely(await self._ask())
        if self._weak and found.trouble is not None:
            if not self._warned:
                self._warned = True
                _log.warning("redis may lose acknowledged alerts, as REDIS_DURABILITY=weak allows",
                             trouble=found.trouble)  # fmt: skip
            found = Assurance(trouble=None)
        self._found, self._found_at, self._connects = found, started, self._link.connects
        return found

    async def _ask(self) -> ServerFacts | None:
        """None: the server does not tell."""
        commands: list[Command] = [("CONFIG", "GET", name) for name in _SETTINGS]
        commands += [("INFO",), ("COMMAND", "INFO", "WAITAOF")]
        try:
            *settings, info, waitaof = await self._link.run(*commands, within=EXAMINE_WITHIN)
        except ResponseError as error:
            refused = unavailable(error)
            if "unknown" in str(error).lower() or "NOPERM" in str(error) or "refuses us" in str(refused):
                return None
            raise refused from None
        return ServerFacts(
            settings={k.decode(): v.decode() for pair in settings for k, v in [pair] if pair},
            info=_read_info(info),
            has_waitaof=bool(waitaof and waitaof[0]),
        )


def assess_safely(facts: ServerFacts | None) -> Assurance:
    """``assess``, for a server that may refuse to say."""
    if facts is None:
        return Assurance(
            trouble="Redis refuses CONFIG GET, so nobody can tell whether it keeps what it acknowledges; "
            "allow CONFIG GET, INFO and COMMAND INFO to our user, or accept it with REDIS_DURABILITY=weak"
        )
    return assess(facts)


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
