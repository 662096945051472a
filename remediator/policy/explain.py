"""What a policy would make of alerts, and why not something else. Changes nothing.

The answer comes from the daemon's own classifier. What the guards would say is asked of whoever calls,
because only a running daemon can look at the cluster and at the limits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from remediator.core.alerts import Alert, AlertStatus, Notification
from remediator.core.classify import Classifier, Match, Miss
from remediator.core.errors import Refused
from remediator.core.matchers import Matcher, MatchOp
from remediator.core.policies import (
    Mode,
    PageUnlessVerified,
    Policy,
    Rule,
    Runbook,
    Scope,
    describe_page_policy,
)
from remediator.core.text import plain
from remediator.core.times import Instant, format_duration
from remediator.policy.foresee import foresee
from remediator.policy.opinions import NOBODY, GuardOpinion, Offline, Opinions, guard_opinions
from remediator.policy.plans import RunbookPlan, plan_runbook

__all__ = ["AlertExplanation", "Explainer", "Explanation", "GuardOpinion", "Opinions", "explain"]

SHOWN_MISSES = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleNote:
    """A rule by name and place. ``mode`` is what the daemon's ceiling leaves of its own.

    ``lowered``: why the daemon trusts it with less than its file says; empty when it does not.
    """

    name: str
    where: str
    mode: Mode
    lowered: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NearMiss:
    """A rule that nearly matched: its first matcher that failed and the value it saw."""

    rule: RuleNote
    matcher: str
    saw: str
    held: int
    of: int


@dataclass(frozen=True, kw_only=True, slots=True)
class LevelPlan:
    """One level of an escalation. ``after``: asked that long after the page, if nobody acknowledges."""

    level: int
    after: str
    channels: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class SeverityPlan:
    """What the severity promises. ``page_at``: the latest time of the page after opening; None: never."""

    name: str
    summary: str
    page: str
    page_at: str | None
    story: tuple[str, ...]
    """How its timeline would begin: decided by the daemon's own function."""
    respond_within: str | None
    resolve_within: str | None
    escalation: str | None
    levels: tuple[LevelPlan, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class IncidentPlan:
    """The incident that the alert would open or join: the one with this group."""

    service: str
    in_catalog: bool
    grouped_by: Mapping[str, str]
    group: str
    hold: str | None
    waits_for: tuple[str, ...]
    """Services it depends on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunbookNote:
    """A runbook in its turn: its plan as rendered, and what each guard would say.

    ``blocked``: why its templates cannot be rendered; then the plan is as written.
    """

    plan: RunbookPlan
    guards: tuple[GuardOpinion, ...]
    blocked: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertExplanation:
    """What would become of one alert. Without a ``rule`` it is counted and listed, nothing else."""

    fingerprint: str
    name: str
    status: str
    rule: RuleNote | None
    too_late: tuple[RuleNote, ...]
    near: tuple[NearMiss, ...]
    severity: SeverityPlan | None
    incident: IncidentPlan | None
    runbooks: tuple[RunbookNote, ...]
    foreign: str | None
    """The matcher of ``guards.accept`` that the alert fails: nothing is done about it."""
    skeleton: str | None
    """A rule to begin with, where none matches."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """The decision and its reasons, for every alert of a notification."""

    policy: str
    ceiling: Mode
    alerts: tuple[AlertExplanation, ...]
    rejected: tuple[str, ...]
    """Why alerts could not be understood: these become dead letters."""

    def as_data(self) -> dict[str, object]:
        """As plain values for JSON."""
        return asdict(self)


async def explain(
    policy: Policy, notification: Notification, *, ceiling: Mode = Mode.AUTO, opinions: Opinions | None = None
) -> Explanation:
    """What the policy would make of a notification. ``opinions``: who asks the guards."""
    explainer = Explainer(policy, ceiling=ceiling, opinions=opinions)
    return Explanation(
        policy=policy.digest,
        ceiling=ceiling,
        alerts=tuple([await explainer.alert(alert) for alert in notification.alerts]),
        rejected=tuple(plain(each.reason, 300) for each in notification.rejected),
    )


class Explainer:
    """Explains alerts under one policy and one ceiling."""

    def __init__(
        self, policy: Policy, *, ceiling: Mode = Mode.AUTO, opinions: Opinions | None = None
    ) -> None:
        self._policy = policy
        self._classifier = Classifier(policy)
        self._ceiling = ceiling
        self._opinions = opinions or guard_opinions(policy, Offline(), ceiling, Instant(0))

    async def alert(self, alert: Alert) -> AlertExplanation:
        """What would become of one alert."""
        return await self.labels(alert.labels, fingerprint=alert.fingerprint, status=alert.status)

    async def labels(
        self, labels: Mapping[str, str], *, fingerprint: str = "", status: str = AlertStatus.FIRING
    ) -> AlertExplanation:
        """What would become of an alert with these labels."""
        match = self._classifier.match(labels)
        foreign = next((each for each in self._policy.guards.accept if not each.matches(labels)), None)
        return AlertExplanation(
            fingerprint=fingerprint,
            name=plain(labels.get("alertname", ""), 100),
            status=str(status),
            rule=None if match is None else self._rule(match.rule),
            too_late=tuple(map(self._rule, self._classifier.covered(labels)[1:])),
            near=tuple(map(self._miss, self._near(labels))),
            severity=None if match is None else self._severity(match, labels),
            incident=None if match is None else self._incident(match),
            runbooks=() if match is None else await self._runbooks(match),
            foreign=None if foreign is None else str(foreign),
            skeleton=skeleton(labels) if match is None else None,
        )

    def _near(self, labels: Mapping[str, str]) -> tuple[Miss, ...]:
        """The nearest misses: rules of which at least one matcher holds."""
        return tuple(miss for miss in self._classifier.misses(labels) if miss.held)[:SHOWN_MISSES]

    def _rule(self, rule: Rule) -> RuleNote:
        return RuleNote(
            name=rule.name, where=rule.where, mode=rule.mode.capped(self._ceiling), lowered=rule.lowered
        )

    def _miss(self, miss: Miss) -> NearMiss:
        return NearMiss(
            rule=self._rule(miss.rule),
            matcher=str(miss.matcher),
            saw=plain(miss.saw, 100),
            held=miss.held,
            of=len(miss.rule.matchers),
        )

    def _severity(self, match: Match, labels: Mapping[str, str]) -> SeverityPlan | None:
        rule, name = match.rule, match.rule.severity
        severity = self._policy.severities.get(name)
        if severity is None:
            return None
        foreseen = foresee(self._policy, match, labels)
        page = describe_page_policy(severity.page)
        if isinstance(severity.page, PageUnlessVerified) and not rule.runbooks:
            page += "; there is no runbook to try first, so at once"
        return SeverityPlan(
            name=name,
            summary=severity.summary,
            page=page,
            page_at=None if foreseen.page_at is None else format_duration(foreseen.page_at),
            story=foreseen.story,
            respond_within=_span(severity.respond_within),
            resolve_within=_span(severity.resolve_within),
            escalation=severity.escalation,
            levels=self._levels(name),
        )

    def _levels(self, severity: str) -> tuple[LevelPlan, ...]:
        plans, after = [], 0
        for level in self._policy.levels(severity):
            plans.append(LevelPlan(level=level.level, after=format_duration(after), channels=level.channels))
            if level.acknowledge_within is None:
                break
            after += level.acknowledge_within
        return tuple(plans)

    def _incident(self, match: Match) -> IncidentPlan:
        service = self._policy.services.get(match.service)
        return IncidentPlan(
            service=match.service,
            in_catalog=service is not None,
            grouped_by=dict(match.grouped_by),
            group=match.group,
            hold=_span(match.rule.hold or None),
            waits_for=() if service is None else service.depends_on,
        )

    async def _runbooks(self, match: Match) -> tuple[RunbookNote, ...]:
        notes = []
        for name in match.rule.runbooks:
            runbook = self._policy.runbooks.get(name)
            if runbook is not None:
                notes.append(await self._runbook(match, runbook))
        return tuple(notes)

    async def _runbook(self, match: Match, runbook: Runbook) -> RunbookNote:
        entry = self._policy.services.get(match.service)
        scope = Scope(incident=NOBODY, severity=match.rule.severity, service=match.service, entry=entry)
        blocked = None
        try:
            runbook = self._policy.render(runbook, scope)
        except Refused as error:
            blocked = plain(str(error), 300)
        guards = tuple(await self._opinions(match, runbook))
        return RunbookNote(plan=plan_runbook(runbook, entry), guards=guards, blocked=blocked)


def skeleton(labels: Mapping[str, str]) -> str:
    """A rule to begin with, for an alert that no rule matches. YAML."""
    name = "".join(c if c.isascii() and c.isalnum() else "-" for c in labels.get("alertname", "new-rule"))
    wanted = [key for key in ("alertname", "namespace") if labels.get(key)]
    lines = [f"- name: {name.strip('-').lower()[:63] or 'new-rule'}", "  match:"]
    for key in wanted:
        text = str(Matcher(name=key, op=MatchOp.EQUAL, value=plain(labels[key], 100))).replace("'", "''")
        lines.append(f"    - '{text}'")
    if not wanted:
        lines[-1] = "  match: []"
    return "\n".join((*lines, "  severity: SEV-3", ""))


def _span(span: int | None) -> str | None:
    return None if span is None else format_duration(span)
