"""What conditions of ``raise`` look like now, and what the runner answers."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from remediator.core.classify import group_key
from remediator.core.decision import Decision
from remediator.core.errors import Refused, RemediatorError, Retryable
from remediator.core.incident import EffectId, Incident, IncidentId, Status
from remediator.core.journal import Weigh, Weighed, Weighing
from remediator.core.policies import (
    Mode,
    Policy,
    QueryBound,
    Raise,
    RaiseCondition,
    Scope,
    Service,
    ServicesAffected,
    StillOpen,
)
from remediator.core.raising import MOST_CONDITIONS, Watched
from remediator.core.times import HOUR, Instant, Millis
from remediator.core.weighing import MOST_QUERIES, Scales, weigh
from remediator.policy.rendering import render_runbook
from remediator.testing.memory import MemoryStore
from remediator.testing.simulation.world import Silent
from remediator.workers.means import Means
from remediator.workers.weighing import AT_ONCE, Weigher
from tests.contract.stores import commit
from tests.core.builders import NOW, WEB, policy

POLICY = replace(policy(), render=render_runbook)
ENTRY = Service(name="web", workload=WEB, namespace="shop")
SCOPE = Scope(incident="i1", severity="SEV-2", service="web", entry=ENTRY)
RATIO = 'affected_users_ratio{service="{{ service.name }}"}'


@dataclass
class Prometheus:
    """One that answers what a test says, by query; any other query has no series."""

    says: Mapping[str, tuple[float, ...] | RemediatorError] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def query(self, promql: str) -> tuple[tuple[Mapping[str, str], float], ...]:
        """Values of series that differ in ``n``."""
        self.asked.append(promql)
        answer = self.says.get(promql, ())
        if isinstance(answer, RemediatorError):
            raise answer
        return tuple(({"n": str(number)} if number else {}, value) for number, value in enumerate(answer))


def scales(prometheus: Prometheus | None, *services: str) -> Scales:
    async def named(most: int) -> frozenset[str]:
        return frozenset(services)

    return Scales(metrics=prometheus, services=named)


async def look(
    *conditions: RaiseCondition, at: Scales, scope: Scope = SCOPE
) -> list[tuple[bool | None, str]]:
    wanted = [Watched(to="SEV-1", when=each, by="SEV-2") for each in conditions]
    return [(each.holds, each.observed) for each in await weigh(wanted, scope, POLICY, at)]


@pytest.mark.parametrize(
    ("bound", "values", "holds", "observed"),
    [
        ({"above": 0.25}, (0.31,), True, "q is 0.31, above 0.25"),
        ({"above": 0.25}, (0.25,), False, "q is 0.25, not above 0.25"),
        ({"above": 0.25}, (0.1, 0.9), True, '{n="1"} is 0.9, above 0.25'),
        ({"below": 1}, (3.0, 0.5), True, '{n="1"} is 0.5, below 1'),
        ({"below": 1}, (math.nan,), False, "q gives no number"),
        ({"above": 1}, (math.nan, 2.0), True, "q is 2, above 1"),
        ({"below": 0}, (math.inf,), False, "q is +Inf, not below 0"),
        ({"above": 1}, (), False, "q gives no series"),
    ],
)
async def test_one_sample_beyond_the_bound_is_enough(
    bound: dict[str, float], values: tuple[float, ...], holds: bool, observed: str
) -> None:
    at = scales(Prometheus(says={"q": values}))
    assert await look(QueryBound(promql="q", **bound), at=at) == [(holds, observed)]


async def test_a_query_is_rendered_and_escaped_as_that_of_a_runbook() -> None:
    """The service's name may be a stranger's: it cannot leave its string."""
    prometheus = Prometheus()
    await look(QueryBound(promql=RATIO, above=0.25), at=scales(prometheus))
    await look(
        QueryBound(promql='up{i="{{ incident.id }}",s="{{ severity.name }}",t="{{ target.name }}"}', below=1),
        at=scales(prometheus),
    )
    hostile = replace(SCOPE, service='x"} or vector(1) #')
    await look(QueryBound(promql=RATIO, above=0.25), at=scales(prometheus), scope=hostile)
    assert prometheus.asked == [
        'affected_users_ratio{service="web"}',
        'up{i="i1",s="SEV-2",t="web"}',
        r'affected_users_ratio{service="x\x22} or vector(1) #"}',
    ]


async def test_what_cannot_be_rendered_asked_or_configured_is_unknown() -> None:
    nowhere = replace(SCOPE, service="stranger", entry=None)
    [(holds, why)] = await look(
        QueryBound(promql='up{t="{{ target.name }}"}', below=1), at=scales(Prometheus()), scope=nowhere
    )
    assert (holds, "target.name" in why) == (None, True)
    refused = scales(Prometheus(says={"q": Refused("Prometheus refuses the query: bad")}))
    assert await look(QueryBound(promql="q", above=1), at=refused) == [
        (None, "Prometheus refuses the query: bad")
    ]
    [(holds, why)] = await look(QueryBound(promql="q", above=1), at=scales(None))
    assert (holds, "REMEDIATOR_PROMETHEUS_URL" in why) == (None, True)


async def test_services_are_counted_with_its_own() -> None:
    at = scales(None, "web", "db")
    assert await look(ServicesAffected(at_least=2), ServicesAffected(at_least=3), at=at) == [
        (True, "2 services have an open incident (db, web), at least 2"),
        (False, "2 services have an open incident (db, web), at least 3"),
    ]
    [(holds, observed)] = await look(ServicesAffected(at_least=2), at=scales(None))
    assert (holds, observed) == (False, "1 service has an open incident (web), at least 2")


async def test_one_query_is_asked_once_and_not_too_many_are() -> None:
    prometheus = Prometheus()
    same = [QueryBound(promql="same", above=float(bound)) for bound in range(5)]
    await look(*same, at=scales(prometheus))
    assert prometheus.asked == ["same"]
    many = [QueryBound(promql=f"q{number}", above=1) for number in range(MOST_CONDITIONS + 5)]
    found = await look(*many, at=scales(prometheus))
    assert len(prometheus.asked) == 1 + MOST_QUERIES
    assert {holds for holds, _ in found[MOST_QUERIES:]} == {None}
    assert "more than 10 queries" in found[MOST_QUERIES][1]


async def test_a_prometheus_that_does_not_answer_is_asked_no_further() -> None:
    """Eight seconds for each of ten queries would take the runner's place from steps."""
    prometheus = Prometheus(says={"a": Retryable("Prometheus did not answer within 8s")})
    found = await look(
        QueryBound(promql="a", above=1), QueryBound(promql="b", above=1), at=scales(prometheus)
    )
    assert prometheus.asked == ["a"]
    assert found == [(None, "Prometheus did not answer within 8s")] * 2


