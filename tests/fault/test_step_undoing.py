"""P7, P13, P14: what a step changed is taken back once, by nobody who may not, and only while it is ours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from remediator.adapters.kubernetes import Call
from remediator.core.alerts import Fingerprint
from remediator.core.incident import Outcome, Phase
from remediator.core.journal import Acted, ActResult, Checked, CheckResult, Resolved, Undo
from remediator.core.pauses import EVERYTHING
from remediator.core.policies import Mode
from remediator.core.times import MINUTE, Instant
from remediator.testing.apiserver import Behaviour, Fault, FaultKind
from remediator.testing.memory import MemoryStore
from remediator.workers.undo import UndoPerformer
from tests.core.builders import WEB
from tests.fault.step_stage import LEASE, STEPS, Fuse, Killed, StepStage, staged

INVERTIBLE = ("scale", "rollback", "set_image", "set_resources", "isolate", "restore", "hpa")
DEPLOYMENT = "/apis/apps/v1/namespaces/shop/deployments/web"
AUTOSCALER = "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers/web"


@dataclass
class Taking:
    """A stage on which a step is done and its verification has failed. ``before``: what it was."""

    stage: StepStage
    before: dict[str, Any]
    action: str

    @property
    def effect(self) -> Undo:
        """What the incident waits for."""
        effects = [effect for decision in self.stage.life.decisions for effect in decision.effects]
        found = next(effect for effect in effects if effect.id == self.stage.attempt.pending)
        assert isinstance(found, Undo)
        return found

    async def perform(self, fuse: Fuse | None = None) -> Acted | None:
        """Once, by a replica of its own; None when it was killed."""
        life = self.stage.life
        try:
            outcome = await self.performer(fuse).undo(self.effect, life.now, self.stage.attempt)
        except Killed:
            life.at = Instant(life.at + LEASE)
            return None
        self.stage.outcomes.append(outcome)
        life.tell(outcome)
        return outcome

    def performer(self, fuse: Fuse | None = None) -> UndoPerformer:
        """A replica of its own."""
        return UndoPerformer(self.stage.means(fuse or Fuse()))

    async def finish(self) -> Acted:
        """Again and again, as it is put off, until that is over."""
        for _ in range(20):
            if "act" in self.stage.life.timers:
                self.stage.life.ring("act")
            outcome = await self.perform()
            if outcome is not None and outcome.result is not ActResult.RETRY:
                await self.stage.server.settled()
                return outcome
        raise AssertionError(f"it is put off for ever: {self.stage.outcomes}")

    async def spec(self) -> dict[str, Any]:
        """What the step changes, as it is now."""
        return await spec(self.stage, self.action)


async def spec(stage: StepStage, action: str) -> dict[str, Any]:
    """The specification of what an action changes, without what a rollout itself writes."""
    path = AUTOSCALER if action == "hpa" else DEPLOYMENT
    answer = await stage.cluster.api.call(Call(method="GET", path=path, doing="look"))
    found: dict[str, Any] = answer["spec"]
    return found


@asynccontextmanager
async def failed(directory: Path, action: str, **more: Any) -> AsyncIterator[Taking]:
    """The step is done; what it should have mended is not."""
    async with staged(directory, STEPS[action], **more) as stage:
        wish(stage)
        before = await spec(stage, action)
        outcome = await stage.perform()
        assert outcome is not None
        assert outcome.result is ActResult.DONE, outcome
        await stage.server.settled()
        disprove(stage)
        stage.server.ledger.clear()
        stage.server.requests.clear()
        yield Taking(stage=stage, before=before, action=action)


def wish(stage: StepStage) -> None:
    """The runbook that runs says ``undo: on_failure``."""
    runbook = replace(stage.attempt.runbook, undo=True)
    stage.life.incident = stage.life.now.with_attempt(replace(stage.attempt, runbook=runbook))


def disprove(stage: StepStage) -> None:
    """The verification is over, and failed for sure."""
    pending = stage.attempt.pending
    assert pending is not None
    results = tuple(CheckResult(holds=False, observed="0 of 4 pods ready") for _ in stage.attempt.checks)
    stage.life.tell(Checked(effect=pending, results=results), after=2 * MINUTE)
    assert stage.attempt.phase is Phase.UNDOING


async def boundaries(directory: Path, action: str) -> list[tuple[int, str]]:
    """Every boundary of a call in an undisturbed run, with the call's name."""
    async with failed(directory, action) as taking:
        fuse = Fuse()
        outcome = await taking.perform(fuse)
        assert outcome is not None
        assert outcome.result is ActResult.DONE, outcome
        return [(2 * n + side, name) for n, name in enumerate(fuse.calls) for side in (0, 1)]


