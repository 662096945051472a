"""How the servers that the daemon asks answer it: the store, the API server, the channels.

The counting sides of adapters, which know nothing of metrics: each gets one of these methods as a callable.
"""

from __future__ import annotations

import time
from collections.abc import Container

from remediator.core.plugins import Channel, ChannelMessage
from remediator.telemetry.build import Builder
from remediator.telemetry.table import daemon

_STATUSES = range(100, 600)


class Peers:
    """Counts their answers."""

    def __init__(self, build: Builder) -> None:
        self.store_trips = build.histogram(daemon.STORE_TRIPS)
        self.store_failures = build.counter(daemon.STORE_FAILURES)
        self.kubernetes = build.counter(daemon.KUBERNETES)
        self.kubernetes_duration = build.histogram(daemon.KUBERNETES_DURATION)
        self.channel_failing = build.gauge(daemon.CHANNEL_FAILING)
        self.channel_at = build.gauge(daemon.CHANNEL_AT)
        self._tried: set[str] = set()
        self._accepted: set[str] = set()

    def store_asked(self, seconds: float, answered: bool) -> None:  # a callable of an adapter
        """A trip to the store is over."""
        self.store_trips.observe(seconds)
        if not answered:
            self.store_failures.inc()

    def kubernetes_asked(self, verb: str, code: int | str, seconds: float) -> None:
        """A request to the API server is over. ``code``: its HTTP status, ``timeout`` or ``error``."""
        if isinstance(code, int) and code not in _STATUSES:
            code = "error"
        self.kubernetes.labels(verb, str(code)).inc()
        self.kubernetes_duration.labels(verb).observe(seconds)

    def sent(self, channel: str, *, accepted: bool) -> None:
        """Something was said to a channel of the policy in force."""
        self._tried.add(channel)
        self.channel_failing.labels(channel).set(0 if accepted else 1)
        if accepted:
            self._accepted.add(channel)
            self.channel_at.labels(channel).set(time.time())

    def forget_channels(self, known: Container[str]) -> None:
        """Those that are no channels any more fail no more."""
        for gauge, told in ((self.channel_failing, self._tried), (self.channel_at, self._accepted)):
            for channel in [name for name in told if name not in known]:
                told.discard(channel)
                gauge.remove(channel)


class CountedChannel:
    """``core.plugins.Channel``: another one, and whether it accepts what is said to it."""

    def __init__(self, channel: Channel, name: str, peers: Peers) -> None:
        self._channel, self._name, self._peers = channel, name, peers

    async def send(self, message: ChannelMessage) -> str:
        """As that one. Raises what it raises."""
        try:
            said = await self._channel.send(message)
        except Exception:
            self._peers.sent(self._name, accepted=False)
            raise
        self._peers.sent(self._name, accepted=True)
        return said
