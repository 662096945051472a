"""The Alertmanager of a test in which something is silenced, by a person or a step. Other tests have none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Protocol

from remediator.actions.silence import Silence as SilenceAction
from remediator.core.alertmanagers import OURS, SETTLED, Answers, Listed, Listing, Silence, State
from remediator.core.alerts import Alert, AlertStatus, Fingerprint
from remediator.core.errors import Refused, Unknown
from remediator.core.matchers import Matcher, MatchOp
from remediator.core.policies import Policy
from remediator.core.silencing import WantedSilence
from remediator.core.times import DAY, Instant, Millis, format_instant, parse_stamp, stamp_instant
from remediator.rehearsal.script import Result, StepOutcome

FOREVER = Millis(365 * DAY)


def silences(policy: Policy) -> bool:
    """Whether a step of a runbook may create a silence."""
    return any(step.action == SilenceAction.name for book in policy.runbooks.values() for step in book.steps)


class StagedAlertmanager:
    """``core.alertmanagers.Alertmanagers``: one, which lists what the test fires and what silences it."""

    def __init__(self, now: Callable[[], Instant]) -> None:
        self._now = now
        self._firing: dict[Fingerprint, Alert] = {}
        self._silences: dict[str, Silence] = {}
        self._made = 0

    def hear(self, alert: Alert) -> None:
        """Prometheus says that it fires, or does no longer."""
        if alert.status is AlertStatus.FIRING:
            self._firing[alert.fingerprint] = alert
        else:
            self._firing.pop(alert.fingerprint, None)

    def silence(self, labels: Mapping[str, str], by: str, span: Millis | None) -> None:
        """A person silences what has these labels; without a ``span`` for good."""
        until = Instant(self._now() + (FOREVER if span is None else span))
        every = tuple(Matcher(name=name, op=MatchOp.EQUAL, value=value) for name, value in labels.items())
        self.create(every, until, by, "")

    def create(self, matchers: tuple[Matcher, ...], until: Instant, by: str, comment: str) -> None:
        """A silence that begins now."""
        self._made += 1
        made = Silence(
            id=f"silence-{self._made}",
            matchers=matchers,
            starts_at=parse_stamp(format_instant(self._now())),
            ends_at=parse_stamp(format_instant(until)),
            created_by=by,
            comment=comment,
            state="active",
        )
        self._silences[made.id] = made

    def standing(self, comment: str) -> tuple[Silence, ...]:
        """Those with that comment that are not over."""
        return tuple(one for one in self._active() if one.comment == comment)

    def expire(self, silence: str) -> None:
        """It is over."""
        self._silences.pop(silence, None)

    def _active(self) -> tuple[Silence, ...]:
        now = self._now()
        return tuple(one for one in self._silences.values() if now < stamp_instant(one.ends_at))

    async def poll(self) -> Answers:
        """Everything that fires."""
        return await self.ask(())

    async def ask(self, names: Collection[str]) -> Answers:
        """What fires and has one of these names."""
        found = [a for a in self._firing.values() if not names or a.labels.get("alertname", "") in names]
        alerts = tuple(map(self._listed, found))
        return (Listing(who="the test", up_for=SETTLED, alerts=alerts, silences=dict(self._silences)),)

    def _listed(self, alert: Alert) -> Listed:
        by = tuple(
            one.id for one in self._active() if all(each.matches(alert.labels) for each in one.matchers)
        )
        return Listed(alert=alert, state=State.SUPPRESSED if by else State.ACTIVE, silenced_by=by)


class Surroundings(Protocol):
    """What the silencer must know of the rehearsal around it."""

    @property
    def sleep(self) -> Callable[[Millis], Awaitable[None]]:
        """Lets virtual time pass."""

    def step_said(self) -> StepOutcome | None:
        """What was said of the step that is being performed."""


class StagedSilencer:
    """``core.silencing.Silencer``. What was said of the step is what becomes of it."""

    def __init__(self, world: Surroundings, alertmanager: StagedAlertmanager) -> None:
        self._world, self._alertmanager = world, alertmanager

    async def permit(self) -> None:
        """It always answers."""

    async def stands(self, wanted: WantedSilence) -> bool:
        """As the Protocol says."""
        return bool(self._alertmanager.standing(wanted.comment))

    async def create(self, wanted: WantedSilence) -> None:
        """As the Protocol says."""
        await self._as_said()
        if not await self.stands(wanted):
            self._alertmanager.create(wanted.matchers, wanted.ends_at, OURS, wanted.comment)

    async def is_over(self, wanted: WantedSilence) -> bool:
        """As the Protocol says."""
        return not await self.stands(wanted)

    async def end(self, wanted: WantedSilence) -> None:
        """As the Protocol says."""
        await self._as_said()
        for one in self._alertmanager.standing(wanted.comment):
            self._alertmanager.expire(one.id)

    async def _as_said(self) -> None:
        said = self._world.step_said()
        if said is not None and said.takes:
            await self._world.sleep(said.takes)
        match said.result if said is not None else Result.OK:
            case Result.FAILED:
                raise Refused("the rehearsal lets it fail")
            case Result.UNKNOWN:
                raise Unknown("the rehearsal gives no answer")
            case Result.OK:
                return
