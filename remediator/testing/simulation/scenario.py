"""What goes wrong in one simulation, drawn from its seed: the policy, the outages, how they are told."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from random import Random

from remediator.core.alerts import Alert, AlertStatus, Fingerprint
from remediator.core.pauses import EVERYTHING, PauseScope, ScopeKind
from remediator.core.policies import Mode, Policy
from remediator.testing.simulation.clock import stamp
from remediator.testing.simulation.machines import PODS, Traits
from remediator.testing.simulation.policies import (
    CROWDED,
    FOCUSED,
    draw_choices,
    draw_policy,
    needs_ready_pod,
)
from remediator.testing.simulation.ports import NAMESPACE
from remediator.testing.simulation.reloads import draw_swaps, draw_variant

STORMY_UNTIL = 330.0
FEATURES = (
    *("storm", "flapping", "breaker", "error_budget", "population", "budget", "freeze", "window"),
    *("owner", "ignored", "silence", "refused", "unsupported", "observer", "jump", "ceiling", "blind"),
    *(
        "foreign",
        "approval",
        "failing",
        "once",
        "stopped",
        "dependency",
        "undo",
        "isolated",
        "quieted",
        CROWDED,
    ),
)
"""What a run can be about, beside what every one is about; each seed draws some of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outage:
    """One service breaks, with so many of its pods.

    ``repaired_at``: when a person repairs it, if nothing else does.
    """

    service: str
    severity: str
    fingerprint: Fingerprint
    breaks_at: float
    heals: bool
    sick: int
    repaired_at: float
    alertmanagers: int
    shifts: tuple[int, ...]
    """By how many seconds each Alertmanager's startsAt differs."""
    foreign: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Spell:
    """Something that holds for a while. ``what``: ignored, silenced, inhibited, or what does not answer."""

    what: str
    service: str
    begins: float
    ends: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """Everything about one run that is not chance on the way."""

    features: frozenset[str]
    policy: Policy
    variant: Policy
    swaps: tuple[float, ...]
    """When the other of the two policies is loaded."""
    ceiling: Mode
    traits: Mapping[str, Traits]
    outages: tuple[Outage, ...]
    replicas: int
    pauses: tuple[tuple[float, float, PauseScope], ...]
    """From when until when what is paused."""
    spells: tuple[Spell, ...]
    jumps: tuple[tuple[float, float], ...]
    """When the store's clock jumps, and by how many seconds."""
    stormy_until: float
    ends_at: float


def draw_scenario(rng: Random, about: str | None = None) -> Scenario:
    """A scenario of one to four services, each breaking once or twice within five minutes.

    ``about``: what it is about in any case.
    """
    features = frozenset(rng.sample(FEATURES, rng.choice([0, 1, 2, 2, 3])))
    features |= {about} if about else set()
    count = 4 if {"observer", CROWDED} & features else rng.randint(2 if "dependency" in features else 1, 4)
    services = [f"svc-{n}" for n in range(count)]
    severities = {name: rng.choice(["SEV-1", "SEV-2", "SEV-2", "SEV-3"]) for name in services}
    traits = {name: _draw_traits(features, rng) for name in services}
    chosen = draw_choices(traits, features, rng)
    outages = _draw_outages(services, severities, traits, chosen, features, rng)
    policy = draw_policy(severities, chosen, features, rng)
    return Scenario(
        features=features,
        policy=policy,
        variant=draw_variant(policy, rng, features),
        swaps=draw_swaps(rng, STORMY_UNTIL, often="unsupported" in features),
        ceiling=rng.choice([Mode.APPROVE, Mode.SUGGEST]) if "ceiling" in features else Mode.AUTO,
        traits=traits,
        outages=tuple(outages),
        replicas=3 if {"stopped", CROWDED} & features else rng.randint(1, 3),
        pauses=_draw_pauses(policy, outages, rng, 0.12 if FOCUSED.isdisjoint(features) else 0.04),
        spells=_draw_spells(outages, features, rng),
        jumps=((rng.uniform(20, 200), rng.choice([-45.0, 45.0])),) if "jump" in features else (),
        stormy_until=STORMY_UNTIL,
        ends_at=STORMY_UNTIL + 420.0,
    )


def _draw_traits(features: Collection[str], rng: Random) -> Traits:
    return Traits(
        scaled=rng.random() < 0.2,
        kept_by=rng.choice(["flux", "argo", ""]) if "owner" in features else "",
        disruptions=rng.choice([0, 1]) if "budget" in features else None,
        unavailable=PODS if {"budget", "population"} & set(features) else 0,
        refuses="refused" in features and rng.random() < 0.6,
        fails="failing" in features and rng.random() < 0.7,
        foreign="foreign" in features and rng.random() < 0.6,
        spent="error_budget" in features and rng.random() < 0.7,
    )


