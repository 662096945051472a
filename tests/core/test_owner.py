"""GitOps controllers: what they would set back, what they accept, and what proves that they keep it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

import pytest

from remediator.core.changes import (
    Change,
    DeletePod,
    IsolateWorkload,
    RestartWorkload,
    RestoreWorkload,
    RollBackWorkload,
    ScaleWorkload,
    SetAutoscalerBounds,
    SetContainerImage,
    SetContainerResources,
)
from remediator.core.cluster import Autoscaler, Workload
from remediator.core.incident import EffectId
from remediator.core.objects import HPA, ObjectRef
from remediator.core.ownership import REPLICAS, TEMPLATE, TRACKING, FieldManager, container_path
from remediator.core.policies import GuardPolicy, Mode, Step
from remediator.core.times import Instant
from remediator.core.verdicts import ChangeRequest, GuardPorts, Verdict
from remediator.guards import ask_guard
from remediator.guards.owner import Owner
from tests.core.builders import NOW, WEB, policy
from tests.core.test_actions import workload
from tests.core.test_decide import opened

AT = Instant(1)
KUSTOMIZE = "kustomize.toolkit.fluxcd.io"
HELM = "helm.toolkit.fluxcd.io"
FLUX = {f"{KUSTOMIZE}/name": "apps", f"{KUSTOMIZE}/namespace": "flux-system"}
RELEASE = {f"{HELM}/name": "shop", f"{HELM}/namespace": "shop"}
ARGO = {TRACKING: "shop-app:apps/Deployment:shop/web"}
SCALE = ScaleWorkload(target=WEB, uid="w", seen=2, replicas=3)
IMAGE = SetContainerImage(target=WEB, uid="w", container="web", index=0, seen="a:1", image="a:2")
SPEC: Sequence[Change] = (
    SCALE,
    IsolateWorkload(target=WEB, uid="w", seen=2, until=AT),
    RestoreWorkload(target=WEB, uid="w", seen=0, replicas=2, memory="2"),
    RollBackWorkload(target=WEB, uid="w", generation=1, seen=2, revision=1, source="web-1", source_uid="r1"),
    IMAGE,
    SetContainerResources(target=WEB, uid="w", container="web", index=0, seen=None, resources={}),
)
LEFT_ALONE: Sequence[Change] = (
    RestartWorkload(target=WEB, uid="w", at=AT),
    DeletePod(target=WEB, uid="w", pod="web-1", pod_uid="p"),
)
BOUNDS = SetAutoscalerBounds(target=WEB, uid="h", name="web", seen_least=1, seen_most=3, least=1, most=5)


class Facts:
    """What the guard looks at."""

    def __init__(self, change: Change, seen: Workload, *scalers: Autoscaler) -> None:
        self.change, self.seen, self.scalers = change, seen, scalers

    async def plan(self) -> Sequence[Change]:
        return (self.change,)

    async def workload(self, target: object) -> Workload:
        return self.seen

    async def autoscalers(self) -> Sequence[Autoscaler]:
        return self.scalers


async def judged(change: Change, seen: Workload, *scalers: Autoscaler) -> Verdict:
    """What the guard says to a change."""
    incident = opened().now
    attempt = incident.active
    assert attempt is not None
    request = ChangeRequest(
        incident=incident, attempt=attempt, step=Step(action="scale"), effect=EffectId("e"),
        at=NOW, policy=replace(policy(), guards=GuardPolicy(namespaces=("shop",))), ceiling=Mode.AUTO,
    )  # fmt: skip
    return await ask_guard(Owner(), request, cast(GuardPorts, Facts(change, seen, *scalers)))


def kept(
    labels: Mapping[str, str] | None = None, annotations: Mapping[str, str] | None = None, **owns: set[str]
) -> Workload:
    """The workload; ``owns``: who wrote which fields, - for _ in names."""
    managers = tuple(
        FieldManager(name=name.replace("_", "-"), owns=frozenset(paths)) for name, paths in owns.items()
    )
    return workload(WEB, labels=labels or {}, annotations=annotations or {}, managers=managers)


@pytest.mark.parametrize("change", [*SPEC, *LEFT_ALONE], ids=lambda each: type(each).__name__)
async def test_what_nobody_keeps_may_be_changed(change: Change) -> None:
    """Whoever else wrote it: a person, an autoscaler, a plain helm. A label of an instance proves nothing."""
    seen = kept(
        {"app.kubernetes.io/instance": "shop", "app.kubernetes.io/managed-by": "Helm"}, kubectl={REPLICAS}
    )
    assert (await judged(change, seen)).allowed


@pytest.mark.parametrize("change", SPEC, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize(
    ("seen", "who", "way"),
    [
        (
            kept(FLUX),
            "Flux (Kustomization flux-system/apps)",
            f", or annotate it {KUSTOMIZE}/reconcile: disabled",
        ),
        (kept(RELEASE), "Flux (HelmRelease shop/shop)", f", or annotate it {HELM}/driftDetection: disabled"),
        (kept(None, ARGO), "Argo CD (Application shop-app)", ""),
    ],
    ids=["kustomize", "helm", "argo"],
)
async def test_what_a_marked_object_is_kept_as_is_not_changed(
    change: Change, seen: Workload, who: str, way: str
) -> None:
    """It would be set back. The verdict says who keeps what, and what to do about it."""
    verdict = await judged(change, seen)
    assert not verdict.allowed
    assert verdict.text.startswith(f"{who} keeps spec.")
    assert verdict.text.endswith(
        f" of deployment/web and would set it back; change it in the source, take it out of there{way}"
    )
    assert verdict.retry_after is None


@pytest.mark.parametrize("change", LEFT_ALONE, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize(
    "seen", [kept(FLUX), kept(RELEASE), kept(None, ARGO)], ids=["kustomize", "helm", "argo"]
)
async def test_restarts_and_pods_are_accepted_by_all(change: Change, seen: Workload) -> None:
    verdict = await judged(change, seen)
    assert verdict.allowed
    if isinstance(change, RestartWorkload):
        assert verdict.text.endswith("keeps deployment/web, and accepts this: its source does not name it")


@pytest.mark.parametrize(
    ("labels", "annotations", "manager"),
    [
        (FLUX, {}, "kustomize_controller"),
        ({}, {}, "kustomize_controller"),
        (RELEASE, {}, "helm_controller"),
        ({}, ARGO, "argocd_controller"),
        ({}, {}, "argocd_application_controller"),
    ],
)
async def test_the_fields_that_they_wrote_are_the_strongest_evidence(
    labels: dict[str, str], annotations: dict[str, str], manager: str
) -> None:
    """What the source does not name is accepted, what it names is not, whether it is marked or not."""
    image = {TEMPLATE, container_path("web", "image")}
    seen = kept(labels, annotations, **{manager: image, "kubectl": {REPLICAS}})
    assert (await judged(SCALE, seen)).allowed
    assert not (await judged(IMAGE, seen)).allowed
    assert (await judged(replace(IMAGE, container="proxy"), seen)).allowed
    assert not (await judged(SPEC[3], seen)).allowed, "a rollback changes all of the template"
    named = await judged(SCALE, kept(labels, annotations, **{manager: {REPLICAS}}))
    assert not named.allowed
    assert "keeps spec.replicas of deployment/web" in named.text


@pytest.mark.parametrize(
    ("labels", "annotations"),
    [
        (FLUX, {f"{KUSTOMIZE}/reconcile": "disabled"}),
        (FLUX, {f"{KUSTOMIZE}/ssa": "IfNotPresent"}),
        (FLUX, {f"{KUSTOMIZE}/ssa": "Ignore"}),
        (RELEASE, {f"{HELM}/driftDetection": "disabled"}),
    ],
)
@pytest.mark.parametrize("change", SPEC, ids=lambda each: type(each).__name__)
async def test_what_they_were_told_to_leave_alone_may_be_changed(
    change: Change, labels: dict[str, str], annotations: dict[str, str]
) -> None:
    """And the verdict says by which annotation."""
    verdict = await judged(change, kept(labels, annotations))
    assert verdict.allowed
    assert f"leaves deployment/web alone ({next(iter(annotations))})" in verdict.text


@pytest.mark.parametrize(
    "annotations",
    [
        {f"{KUSTOMIZE}/reconcile": "enabled"},
        {f"{KUSTOMIZE}/ssa": "Merge"},
        {f"{HELM}/driftDetection": "disabled"},
    ],
)
async def test_other_annotations_release_nothing(annotations: dict[str, str]) -> None:
    """``Merge`` still sets back what the source names; and one controller's word is not another's."""
    assert not (await judged(SCALE, kept(FLUX, annotations))).allowed


@pytest.mark.parametrize(
    "tracking",
    [
        "shop-app:apps/Deployment:shop/other",
        "shop-app:apps/Deployment:elsewhere/web",
        "shop-app:apps/StatefulSet:shop/web",
        "shop-app",
        "",
    ],
)
async def test_a_mark_that_was_copied_from_another_object_proves_nothing(tracking: str) -> None:
    """As Argo CD itself sees it."""
    assert (await judged(SCALE, kept(None, {TRACKING: tracking}))).allowed


async def test_one_that_accepts_does_not_outvote_one_that_would_set_it_back() -> None:
    seen = kept({**FLUX, **RELEASE}, {f"{KUSTOMIZE}/reconcile": "disabled"})
    verdict = await judged(SCALE, seen)
    assert not verdict.allowed
    assert verdict.text.startswith("Flux (HelmRelease shop/shop) keeps")


def scaler(**more: object) -> Autoscaler:
    made = Autoscaler(ref=ObjectRef(kind=HPA, namespace="shop", name="web"), uid="h", least=1, most=3)
    return replace(made, **more)  # type: ignore[arg-type]  # by name


async def test_an_autoscaler_is_kept_by_itself() -> None:
    """Its own marks count, not those of the workload that it scales; and only the bound that is changed."""
    assert (await judged(BOUNDS, kept(FLUX), scaler())).allowed
    assert not (await judged(BOUNDS, kept(), scaler(labels=FLUX))).allowed
    least = (FieldManager(name="kustomize-controller", owns=frozenset({"spec.minReplicas"})),)
    assert (await judged(BOUNDS, kept(), scaler(managers=least))).allowed
    unseen = await judged(BOUNDS, kept())
    assert (unseen.allowed, unseen.text) == (
        False,
        "could not find out: horizontalpodautoscaler/web was not looked at",
    )


async def test_what_labels_say_is_told_on_one_short_line() -> None:
    """They are written by strangers."""
    labels = {f"{KUSTOMIZE}/name": "x\r\nforged" * 50, f"{KUSTOMIZE}/namespace": "\x1b[31m"}
    text = (await judged(SCALE, kept(labels))).text
    assert "\n" not in text
    assert "\x1b" not in text
    assert len(text) < 400
