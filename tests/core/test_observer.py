"""When so much looks dead at once that what we see must be wrong; and what that takes to know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import pytest

from remediator.core.access import Access
from remediator.core.cluster import Workload
from remediator.core.errors import Refused, RemediatorError, Retryable
from remediator.core.incident import EffectId
from remediator.core.policies import GuardPolicy, Mode, Policy, Service, Step, WorkloadRef
from remediator.core.verdicts import ChangeRequest, GuardPorts, Verdict
from remediator.guards import ask_guard
from remediator.guards.observer import Observer, observed
from remediator.policy.rbac import demands
from tests.core.builders import NOW, policy
from tests.core.test_actions import workload
from tests.core.test_decide import opened


def ref(name: str, namespace: str = "shop", kind: str = "deployment") -> WorkloadRef:
    return WorkloadRef(kind=kind, namespace=namespace, name=name)


def catalog(*refs: WorkloadRef, allowed: tuple[str, ...] = ("shop", "bank")) -> Policy:
    """Services with these workloads; web is the first."""
    of = policy()
    services = {each.name: Service(name=each.name, workload=each, namespace=each.namespace) for each in refs}
    return replace(of, services={**of.services, **services}, guards=GuardPolicy(namespaces=allowed))


class Facts:
    """How many pods are wanted and ready, by name."""

    def __init__(self, ready: dict[str, tuple[int, int]] | RemediatorError) -> None:
        self.ready, self.asked = ready, 0

    async def workloads(self, refs: Sequence[WorkloadRef]) -> Sequence[Workload]:
        self.asked += 1
        if isinstance(self.ready, RemediatorError):
            raise self.ready
        known = [each for each in refs if each.name in self.ready]
        return [
            workload(each, desired=self.ready[each.name][0], ready=self.ready[each.name][1]) for each in known
        ]


async def judged(of: Policy, facts: Facts) -> Verdict:
    incident = opened().now
    attempt = incident.active
    assert attempt is not None
    request = ChangeRequest(
        incident=incident, attempt=attempt, step=Step(action="restart"), effect=EffectId("e"),
        at=NOW, policy=of, ceiling=Mode.AUTO,
    )  # fmt: skip
    return await ask_guard(Observer(), request, cast(GuardPorts, facts))


FOUR = catalog(ref("cart"), ref("mail", "bank"), ref("db", kind="statefulset"))


@pytest.mark.parametrize(
    ("ready", "allowed"),
    [
        ({"web": (3, 0), "cart": (1, 0), "mail": (2, 0), "db": (1, 1)}, False),
        ({"web": (3, 0), "cart": (1, 0), "mail": (2, 1), "db": (1, 1)}, True),
        ({"web": (3, 0), "cart": (1, 0), "mail": (0, 0), "db": (1, 1)}, True),
        ({"web": (3, 0), "cart": (1, 0)}, True),
        ({"web": (1, 1), "cart": (1, 1), "mail": (1, 1), "db": (1, 1)}, True),
    ],
)
async def test_three_dead_services_are_too_many(ready: dict[str, tuple[int, int]], allowed: bool) -> None:
    """One that wants no pods is not dead, and of one that does not exist nothing is seen."""
    verdict = await judged(FOUR, Facts(ready))
    assert verdict.allowed is allowed
    dead = sum(wanted > 0 and not there for wanted, there in ready.values())
    [measure] = verdict.measures
    assert (measure.observed, measure.allowed, measure.of) == (dead, 2, len(ready))


async def test_it_says_which_and_does_not_wait() -> None:
    verdict = await judged(FOUR, Facts({"web": (3, 0), "cart": (1, 0), "mail": (2, 0), "db": (1, 1)}))
    assert verdict.text == (
        "3 of 4 services have no ready pod, at most 2 allowed: deployment/cart, deployment/mail, "
        "deployment/web; that they all died is less likely than that they cannot be seen"
    )
    assert verdict.retry_after is None


@pytest.mark.parametrize("error", [Refused("no list for you"), Retryable("it is silent")])
async def test_what_cannot_be_seen_blocks(error: RemediatorError) -> None:
    verdict = await judged(FOUR, Facts(error))
    assert not verdict.allowed
    assert verdict.text == f"could not find out: {error}"


async def test_where_there_is_little_to_compare_nothing_is_read() -> None:
    facts = Facts(Refused("never asked"))
    assert (await judged(catalog(ref("cart")), facts)).allowed
    assert facts.asked == 0


def test_only_what_may_be_touched_is_compared_and_each_workload_once() -> None:
    """A namespace that is not allowed is not even looked at."""
    twin = Service(name="twin", workload=ref("web"), namespace="shop")
    narrow = catalog(ref("cart"), ref("mail", "bank"), allowed=("shop",))
    assert observed(replace(narrow, services={**narrow.services, "twin": twin})) == ()
    assert [each.path for each in observed(FOUR)] == [
        "bank/deployment/mail",
        "shop/deployment/cart",
        "shop/deployment/web",
        "shop/statefulset/db",
    ]


def lists(of: Policy) -> set[Access]:
    return {each for each in demands(of) if each.verb == "list" and each.group == "apps"}


def test_the_role_grants_a_list_of_each_kind_in_each_namespace_that_is_compared() -> None:
    """And none where nothing is."""

    def listed(kind: str, namespace: str) -> Access:
        return Access(namespace=namespace, group="apps", resource=f"{kind}s", verb="list")

    assert lists(FOUR) == {
        listed("deployment", "shop"),
        listed("deployment", "bank"),
        listed("statefulset", "shop"),
    }
    assert lists(catalog(ref("cart"))) == set()
