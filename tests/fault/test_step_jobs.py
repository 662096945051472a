"""A step that runs a job: made asleep, woken once, looked at until it is over (P7, P8, P14, P17)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from remediator.adapters.kubernetes.faults import Call
from remediator.core.cluster import EFFECT_ANNOTATION, IGNORE_ANNOTATION
from remediator.core.codec import incident_from, incident_json
from remediator.core.incident import Outcome, Phase
from remediator.core.jobs import STEP_ANNOTATION, job_name
from remediator.core.journal import ActResult, Checked, EffectLost, Kind, Verify
from remediator.core.policies import Step
from remediator.core.times import MINUTE, SECOND, Instant
from remediator.testing.apiserver import Behaviour, Fault, FaultKind, Program, Run
from remediator.workers.runner import Runner
from tests.fault.step_stage import LEASE, STEPS, Fuse, StepStage, cron_job, staged

JOBS = "/apis/batch/v1/namespaces/shop/jobs"
CRON = "/apis/batch/v1/namespaces/shop/cronjobs/tidy"
JOB = STEPS["job"]


async def send(stage: StepStage, method: str, path: str, body: Any = None) -> Any:
    """What somebody else does."""
    media = "application/merge-patch+json" if method == "PATCH" else "application/json"
    return await stage.cluster.api.call(Call(method=method, path=path, doing=method, body=body, media=media))


async def jobs(stage: StepStage) -> list[Any]:
    found: list[Any] = (await send(stage, "GET", JOBS))["items"]
    return found


async def look(stage: StepStage) -> Checked:
    """What the incident waits for is asked once, by a replica that knows nothing but the store."""
    effects = [effect for decision in stage.life.decisions for effect in decision.effects]
    effect = next(effect for effect in effects if effect.id == stage.attempt.pending)
    assert isinstance(effect, Verify)
    seen = await Runner(stage.means(Fuse())).perform(effect)
    assert isinstance(seen, Checked)
    stage.life.tell(seen)
    return seen


def runs(stage: StepStage, program: Program) -> None:
    """How what the job runs goes."""
    stage.server.behave("shop", job_name("tidy", stage.effect().step_id), Behaviour.runs(program))


async def settled(stage: StepStage, most: int = 100) -> None:
    """It is asked again and again by the attempt's own timer, until that is over."""
    for _ in range(most):
        await stage.server.settled()
        await look(stage)
        if stage.attempt.phase is not Phase.SETTLING:
            return
        stage.life.ring("poll")
    raise AssertionError("it is never over")


def told(stage: StepStage) -> list[str]:
    return [e.text for d in stage.life.decisions for e in d.timeline if e.kind is Kind.STEP]


async def test_P7_a_job_is_made_as_kubectl_makes_it_and_woken_under_the_epoch(tmp_path: Path) -> None:
    """Of the workload nothing is written; the job's name and its annotation tell whose it is."""
    async with staged(tmp_path, JOB) as stage:
        step = stage.effect().step_id
        outcome = await stage.perform()
        assert outcome is not None
        assert outcome.result is ActResult.DONE, outcome
        assert outcome.changes == ("run cronjob/tidy once, for 5m at most",)
        [job] = await jobs(stage)
        meta, spec = job["metadata"], job["spec"]
        assert meta["name"] == job_name("tidy", step)
        assert meta["annotations"][STEP_ANNOTATION] == meta["annotations"][EFFECT_ANNOTATION] == step
        assert meta["annotations"]["cronjob.kubernetes.io/instantiate"] == "manual"
        [owner] = meta["ownerReferences"]
        assert (owner["kind"], owner["name"], owner.get("controller")) == ("CronJob", "tidy", None)
        assert (spec["suspend"], spec["activeDeadlineSeconds"]) == (False, 300)
        assert spec["ttlSecondsAfterFinished"] == 86_400
        assert {request.method for request in stage.server.requests if "/deployments/" in request.path} == {
            "GET"
        }


