"""The Alertmanager of a test that silences something. Other tests have none."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from remediator.core.alertmanagers import SETTLED, Answers, Listed, Listing, Silence, State
from remediator.core.alerts import Alert, AlertStatus, Fingerprint
from remediator.core.times import DAY, Instant, Millis, format_instant, parse_stamp

FOREVER = Millis(365 * DAY)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Silenced:
    labels: Mapping[str, str]
    silence: Silence
    until: Instant

    def covers(self, alert: Alert, now: Instant) -> bool:
        return now < self.until and self.labels.items() <= alert.labels.items()


class StagedAlertmanager:
    """``core.alertmanagers.Alertmanagers``: one, which lists what the test fires and what silences it."""

    def __init__(self, now: Callable[[], Instant]) -> None:
        self._now = now
        self._firing: dict[Fingerprint, Alert] = {}
        self._silences: list[_Silenced] = []

    def hear(self, alert: Alert) -> None:
        """Prometheus says that it fires, or does no longer."""
        if alert.status is AlertStatus.FIRING:
            self._firing[alert.fingerprint] = alert
        else:
            self._firing.pop(alert.fingerprint, None)

    def silence(self, labels: Mapping[str, str], by: str, span: Millis | None) -> None:
        """A person silences what has these labels; without a ``span`` for good."""
        now = self._now()
        until = Instant(now + (FOREVER if span is None else span))
        made = Silence(
            id=f"silence-{len(self._silences) + 1}",
            matchers=(),
            starts_at=parse_stamp(format_instant(now)),
            ends_at=parse_stamp(format_instant(until)),
            created_by=by,
            comment="",
            state="active",
        )
        self._silences.append(_Silenced(labels=labels, silence=made, until=until))

    async def poll(self) -> Answers:
        """Everything that fires."""
        return await self.ask(())

    async def ask(self, names: Collection[str]) -> Answers:
        """What fires and has one of these names."""
        found = [a for a in self._firing.values() if not names or a.labels.get("alertname", "") in names]
        silences = {one.silence.id: one.silence for one in self._silences}
        alerts = tuple(map(self._listed, found))
        return (Listing(who="the test", up_for=SETTLED, alerts=alerts, silences=silences),)

    def _listed(self, alert: Alert) -> Listed:
        now = self._now()
        by = tuple(one.silence.id for one in self._silences if one.covers(alert, now))
        return Listed(alert=alert, state=State.SUPPRESSED if by else State.ACTIVE, silenced_by=by)
