"""Error budgets: the query, the arithmetic, and how far rules are trusted while little is left."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.core.budgets import budget_of, budget_query, errors_in
from remediator.core.errors import Refused, RemediatorError, Retryable
from remediator.core.incident import Approval, EffectId
from remediator.core.policies import BudgetBound, GuardPolicy, Mode, Policy, Slo, Step
from remediator.core.standing import Lowering
from remediator.core.times import DAY, HOUR, MINUTE, Millis
from remediator.core.verdicts import ChangeRequest, GuardPorts, NotAskedError, Verdict
from remediator.guards import ask_guard
from remediator.guards.error_budget import ErrorBudget, held_to_budget
from remediator.guards.mode import ModeGuard
from remediator.policy.load import load_policy
from remediator.policy.queries import check_query
from tests.core.builders import NOW, policy
from tests.core.test_decide import opened

SLO = Slo(objective=99.9, window=Millis(30 * DAY), errors='job:errors:ratio5m{service="{{ service.name }}"}')
Samples = tuple[tuple[Mapping[str, str], float], ...]


@pytest.mark.parametrize(
    ("window", "ending"),
    [
        (30 * DAY, "[2592000s:2592s])"),
        (7 * DAY, "[604800s:605s])"),
        (HOUR, "[3600s:60s])"),
        (5 * MINUTE, "[300s:30s])"),
    ],
)
def test_the_window_is_looked_at_a_thousand_times_and_no_more(window: int, ending: str) -> None:
    query = budget_query("rate(errors[5m])", Millis(window))
    assert query == f"avg_over_time(((rate(errors[5m])\n) >= 0){ending}"
    check_query(query)


@pytest.mark.parametrize(
    "errors", ["up # of all", "a / b or vector(0)", "sum by (x) (rate(e[5m]))", "a == bool 1"]
)
def test_any_query_of_errors_can_stand_in_it_and_be_found_again(errors: str) -> None:
    query = budget_query(errors, Millis(DAY))
    check_query(query)
    assert errors_in(query) == errors
    assert errors_in(errors) is None


@pytest.mark.parametrize(
    ("share", "left"), [(0.0, 100.0), (0.0005, 50.0), (0.0009, 10.0), (0.001, 0.0), (0.5, 0.0), (1.0, 0.0)]
)
def test_what_is_left_is_what_the_objective_lets_fail(share: float, left: float) -> None:
    assert budget_of(SLO, (({}, share),)).left == pytest.approx(left)


@given(st.floats(0, 1), st.floats(0, 99.9999))
def test_what_is_left_is_a_percentage(share: float, objective: float) -> None:
    assert 0 <= budget_of(replace(SLO, objective=objective), (({}, share),)).left <= 100


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        ((), "gives no number; where there are no errors it must give 0, as with or vector(0)"),
        ((({}, 0.1), ({}, 0.1)), "gives 2 series; aggregate them"),
        ((({}, math.nan),), "gives NaN"),
        ((({}, 4.2),), "gives 4.2, which is no share of errors between 0 and 1"),
        ((({}, -0.1),), "gives -0.1"),
        ((({}, math.inf),), "gives +Inf"),
    ],
)
def test_what_is_no_share_of_errors_is_refused(samples: Samples, words: str) -> None:
    with pytest.raises(Refused) as caught:
        budget_of(SLO, samples)
    assert words in str(caught.value)


class Facts:
    """What Prometheus answers."""

    def __init__(self, answer: float | RemediatorError | NotAskedError) -> None:
        self.answer, self.asked = answer, list[str]()

    async def query(self, promql: str) -> Sequence[tuple[Mapping[str, str], float]]:
        self.asked.append(promql)
        if isinstance(self.answer, Exception):
            raise self.answer
        return (({}, self.answer),)


def budgeted(mode: Mode = Mode.AUTO, then: Mode = Mode.APPROVE, slo: Slo | None = SLO) -> Policy:
    """The policy of the builders; its service has an objective."""
    of = policy(mode=mode)
    bound = BudgetBound(below=10, then=then)
    return replace(
        of,
        services={"web": replace(of.services["web"], slo=slo)},
        guards=GuardPolicy(namespaces=("shop",), error_budget=bound),
    )


def request(of: Policy, ceiling: Mode = Mode.AUTO) -> ChangeRequest:
    incident = opened().now
    attempt = incident.active
    assert attempt is not None
    return ChangeRequest(
        incident=incident, attempt=attempt, step=Step(action="restart"), effect=EffectId("e"),
        at=NOW, policy=of, ceiling=ceiling,
    )  # fmt: skip


async def judged(asked: ChangeRequest, facts: Facts) -> tuple[ChangeRequest, Verdict, Verdict]:
    """The request as it is asked on, and what mode and budget say to it."""
    ports = cast(GuardPorts, facts)
    held = await held_to_budget(asked, ports)
    return held, await ask_guard(ModeGuard(), held, ports), await ask_guard(ErrorBudget(), held, ports)


async def test_enough_that_is_left_changes_nothing() -> None:
    """Exactly the bound is enough."""
    facts = Facts(0.0009)
    held, mode, budget = await judged(request(budgeted()), facts)
    assert (held.mode, mode.allowed, budget.allowed, budget.withholds) == (Mode.AUTO, True, True, False)
    assert budget.text == "10% of its error budget of 30d left, at least 10% wanted"
    [measure] = budget.measures
    assert (measure.observed, measure.allowed) == (90, 90)


async def test_too_little_holds_the_rule_to_less() -> None:
    """The mode withholds the change, so that what would be done is told; the budget says why."""
    held, mode, budget = await judged(request(budgeted()), Facts(0.00095))
    assert (held.mode, held.withheld) == (Mode.APPROVE, True)
    assert (mode.allowed, mode.withholds, budget.allowed) == (False, True, True)
    assert mode.text == (
        "rule service-down is in mode auto, held to approve while its service's error budget is nearly spent"
        ": waits for approval by anyone who may operate the daemon within 15m"
    )
    assert (mode.asks, budget.asks) == (True, False), "one of them asks, and that is enough"
    assert budget.text == "5% of its error budget of 30d left, at least 10% wanted: rules are held to approve"
    [measure] = budget.measures
    assert (measure.observed, measure.allowed) == (95, 90)


@pytest.mark.parametrize("mode", [Mode.OBSERVE, Mode.SUGGEST, Mode.APPROVE])
async def test_a_rule_that_is_trusted_with_less_stays_where_it_is(mode: Mode) -> None:
    held, _, budget = await judged(request(budgeted(mode)), Facts(1.0))
    assert (held.mode, budget.allowed) == (mode, True)
    assert budget.text.startswith("0% of its error budget of 30d left")


async def test_a_guard_that_learns_it_only_later_withholds_the_change_by_itself() -> None:
    """Such as one that is asked anew under another policy."""
    verdict = await ask_guard(ErrorBudget(), request(budgeted()), cast(GuardPorts, Facts(0.5)))
    assert (verdict.allowed, verdict.withholds, verdict.asks) == (False, True, True)
    harder = request(budgeted(then=Mode.SUGGEST))
    verdict = await ask_guard(ErrorBudget(), harder, cast(GuardPorts, Facts(0.5)))
    assert (verdict.allowed, verdict.withholds, verdict.asks) == (False, True, False)


async def test_what_a_person_agreed_to_is_done_though_the_budget_is_spent() -> None:
    """Where rules are held to approve; held to less, nobody can agree to it."""
    agreed = Approval(digest="d", by="ada", at=NOW)
    for then, allowed in ((Mode.APPROVE, True), (Mode.SUGGEST, False)):
        asked = request(budgeted(then=then))
        asked = replace(asked, attempt=replace(asked.attempt, approved=agreed))
        held, mode, budget = await judged(asked, Facts(0.00095))
        assert (held.withheld, mode.allowed, budget.allowed) == (not allowed, allowed, True)
        alone = await ask_guard(ErrorBudget(), asked, cast(GuardPorts, Facts(0.00095)))
        assert (alone.allowed, alone.asks) == (allowed, False)


async def test_the_least_trust_counts_whoever_takes_it_away() -> None:
    """The ceiling, the error budget and the rule's own record, in any order; the text names each."""
    lowered = Lowering(rule="service-down", why="3 attempts in a row failed", at=NOW)
    for then, mode in ((Mode.OBSERVE, Mode.OBSERVE), (Mode.APPROVE, Mode.APPROVE)):
        asked = replace(request(budgeted(then=then)), lowered=lowered)
        held, said, _ = await judged(asked, Facts(0.00095))
        assert held.mode is mode
        assert f"held to {then} while its service's error budget is nearly spent" in said.text
        assert "held to approve since 2026-11-23T02:13:20.000Z: 3 attempts in a row failed" in said.text
    held, _, _ = await judged(replace(request(budgeted(), Mode.SUGGEST), lowered=lowered), Facts(0.00095))
    assert held.mode is Mode.SUGGEST


