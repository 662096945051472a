"""P7: a step whose process dies at any call takes effect once, and on no pod but those it first meant."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from remediator.adapters.kubernetes import Call
from remediator.core.alerts import Fingerprint
from remediator.core.incident import Outcome, Phase
from remediator.core.journal import ActResult, Checked, Resolved
from remediator.core.pauses import EVERYTHING
from remediator.core.policies import Mode, Policy, Step
from remediator.core.store import Lease
from remediator.testing.apiserver import Behaviour, Fault, FaultKind
from remediator.workers.runner import Runner
from tests.core.builders import WEB
from tests.fault.step_stage import AFTER, EFFECTS, LEASE, STEPS, Fuse, StepStage, staged

PODS = ("delete_pod", "evict_pod")
LEFT = ("intend", "apply")
LEFT_AT = {"job": ("apply",)}
"""After which calls it takes a look to tell whether a step took effect: before a job is woken it does not."""
AROUND = ("intend", "claim", "prepare", "apply")
"""The calls between which a crash matters most."""


async def killed_at(directory: Path, action: str, at: int) -> str:
    """Die there, be succeeded, and see what happened. The call at which it died; empty when it never did."""
    async with staged(directory, STEPS[action]) as stage:
        fuse = Fuse(at=at)
        if await stage.perform(fuse) is not None:
            await stage.server.settled()
            assert stage.effects == EFFECTS[action]
            return ""
        await stage.server.settled()
        outcome = await stage.finish()
        assert outcome.result is ActResult.DONE, stage.outcomes
        assert stage.effects == EFFECTS[action], (fuse.calls, stage.outcomes)
        assert len(set(stage.removed)) == len(stage.removed)
        assert stage.made_jobs == (action == "job")
        assert stage.attempt.phase is AFTER.get(action, Phase.VERIFYING)
        assert stage.attempt.changes, "something was changed, and that is told"
        return fuse.calls[-1]


async def boundaries(directory: Path, action: str) -> list[tuple[int, str]]:
    """Every boundary of a call in an undisturbed run, with the call's name."""
    async with staged(directory, STEPS[action]) as stage:
        fuse = Fuse()
        outcome = await stage.perform(fuse)
        assert outcome is not None
        assert outcome.result is ActResult.DONE, outcome
        return [(2 * n + side, name) for n, name in enumerate(fuse.calls) for side in (0, 1)]


@pytest.mark.full
@pytest.mark.parametrize("action", STEPS)
async def test_P7_killed_at_every_call(tmp_path: Path, action: str) -> None:
    """Before and after each call of the step, reads included."""
    for at, name in await boundaries(tmp_path, action):
        assert await killed_at(tmp_path, action, at) == name


# --- pods: no other than those first meant ---


async def hungriest(directory: Path, action: str, fuse: Fuse) -> None:
    """Whoever is the hungriest when it is first intended goes, and nobody else, whoever is it later."""
    step = Step(action=action, params={"which": "most_memory"})
    async with staged(directory, step) as stage:
        first, second, *_ = sorted(stage.uids)
        stage.server.set_usage("shop", "web", cpu="1m", memory="1Mi")
        stage.server.set_usage("shop", second, cpu="1m", memory="9Mi")
        intended = stage.effect().step_id
        outcome = await stage.perform(fuse)
        await stage.server.settled()
        wanted = second
        if outcome is None:
            wanted = first if await stage.store.intended(intended) is None else second
            stage.server.set_usage("shop", first, cpu="1m", memory="99Mi")
            outcome = await stage.finish()
        assert outcome.result is ActResult.DONE, stage.outcomes
        assert stage.removed == [stage.uids[wanted]]


@pytest.mark.parametrize("action", PODS)
async def test_P7_the_hungriest_pod_goes_once_wherever_it_is_killed(tmp_path: Path, action: str) -> None:
    """Another is the hungriest by then: it was not meant, and stays."""
    undisturbed = Fuse()
    await hungriest(tmp_path, action, undisturbed)
    around = [number for number, name in enumerate(undisturbed.calls) if name in ("usage", *AROUND)]
    assert len(around) >= 3
    for number in around:
        for side in (0, 1):
            await hungriest(tmp_path, action, Fuse(at=2 * number + side))


