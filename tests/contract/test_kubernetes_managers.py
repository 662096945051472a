"""Who wrote which fields, as the API server itself tells after server-side applies."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from remediator.core.objects import ObjectRef
from remediator.core.ownership import (
    LEAST,
    MOST,
    REPLICAS,
    RESTARTED,
    TEMPLATE,
    FieldManager,
    container_path,
    keepers_of,
)
from remediator.testing.apiserver import TOKEN
from tests.contract.test_kubernetes_changes import BRISK, Scene, opened

__all__ = ["BRISK"]
APPLY = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/apply-patch+yaml"}


async def applied(scene: Scene, manager: str, spec: dict[str, Any], labels: dict[str, str]) -> None:
    """What a controller does at each of its rounds."""
    config = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "labels": labels},
        "spec": spec,
    }
    url = scene.server.url + scene.world.path(scene.ref)
    params = {"fieldManager": manager, "force": "true"}
    async with (
        aiohttp.ClientSession(headers=APPLY) as session,
        session.patch(url, params=params, data=json.dumps(config)) as answer,
    ):
        assert answer.status == 200, await answer.text()


def owned(managers: tuple[FieldManager, ...], name: str) -> frozenset[str]:
    """All that it wrote."""
    return frozenset().union(*(each.owns for each in managers if each.name == name))


async def test_what_a_controller_applied_is_its_own_and_the_rest_is_not(tmp_path: Path) -> None:
    """Replicas and an image; not the resources of that container, and not the restart that we make."""
    image = {"template": {"spec": {"containers": [{"name": "web", "image": "shop/web:2"}]}}}
    async with opened(tmp_path, "deployment") as scene:
        labels = {"kustomize.toolkit.fluxcd.io/name": "apps"}
        await applied(scene, "kustomize-controller", {"replicas": 2, **image}, labels)
        seen = await scene.seen()
        assert seen.labels["kustomize.toolkit.fluxcd.io/name"] == "apps"
        wanted = {REPLICAS, TEMPLATE, container_path("web", "image")}
        assert owned(seen.managers, "kustomize-controller") == wanted
        [keeper] = keepers_of(seen.ref, seen)
        assert keeper.owned(seen, [REPLICAS, RESTARTED]) == (REPLICAS,)

        await applied(scene, "kustomize-controller", image, labels)
        seen = await scene.seen()
        [keeper] = keepers_of(seen.ref, seen)
        assert keeper.owned(seen, [REPLICAS, container_path("web", "image")]) == (
            container_path("web", "image"),
        )


async def test_what_we_changed_is_ours_and_a_restart_is_seen(tmp_path: Path) -> None:
    async with opened(tmp_path, "deployment") as scene:
        await scene.make(await scene.scaled(3))
        seen = await scene.seen()
        assert REPLICAS in owned(seen.managers, "remediator")
        assert list(keepers_of(seen.ref, seen)) == []
        body = {
            "spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}}
        }
        await scene.patch(body)
        seen = await scene.seen()
        assert any(RESTARTED in each.owns for each in seen.managers)


@pytest.mark.parametrize(
    "managed", [None, [], [{"manager": "x"}], [{"manager": "x", "fieldsV1": {"f:spec": []}}]]
)
def test_what_is_not_told_is_nobodys(managed: Any) -> None:
    """An API server, or a proxy before it, may leave it out."""
    from remediator.adapters.kubernetes.managers import managers_of

    assert all(not each.owns for each in managers_of({"metadata": {"managedFields": managed}}))


def test_what_was_written_through_a_subresource_is_left_out() -> None:
    """An autoscaler writes replicas through ``scale``, and keeps no source."""
    from remediator.adapters.kubernetes.managers import managers_of

    entry = {
        "manager": "kube-controller-manager",
        "subresource": "scale",
        "fieldsV1": {"f:spec": {"f:replicas": {}}},
    }
    assert managers_of({"metadata": {"managedFields": [entry]}}) == ()


def test_bounds_of_an_autoscaler_are_told() -> None:
    from remediator.adapters.kubernetes.managers import managers_of

    entry = {"manager": "m", "fieldsV1": {"f:spec": {"f:minReplicas": {}, "f:maxReplicas": {}}}}
    [manager] = managers_of({"metadata": {"managedFields": [entry]}})
    assert manager == FieldManager(name="m", owns=frozenset((LEAST, MOST)))
    assert list(keepers_of(ObjectRef(kind="x", namespace="", name=""), _Bare())) == []


@dataclass
class _Bare:
    """An object of which nothing is told."""

    annotations: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    managers: tuple[FieldManager, ...] = ()