async def killed_at(directory: Path, action: str, at: int) -> str:
    """Die there, be succeeded, and see what happened: the call at which it died."""
    async with failed(directory, action) as taking:
        fuse = Fuse(at=at)
        assert await taking.perform(fuse) is None
        await taking.stage.server.settled()
        outcome = await taking.finish()
        assert outcome.result is ActResult.DONE, taking.stage.outcomes
        assert outcome.changes, "it was taken back, and that is told"
        assert taking.stage.effects == 1, (fuse.calls, taking.stage.outcomes)
        assert await taking.spec() == taking.before
        attempt = taking.stage.attempt
        assert attempt.outcome is Outcome.FAILED
        assert "; undone: " in attempt.reason
        return fuse.calls[-1]


@pytest.mark.full
@pytest.mark.parametrize("action", INVERTIBLE)
async def test_P7_killed_at_every_call_of_an_undo(tmp_path: Path, action: str) -> None:
    """Before and after each call, reads included."""
    for at, name in await boundaries(tmp_path, action):
        assert await killed_at(tmp_path, action, at) == name


@pytest.mark.parametrize("action", INVERTIBLE)
async def test_P7_what_a_step_changed_before_it_was_killed_is_taken_back(tmp_path: Path, action: str) -> None:
    """Its outcome was found by the mark alone; what it was is in the journal."""
    async with staged(tmp_path, STEPS[action]) as stage:
        wish(stage)
        before = await spec(stage, action)
        assert await stage.perform(Fuse(after=("apply", 1))) is None
        await stage.server.settled()
        found = await stage.finish()
        assert "found done after its answer was lost" in found.reason
        disprove(stage)
        stage.server.ledger.clear()
        outcome = await Taking(stage, before, action).finish()
        assert (outcome.result, len(outcome.changes)) == (ActResult.DONE, 1)
        assert stage.effects == 1
        assert await spec(stage, action) == before


@pytest.mark.parametrize("action", INVERTIBLE)
@pytest.mark.parametrize("kind", [FaultKind.DROP_AFTER_EFFECT, FaultKind.DROP_BEFORE_EFFECT])
async def test_P7_an_undo_whose_answer_is_lost_takes_effect_once(
    tmp_path: Path, action: str, kind: FaultKind
) -> None:
    """Whether it had happened or not."""
    async with failed(tmp_path, action) as taking:
        place = AUTOSCALER if action == "hpa" else DEPLOYMENT

        async def strike() -> None:
            taking.stage.server.faults.add(Fault(kind=kind, method="PATCH", path_regex=place))

        await taking.perform(Fuse(before={"apply": strike}))
        assert not taking.stage.server.faults.pending(), "the fault never struck"
        if taking.stage.attempt.outcome is None:
            await taking.finish()
        assert taking.stage.effects == 1, taking.stage.outcomes
        assert await taking.spec() == taking.before