async def left_behind(stage: StepStage, action: str, *, done: int = 0) -> frozenset[str]:
    """A performance dies after it has taken so many of the pods it means away."""
    where = ("apply", done) if done else ("intend", 1)
    assert await stage.perform(Fuse(after=where)) is None
    meant = await stage.meant()
    assert len(meant) == EFFECTS[action] > done == len(stage.removed)
    return meant


@pytest.mark.parametrize("action", PODS)
@pytest.mark.parametrize("done", [0, 1])
async def test_P7_performed_again_it_takes_those_that_are_left(
    tmp_path: Path, action: str, done: int
) -> None:
    """By then others are just as broken; they were never meant."""
    async with staged(tmp_path, STEPS[action]) as stage:
        meant = await left_behind(stage, action, done=done)
        await stage.finish()
        assert sorted(stage.removed) == sorted(meant)
        assert len(await stage.pods()) == 4


@pytest.mark.parametrize("action", PODS)
async def test_what_an_earlier_performance_may_yet_do_is_told_where_the_next_is_stopped(
    tmp_path: Path, action: str
) -> None:
    """It may only be standing still: pods carry no epoch that would keep it off."""
    async with staged(tmp_path, STEPS[action]) as stage:
        await left_behind(stage, action, done=1)
        await stage.store.pause("deploying", "ada", None, EVERYTHING)
        outcome = await stage.perform()
        assert outcome is not None
        assert outcome.result is ActResult.BLOCKED
        assert outcome.reason.endswith(
            "an earlier performance was about to take 1 pod away and may yet do so"
        ), outcome.reason


@pytest.mark.parametrize("action", PODS)
async def test_P7_what_others_took_away_is_not_made_up_for(tmp_path: Path, action: str) -> None:
    """One of the two that were meant is gone: the other goes, and no third."""
    async with staged(tmp_path, STEPS[action]) as stage:
        meant = await left_behind(stage, action)
        gone = next(pod for pod in await stage.pods() if pod.uid in meant)
        await stage.cluster.api.call(
            Call(method="DELETE", path=f"/api/v1/namespaces/shop/pods/{gone.name}", doing="delete it")
        )
        await stage.server.settled()
        outcome = await stage.finish()
        assert set(stage.removed) == meant
        assert len(stage.removed) == 2
        assert outcome.changes[0] == f"{action} deployment/web: 1 of 2 pods found gone"
        assert len(outcome.changes) == 2


@pytest.mark.parametrize("action", PODS)
async def test_P7_a_pod_that_is_worse_off_by_then_does_not_take_the_place_of_one_that_was_meant(
    tmp_path: Path, action: str
) -> None:
    """It is chosen among those that were meant, not dropped because others would be chosen now."""
    async with staged(tmp_path, STEPS[action]) as stage:
        *_, last = await stage.pods()
        step = stage.effect().step_id
        lease = await stage.store.acquire("deployment/shop/web", "somebody", LEASE)
        assert isinstance(lease, Lease)
        assert await stage.store.intend(step, lease, "", frozenset({last.uid}))
        await stage.store.release(lease)
        await stage.finish()
        assert stage.removed == [last.uid]


@pytest.mark.parametrize("action", PODS)
async def test_P7_when_all_are_gone_it_is_done_and_nothing_is_touched(tmp_path: Path, action: str) -> None:
    """Not even the epoch is written; what happened is told all the same."""
    async with staged(tmp_path, STEPS[action]) as stage:
        assert await stage.perform(Fuse(after=("apply", 2))) is None
        await stage.server.settled()
        fuse = Fuse()
        outcome = await stage.perform(fuse)
        assert outcome is not None
        assert (outcome.result, outcome.verdicts) == (ActResult.DONE, ())
        assert outcome.changes == (f"{action} deployment/web: 2 of 2 pods found gone",)
        assert fuse.calls == ["intended", "workload", "pods"]
        assert len(stage.removed) == 2