async def test_a_step_is_done_when_its_job_has_completed(tmp_path: Path) -> None:
    """Begun first, and nobody is busy meanwhile: it is looked at by the timer of any other check."""
    async with staged(tmp_path, JOB, Step(action="restart")) as stage:
        runs(stage, Program(runs=(Run(ends_after=3600),)))
        await stage.perform()
        await look(stage)
        assert (stage.attempt.phase, stage.attempt.step) == (Phase.SETTLING, 0)
        assert stage.life.timers["poll"] == stage.life.at + SECOND
        name = job_name("tidy", "2026-11-23-0213-web/1/0")  # type: ignore[arg-type]  # as it is known to be
        assert stage.attempt.checks[0].observed == (
            f"job {name} is not over yet, 1 pods at work, 0 succeeded, 0 failed"
        )
    async with staged(tmp_path, JOB, Step(action="restart")) as stage:
        await stage.perform()
        await settled(stage)
        assert (stage.attempt.phase, stage.attempt.step) == (Phase.ACTING, 1)
        assert stage.attempt.settling is None
        [begun, done] = told(stage)
        assert begun == "job: begun: run cronjob/tidy once, for 5m at most"
        assert done == f"job: done: job {name} completed, 0 pods at work, 1 succeeded, 0 failed"


async def test_P14_a_job_that_fails_fails_the_step_with_the_last_lines_of_its_log(tmp_path: Path) -> None:
    """At once, however long it might still be waited for. What is a secret stays one."""
    log = "connecting\npassword=hunter2hunter2\nboom: no such table\n"
    async with staged(tmp_path, JOB) as stage:
        runs(stage, Program(runs=(Run(ends_after=0, exit_code=3, log=log),)))
        await stage.perform()
        await settled(stage)
        attempt = stage.attempt
        assert attempt.outcome is Outcome.FAILED
        assert "failed (BackoffLimitExceeded: " in attempt.reason
        assert "boom: no such table" in attempt.reason
        assert "hunter2" not in str(stage.life.decisions)
        assert told(stage)[-1].startswith("job: failed: job tidy-")
        assert [page.channel for page in stage.life.pages] == ["oncall"]


@pytest.mark.parametrize("restarted", [False, True])
async def test_P14_a_job_that_takes_too_long_fails_the_step(tmp_path: Path, restarted: bool) -> None:
    """Kubernetes ends it by itself; where even that is not seen, the wait ends a little later.

    Each look may be another replica's, that knows what the store knows.
    """
    async with staged(tmp_path, JOB) as stage:
        runs(stage, Program())
        await stage.perform()
        began = stage.life.at
        while stage.attempt.phase is Phase.SETTLING:
            await look(stage)
            if stage.attempt.phase is Phase.SETTLING:
                if restarted:
                    stage.life.incident = incident_from(incident_json(stage.life.now))
                stage.life.ring("poll")
        assert stage.attempt.outcome is Outcome.FAILED
        assert "job failed: not over after 5m30s: job: job tidy-" in stage.attempt.reason
        assert stage.life.at - began == 5 * MINUTE + 30 * SECOND
        assert len(await jobs(stage)) == 1


async def test_P14_how_a_job_ended_that_is_gone_is_unknown(tmp_path: Path) -> None:
    """Somebody deleted it: no other runbook is tried, people are asked."""
    async with staged(tmp_path, JOB) as stage:
        runs(stage, Program())
        await stage.perform()
        [job] = await jobs(stage)
        await send(stage, "DELETE", f"{JOBS}/{job['metadata']['name']}?propagationPolicy=Background")
        await settled(stage)
        assert stage.attempt.outcome is Outcome.UNKNOWN
        assert "is gone, and nobody saw how it ended" in stage.attempt.reason
        assert len(stage.life.pages) == 1


async def test_P14_a_job_that_cannot_be_looked_at_is_unknown_in_the_end(tmp_path: Path) -> None:
    """An API server that does not answer, and a look that became a dead letter: the job may still run."""
    async with staged(tmp_path, JOB) as stage:
        await stage.perform()
        stage.server.faults.add(Fault(kind=FaultKind.STATUS, method="GET", path_regex="/jobs/", times=None))
        while stage.attempt.phase is Phase.SETTLING:
            await look(stage)
            if stage.attempt.phase is Phase.SETTLING:
                stage.life.at = max(stage.life.at, Instant(stage.attempt.phase_at + 5 * MINUTE))
                stage.life.ring("poll")
        assert stage.attempt.outcome is Outcome.UNKNOWN
        assert "how job ended is unknown" in stage.attempt.reason
    async with staged(tmp_path, JOB) as stage:
        await stage.perform()
        assert stage.attempt.pending is not None
        stage.life.tell(EffectLost(effect=stage.attempt.pending, reason="five deliveries"))
        assert stage.attempt.outcome is Outcome.UNKNOWN


