"""Silences over the HTTP API (v2) of Alertmanagers: ``core.silencing.Silencer``.

Those of a pair tell each other of silences, by gossip. Which know each other their statuses say: each names
itself and its peers. So a silence is created in the first of them, and looked for in all.

Source: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from remediator.adapters.peer import Peer
from remediator.core.alertmanagers import OURS, Silence
from remediator.core.errors import NotFound, Refused, Retryable, Unknown
from remediator.core.matchers import Matcher, MatchOp
from remediator.core.silencing import SILENCE_WITHIN, WantedSilence
from remediator.core.times import Instant, format_instant, parse_stamp, stamp_instant

LARGEST = 4 << 20
LARGEST_LISTING = 16 << 20
"""Bytes of one silence or a status, and of all silences; those that are over are kept for days."""
ONE_BY_ONE = 20
"""Silences that are asked for by their ids; more of them are found among all."""
SAME_END = 1_000
"""Milliseconds by which an end may differ from what was asked for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Membership:
    """Whom one of them knows. ``name``: its own; empty where it belongs to no cluster."""

    name: str
    peers: frozenset[str]

    def knows(self, other: Membership) -> bool:
        """Whether silences spread from the one to the other."""
        return bool(self.name and other.name) and (other.name in self.peers or self.name in other.peers)


