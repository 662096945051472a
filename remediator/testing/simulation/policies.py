"""The policy of a scenario, drawn from its seed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from random import Random

from remediator.core.intervals import Interval
from remediator.core.matchers import Matcher, MatchOp
from remediator.core.policies import (
    BreakerBound,
    BudgetBound,
    ChannelSpec,
    Escalation,
    FlappingBound,
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
    Share,
    Slo,
    StillOpen,
    StormBound,
    WorkloadRef,
)
from remediator.core.times import DAY, MINUTE, SECOND, Millis
from remediator.policy.rendering import render_runbook
from remediator.testing.simulation.clock import BASE
from remediator.testing.simulation.machines import Traits
from remediator.testing.simulation.ports import DOMAIN, NAMESPACE
from remediator.testing.simulation.remedies import (
    BROKEN,
    FREQUENT,
    HOURS,
    ISOLATED,
    KEPT,
    LONG,
    NEEDS_A_READY_POD,
    NOT_SCALED,
    ONCE,
    QUIETED,
    SCALED,
    STEPS,
    UNDONE,
    draw_runbooks,
)

DEADLINE = 2 * MINUTE
FROZEN = "frozen"
"""The time interval in which nothing is changed."""
CROWDED = "crowded"
"""The feature that all break at once, with room for few changes."""
FOCUSED = frozenset(
    ("breaker", "undo", "dependency", "error_budget", "once", "stopped", "isolated", "quieted")
)
"""Features that show only where replicas are trusted to act."""
OURS = Matcher(name="cluster", op=MatchOp.EQUAL, value="ours")


def workload_of(service: str) -> WorkloadRef:
    """Services are called as their workloads."""
    return WorkloadRef(kind="deployment", namespace=NAMESPACE, name=service)


def draw_choices(
    traits: Mapping[str, Traits], features: Collection[str], rng: Random
) -> dict[str, tuple[str, ...]]:
    """Which runbooks are meant for which service: one, and sometimes another if that does not help."""
    found: dict[str, tuple[str, ...]] = {}
    alike = rng.choice([name for name in STEPS if name not in SCALED]) if "breaker" in features else ""
    for service, own in traits.items():
        fits = [name for name in STEPS if name not in (NOT_SCALED if own.scaled else SCALED)]
        likely = _likely(own, features)
        usual = rng.random() < (0.15 if likely is FREQUENT else 0.75)
        first = alike or rng.choice(sorted(likely) if usual else fits)
        found[service] = (first, rng.choice(fits)) if rng.random() < 0.25 else (first,)
    return found


def _likely(own: Traits, features: Collection[str]) -> frozenset[str]:
    focused = {"once": ONCE, "undo": UNDONE, "isolated": ISOLATED, "dependency": LONG, "quieted": QUIETED}
    if not own.scaled and (found := [focused[name] for name in sorted(features) if name in focused]):
        return found[0]
    return KEPT if own.kept_by else SCALED if own.scaled else FREQUENT


def needs_ready_pod(names: Collection[str]) -> bool:
    """Whether it is of no use when every pod is down."""
    return not NEEDS_A_READY_POD.isdisjoint(names)


def draw_policy(
    severities: Mapping[str, str],
    chosen: Mapping[str, tuple[str, ...]],
    features: Collection[str],
    rng: Random,
) -> Policy:
    """For these services, with the guards that the features name."""
    runbooks = draw_runbooks(features, rng)
    return Policy(
        severities={severity.name: severity for severity in _severities(rng)},
        services=dict(_services([*severities], features)),
        rules=_rules(severities, chosen, runbooks, features, rng),
        runbooks=runbooks,
        guards=draw_guards(features, rng),
        escalations={"all": Escalation(name="all", levels=_LEVELS)},
        channels={n: ChannelSpec(name=n, kind="pagerduty") for n in ("oncall", "manager", "operator")},
        operator=("operator",),
        time_intervals=_draw_intervals(rng),
        digest="simulated",
        render=render_runbook,
    )


def draw_guards(features: Collection[str], rng: Random) -> GuardPolicy:
    """Limits always, and of the other guards those that the features name."""
    most = 1 if CROWDED in features else rng.choice([1, 2, 5]) if FOCUSED.isdisjoint(features) else 5
    rate = RateLimits(
        cluster=Rate(count=most, per=Millis(2 * MINUTE)),
        service=Rate(count=2, per=Millis(2 * MINUTE)),
        target=Rate(count=1, per=Millis(MINUTE)),
    )
    storm = StormBound(incidents=2, within=Millis(MINUTE), stop_for=Millis(rng.choice([30, 60]) * SECOND))
    then = rng.choice([Mode.OBSERVE, Mode.SUGGEST, Mode.APPROVE])
    failures = rng.choice([1, 2])
    return GuardPolicy(
        accept=(OURS,) if "foreign" in features else (),
        namespaces=(NAMESPACE,),
        rate=rate,
        max_unavailable=Share(value=rng.choice([0, 1]), percent=False) if "population" in features else None,
        freeze=(FROZEN,) if "freeze" in features else (),
        storm=storm if "storm" in features else None,
        flapping=FlappingBound(reopened=1, within=Millis(10 * MINUTE)) if "flapping" in features else None,
        breaker=BreakerBound(failures=failures, within=Millis(10 * MINUTE))
        if "breaker" in features
        else None,
        error_budget=BudgetBound(below=20.0, then=then) if "error_budget" in features else None,
        lacks=("a guard of tomorrow",) if "unsupported" in features and rng.random() < 0.5 else (),
    )


def _draw_intervals(rng: Random) -> dict[str, tuple[Interval, ...]]:
    """Minutes of the day on which a run begins."""
    begins = BASE % (DAY // SECOND) // 60
    frozen = begins + rng.choice([0, 1, 2])
    until = begins + rng.choice([1, 2, 3])
    return {
        FROZEN: (Interval(times=((frozen, frozen + rng.choice([1, 2])),)),),
        HOURS: (Interval(times=((begins, until), (until + 2, until + 30))),),
    }


def _services(names: list[str], features: Collection[str]) -> Iterator[tuple[str, Service]]:
    """Where one can depend on another, each does on the one before it."""
    for before, name in zip(["", *names], names, strict=False):
        needs = (before,) if before and "dependency" in features else ()
        yield name, _service(name, needs, features)


def _service(name: str, depends_on: tuple[str, ...], features: Collection[str]) -> Service:
    errors = 'errors{service="{{ service.name }}"}'
    slo = Slo(objective=99.0, window=Millis(10 * MINUTE), errors=errors)
    return Service(
        name=name,
        workload=workload_of(name),
        namespace=NAMESPACE,
        depends_on=depends_on,
        health=f"http://{name}.{DOMAIN}:80/health",
        slo=slo if "error_budget" in features else None,
    )


def _rules(
    severities: Mapping[str, str],
    chosen: Mapping[str, tuple[str, ...]],
    runbooks: Mapping[str, Runbook],
    features: Collection[str],
    rng: Random,
) -> tuple[Rule, ...]:
    modes = [Mode.AUTO] * 10 + [Mode.APPROVE] * 3 + [Mode.SUGGEST, Mode.OBSERVE]
    if not FOCUSED.isdisjoint(features):
        modes = [Mode.AUTO]
    return tuple(
        Rule(
            name=f"{name}-down",
            matchers=(Matcher(name="service", op=MatchOp.EQUAL, value=name),),
            severity=severity,
            hold=Millis(rng.choice([0, 0, 0 if CROWDED in features else 5]) * SECOND),
            mode=rng.choice(modes),
            runbooks=tuple(dict.fromkeys(each for each in chosen[name] if each in runbooks)),
        )
        for name, severity in severities.items()
    )


_LEVELS = (
    Level(level=1, channels=("oncall",), acknowledge_within=Millis(MINUTE)),
    Level(level=2, channels=("manager",), acknowledge_within=Millis(MINUTE)),
)


def _severities(rng: Random) -> tuple[Severity, ...]:
    return (
        Severity(name="SEV-1", page=PageNow(), escalation="all"),
        Severity(
            name="SEV-2",
            page=PageUnlessVerified(within=Millis(DEADLINE)),
            escalation="all",
            raises=_raises("SEV-1", rng),
        ),
        Severity(name="SEV-3", page=PageNever(), raises=_raises("SEV-2", rng)),
    )


def _raises(to: str, rng: Random) -> tuple[Raise, ...]:
    """None, by time alone, or by what is seen as well."""
    still = Raise(to=to, when=StillOpen(after=Millis(rng.choice([20, 60, 100]) * SECOND)))
    query = QueryBound(promql=BROKEN, above=0.5)
    seen: tuple[RaiseCondition, ...] = (query, ServicesAffected(at_least=2))
    return rng.choice([(), (still,), (still, Raise(to=to, when=rng.choice(seen)))])
