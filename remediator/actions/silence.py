"""``silence``: keep Alertmanager quiet about what is being worked on."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from remediator.core.alerts import Alert
from remediator.core.changes import Change, CreateSilence, EndSilence
from remediator.core.cluster import Need, Snapshot
from remediator.core.errors import Refused, Retryable
from remediator.core.matcher_text import MatcherSource
from remediator.core.matchers import Matcher, MatchOp, parse_matcher
from remediator.core.plugins import NOTHING, EffectClass, Params, Permission, objection
from remediator.core.silencing import Author, WantedSilence
from remediator.core.spans import Span
from remediator.core.times import DAY, Instant

LONGEST = DAY
MOST_ALERTS = 10
"""Alerts of an incident that are silenced one by one: of more, the policy is to say what they share."""


class SilenceParams(Params):
    """Parameters of ``silence``."""

    span: Annotated[Span, Field(le=LONGEST)] = Field(
        alias="for", description="How long at most, up to 1d; it ends with the attempt in any case."
    )
    match: list[MatcherSource] = Field(
        default_factory=list,
        max_length=50,
        description="Matchers of what is silenced, all of which must hold. Default: each alert of the "
        "incident, by all its labels.",
    )

    @model_validator(mode="after")
    def _means_something(self) -> Self:
        """Alertmanager refuses a silence that an alert without labels would be under."""
        if self.match and all(parse_matcher(text).matches({}) for text in self.match):
            why = "every alert would be silenced; name a label and what it must be"
            raise objection("P013", f"{why}, such as 'alertname=\"PostgresDown\"'")
        return self

    @property
    def needs(self) -> frozenset[Need]:
        """The alerts, where the policy does not say what is silenced."""
        return frozenset() if self.match else frozenset({Need.ALERTS})


class Silence:
    """Silence alerts in Alertmanager while something is done about them; what is silenced stays an incident.

    Each alert of the incident that Alertmanager lists, at most 10, is silenced by all its labels as they are;
    what fires later is not. It is created once in each Alertmanager, and once in those that know each other.
    Author is `remediator`, the comment names incident, attempt, step and runbook. It ends with the attempt;
    where it cannot be ended, by itself.

    Idempotent: by that comment it is looked for before it is created. Two that were created all the same, by
    a daemon that was paused in between, have one end, and one of them is ended at once.
    Its inverse ends it, unless somebody has changed it since. Not one to repair anything with: it only keeps
    others from being told.
    """

    name: ClassVar[str] = "silence"
    params: ClassVar[type[Params]] = SilenceParams
    permissions: ClassVar[tuple[Permission, ...]] = ()
    effect: ClassVar[EffectClass] = EffectClass.IDEMPOTENT
    needs: ClassVar[frozenset[Need]] = frozenset()
    fenced_on: ClassVar[str] = NOTHING
    invertible: ClassVar[bool] = True
    example: ClassVar[str] = "silence: {for: 15m}"

    def disrupts(self, params: Params) -> bool:
        """Nothing of the cluster is touched."""
        return False

    def plan(self, params: Params, seen: Snapshot, *, at: Instant) -> tuple[Change, ...]:
        """A silence for each alert, or one by the matchers of the policy.

        Raises Retryable while no Alertmanager lists an alert of the incident, and Refused for too many.
        """
        assert isinstance(params, SilenceParams)
        author, target = seen.author, seen.workload
        assert author is not None, "whoever plans says for which step"
        until = Instant(at + params.span)
        if params.match:
            matchers = tuple(map(parse_matcher, params.match))
            wanted = [_wanted(author, matchers, at, until)]
        else:
            wanted = [_wanted(author, _exactly(alert), at, until, alert) for alert in _few(seen.alerts)]
        return tuple(CreateSilence(target=target.ref, uid=target.uid, silence=each) for each in wanted)

    def inverse(self, change: Change, now: Snapshot) -> Change:
        """Its end. Whether it still is as it was created shows in Alertmanager alone."""
        assert isinstance(change, CreateSilence)
        return EndSilence(target=change.target, uid=change.uid, silence=change.silence)


def _few(alerts: tuple[Alert, ...]) -> tuple[Alert, ...]:
    if not alerts:
        raise Retryable("no Alertmanager lists an alert of the incident now: what to silence is not known")
    if len(alerts) > MOST_ALERTS:
        raise Refused(
            f"the incident has {len(alerts)} alerts, and at most {MOST_ALERTS} are silenced one by one; "
            "say under match what they share"
        )
    return alerts


def _exactly(alert: Alert) -> tuple[Matcher, ...]:
    """What matches that alert, whatever its labels hold, and no other but one with more labels."""
    pairs = sorted(alert.labels.items())
    return tuple(Matcher(name=name, op=MatchOp.EQUAL, value=value) for name, value in pairs if value)


def _wanted(
    author: Author, matchers: tuple[Matcher, ...], at: Instant, until: Instant, alert: Alert | None = None
) -> WantedSilence:
    of = None if alert is None else alert.fingerprint
    return WantedSilence(comment=author.comment(of), matchers=matchers, starts_at=at, ends_at=until, alert=of)
