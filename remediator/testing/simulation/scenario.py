"""What goes wrong in one simulation, drawn from its seed: the policy, the outages, how they are told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from remediator.core.alerts import Alert, AlertStatus, Fingerprint
from remediator.core.matchers import Matcher, MatchOp
from remediator.core.pauses import EVERYTHING, PauseScope, ScopeKind
from remediator.core.policies import (
    ApprovalTerms,
    AttemptLimits,
    ChannelSpec,
    Check,
    Diagnosis,
    Escalation,
    GuardPolicy,
    Level,
    Mode,
    PageNever,
    PageNow,
    PageUnlessVerified,
    Policy,
    QueryBound,
    Raise,
    RaiseCondition,
    Rate,
    RateLimits,
    Rule,
    Runbook,
    Service,
    ServicesAffected,
    Severity,
    Step,
    StillOpen,
    WorkloadRef,
)
from remediator.core.times import MINUTE, SECOND, Millis, Stamp
from remediator.policy.rendering import render_runbook
from remediator.testing.simulation.reloads import draw_swaps, draw_variant

BASE = 1_795_400_000
"""The virtual clock starts at that many seconds since the epoch."""
DEADLINE = 2 * MINUTE
APPROVE_WITHIN = Millis(50 * SECOND)
"""Shorter than some people think."""
STORMY_UNTIL = 330.0
NAMESPACE = "sim"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outage:
    """One service breaks. ``repaired_at``: when a person repairs it, if a restart does not."""

    service: str
    severity: str
    fingerprint: Fingerprint
    breaks_at: float
    heals: bool
    repaired_at: float
    alertmanagers: int
    shifts: tuple[int, ...]
    """By how many seconds each Alertmanager's startsAt differs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """Everything about one run that is not chance on the way."""

    policy: Policy
    variant: Policy
    swaps: tuple[float, ...]
    """When the other of the two policies is loaded."""
    outages: tuple[Outage, ...]
    replicas: int
    pauses: tuple[tuple[float, float, PauseScope], ...]
    """From when until when what is paused."""
    stormy_until: float
    ends_at: float


def draw_scenario(rng: Random) -> Scenario:
    """A scenario of one to four services, each breaking once or twice within five minutes."""
    services = [f"svc-{n}" for n in range(rng.randint(1, 4))]
    severities = {name: rng.choice(["SEV-1", "SEV-2", "SEV-2", "SEV-3"]) for name in services}
    outages: list[Outage] = []
    at_once = rng.random() < 0.4
    first = rng.uniform(1, 60)
    for name in services:
        at = first + rng.uniform(0, 2) if at_once else rng.uniform(1, 60)
        for turn in range(rng.choice([1, 1, 2])):
            count = rng.randint(1, 3)
            outages.append(
                Outage(
                    service=name,
                    severity=severities[name],
                    fingerprint=Fingerprint(f"{services.index(name):04x}{rng.choice([0, turn]):04x}"),
                    breaks_at=at,
                    heals=rng.random() < 0.6,
                    repaired_at=at + rng.uniform(60, 200),
                    alertmanagers=count,
                    shifts=tuple(rng.choice([0, 0, 1, 3]) for _ in range(count)),
                )
            )
            at += rng.uniform(210, 240)
    pauses = tuple(
        (start := rng.uniform(5, 200), start + rng.uniform(20, 60), EVERYTHING)
        for _ in range(rng.choice([0, 0, 1]))
    )
    policy = _policy(services, severities, rng)
    return Scenario(
        policy=policy,
        variant=draw_variant(policy, rng),
        swaps=draw_swaps(rng, STORMY_UNTIL),
        outages=tuple(outages),
        replicas=rng.randint(1, 3),
        pauses=(*pauses, *_draw_named_pauses(outages)),
        stormy_until=STORMY_UNTIL,
        ends_at=STORMY_UNTIL + 420.0,
    )


def _draw_named_pauses(outages: list[Outage]) -> Iterator[tuple[float, float, PauseScope]]:
    """Of what is about to break, by chance of its own: what else a seed draws stays what it was."""
    for outage in outages:
        own = Random(f"{outage.service} {outage.breaks_at}")
        if own.random() < 0.15:
            service = PauseScope(kind=ScopeKind.SERVICE, name=outage.service)
            scope = own.choice([service, service, PauseScope(kind=ScopeKind.NAMESPACE, name=NAMESPACE)])
            start = max(0.0, outage.breaks_at - own.uniform(0, 30))
            yield start, start + own.uniform(20, 60), scope