async def test_P7_a_job_that_ran_and_is_gone_before_anybody_heard_is_not_run_again(tmp_path: Path) -> None:
    """The journal knows which job was about to be woken: whether that happened cannot be seen any more."""
    async with staged(tmp_path, JOB) as stage:
        assert await stage.perform(Fuse(after=("apply", 1))) is None
        await stage.server.settled()
        [job] = await jobs(stage)
        await send(stage, "DELETE", f"{JOBS}/{job['metadata']['name']}?propagationPolicy=Background")
        outcome = await stage.perform()
        assert outcome is not None
        assert outcome.result is ActResult.UNKNOWN
        assert "whether it ran cannot be seen" in outcome.reason
        assert await jobs(stage) == []
        assert len(stage.life.pages) == 1


async def test_P8_an_owner_that_slept_makes_a_job_that_never_wakes(tmp_path: Path) -> None:
    """It wakes from its sleep before it makes the job, when another's has run and was removed: its own stays
    asleep, without a pod, for it looks once more before it wakes it."""
    async with staged(tmp_path, JOB) as stage:
        effect, incident, attempt = stage.effect(), stage.life.now, stage.attempt

        async def sleep() -> None:
            stage.life.at = Instant(stage.life.at + 2 * LEASE)
            await stage.finish()
            [job] = await jobs(stage)
            await send(stage, "DELETE", f"{JOBS}/{job['metadata']['name']}?propagationPolicy=Background")
            await stage.server.settled()

        late = await stage.performer(Fuse(before={"prepare": sleep})).act(effect, incident, attempt)
        await stage.server.settled()
        assert late.result is ActResult.RETRY
        [left] = await jobs(stage)
        assert left["spec"]["suspend"] is True
        assert EFFECT_ANNOTATION not in left["metadata"]["annotations"]
        assert stage.effects == 1


async def test_P13_a_pause_between_making_and_waking_leaves_it_asleep(tmp_path: Path) -> None:
    """And when the pause is lifted it is this very job that is woken."""
    async with staged(tmp_path, JOB) as stage:
        store = stage.store

        async def stop() -> None:
            await store.pause("deploying", "anna", None)

        outcome = await stage.perform(Fuse(before={"prepare": stop}))
        assert outcome is not None
        assert outcome.result is ActResult.BLOCKED
        assert outcome.reason.startswith("stopped at the last look: kill_switch")
        [job] = await jobs(stage)
        assert job["spec"]["suspend"] is True
        assert stage.effects == 0


async def test_a_job_that_was_prepared_is_woken_by_whoever_comes_next(tmp_path: Path) -> None:
    """Under a new epoch; it is not made twice."""
    async with staged(tmp_path, JOB) as stage:
        assert await stage.perform(Fuse(after=("prepare", 1))) is None
        [asleep] = await jobs(stage)
        outcome = await stage.finish()
        assert outcome.result is ActResult.DONE
        [woken] = await jobs(stage)
        assert woken["metadata"]["uid"] == asleep["metadata"]["uid"]
        assert woken["spec"]["suspend"] is False
        assert len([one for one in stage.server.ledger if one.verb == "create"]) == 1


async def test_P17_a_template_that_changed_since_the_guards_looked_is_read_again(tmp_path: Path) -> None:
    """It is not run unseen: the guards are asked anew, and the newer one is run."""
    async with staged(tmp_path, JOB) as stage:

        async def edit() -> None:
            other = {"jobTemplate": {"spec": {"backoffLimit": 4}}}
            await send(stage, "PATCH", CRON, {"spec": other})

        outcome = await stage.perform(Fuse(before={"prepare": edit}))
        assert outcome is not None
        assert outcome.result is ActResult.RETRY
        assert "cronjob/tidy changed while it was looked at" in outcome.reason
        assert await jobs(stage) == []
        await stage.finish()
        [job] = await jobs(stage)
        assert job["spec"]["backoffLimit"] == 4