@pytest.mark.parametrize("action", INVERTIBLE)
@pytest.mark.parametrize("where", ["intend", "claim", "apply"])
async def test_P13_a_pause_stops_an_undo_and_pages_what_is_left(
    tmp_path: Path, action: str, where: str
) -> None:
    """Thrown between any two of its calls up to the last look: no change after it."""
    async with failed(tmp_path, action) as taking:

        async def throw() -> None:
            await taking.stage.store.pause("deploying", "ada", None, EVERYTHING)

        outcome = await taking.perform(Fuse(before={where: throw}))
        assert outcome is not None
        if where == "apply":  # the last look was over: nothing can be told any more to a request on its way
            assert outcome.result is ActResult.DONE
            return
        assert outcome.result is ActResult.BLOCKED
        assert taking.stage.effects == 0
        attempt = taking.stage.attempt
        assert attempt.outcome is Outcome.FAILED
        assert "left in place: " in attempt.reason
        assert "paused by ada: deploying" in attempt.reason
        assert [page.channel for page in taking.stage.life.pages] == ["oncall"]
        assert "left in place: " in taking.stage.life.now.pages[0].reason


@pytest.mark.parametrize("action", INVERTIBLE)
async def test_P8_an_owner_that_slept_before_its_request_takes_nothing_back_any_more(
    tmp_path: Path, action: str
) -> None:
    """It wakes after its lease; another has taken it back by then."""
    async with failed(tmp_path, action) as taking:
        effect, incident, attempt = taking.effect, taking.stage.life.now, taking.stage.attempt

        async def sleep() -> None:
            taking.stage.life.at = Instant(taking.stage.life.at + 2 * LEASE)
            await taking.finish()

        late = await taking.performer(Fuse(before={"apply": sleep})).undo(effect, incident, attempt)
        await taking.stage.server.settled()
        assert taking.stage.effects == 1, (taking.stage.outcomes, late)
        assert late.changes == ()
        assert await taking.spec() == taking.before


OTHERS: dict[str, dict[str, Any]] = {
    "scale": {"spec": {"replicas": 7}},
    "isolate": {"spec": {"replicas": 2}},
    "set_image": {
        "spec": {"template": {"spec": {"containers": [{"name": "web", "image": "registry.local/web:v10"}]}}}
    },
    "rollback": {
        "spec": {"template": {"spec": {"containers": [{"name": "web", "image": "registry.local/web:v10"}]}}}
    },
    "set_resources": {
        "spec": {
            "template": {
                "spec": {"containers": [{"name": "web", "resources": {"limits": {"memory": "3Gi"}}}]}
            }
        }
    },
}


@pytest.mark.parametrize("action", OTHERS)
async def test_what_somebody_else_set_since_is_left_alone(tmp_path: Path, action: str) -> None:
    """It has not the value any more that we set: nothing is written, and it stops nothing else."""
    async with failed(tmp_path, action) as taking:
        media = "application/strategic-merge-patch+json"
        await taking.stage.cluster.api.call(
            Call(method="PATCH", path=DEPLOYMENT, doing="change it", body=OTHERS[action], media=media)
        )
        await taking.stage.server.settled()
        theirs = await taking.spec()
        taking.stage.server.requests.clear()
        outcome = await taking.perform()
        assert outcome is not None
        assert (outcome.result, outcome.changes) == (ActResult.DONE, ())
        assert {request.method for request in taking.stage.server.requests} == {"GET"}
        assert await taking.spec() == theirs
        assert "; not undone: " in taking.stage.attempt.reason
        assert not taking.stage.life.now.attempts[-1].undoing.left  # type: ignore[union-attr]


async def test_an_object_that_was_made_anew_is_not_touched(tmp_path: Path) -> None:
    """It has the name and even the value, and is another one."""
    async with failed(tmp_path, "scale") as taking:
        api = taking.stage.cluster.api
        await api.call(Call(method="DELETE", path=DEPLOYMENT, doing="delete it"))
        await taking.stage.server.settled()
        taking.stage.server.deployment("shop", "web", replicas=5)
        await taking.stage.server.settled()
        taking.stage.server.requests.clear()
        outcome = await taking.perform()
        assert outcome is not None
        assert outcome.reason == "deployment/web is another object of that name by now"
        assert {request.method for request in taking.stage.server.requests} == {"GET"}


