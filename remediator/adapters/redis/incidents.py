"""Reading incidents: where events belong, what is known, lists and timelines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from remediator.adapters.redis.base import Part
from remediator.adapters.redis.lua import Call
from remediator.core.alerts import Fingerprint
from remediator.core.codec import entry_from, evidence_from, incident_from
from remediator.core.decision import Facts
from remediator.core.evidence import Evidence
from remediator.core.incident import GroupKey, Incident, IncidentId
from remediator.core.journal import Entry
from remediator.core.listing import KEPT_ROOTS, root_of
from remediator.core.roots import Root
from remediator.core.standing import Standing
from remediator.core.store import IncidentFilter, IncidentPage, Loaded
from remediator.core.times import Instant

READ_AT_ONCE = 100


class IncidentPart(Part):
    """``core.store.IncidentStore`` but for ``commit``, ``append`` and ``unmatched``."""

    async def route(
        self, groups: Sequence[GroupKey], fingerprints: Sequence[Fingerprint]
    ) -> tuple[dict[GroupKey, IncidentId], dict[Fingerprint, IncidentId]]:
        """As the Protocol says."""
        names = [self._keys.group(group) for group in groups]
        names += [self._keys.episode(fingerprint) for fingerprint in fingerprints]
        if not names:
            return {}, {}
        (found,) = await self._ask(("MGET", *names))
        newest = zip(groups, found[: len(groups)], strict=True)
        homes = zip(fingerprints, found[len(groups) :], strict=True)
        return (
            {group: IncidentId(value.decode()) for group, value in newest if value},
            {fingerprint: home for fingerprint, value in homes if (home := _home(value))},
        )

    async def load(self, incident: IncidentId | None, fingerprints: Sequence[Fingerprint]) -> Loaded:
        """As the Protocol says."""
        call = Call()
        doc, members, *_ = self._keys.incident(incident or IncidentId(""))
        call.key(doc, members, self._keys.trust, self._keys.lowered[0])
        call.arg(0 if incident is None else 1)

        def write(fingerprint: Fingerprint) -> None:
            call.key(self._keys.episode(fingerprint))
            call.arg(fingerprint)

        call.each(fingerprints, write)
        at, text, firing, member, over, trying, row, lowered = await self._run("load", call)
        rule = trying.decode()
        return Loaded(
            at=Instant(at),
            incident=None if text is None else incident_from(text),
            facts=Facts(
                firing=firing,
                members=_marked(fingerprints, member),
                over=_marked(fingerprints, over),
                standing=Standing(rule=rule, in_a_row=row, lowered=bool(lowered)) if rule else None,
            ),
        )

    async def timeline(self, incident: IncidentId) -> tuple[Entry, ...]:
        """As the Protocol says."""
        (lines,) = await self._ask(("LRANGE", self._keys.incident(incident)[2], 0, -1))
        return tuple(entry_from(line) for line in lines)

    async def evidence(self, incident: IncidentId) -> tuple[Evidence, ...]:
        """As the Protocol says."""
        (kept,) = await self._ask(("LRANGE", self._keys.incident(incident)[3], 0, -1))
        return tuple(evidence_from(text) for text in kept)

    async def incidents(self, wanted: IncidentFilter, limit: int, cursor: str | None) -> IncidentPage:
        """As the Protocol says. The cursor names the last incident that was shown."""
        after = _read_cursor(cursor)
        found: list[tuple[int, Incident]] = []
        offset = 0
        while len(found) <= limit:
            top = "+inf" if after is None else str(after[0])
            (reply,) = await self._ask(
                (
                    "ZREVRANGEBYSCORE",
                    self._keys.index,
                    top,
                    "-inf",
                    "WITHSCORES",
                    "LIMIT",
                    offset,
                    READ_AT_ONCE,
                )
            )
            ranked = [(int(score), who.decode()) for who, score in zip(reply[::2], reply[1::2], strict=True)]
            found += await self._read_matching(
                [key for key in ranked if after is None or key < after], wanted
            )
            offset += READ_AT_ONCE
            if len(ranked) < READ_AT_ONCE:
                break
        shown = found[:limit]
        more = len(found) > limit and shown
        return IncidentPage(
            items=tuple(incident for _, incident in shown),
            next=f"{shown[-1][0]}.{shown[-1][1].id}" if more else None,
        )

    async def open_services(self, most: int) -> frozenset[str]:
        """As the Protocol says. Looks at open incidents alone, however many are kept."""
        found: set[str] = set()
        for open_set in self._keys.open.values():
            cursor = b"0"
            while len(found) < most:
                ((cursor, ids),) = await self._ask(("SSCAN", open_set, cursor, "COUNT", READ_AT_ONCE))
                docs = [self._keys.incident(IncidentId(each.decode()))[0] for each in ids]
                for (service,) in await self._ask(*(("HMGET", doc, "service") for doc in docs)):
                    if service is not None:  # else it was forgotten since
                        found.add(service.decode())
                if cursor == b"0":
                    break
        return frozenset(found)

    async def open_about(self, names: Sequence[str]) -> tuple[Root, ...]:
        """As the Protocol says."""
        found: list[Root] = []
        for start in range(0, len(names), READ_AT_ONCE):
            asked = names[start : start + READ_AT_ONCE]
            replies = await self._ask(
                *(("ZRANGE", self._keys.about(name), 0, KEPT_ROOTS - 1, "WITHSCORES") for name in asked)
            )
            for name, reply in zip(asked, replies, strict=True):
                pairs = zip(reply[::2], reply[1::2], strict=True)
                found += [root_of(IncidentId(who.decode()), name, int(score)) for who, score in pairs]
        return tuple(found)

    async def _read_matching(
        self, ranked: Sequence[tuple[int, str]], wanted: IncidentFilter
    ) -> list[tuple[int, Incident]]:
        if not ranked:
            return []
        fields = ("status", "severity", "service", "doc")
        docs = await self._ask(
            *(("HMGET", self._keys.incident(IncidentId(i))[0], *fields) for _, i in ranked)
        )
        return [
            (opened_at, incident_from(values[3]))
            for (opened_at, _), values in zip(ranked, docs, strict=True)
            if values[3] is not None and _matches(values, wanted)
        ]


def _matches(values: Sequence[Any], wanted: IncidentFilter) -> bool:
    asked = (wanted.status, wanted.severity, wanted.service)
    return all(want is None or want == have.decode() for want, have in zip(asked, values[:3], strict=True))


def _read_cursor(cursor: str | None) -> tuple[int, str] | None:
    """Where the page before ended. A cursor that is none of ours starts at the newest."""
    opened_at, _, incident = (cursor or "").partition(".")
    return (int(opened_at), incident) if opened_at.isascii() and opened_at.isdigit() else None


def _home(value: bytes | None) -> IncidentId | None:
    """The incident of an episode; see ``read_episode`` in ``common.lua``."""
    incident = value.split(b"|", 3)[3].decode() if value else ""
    return IncidentId(incident) if incident else None


def _marked(fingerprints: Sequence[Fingerprint], marks: bytes) -> frozenset[Fingerprint]:
    return frozenset(fp for fp, mark in zip(fingerprints, marks.decode(), strict=True) if mark == "1")
