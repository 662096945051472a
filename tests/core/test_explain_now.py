"""What the running daemon's explanations see: conditions to raise the severity, and not too much at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from remediator.core.classify import Classifier
from remediator.core.cluster import Workload
from remediator.core.decision import Decision
from remediator.core.errors import RemediatorError, Retryable
from remediator.core.policies import Policy, Service, WorkloadRef
from remediator.http.present import MOST_TARGETS, MOST_WEIGHED, Now
from remediator.policy.explain import Explainer
from remediator.policy.explained import AlertExplanation
from remediator.policy.foresee import Standing, foresee
from remediator.testing.memory import MemoryStore
from tests.contract.stores import commit
from tests.core.builders import NOW
from tests.core.looking import Cluster
from tests.core.test_policy_explain import DOWN, alert, raising
from tests.core.test_weighing import Prometheus

USERS = 'users{s="auth"}'


def now(
    rules: Policy, says: Mapping[str, tuple[float, ...] | RemediatorError], reader: Cluster | None = None
) -> Now:
    return Now(
        store=MemoryStore(lambda: NOW),
        reader=reader,
        metrics=Prometheus(says=says),
        policy=rules,
        clock_trouble=lambda: None,
    )


async def raises(
    says: Mapping[str, tuple[float, ...] | RemediatorError],
) -> list[tuple[bool | None, str | None]]:
    rules = raising()
    told = await Explainer(rules, present=now(rules, says)).labels(DOWN)
    assert told.severity is not None
    return [(each.holds, each.observed) for each in told.severity.raises]


async def test_conditions_to_raise_it_say_what_is_observed_now() -> None:
    assert await raises({USERS: (0.31,)}) == [
        (None, None),
        (True, 'users{s="auth"} is 0.31, above 0.25'),
        (False, "1 service has an open incident (auth), at least 3"),
    ]


async def test_what_cannot_be_found_out_says_why() -> None:
    _, users, _ = await raises({USERS: Retryable("Prometheus did not answer within 8s")})
    assert users == (None, "Prometheus did not answer within 8s")


async def test_the_conditions_of_the_real_incident_are_weighed_under_its_own_severity() -> None:
    rules = raising()
    present = now(rules, {})
    match = Classifier(rules).match(DOWN)
    assert match is not None
    opened = foresee(rules, match, alert(DOWN), Standing(at=NOW)).incident
    assert opened is not None
    worse = replace(opened, severity="SEV-1", timers={}, raise_at=None, weighing=None)
    await present.store.commit(commit(None, Decision(incident=worse)))
    told = await Explainer(rules, present=present).labels(DOWN)
    assert told.severity is not None
    assert (told.severity.name, told.severity.raises) == ("SEV-1", ())


async def test_a_storm_of_questions_looks_at_a_bounded_number_of_targets() -> None:
    """Five hundred services are told of; fifty workloads are read, and twenty incidents weighed."""
    of = raising()
    services = {
        f"s{number}": Service(
            name=f"s{number}",
            namespace="prod",
            workload=WorkloadRef(kind="deployment", namespace="prod", name=f"s{number}"),
        )
        for number in range(MOST_TARGETS + 10)
    }
    rules = replace(of, services=services)
    reader = _Counting()
    prometheus = Prometheus()
    present = Now(
        store=MemoryStore(lambda: NOW),
        reader=reader,
        metrics=prometheus,
        policy=rules,
        clock_trouble=lambda: None,
    )
    explainer = Explainer(rules, present=present)
    told: list[AlertExplanation] = [
        await explainer.labels({**DOWN, "service": name}) for name in services for _ in range(2)
    ]
    assert len(reader.read) == MOST_TARGETS
    assert len(prometheus.asked) == MOST_WEIGHED
    last = told[-1].runbooks[0]
    assert last.steps[0].known == "policy"
    [target] = [guard for guard in last.guards if guard.name == "target"]
    assert target.verdict == "asked when acting"


class _Counting(Cluster):
    def __init__(self) -> None:
        super().__init__()
        self.read: list[str] = []

    async def workload(self, ref: WorkloadRef) -> Workload:
        self.read.append(ref.name)
        return await super().workload(ref)
