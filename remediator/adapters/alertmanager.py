"""``core.alertmanagers.Alertmanagers`` on the HTTP API (v2) of one or several of them.

What is listed is asked first and then since when the server runs: one that was restarted in between is known
to be young, and its empty list proves nothing.

Source: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from email.utils import parsedate_to_datetime
from typing import Any

from remediator.adapters.peer import Answer, Peer
from remediator.adapters.silences import SilencerSet, Silences
from remediator.core.alertmanagers import Answers, Listed, Listing, State, Unanswered
from remediator.core.alerts import Alert
from remediator.core.errors import Refused, RemediatorError
from remediator.core.matchers import Matcher, MatchOp
from remediator.core.text import plain
from remediator.core.times import Millis, parse_stamp, stamp_instant

WITHIN = 8.0
"""Seconds for one question."""
LARGEST_LISTING = 16 << 20
LARGEST_STATUS = 4 << 20
"""Bytes of a listing, and of a status, which holds the whole configuration."""
MOST_ALERTS = 10_000
BREATHER = 250
"""Alerts after which others get their turn."""
NAMED = "REMEDIATOR_ALERTMANAGER_URLS"

Read = Callable[[Mapping[str, Any]], Alert | None]
"""Reads an alert as it stands in a webhook; None for one that cannot be understood."""


class Alertmanager:
    """One Alertmanager. Make one with ``Alertmanager.connected``."""

    def __init__(self, peer: Peer, receiver: str, read: Read) -> None:
        self._peer, self._receiver, self._read = peer, receiver, read
        self.who, self.silences = peer.shown, Silences(peer)

    @classmethod
    @asynccontextmanager
    async def connected(
        cls, url: str, *, receiver: str, read: Read, token: str | None = None, within: float = WITHIN
    ) -> AsyncIterator[Alertmanager]:
        """One for the length of a block. ``receiver``: the name of ours in its configuration.

        Raises SettingsError.
        """
        async with Peer.connected(
            url, token=token, name="Alertmanager", setting=NAMED, within=within
        ) as peer:
            yield cls(peer, receiver, read)

    def renew(self, token: str) -> None:
        """From now on it is shown this token. Raises SettingsError."""
        self._peer.renew(token)

    async def poll(self) -> Listing:
        """What is routed to our receiver, which must exist. Raises Refused and Retryable."""
        known = (await self._peer.ask("GET", "api/v2/receivers", LARGEST_STATUS)).json
        names = [each.get("name") for each in self._objects(known)]
        if self._receiver not in names:
            has = ", ".join(plain(str(name), 40) for name in names[:5])
            raise Refused(
                f"it has no receiver {plain(self._receiver, 60)}, it has {has}; look at "
                "REMEDIATOR_ALERTMANAGER_RECEIVER"
            )
        return await self._list([("receiver", _literally(self._receiver))])

    async def ask(self, names: Collection[str]) -> Listing:
        """What has one of these names, with the silences it is under. Raises Refused and Retryable."""
        return await self._list([("filter", str(_named(names)))] if names else [])

    async def _list(self, narrowed: Sequence[tuple[str, str]]) -> Listing:
        raw = self._objects(
            (await self._peer.ask("GET", "api/v2/alerts", LARGEST_LISTING, params=narrowed)).json
        )
        if len(raw) > MOST_ALERTS:
            raise Refused(f"it lists {len(raw)} alerts, more than {MOST_ALERTS}")
        alerts: list[Listed] = []
        unusable: set[str] = set()
        for number, each in enumerate(raw, 1):
            one = self._listed(each)
            if one is None:
                unusable.add(str(each.get("fingerprint")))
            else:
                alerts.append(one)
            if number % BREATHER == 0:
                await asyncio.sleep(0)
        up_for = self._up_for(await self._peer.ask("GET", "api/v2/status", LARGEST_STATUS))
        ids = {each for one in alerts for each in one.silenced_by}
        return Listing(
            who=self.who,
            up_for=up_for,
            alerts=tuple(alerts),
            silences=await self.silences.among(ids) if ids else {},
            unusable=frozenset(unusable),
        )

    def _listed(self, raw: Mapping[str, Any]) -> Listed | None:
        status = raw.get("status")
        if not isinstance(status, dict) or status.get("state") not in list(State):
            raise self._peer.stranger()
        told = {
            key: raw.get(key) for key in ("labels", "annotations", "startsAt", "generatorURL", "fingerprint")
        }
        told["annotations"] = told["annotations"] or {}
        told["generatorURL"] = told["generatorURL"] or ""
        alert = self._read({**told, "status": "firing"})
        if alert is None:
            return None
        return Listed(
            alert=alert,
            state=State(status["state"]),
            silenced_by=_texts(status.get("silencedBy")),
            inhibited_by=_texts(status.get("inhibitedBy")),
            muted_by=_texts(status.get("mutedBy")),
        )

    def _up_for(self, answer: Answer) -> Millis:
        """Since it started, by its own clock. Nothing where it does not tell the time."""
        since = answer.json.get("uptime") if isinstance(answer.json, dict) else None
        if not isinstance(since, str):
            raise self._peer.stranger()
        try:
            now = round(parsedate_to_datetime(answer.date).timestamp() * 1000)
            return Millis(max(now - stamp_instant(parse_stamp(since)), 0))
        except (ValueError, TypeError):
            return Millis(0)

    def _objects(self, said: object) -> list[dict[str, Any]]:
        if not isinstance(said, list) or not all(isinstance(each, dict) for each in said):
            raise self._peer.stranger()
        return said


class AlertmanagerSet:
    """``core.alertmanagers.Alertmanagers``: all that are configured."""

    def __init__(self, each: Sequence[Alertmanager]) -> None:
        self.each = tuple(each)
        self.silencer = SilencerSet([one.silences for one in self.each])

    @classmethod
    @asynccontextmanager
    async def connected(
        cls,
        urls: Sequence[str],
        *,
        receiver: str,
        read: Read,
        token: str | None = None,
        within: float = WITHIN,
    ) -> AsyncIterator[AlertmanagerSet]:
        """All of them for the length of a block. Raises SettingsError."""
        async with AsyncExitStack() as stack:
            yield cls(
                [
                    await stack.enter_async_context(
                        Alertmanager.connected(url, receiver=receiver, read=read, token=token, within=within)
                    )
                    for url in urls
                ]
            )

    def renew(self, token: str) -> None:
        """From now on all of them are shown this token. Raises SettingsError."""
        for one in self.each:
            one.renew(token)

    async def poll(self) -> Answers:
        """As the Protocol says."""
        return await self._every(lambda one: one.poll())

    async def ask(self, names: Collection[str]) -> Answers:
        """As the Protocol says."""
        return await self._every(lambda one: one.ask(names))

    async def _every(self, question: Callable[[Alertmanager], Awaitable[Listing]]) -> Answers:
        async def answer(one: Alertmanager) -> Listing | Unanswered:
            try:
                return await question(one)
            except RemediatorError as error:
                return Unanswered(who=one.who, why=str(error))

        return tuple(await asyncio.gather(*map(answer, self.each)))


def _named(names: Collection[str]) -> Matcher:
    if len(names) == 1:
        return Matcher(name="alertname", op=MatchOp.EQUAL, value=next(iter(names)))
    return Matcher(name="alertname", op=MatchOp.MATCHES, value="|".join(map(_literally, sorted(names))))


def _literally(text: str) -> str:
    """A regular expression (RE2) that matches this text alone, where it is anchored."""
    return "".join(c if c.isalnum() or c == "_" or ord(c) > 127 else f"\\{c}" for c in text)


def _texts(said: object) -> tuple[str, ...]:
    return tuple(map(str, said)) if isinstance(said, list) else ()
