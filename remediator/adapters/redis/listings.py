"""What Alertmanagers listed, and the alerts that fire as members of incidents (P3)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from remediator.adapters.redis.base import Bounds, Part
from remediator.adapters.redis.durability import Examiner
from remediator.adapters.redis.keys import Keys
from remediator.adapters.redis.link import Link
from remediator.adapters.redis.lua import Call
from remediator.core.alertmanagers import Member
from remediator.core.alerts import Alert, Fingerprint
from remediator.core.incident import IncidentId
from remediator.core.store import CHUNK, LISTED_FOR, Members
from remediator.core.times import Instant, Stamp

MOST_TOLD = 20_000
"""Alerts of which this process remembers that the store knows their labels."""
READ_AT_ONCE = 500


class ListingPart(Part):
    """``core.store.ListingStore``."""

    def __init__(self, link: Link, blocking: Link, examiner: Examiner, keys: Keys, bounds: Bounds) -> None:
        super().__init__(link, blocking, examiner, keys, bounds)
        self._labelled: dict[Fingerprint, None] = {}

    async def remember(self, alerts: Sequence[Alert]) -> None:
        """As the Protocol says. Labels that the store knows already are not sent again."""
        told = self._labelled
        texts = ["" if alert.fingerprint in told else _text(alert.labels) for alert in alerts]
        answer = await self._tell_listed(alerts, texts)
        unknown = [alert for alert, known in zip(alerts, answer, strict=True) if known == "0"]
        if unknown:  # another process forgot them meanwhile
            await self._tell_listed(unknown, [_text(alert.labels) for alert in unknown])
        told.update(dict.fromkeys(alert.fingerprint for alert in alerts))
        while len(told) > MOST_TOLD:
            del told[next(iter(told))]

    async def _tell_listed(self, alerts: Sequence[Alert], texts: Sequence[str]) -> str:
        call = Call()
        call.key(*self._keys.listed)
        call.arg(LISTED_FOR)
        call.each(zip(alerts, texts, strict=True), lambda one: call.arg(one[0].fingerprint, one[1]))
        answer: bytes = await self._run("remember", call)
        return answer.decode()

    async def members(self, incident: IncidentId | None) -> Members:
        """As the Protocol says."""
        incidents = await self._open() if incident is None else [incident]
        names: dict[Fingerprint, None] = {}
        for each in incidents:
            names.update(dict.fromkeys(await self._scan(self._keys.incident(each)[1])))
        fingerprints = list(names)
        at, found = await self._look(())
        for start in range(0, len(fingerprints), CHUNK):
            found += (await self._look(fingerprints[start : start + CHUNK]))[1]
        return Members(at=at, firing=tuple(found))

    async def _open(self) -> list[IncidentId]:
        found: dict[IncidentId, None] = {}
        for open_set in self._keys.open.values():
            found.update(dict.fromkeys(map(IncidentId, await self._scan(open_set))))
        return list(found)

    async def _scan(self, name: str) -> list[Fingerprint]:
        """The members of a set, perhaps some of them twice."""
        found: list[Fingerprint] = []
        cursor = b"0"
        while True:
            ((cursor, some),) = await self._ask(("SSCAN", name, cursor, "COUNT", READ_AT_ONCE))
            found += [Fingerprint(each.decode()) for each in some]
            if cursor == b"0":
                return found

    async def _look(self, fingerprints: Sequence[Fingerprint]) -> tuple[Instant, list[Member]]:
        call = Call()
        call.key(*self._keys.listed)

        def write(fingerprint: Fingerprint) -> None:
            call.key(self._keys.episode(fingerprint))
            call.arg(fingerprint)

        call.each(fingerprints, write)
        at, found = await self._run("members", call)
        return Instant(at), list(_read(fingerprints, found))


def _read(fingerprints: Sequence[Fingerprint], found: Iterable[Sequence[bytes]]) -> Iterable[Member]:
    for fingerprint, (starts, listed_at, labels) in zip(fingerprints, found, strict=True):
        if starts:
            yield Member(
                fingerprint=fingerprint,
                starts_at=Stamp(starts.decode()),
                listed_at=Instant(int(float(listed_at))) if listed_at else None,
                labels=json.loads(labels) if labels else {},
            )


def _text(labels: Mapping[str, str]) -> str:
    return json.dumps(labels, ensure_ascii=False, separators=(",", ":"))