@pytest.mark.parametrize("action", PODS)
async def test_P14_pods_that_went_before_the_crash_must_be_verified_though_the_alert_is_over(
    tmp_path: Path, action: str
) -> None:
    """The first of two is gone, the alert resolves, the guards block the rest: something was changed."""
    async with staged(tmp_path, STEPS[action]) as stage:
        await left_behind(stage, action, done=1)
        await stage.server.settled()
        stage.life.tell(Resolved(fingerprint=Fingerprint("aa")), over=("aa",))
        outcome = await stage.perform()
        assert outcome is not None
        assert outcome.result is ActResult.BLOCKED
        assert stage.attempt.phase is Phase.VERIFYING
        assert len(stage.removed) == 1


@pytest.mark.parametrize("action", PODS)
async def test_P17_pods_that_cannot_be_looked_for_stay_in_doubt(tmp_path: Path, action: str) -> None:
    """And after five minutes people are told that it is unknown, not that nothing happened."""
    async with staged(tmp_path, STEPS[action]) as stage:
        await left_behind(stage, action, done=1)
        stage.server.faults.add(Fault(kind=FaultKind.STATUS, method="GET", path_regex="/pods", times=None))
        for _ in range(200):
            outcome = await stage.perform()
            assert outcome is not None
            assert (outcome.result, outcome.in_doubt) == (ActResult.RETRY, True)
            if "act" not in stage.life.timers:
                break
            stage.life.ring("act")
        assert stage.attempt.outcome is Outcome.UNKNOWN
        assert len(stage.removed) == 1


async def test_P7_an_eviction_that_a_budget_put_off_is_for_the_same_pods(tmp_path: Path) -> None:
    """The budget came after the guards had looked. The step waits, deletes nothing instead, and goes on."""
    async with staged(tmp_path, STEPS["evict_pod"]) as stage:

        async def forbid() -> None:
            spec = {"minAvailable": 4, "selector": {"matchLabels": {"app": "web"}}}
            meta = {"name": "web", "namespace": "shop"}
            made = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": meta, "spec": spec}
            stage.server.create(made)
            await stage.server.settled()

        outcome = await stage.perform(Fuse(before={"apply": forbid}))
        assert outcome is not None
        assert (outcome.result, outcome.in_doubt, outcome.retry_after) == (ActResult.RETRY, False, 10_000)
        assert stage.removed == []
        meant = await stage.meant()
        path = "/apis/policy/v1/namespaces/shop/poddisruptionbudgets/web"
        await stage.cluster.api.call(Call(method="DELETE", path=path, doing="lift the budget"))
        await stage.server.settled()
        await stage.finish()
        assert set(stage.removed) == meant
        assert len(stage.removed) == 2
        assert not [one for one in stage.server.ledger if one.resource == "pods" and one.verb == "delete"]


@pytest.mark.parametrize("action", PODS)
async def test_P13_a_pod_that_is_well_by_the_time_of_its_turn_is_left_alone(
    tmp_path: Path, action: str
) -> None:
    """The guards agreed to take away what is down. With many pods and a slow server its turn comes late."""
    async with staged(tmp_path, STEPS[action]) as stage:

        async def recover() -> None:
            stage.server.behave("shop", "web", Behaviour.healthy())
            await stage.server.settled()
            assert all(pod.ready for pod in await stage.pods())

        outcome = await stage.perform(Fuse(before={"apply": recover}))
        assert outcome is not None
        assert (outcome.result, outcome.in_doubt) == (ActResult.RETRY, False)
        assert "is ready by now" in outcome.reason
        outcome = await stage.finish()
        assert (outcome.result, outcome.changes) == (ActResult.DONE, ())
        assert stage.removed == []


@pytest.mark.parametrize(
    ("action", "where"),
    [(action, where) for action in STEPS if action not in PODS for where in LEFT_AT.get(action, LEFT)],
)
async def test_P7_nothing_is_written_to_look_for_a_step_whose_rule_may_only_observe_by_now(
    tmp_path: Path, action: str, where: str
) -> None:
    """The daemon came back with less trust. Whether the step happened is unknown then, and people hear."""
    async with staged(tmp_path, STEPS[action]) as stage:
        assert await stage.perform(Fuse(after=(where, 1))) is None
        stage.server.requests.clear()
        of = stage.life.policy
        stage.life.policy = replace(of, rules=tuple(replace(rule, mode=Mode.OBSERVE) for rule in of.rules))
        outcome = await stage.perform()
        assert outcome is not None
        assert outcome.result is ActResult.UNKNOWN
        assert {request.method for request in stage.server.requests} <= {"GET"}
        assert len(stage.life.pages) == 1