async def test_a_job_that_was_prepared_from_another_template_is_left_asleep(tmp_path: Path) -> None:
    async with staged(tmp_path, JOB) as stage:
        assert await stage.perform(Fuse(after=("prepare", 1))) is None
        await send(stage, "PATCH", CRON, {"spec": {"jobTemplate": {"spec": {"backoffLimit": 4}}}})
        outcome = await stage.finish()
        assert outcome.result is ActResult.FAILED
        assert "was made from an earlier version of cronjob/tidy and never ran; delete it" in outcome.reason
        assert stage.effects == 0


async def test_a_job_of_that_name_that_is_somebody_elses_is_left_alone(tmp_path: Path) -> None:
    async with staged(tmp_path, JOB) as stage:
        name = job_name("tidy", stage.effect().step_id)
        spec = {**cron_job("tidy")["spec"]["jobTemplate"]["spec"], "suspend": True}
        meta = {"name": name, "namespace": "shop"}
        await send(
            stage, "POST", JOBS, {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": spec}
        )
        outcome = await stage.finish()
        assert outcome.result is ActResult.FAILED
        assert f"job/{name} is there already and was not made for this step" in outcome.reason
        [left] = await jobs(stage)
        assert left["spec"]["suspend"] is True


@pytest.mark.parametrize(
    ("patch", "why"),
    [
        (None, "plan: "),
        (
            {"metadata": {"annotations": {IGNORE_ANNOTATION: "true"}}},
            f"carries the annotation {IGNORE_ANNOTATION}",
        ),
        ({"spec": {"jobTemplate": {"spec": {"suspend": True}}}}, "makes its jobs suspended"),
    ],
)
async def test_what_cannot_or_must_not_be_run_blocks_plainly(tmp_path: Path, patch: Any, why: str) -> None:
    """A CronJob that is missing, that has opted out, or whose jobs somebody else starts."""
    async with staged(tmp_path, JOB) as stage:
        if patch is None:
            await send(stage, "DELETE", CRON)
        else:
            await send(stage, "PATCH", CRON, patch)
        stage.server.requests.clear()
        outcome = await stage.perform()
        assert outcome is not None
        assert outcome.result is ActResult.BLOCKED
        assert (why if patch else 'cronjobs.batch "tidy" not found') in outcome.reason
        assert {request.method for request in stage.server.requests} == {"GET"}


async def test_what_the_template_says_of_marks_is_not_believed(tmp_path: Path) -> None:
    """Annotations of a template are its author's: none of ours is taken from there, its own bounds are."""
    async with staged(tmp_path, JOB) as stage:
        step = stage.effect().step_id
        template = {
            "metadata": {"annotations": {EFFECT_ANNOTATION: step, "team": "a"}, "labels": {"app": "tidy"}},
            "spec": {"activeDeadlineSeconds": 60, "ttlSecondsAfterFinished": 5},
        }
        await send(stage, "PATCH", CRON, {"spec": {"jobTemplate": template}})
        assert await stage.perform(Fuse(after=("prepare", 1))) is None
        [job] = await jobs(stage)
        assert EFFECT_ANNOTATION not in job["metadata"]["annotations"]
        assert job["metadata"]["annotations"]["team"] == "a"
        assert job["metadata"]["labels"]["app"] == "tidy"
        assert (job["spec"]["activeDeadlineSeconds"], job["spec"]["ttlSecondsAfterFinished"]) == (60, 86_400)
        await stage.finish()
        assert stage.effects == 1


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_P17_a_permission_that_is_missing_is_named(tmp_path: Path, method: str) -> None:
    """That of making jobs by the guards, before anything is journalled; that of waking them later."""
    async with staged(tmp_path, JOB) as stage:
        fault = Fault(kind=FaultKind.STATUS, method=method, path_regex="/jobs", status=403, times=None)
        stage.server.faults.add(fault)
        outcome = await stage.perform()
        assert outcome is not None
        assert outcome.result is (ActResult.BLOCKED if method == "POST" else ActResult.FAILED)
        assert stage.effects == 0