def _draw_outages(
    services: list[str],
    severities: Mapping[str, str],
    traits: Mapping[str, Traits],
    chosen: Mapping[str, tuple[str, ...]],
    features: Collection[str],
    rng: Random,
) -> list[Outage]:
    outages: list[Outage] = []
    at_once = rng.random() < 0.4 or not {"observer", "storm", "dependency", CROWDED}.isdisjoint(features)
    first = rng.uniform(1, 60)
    partly = 0.8 if {"budget", "population"} & set(features) else 0.3
    heals = 0.65 if {"breaker", "once", "stopped", "blind", "undo", "isolated"}.isdisjoint(features) else 0.2
    for name in services:
        at = first + rng.uniform(0, 2) if at_once else rng.uniform(1, 60)
        if "dependency" in features and name == services[0]:
            at = first + rng.uniform(0, 8)  # those that depend on it are often the first to fire
        for turn in range(2 if "flapping" in features else rng.choice([1, 1, 2])):
            count = rng.randint(1, 3)
            part = rng.random() < partly or needs_ready_pod(chosen[name])
            outages.append(
                Outage(
                    service=name,
                    severity=severities[name],
                    fingerprint=Fingerprint(f"{services.index(name):04x}{rng.choice([0, turn]):04x}"),
                    breaks_at=at,
                    heals=rng.random() < heals,
                    sick=1 if part else PODS,
                    repaired_at=at + rng.uniform(120 if "undo" in features else 60, 200),
                    alertmanagers=count,
                    shifts=tuple(rng.choice([0, 0, 1, 3]) for _ in range(count)),
                    foreign=traits[name].foreign,
                )
            )
            at += rng.uniform(210, 240)
    return outages


def _draw_pauses(
    policy: Policy, outages: list[Outage], rng: Random, likely: float
) -> tuple[tuple[float, float, PauseScope], ...]:
    """The kill switch at some time, and scopes of what is about to break."""
    found = []
    if rng.random() < 2 * likely:
        found.append((start := rng.uniform(5, 200), start + rng.uniform(20, 60), EVERYTHING))
    for outage in outages:
        if rng.random() < likely:
            rule = next(each for each in policy.rules if each.name == f"{outage.service}-down")
            scopes = [
                PauseScope(kind=ScopeKind.SERVICE, name=outage.service),
                PauseScope(kind=ScopeKind.NAMESPACE, name=NAMESPACE),
                PauseScope(kind=ScopeKind.RULE, name=rule.name),
                *(PauseScope(kind=ScopeKind.RUNBOOK, name=name) for name in rule.runbooks[:1]),
            ]
            start = max(0.0, outage.breaks_at - rng.uniform(0, 30))
            found.append((start, start + rng.uniform(20, 60), rng.choice(scopes)))
    taken: dict[PauseScope, tuple[float, float, PauseScope]] = {}
    for pause in found:  # two of one scope would lift each other
        taken.setdefault(pause[2], pause)
    return tuple(taken.values())


def _draw_spells(outages: list[Outage], features: Collection[str], rng: Random) -> tuple[Spell, ...]:
    """Of what is about to break: somebody silences it, or says that it is to be left alone."""
    kinds = {"ignored": ["ignored"], "silence": ["silenced", "inhibited"]}
    found = [
        Spell(
            what=rng.choice(kinds[feature]),
            service=outage.service,
            begins=(start := max(0.0, outage.breaks_at + rng.uniform(-20, 20))),
            ends=start + rng.uniform(30, 120),
        )
        for feature in ("ignored", "silence")
        if feature in features
        for outage in outages
        if rng.random() < 0.7
    ]
    blind = ["cluster", "cluster", "prometheus", "alertmanager"] if "blind" in features else []
    for what in (*blind, *(["prometheus"] * 2 if "error_budget" in features else [])):
        start = rng.choice(outages).breaks_at + rng.uniform(5, 60)
        found.append(Spell(what=what, service="", begins=start, ends=start + rng.uniform(10, 40)))
    return tuple(found)


def make_alert(outage: Outage, status: AlertStatus, shift: int, ends_at: float) -> Alert:
    """The alert as one Alertmanager tells it."""
    labels = {
        "alertname": "Down",
        "service": outage.service,
        "cluster": "other" if outage.foreign else "ours",
    }
    return Alert(
        fingerprint=outage.fingerprint,
        status=status,
        labels=labels,
        annotations={},
        starts_at=stamp(outage.breaks_at + shift),
        ends_at=None if status is AlertStatus.FIRING else stamp(ends_at),
    )