def _policy(services: list[str], severities: dict[str, str], rng: Random) -> Policy:
    restart = Runbook(
        name="restart-it",
        diagnose=(Diagnosis(diagnosis="workload"),) if rng.random() < 0.5 else (),
        steps=(Step(action="restart"),),
        verify=(
            Check(check="rollout", within=Millis(60 * SECOND)),
            Check(check="ready", stable=Millis(5 * SECOND), within=Millis(60 * SECOND)),
            *((Check(check="alert", within=Millis(60 * SECOND)),) if rng.random() < 0.5 else ()),
        ),
        limits=AttemptLimits(attempts=3, per=Millis(10 * MINUTE), cooldown=Millis(30 * SECOND)),
        approval=ApprovalTerms(asked_for=(), within=APPROVE_WITHIN),
    )
    wait = Check(check="ready", stable=Millis(2 * SECOND), within=Millis(30 * SECOND))
    steps = (
        Step(action="delete_pod", params={"which": "not_ready", "at_most": 2}),
        Step(action="wait", params={"for": "ready"}, wait=wait),
    )
    replacing = replace(restart, name="replace-pods", steps=steps)
    runbooks = {name: rng.choice([restart, restart, replacing]) for name in services}
    rules = tuple(
        Rule(
            name=f"{name}-down",
            matchers=(Matcher(name="service", op=MatchOp.EQUAL, value=name),),
            severity=severities[name],
            hold=Millis(rng.choice([0, 0, 5]) * SECOND),
            mode=_draw_mode(name, severities),
            runbooks=(runbooks[name].name,),
        )
        for name in services
    )
    levels = (
        Level(level=1, channels=("oncall",), acknowledge_within=Millis(MINUTE)),
        Level(level=2, channels=("manager",), acknowledge_within=Millis(MINUTE)),
    )
    named = [
        Severity(name="SEV-1", page=PageNow(), escalation="all"),
        Severity(
            name="SEV-2",
            page=PageUnlessVerified(within=Millis(DEADLINE)),
            escalation="all",
            raises=_raises("SEV-1", rng),
        ),
        Severity(name="SEV-3", page=PageNever(), raises=_raises("SEV-2", rng)),
    ]
    return Policy(
        severities={severity.name: severity for severity in named},
        services={
            name: Service(
                name=name,
                workload=WorkloadRef(kind="deployment", namespace=NAMESPACE, name=name),
                namespace=NAMESPACE,
            )
            for name in services
        },
        rules=rules,
        runbooks={runbook.name: runbook for runbook in (restart, replacing)},
        guards=GuardPolicy(
            namespaces=(NAMESPACE,),
            rate=RateLimits(
                cluster=Rate(count=rng.choice([1, 2, 5]), per=Millis(2 * MINUTE)),
                service=Rate(count=2, per=Millis(2 * MINUTE)),
                target=Rate(count=1, per=Millis(MINUTE)),
            ),
        ),
        escalations={"all": Escalation(name="all", levels=levels)},
        channels={n: ChannelSpec(name=n, kind="pagerduty") for n in ("oncall", "manager", "operator")},
        operator=("operator",),
        digest="simulated",
        render=render_runbook,
    )


def _draw_mode(service: str, severities: dict[str, str]) -> Mode:
    """Some wait for a person, by chance of its own: what else a seed draws stays what it was."""
    own = Random(f"{service} {sorted(severities.items())}")
    return Mode.APPROVE if own.random() < 0.2 else Mode.AUTO


def _raises(to: str, rng: Random) -> tuple[Raise, ...]:
    """None, by time alone, or by what is seen as well."""
    still = Raise(to=to, when=StillOpen(after=Millis(rng.choice([20, 60, 100]) * SECOND)))
    query = QueryBound(promql='broken{service="{{ service.name }}"}', above=0.5)
    seen: tuple[RaiseCondition, ...] = (query, ServicesAffected(at_least=2))
    return rng.choice([(), (still,), (still, Raise(to=to, when=rng.choice(seen)))])


def stamp(at: float) -> Stamp:
    """The stamp of a virtual moment, whole seconds."""
    from datetime import UTC, datetime

    moment = datetime.fromtimestamp(BASE + int(at), UTC)
    return Stamp(moment.strftime("%Y-%m-%dT%H:%M:%S") + ".000000000Z")


def make_alert(outage: Outage, status: AlertStatus, shift: int, ends_at: float) -> Alert:
    """The alert as one Alertmanager tells it."""
    return Alert(
        fingerprint=outage.fingerprint,
        status=status,
        labels={"alertname": "Down", "service": outage.service},
        annotations={},
        starts_at=stamp(outage.breaks_at + shift),
        ends_at=None if status is AlertStatus.FIRING else stamp(ends_at),
    )