async def test_what_a_rule_may_only_suggest_is_not_told_as_if_it_had_been_tried(tmp_path: Path) -> None:
    """Neither the lease nor the server is asked: nobody reads that the server would accept it."""
    async with staged(tmp_path, STEPS["restart"]) as stage:
        of = stage.life.policy
        rules = tuple(replace(rule, mode=Mode.SUGGEST) for rule in of.rules)
        stage.life.policy = replace(of, rules=rules)
        outcome = await stage.perform()
        assert outcome is not None
        assert outcome.result is ActResult.WITHHELD
        said = {verdict.guard: verdict.text for verdict in outcome.verdicts}
        assert said["lease"] == "deployment/web is not taken: the change is withheld"
        assert said["dry_run"] == "restart deployment/web (withheld, so the server was not asked)"
        assert {request.method for request in stage.server.requests} == {"GET"}


# --- answers that get lost, owners that sleep ---


@pytest.mark.parametrize(
    ("action", "where"), [(action, where) for action in STEPS for where in LEFT_AT.get(action, LEFT)]
)
async def test_P7_a_step_is_not_looked_for_or_done_where_its_service_has_moved_meanwhile(
    tmp_path: Path, action: str, where: str
) -> None:
    """The catalog is always the newest: what was begun on one workload says nothing about another."""
    async with staged(tmp_path, STEPS[action]) as stage:
        assert await stage.perform(Fuse(after=(where, 1))) is None
        before = stage.effects
        stage.server.deployment("shop", "other", replicas=2)
        await stage.server.settled()
        stage.server.requests.clear()
        stage.life.policy = moved(stage.life.policy)
        outcome = await stage.perform()
        assert outcome is not None
        assert (outcome.result, outcome.changes) == (ActResult.UNKNOWN, ())
        assert "deployment/other" in outcome.reason
        assert stage.effects == before
        assert {request.method for request in stage.server.requests} <= {"GET"}


async def test_P7_a_step_is_not_done_elsewhere_than_the_step_before_it(tmp_path: Path) -> None:
    """An attempt that began on one workload is not finished, and not verified, on another."""
    async with staged(tmp_path, STEPS["scale"], STEPS["restart"]) as stage:
        stage.server.deployment("shop", "other", replicas=2)
        await stage.perform()
        assert stage.attempt.step == 1
        stage.life.policy = moved(stage.life.policy)
        outcome = await stage.perform()
        assert outcome is not None
        assert outcome.result is ActResult.BLOCKED
        assert outcome.reason == (
            "target: the catalog names deployment/other now, the attempt began on shop/deployment/web"
        )
        assert stage.effects == 1


async def test_P14_another_workload_that_is_well_does_not_verify_the_one_that_was_changed(
    tmp_path: Path,
) -> None:
    """Every check is unknown there, so that people hear of it."""
    async with staged(tmp_path, STEPS["restart"]) as stage:
        stage.server.deployment("shop", "other", replicas=2)
        await stage.perform()
        await stage.server.settled()
        [verify] = stage.life.decisions[-1].effects
        stage.life.policy = moved(stage.life.policy)
        told = await Runner(stage.means(Fuse())).perform(verify)
        assert isinstance(told, Checked)
        assert [result.holds for result in told.results] == [None]


def moved(of: Policy) -> Policy:
    """The catalog corrected: the service is another workload."""
    service = replace(of.services["web"], workload=replace(WEB, name="other"))
    return replace(of, services={"web": service})


async def test_P7_a_rollback_after_a_crash_does_not_wait_for_what_its_own_claim_began(tmp_path: Path) -> None:
    """The claim makes a Deployment's controller busy; it is planned from what was seen before."""
    async with staged(tmp_path, STEPS["rollback"], lag=0.2) as stage:
        assert await stage.perform(Fuse(after=("intend", 1))) is None
        await stage.server.settled()
        outcome = await stage.perform()
        assert outcome is not None
        assert outcome.result is ActResult.DONE, outcome
        await stage.server.settled()
        assert stage.effects == 1