@pytest.mark.parametrize("action", ["scale", "set_image"])
async def test_an_undo_never_lowers_availability(tmp_path: Path, action: str) -> None:
    """What was changed is well by now: pods that serve are not taken away, and people hear why."""
    async with failed(tmp_path, action) as taking:
        taking.stage.server.behave("shop", "web", Behaviour.healthy())
        await taking.stage.server.settled()
        assert all(pod.ready for pod in await taking.stage.pods())
        outcome = await taking.perform()
        assert outcome is not None
        assert outcome.result is ActResult.BLOCKED
        assert "healthy pod" in outcome.reason
        assert "an undo never lowers availability" in outcome.reason
        assert taking.stage.effects == 0
        assert len(taking.stage.life.pages) == 1


@pytest.mark.parametrize("how", ["mode", "resolved", "moved"])
async def test_P13_trust_resolution_and_target_are_looked_at_as_for_any_change(
    tmp_path: Path, how: str
) -> None:
    """Whoever may not act any more does not undo either; nor is it done where nothing fires any more."""
    async with failed(tmp_path, "scale") as taking:
        life = taking.stage.life
        of = life.policy
        if how == "mode":
            life.policy = replace(of, rules=tuple(replace(rule, mode=Mode.OBSERVE) for rule in of.rules))
        elif how == "resolved":
            life.tell(Resolved(fingerprint=Fingerprint("aa")), over=("aa",))
        else:
            service = replace(of.services["web"], workload=replace(WEB, name="other"))
            life.policy = replace(of, services={"web": service})
            taking.stage.server.deployment("shop", "other", replicas=2)
        taking.stage.server.requests.clear()
        outcome = await taking.perform()
        assert outcome is not None
        assert outcome.result in (ActResult.BLOCKED, ActResult.WITHHELD)
        assert {request.method for request in taking.stage.server.requests} <= {"GET"}
        assert "left in place: scale deployment/web from 4 to 5" in taking.stage.attempt.reason
        assert len(life.pages) == 1


@pytest.mark.parametrize("action", ["restart", "delete_pod", "evict_pod"])
async def test_what_has_no_inverse_says_so_and_nothing_is_asked_of_the_cluster(
    tmp_path: Path, action: str
) -> None:
    """Pods that are gone do not come back."""
    async with failed_without_inverse(tmp_path, action) as taking:
        fuse = Fuse()
        outcome = await taking.perform(fuse)
        assert outcome is not None
        assert (outcome.result, outcome.changes, fuse.calls) == (ActResult.DONE, (), [])
        assert outcome.reason == f"{action} has no inverse: what it did cannot be taken back"
        assert f"({outcome.reason})" in taking.stage.attempt.reason


@asynccontextmanager
async def failed_without_inverse(directory: Path, action: str) -> AsyncIterator[Taking]:
    async with staged(directory, STEPS[action]) as stage:
        wish(stage)
        await stage.finish()
        disprove(stage)
        yield Taking(stage=stage, before={}, action=action)


async def test_what_is_not_in_the_journal_is_left_and_told(tmp_path: Path) -> None:
    """It is kept as long as its incident; should it be gone, nobody guesses."""
    async with failed(tmp_path, "scale") as taking:
        taking.stage.store = MemoryStore(lambda: taking.stage.life.at)
        outcome = await taking.perform()
        assert outcome is not None
        assert outcome.result is ActResult.BLOCKED
        assert "is not in the journal" in taking.stage.attempt.reason
        assert taking.stage.effects == 0


async def test_what_serves_is_not_undone_while_its_revision_cannot_be_told(tmp_path: Path) -> None:
    """Somebody released anew and the controller has not seen it yet: nothing of theirs is replaced."""
    async with failed(tmp_path, "rollback", lag=0.3) as taking:
        media = "application/strategic-merge-patch+json"
        await taking.stage.cluster.api.call(
            Call(method="PATCH", path=DEPLOYMENT, doing="release", body=OTHERS["rollback"], media=media)
        )
        outcome = await taking.perform()
        assert outcome is not None
        assert outcome.result is ActResult.RETRY, outcome
        await taking.stage.server.settled()
        outcome = await taking.finish()
        assert outcome.changes == ()
        assert taking.stage.effects == 0