async def test_a_budget_that_has_recovered_takes_no_trust_away_any_more() -> None:
    """A request that is asked again knows the budget of now."""
    held, _, _ = await judged(request(budgeted()), Facts(0.00095))
    again, mode, budget = await judged(held, Facts(0.0))
    assert (again.cap, mode.allowed, budget.allowed) == (Mode.AUTO, True, True)


@pytest.mark.parametrize("error", [Refused("no Prometheus is configured"), Retryable("silent")])
async def test_what_prometheus_does_not_tell_blocks(error: RemediatorError) -> None:
    """Even where the rule would be held to less: it is not known."""
    held, mode, budget = await judged(request(budgeted()), Facts(error))
    assert (held.cap, mode.allowed) == (Mode.AUTO, True)
    assert (budget.allowed, budget.withholds) == (False, False)
    assert budget.text == f"could not find out: {error}"


async def test_services_without_an_objective_are_not_asked_about() -> None:
    facts = Facts(Refused("never asked"))
    _, _, budget = await judged(request(budgeted(slo=None)), facts)
    assert (budget.allowed, budget.text, facts.asked) == (True, "service web has no slo", [])
    _, _, budget = await judged(request(policy()), facts)
    assert (budget.allowed, facts.asked) == (True, [])


async def test_the_query_is_rendered_for_the_service() -> None:
    """As those of runbooks are, by the policy."""
    text = (
        "severities: {SEV-2: {page: never}}\n"
        "services:\n  web:\n    namespace: shop\n    workload: deployment/web\n"
        "    slo: {objective: 99.9%, window: 1h, errors: 'e{s=\"{{ service.name }}\"}'}\n"
        "guards: {namespaces: [shop], error_budget: {below: 10%, then: observe}}\n"
        'rules: [{name: service-down, match: [alertname="ServiceDown"], severity: SEV-2, mode: auto}]\n'
    )
    facts = Facts(0.0)
    await ask_guard(ErrorBudget(), request(load_policy({"p.yaml": text})), cast(GuardPorts, facts))
    assert facts.asked == ['avg_over_time(((e{s="web"}\n) >= 0)[3600s:60s])']


def test_an_objective_of_everything_leaves_no_budget() -> None:
    from remediator.policy.load import read_policies

    text = "services: {web: {namespace: shop, slo: {objective: 100%, window: 1h, errors: up}}}\n"
    found = [each.message for each in read_policies({"p.yaml": text}).findings if each.code == "P013"]
    assert len(found) == 1
    assert "'100%' is no percentage between 0% and 100%; write one such as 99.95%" in found[0]
