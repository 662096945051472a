"""What this version cannot perform changes nothing: attempts are blocked, guards block, people are asked."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from remediator.core.incident import EffectId, Outcome, Phase
from remediator.core.journal import Act, Kind
from remediator.core.policies import GuardPolicy, Mode, Policy, Step
from remediator.core.verdicts import ChangeRequest, GuardPorts, Verdict
from remediator.guards import GUARDS, LAST_LOOK, ask_guard
from remediator.guards.supported import Supported
from remediator.policy.load import load_policy
from tests.core.builders import NOW, policy
from tests.core.explaining import of_labels
from tests.core.test_decide import opened


def lacking(*, runbook: tuple[str, ...] = (), rule: tuple[str, ...] = ()) -> Policy:
    """Two runbooks, the first of which, or the rule, asks for what cannot be done."""
    of = policy(runbooks=("restart", "again"))
    books = {**of.runbooks, "restart": replace(of.runbooks["restart"], lacks=runbook)}
    return replace(of, runbooks=books, rules=(replace(of.rules[0], lacks=rule), *of.rules[1:]))


def test_an_attempt_of_a_runbook_that_lacks_something_is_blocked_at_its_start() -> None:
    """Nothing of it is done, not even the steps that could be; the next runbook has its turn."""
    life = opened(lacking(runbook=("action drain", "approval")))
    first, second = life.now.attempts
    assert (first.outcome, first.changes, first.phase) == (Outcome.BLOCKED, (), Phase.ENDED)
    assert first.reason == (
        "runbook restart asks for action drain, approval, "
        "which this version cannot perform: nothing is changed"
    )
    assert (second.runbook.name, second.phase) == ("again", Phase.ACTING)
    effects = [effect for decision in life.decisions for effect in decision.effects]
    assert [effect.attempt for effect in effects if isinstance(effect, Act)] == [2]


def test_a_rule_that_lacks_something_blocks_all_its_runbooks_and_people_are_asked() -> None:
    life = opened(lacking(rule=("target",)))
    assert [attempt.outcome for attempt in life.now.attempts] == [Outcome.BLOCKED, Outcome.BLOCKED]
    assert [effect for decision in life.decisions for effect in decision.effects] == []
    [page] = life.pages
    assert page.channel == "oncall"
    told = [
        entry.text for decision in life.decisions for entry in decision.timeline if entry.kind is Kind.PAGE
    ]
    assert any("rule service-down asks for target" in text for text in told), told


def test_a_runbook_that_is_loaded_with_everything_this_version_performs_is_started() -> None:
    life = opened(lacking())
    assert [attempt.outcome for attempt in life.now.attempts] == [None]


async def judged(of: Policy) -> Verdict:
    """What the guard says; it looks at nothing but the policy."""
    incident = opened().now
    attempt = incident.active
    assert attempt is not None
    request = ChangeRequest(
        incident=incident, attempt=attempt, step=Step(action="restart"), effect=EffectId("e"),
        at=NOW, policy=of, ceiling=Mode.AUTO,
    )  # fmt: skip
    return await ask_guard(Supported(), request, cast(GuardPorts, None))


async def test_a_guard_that_does_not_exist_blocks_every_change() -> None:
    of = replace(policy(), guards=GuardPolicy(namespaces=("shop",), lacks=("storm",)))
    verdict = await judged(of)
    assert not verdict.allowed
    assert verdict.text == (
        "the policies ask for guard 'storm', which this version does not have: nothing is changed; "
        "remove it under guards or run a version that has it"
    )


async def test_every_guard_that_does_not_exist_is_named() -> None:
    of = replace(policy(), guards=GuardPolicy(namespaces=("shop",), lacks=("storm", "freeze")))
    assert (await judged(of)).text.startswith("the policies ask for guard 'storm', 'freeze', which")


async def test_a_rule_that_came_to_lack_something_blocks_what_has_begun() -> None:
    """The newest policy counts, not the one that the attempt began under."""
    verdict = await judged(lacking(rule=("target",)))
    assert not verdict.allowed
    assert verdict.text.startswith("rule service-down asks for 'target', which this version does not have")


async def test_policies_that_ask_for_nothing_more_are_allowed() -> None:
    assert (await judged(policy())).allowed


def test_it_is_asked_after_the_mode_and_before_the_cluster_is_looked_at() -> None:
    """A rule that is not trusted to act still tells what it would have done, and why it would not."""
    names = [guard.name for guard in GUARDS]
    assert names.index("mode") < names.index("supported")
    assert names.index("supported") + 1 == names.index("target")
    assert "supported" not in [guard.name for guard in LAST_LOOK]


ASKING = """\
severities: {SEV-4: {}}
services: {web: {namespace: shop, workload: deployment/web}}
guards: {namespaces: [shop]}
rules: [{name: r, match: [a="1"], severity: SEV-4, service: web, mode: auto, runbooks: [fix]}]
runbooks: {fix: {steps: [drain: {}], verify: [alert: {}]}}
"""


async def test_explaining_says_which_guard_is_lacking() -> None:
    loaded = load_policy({"p.yaml": ASKING})
    of = replace(loaded, guards=replace(loaded.guards, lacks=("storm",)))
    [book] = (await of_labels(of, {"a": "1"})).runbooks
    [guard] = [guard for guard in book.guards if guard.name == "supported"]
    assert (guard.verdict, "'storm'" in guard.text) == ("blocks", True)