# --- the runner's side ---

CONDITIONS = (
    Raise(to="SEV-1", when=QueryBound(promql=RATIO, above=0.25)),
    Raise(to="SEV-1", when=ServicesAffected(at_least=2)),
    Raise(to="SEV-1", when=StillOpen(after=Millis(HOUR))),
)
QUESTION = Weigh(id=EffectId("i1/weigh/0"), incident=IncidentId("i1"))


def raising() -> Policy:
    severities = {**POLICY.severities, "SEV-2": replace(POLICY.severities["SEV-2"], raises=CONDITIONS)}
    return replace(POLICY, severities=severities)


def incident(name: str = "i1", service: str = "web", status: Status = Status.OPEN) -> Incident:
    return Incident(
        id=IncidentId(name),
        group=group_key({"service": service}),
        grouped_by={"service": service},
        service=service,
        severity="SEV-2",
        status=status,
        rule="service-down",
        title="ServiceDown",
        opened_at=Instant(NOW),
        weighing=QUESTION.id,
    )


def weigher(store: MemoryStore, prometheus: Prometheus | None) -> Weigher:
    return Weigher(
        Means(
            incidents=store,
            guards=store,
            reader=None,
            executor=None,
            policy=raising,
            ceiling=Mode.AUTO,
            clock_trouble=lambda: None,
            observer=Silent(),
            replica="r",
            lease=Millis(1),
            metrics=prometheus,
        )
    )


async def opened(*incidents: Incident) -> MemoryStore:
    store = MemoryStore(lambda: NOW)
    for each in incidents:
        await store.commit(commit(None, Decision(incident=each)))
    return store


async def test_the_answer_lists_what_holds_and_what_is_unknown() -> None:
    store = await opened(incident(), incident("i2", "db"), incident("i3", "over", Status.RESOLVED))
    answer = await weigher(store, None).weigh(QUESTION, incident())
    assert answer == Weighed(
        effect=QUESTION.id,
        found=(
            Weighing(
                to="SEV-1",
                condition=f"{RATIO} above 0.25",
                holds=None,
                observed="no Prometheus is configured; set REMEDIATOR_PROMETHEUS_URL",
            ),
            Weighing(
                to="SEV-1",
                condition="at least 2 services have an open incident",
                holds=True,
                observed="2 services have an open incident (db, web), at least 2",
            ),
        ),
    )


async def test_what_does_not_hold_is_not_told() -> None:
    answer = await weigher(await opened(incident()), Prometheus()).weigh(QUESTION, incident())
    assert answer == Weighed(effect=QUESTION.id)


@pytest.mark.parametrize(
    "now", [None, incident(status=Status.RESOLVED), replace(incident(), weighing=EffectId("i1/weigh/1"))]
)
async def test_a_question_nobody_waits_for_is_dropped(now: Incident | None) -> None:
    prometheus = Prometheus()
    assert await weigher(await opened(), prometheus).weigh(QUESTION, now) is None
    assert prometheus.asked == []


async def test_questions_leave_room_for_steps() -> None:
    """Beyond a few at a time the answer is none, and it is asked again half a minute later."""
    full, gate = asyncio.Event(), asyncio.Event()

    class Slow(Prometheus):
        async def query(self, promql: str) -> tuple[tuple[Mapping[str, str], float], ...]:
            self.asked.append(promql)
            if len(self.asked) == AT_ONCE:
                full.set()
            await gate.wait()
            return (({}, 0.9),)

    slow = Slow()
    asking = weigher(await opened(incident()), slow)
    waiting = [asyncio.ensure_future(asking.weigh(QUESTION, incident())) for _ in range(AT_ONCE)]
    await full.wait()
    assert await asking.weigh(QUESTION, incident()) == Weighed(effect=QUESTION.id)
    gate.set()
    answers = await asyncio.gather(*waiting)
    assert all(answer is not None and answer.found[0].holds for answer in answers)
