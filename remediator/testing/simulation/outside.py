"""PagerDuty and the Alertmanagers of the simulation."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from random import Random

from remediator.core.alertmanagers import OURS, SETTLED, Answers, Listed, Listing, Silence, State, Unanswered
from remediator.core.alerts import Alert, Fingerprint
from remediator.core.errors import Retryable
from remediator.core.journal import PageKind
from remediator.core.plugins import ChannelMessage
from remediator.core.silencing import WantedSilence
from remediator.core.times import Millis
from remediator.testing.simulation.clock import instant, stamp
from remediator.testing.simulation.cluster import SimCluster
from remediator.testing.simulation.history import History, PagerGot


class SimPager:
    """PagerDuty, which takes events and sometimes does not say so."""

    def __init__(self, history: History, rng: Random, chaos_error: Callable[[], float]) -> None:
        self._history, self._rng, self._error = history, rng, chaos_error

    async def send(self, message: ChannelMessage) -> str:
        """As the Protocol says."""
        if self._rng.random() < self._error() * 4:
            raise Retryable("429: slow down", delay=self._rng.choice([None, 3000]))
        self.got(message.dedup_key, message.kind)
        return "Event processed"

    def got(self, dedup_key: str, kind: PageKind) -> None:
        """Taken."""
        self._history.add(PagerGot(dedup_key=dedup_key, kind=kind, at=self._history.now()))


@dataclass
class SimAlertmanagers:
    """One Alertmanager. ``silenced`` and ``inhibited``: services whose alerts are, just now."""

    cluster: SimCluster
    firing: dict[Fingerprint, Alert] = field(default_factory=dict)
    silenced: set[str] = field(default_factory=set)
    inhibited: set[str] = field(default_factory=set)
    created: dict[str, WantedSilence] = field(default_factory=dict)
    """Silences of steps, by their comments, that are not over."""

    def standing(self, comment: str) -> bool:
        """Whether a silence that says so is there and is not over."""
        now = instant(self.cluster.now)
        self.created = {name: one for name, one in self.created.items() if one.ends_at > now}
        return comment in self.created

    async def poll(self) -> Answers:
        """As the Protocol says."""
        return await self.ask(())

    async def ask(self, names: Collection[str]) -> Answers:
        """As the Protocol says."""
        try:
            self.cluster.see("alertmanager")
        except Retryable as error:
            return (Unanswered(who="sim", why=str(error)),)
        silences = {name: _silence(name, "ada", "looking into it") for name in sorted(self.silenced)}
        silences |= {comment: _silence(comment, OURS, comment) for comment in self.created}
        alerts = tuple(self._listed(alert) for alert in self.firing.values())
        return (Listing(who="sim", up_for=Millis(2 * SETTLED), alerts=alerts, silences=silences),)

    def _listed(self, alert: Alert) -> Listed:
        service = alert.labels["service"]
        ours = [name for name, one in self.created.items() if one.alert == alert.fingerprint]
        silenced, inhibited = (
            [*ours, *([service] if service in self.silenced else [])],
            service in self.inhibited,
        )
        return Listed(
            alert=alert,
            state=State.SUPPRESSED if silenced or inhibited else State.ACTIVE,
            silenced_by=tuple(silenced),
            inhibited_by=("elsewhere",) if inhibited else (),
        )


def _silence(name: str, author: str, comment: str) -> Silence:
    return Silence(
        id=name,
        matchers=(),
        starts_at=stamp(0),
        ends_at=stamp(3600),
        created_by=author,
        comment=comment,
        state="active",
    )
