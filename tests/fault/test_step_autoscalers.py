"""A step that is fenced on an autoscaler, and steps that must not fight one (P7, P8, P17)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from remediator.adapters.kubernetes import Call
from remediator.core.cluster import EFFECT_ANNOTATION, EPOCH_ANNOTATION
from remediator.core.incident import Phase
from remediator.core.isolation import ISOLATED_REPLICAS, ISOLATED_UNTIL
from remediator.core.journal import ActResult
from remediator.core.policies import Step
from remediator.testing.apiserver import Fault, FaultKind
from tests.core.builders import WEB
from tests.fault.step_stage import STEPS, Fuse, StepStage, autoscaler, staged

HPAS = "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers"


async def send(stage: StepStage, method: str, path: str, body: Any = None) -> Any:
    """What somebody else does."""
    media = "application/merge-patch+json" if method == "PATCH" else "application/json"
    return await stage.cluster.api.call(Call(method=method, path=path, doing=method, body=body, media=media))


async def scaler(stage: StepStage, name: str = "web") -> Any:
    return await send(stage, "GET", f"{HPAS}/{name}")


async def deployment(stage: StepStage) -> Any:
    return await send(stage, "GET", "/apis/apps/v1/namespaces/shop/deployments/web")


async def test_P8_epoch_and_mark_live_on_the_autoscaler(tmp_path: Path) -> None:
    """And on nothing else: the workload is not written to. The journal says which object it is."""
    async with staged(tmp_path, STEPS["hpa"]) as stage:
        effect = stage.effect()
        outcome = await stage.perform()
        assert outcome is not None
        assert outcome.result is ActResult.DONE, outcome
        made = await scaler(stage)
        assert made["spec"]["minReplicas"] == 3
        assert made["metadata"]["annotations"][EFFECT_ANNOTATION] == effect.step_id
        assert made["metadata"]["annotations"][EPOCH_ANNOTATION]
        kept = (await deployment(stage))["metadata"]["annotations"]
        assert not {EFFECT_ANNOTATION, EPOCH_ANNOTATION} & kept.keys()
        intent = await stage.store.intended(effect.step_id)
        assert intent is not None
        assert intent.on is not None
        assert (str(intent.on.ref), intent.on.uid) == (
            "horizontalpodautoscaler/web",
            made["metadata"]["uid"],
        )


async def test_P7_an_autoscaler_of_the_same_name_is_not_the_same(tmp_path: Path) -> None:
    """It was deleted and made again between the intent and the look: nothing is done to the new one."""
    async with staged(tmp_path, STEPS["hpa"]) as stage:
        assert await stage.perform(Fuse(after=("intend", 1))) is None
        await send(stage, "DELETE", f"{HPAS}/web")
        stage.server.create(autoscaler("web"))
        outcome = await stage.perform()
        assert outcome is not None
        assert (outcome.result, outcome.changes) == (ActResult.FAILED, ())
        assert "horizontalpodautoscaler/web no longer exists" in outcome.reason
        assert (await scaler(stage))["spec"]["minReplicas"] == 1


async def test_P7_where_somebody_elses_step_left_its_mark_since_it_cannot_be_known(tmp_path: Path) -> None:
    """On the autoscaler: what marks the workload carries says nothing."""
    async with staged(tmp_path, STEPS["hpa"]) as stage:
        assert await stage.perform(Fuse(after=("intend", 1))) is None
        theirs = {"metadata": {"annotations": {EFFECT_ANNOTATION: "inc-9/1/0"}}}
        await send(stage, "PATCH", f"{HPAS}/web", theirs)
        outcome = await stage.perform()
        assert outcome is not None
        assert outcome.result is ActResult.UNKNOWN
        assert "horizontalpodautoscaler/web was changed by inc-9/1/0 since" in outcome.reason


async def test_P7_bounds_that_somebody_set_in_between_are_not_overruled(tmp_path: Path) -> None:
    """They are read again, and the guards are asked again."""
    async with staged(tmp_path, STEPS["hpa"]) as stage:

        async def meddle() -> None:
            await send(stage, "PATCH", f"{HPAS}/web", {"spec": {"minReplicas": 2, "maxReplicas": 7}})

        outcome = await stage.perform(Fuse(before={"apply": meddle}))
        assert outcome is not None
        assert outcome.result is ActResult.RETRY
        assert "changed meanwhile" in outcome.reason
        done = await stage.finish()
        assert done.changes == ("set the bounds of hpa/web of deployment/web from 2 to 7 pods to 3 to 7",)


@pytest.mark.parametrize("action", ["scale", "isolate", "hpa"])
@pytest.mark.parametrize(
    ("status", "result", "why"),
    [
        (403, ActResult.BLOCKED, "could not list horizontalpodautoscalers"),
        (404, ActResult.BLOCKED, "could not list horizontalpodautoscalers"),
        (503, ActResult.RETRY, "could not list horizontalpodautoscalers"),
    ],
)
async def test_P17_where_it_cannot_be_known_what_scales_it_nothing_is_changed(
    tmp_path: Path, action: str, status: int, result: ActResult, why: str
) -> None:
    """Unknown blocks: whoever may not look cannot know that there is none."""
    async with staged(tmp_path, STEPS[action]) as stage:
        fault = Fault(
            kind=FaultKind.STATUS, method="GET", path_regex="/horizontalpod", status=status, times=None
        )
        stage.server.faults.add(fault)
        outcome = await stage.perform()
        assert outcome is not None
        assert outcome.result is result, outcome
        assert why in outcome.reason
        assert stage.effects == 0
        assert {request.method for request in stage.server.requests} == {"GET"}


async def test_what_an_autoscaler_scales_is_left_to_it(tmp_path: Path) -> None:
    """The reason says what to use in its place. One of another workload does not matter."""
    async with staged(tmp_path, STEPS["scale"]) as stage:
        stage.server.create(autoscaler("other", target="other"))
        stage.server.create(autoscaler("web"))
        outcome = await stage.perform()
        assert outcome is not None
        assert outcome.result is ActResult.BLOCKED
        assert "hpa/web scales deployment/web and would undo it; use hpa: " in outcome.reason
        assert stage.effects == 0


async def test_isolated_and_restored_it_asks_for_what_it_asked_for(tmp_path: Path) -> None:
    """A second isolation in between keeps the first memory; nothing is left on the object but our marks."""
    steps = [STEPS["isolate"], Step(action="isolate", params={"for": "2h"}), STEPS["restore"]]
    async with staged(tmp_path, *steps) as stage:
        before = await deployment(stage)
        first = await stage.finish()
        assert first.changes == ("isolate deployment/web: scale it from 4 to 0, for 30m at most",)
        isolated = (await deployment(stage))["metadata"]["annotations"]
        assert isolated[ISOLATED_REPLICAS] == "4"
        assert stage.attempt.step == 1
        second = await stage.finish()
        assert (second.result, second.changes) == (ActResult.DONE, ())
        again = (await deployment(stage))["metadata"]["annotations"]
        assert {key: again[key] for key in (ISOLATED_REPLICAS, ISOLATED_UNTIL)} == {
            key: isolated[key] for key in (ISOLATED_REPLICAS, ISOLATED_UNTIL)
        }
        third = await stage.finish()
        assert third.changes == ("restore deployment/web: scale it from 0 to 4",)
        after = await deployment(stage)
        assert after["spec"] == before["spec"]
        left = after["metadata"]["annotations"].keys() - before["metadata"]["annotations"].keys()
        assert left == {EFFECT_ANNOTATION, EPOCH_ANNOTATION}
        assert stage.attempt.phase is Phase.VERIFYING
        seen = await stage.cluster.reader.workload(WEB)
        assert seen.desired == 4