class Silences:
    """Those of one Alertmanager. All of it raises Refused and Retryable."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self.who = peer.shown

    async def membership(self) -> Membership:
        """Which cluster it belongs to."""
        said = (await self._peer.ask("GET", "api/v2/status", LARGEST)).json
        cluster = said.get("cluster") if isinstance(said, dict) else None
        if not isinstance(cluster, dict):
            raise self._peer.stranger()
        peers = cluster.get("peers") or []
        if not isinstance(peers, list):
            raise self._peer.stranger()
        names = (each.get("name") for each in peers if isinstance(each, dict))
        known = frozenset(name for name in names if isinstance(name, str))
        return Membership(name=str(cluster.get("name") or ""), peers=known)

    async def get(self, silence: str) -> Silence:
        """The silence of that id. Raises NotFound too."""
        return self._silence((await self._peer.ask("GET", _place(silence), LARGEST)).json)

    async def among(self, ids: Collection[str]) -> dict[str, Silence]:
        """Those of these ids that there are."""
        if len(ids) > ONE_BY_ONE:
            return {one.id: one for one in map(self._silence, await self._all()) if one.id in ids}
        found = {}
        for each in ids:
            try:
                found[each] = await self.get(each)
            except NotFound:
                continue  # it was deleted since
        return found

    async def find(self, comment: str) -> tuple[Silence, ...]:
        """Those of ours with that very comment that are not over, by their ids."""
        found = [
            self._silence(raw)
            for raw in await self._all()
            if raw.get("comment") == comment and raw.get("createdBy") == OURS
        ]
        return tuple(sorted((one for one in found if one.state != "expired"), key=lambda one: one.id))

    async def create(
        self, matchers: Iterable[Matcher], starts_at: Instant, ends_at: Instant, comment: str
    ) -> str:
        """A silence from us; its id. Look for its comment first."""
        body = {
            "matchers": [_wire(matcher) for matcher in matchers],
            "startsAt": format_instant(starts_at),
            "endsAt": format_instant(ends_at),
            "createdBy": OURS,
            "comment": comment,
        }
        said = (await self._peer.ask("POST", "api/v2/silences", LARGEST, json=body)).json
        made = said.get("silenceID") if isinstance(said, dict) else None
        if not isinstance(made, str):
            raise self._peer.stranger()
        return made

    async def expire(self, silence: str) -> None:
        """It ends now; one that is over or unknown stays so."""
        try:
            if (await self.get(silence)).state == "expired":
                return
            await self._peer.ask("DELETE", _place(silence), LARGEST)
        except NotFound:
            return

    async def _all(self) -> list[dict[str, Any]]:
        return self._objects((await self._peer.ask("GET", "api/v2/silences", LARGEST_LISTING)).json)

    def _silence(self, raw: object) -> Silence:
        if not isinstance(raw, dict) or not isinstance(status := raw.get("status"), dict):
            raise self._peer.stranger()
        try:
            return Silence(
                id=str(raw["id"]),
                matchers=_matchers(self._objects(raw.get("matchers"))),
                starts_at=parse_stamp(str(raw["startsAt"])),
                ends_at=parse_stamp(str(raw["endsAt"])),
                created_by=str(raw.get("createdBy")),
                comment=str(raw.get("comment")),
                state=str(status.get("state")),
            )
        except (KeyError, ValueError):
            raise self._peer.stranger() from None

    def _objects(self, said: object) -> list[dict[str, Any]]:
        if not isinstance(said, list) or not all(isinstance(each, dict) for each in said):
            raise self._peer.stranger()
        return said


class SilencerSet:
    """``core.silencing.Silencer`` over all that are configured. ``within``: seconds for one question."""

    def __init__(self, each: Sequence[Silences], within: float = SILENCE_WITHIN / 1000) -> None:
        self._each, self._within = tuple(each), within

    async def permit(self) -> None:
        """As the Protocol says."""
        async with self._in_time():
            await self._clusters()

    async def stands(self, wanted: WantedSilence) -> bool:
        """As the Protocol says."""
        async with self._in_time():
            return all([await _found(cluster, wanted) for cluster in await self._clusters()])

    async def create(self, wanted: WantedSilence) -> None:
        """As the Protocol says."""
        async with self._in_time():
            clusters = await self._clusters()
        async with self._in_time(doubtful=True):
            for cluster in clusters:  # one after the other: two addresses may lead to one of them
                if not await _found(cluster, wanted):
                    with _naming(cluster[0]) as first:
                        await first.create(wanted.matchers, wanted.starts_at, wanted.ends_at, wanted.comment)
                    await _keep_one(cluster, wanted)

    async def is_over(self, wanted: WantedSilence) -> bool:
        """As the Protocol says."""
        async with self._in_time():
            return not any([await _found(cluster, wanted) for cluster in await self._clusters()])

    async def end(self, wanted: WantedSilence) -> None:
        """As the Protocol says."""
        async with self._in_time():
            clusters = await self._clusters()
            standing = [await _found(cluster, wanted) for cluster in clusters]
            for known in (each for found in standing for each in found.values()):
                for _, one in known:  # one of them may not have heard yet that it was changed
                    _must_be_ours(one, wanted)
        async with self._in_time(doubtful=True):
            for found in standing:
                for there, one in (known[0] for known in found.values()):
                    with _naming(there):
                        await there.expire(one.id)

    async def _clusters(self) -> list[list[Silences]]:
        """Those that know each other together, in the order of their addresses."""
        clusters: list[list[tuple[Silences, Membership]]] = []
        for one in self._each:
            with _naming(one):
                own = await one.membership()
            met = [known for known in clusters if any(own.knows(other) for _, other in known)]
            for known in met:
                clusters.remove(known)
            clusters.append([pair for known in met for pair in known] + [(one, own)])
        return [[one for one, _ in known] for known in clusters]

    @asynccontextmanager
    async def _in_time(self, *, doubtful: bool = False) -> AsyncIterator[None]:
        """``doubtful``: something may have been sent by then that takes effect."""
        try:
            async with asyncio.timeout(self._within):
                yield
        except (TimeoutError, Retryable) as error:
            why = str(error) or f"the Alertmanagers did not answer within {self._within:g}s"
            if doubtful:
                raise Unknown(f"it may have been done: {why}") from None
            if isinstance(error, Retryable):
                raise
            raise Retryable(why) from None


async def _found(
    cluster: Sequence[Silences], wanted: WantedSilence
) -> dict[str, list[tuple[Silences, Silence]]]:
    """The silences with its comment, by id, each as those that know of it have it."""
    found: dict[str, list[tuple[Silences, Silence]]] = {}
    for each in cluster:
        with _naming(each):
            for one in await each.find(wanted.comment):
                found.setdefault(one.id, []).append((each, one))
    return found


async def _keep_one(cluster: Sequence[Silences], wanted: WantedSilence) -> None:
    """Of several with one comment, which an owner that was paused may have made, the first by id stays."""
    several = await _found(cluster, wanted)
    for spare in sorted(several)[1:]:
        with _naming(several[spare][0][0]) as there:
            await there.expire(spare)


@contextmanager
def _naming(one: Silences) -> Iterator[Silences]:
    """What goes wrong says with which of them."""
    try:
        yield one
    except Retryable as error:
        raise Retryable(f"Alertmanager {one.who}: {error}", delay=error.delay) from None
    except (Refused, NotFound) as error:
        raise Refused(f"Alertmanager {one.who}: {error}") from None


def _must_be_ours(found: Silence, wanted: WantedSilence) -> None:
    same_end = abs(stamp_instant(found.ends_at) - wanted.ends_at) <= SAME_END
    if not same_end or frozenset(found.matchers) != frozenset(wanted.matchers):
        raise Refused(f"silence {found.id} was changed by somebody since: it is left as it is")


def _wire(matcher: Matcher) -> dict[str, object]:
    return {
        "name": matcher.name,
        "value": matcher.value,
        "isRegex": matcher.is_regex,
        "isEqual": matcher.op in (MatchOp.EQUAL, MatchOp.MATCHES),
    }


def _place(silence: str) -> str:
    return f"api/v2/silence/{quote(silence, safe='')}"


def _matchers(every: Sequence[Mapping[str, Any]]) -> tuple[Matcher, ...]:
    """None where one of them is beyond us: Alertmanager knows what it means."""
    try:
        return tuple(map(_matcher, every))
    except ValueError:
        return ()


def _matcher(raw: Mapping[str, Any]) -> Matcher:
    equal, regex = raw.get("isEqual", True), raw.get("isRegex", False)
    op = (
        (MatchOp.MATCHES if equal else MatchOp.NOT_MATCHES)
        if regex
        else (MatchOp.EQUAL if equal else MatchOp.NOT_EQUAL)
    )
    return Matcher(name=str(raw.get("name")), op=op, value=str(raw.get("value")))
