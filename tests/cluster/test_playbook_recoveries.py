"""The playbook's recoveries from end to end: Alertmanager notifies, the shipped runbook acts, and it is proven.

Each also fails: then what follows is what the policies say, and people hear why. The policies are those of
``policies/`` but for the catalog and the times (see ``shipped``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from remediator.core.cluster import Pod
from remediator.core.errors import NotFound, Retryable
from remediator.testing.apiserver import FakeApiServer
from tests.cluster.doctor import STRATEGIC
from tests.cluster.scene import Scene, Times, in_order, set_scene
from tests.cluster.staging import COUNTED, DATABASE, database, deploy
from tests.cluster.world import IMAGE, World, until
from tests.servers import RedisServer, redis_server

pytestmark = pytest.mark.cluster
BRIEFLY = Times(within="3s", isolated="4s")
"""For what must fail: how long it is waited for."""
BAD = "remediator.example/bad"
"""An annotation of templates whose pods are ill."""
Stage = Callable[..., AbstractAsyncContextManager[Scene]]


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server("redis-7.0", tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def stage(world: World, tmp_path: Path, redis: RedisServer, kubeconfig: Path) -> Stage:
    """Sets the scene on the test's cluster."""

    def scene(**given: Any) -> AbstractAsyncContextManager[Scene]:
        return set_scene(world, tmp_path, redis, kubeconfig, **given)

    return scene


async def uids(world: World, name: str, kind: str = "deployment") -> set[str]:
    """The pods that are there."""
    seen = await world.cluster.reader.workload(world.ref(name, kind))
    return {pod.uid for pod in await world.cluster.reader.pods(seen) if not pod.terminating}


async def fail(world: World, scene: Scene, *names: str) -> None:
    """The pods that are there are ready no more, and never will be; others are well."""
    for name in names:
        await scene.doctor.ill(name)

    async def look() -> bool | None:
        seen = [await world.cluster.reader.workload(world.ref(name)) for name in names]
        return True if not any(one.ready for one in seen) else None

    await until(look, f"{' and '.join(names)} are down")


# --- single service down ------------------------------------------------------------------------------


async def test_a_service_that_is_down_is_restarted_and_nobody_is_woken(world: World, stage: Stage) -> None:
    """Its first revision: there is nothing to go back to."""
    name = "notification-service"
    async with stage() as scene:
        await deploy(world, name)
        before = await uids(world, name)
        await fail(world, scene, name)
        scene.alertmanager.fire("ServiceDown", service=name)
        await scene.verifying(name)
        await world.rolled_out(world.ref(name))
        scene.alertmanager.end("ServiceDown", service=name)
        found = await scene.resolved(name)
        assert (found["severity"], found["rule"]) == ("SEV-2", "service-down")
        assert not before & await uids(world, name)
        in_order(
            await scene.timeline(found),
            ("opened", "SEV-2"),
            ("attempt_started", "restart-service"),
            ("diagnosed", "evidence kept"),
            ("guard", "is its first"),
            ("guard", "dry_run"),
            ("step", "restart: done"),
            ("step", "rollback: skipped"),
            ("attempt_ended", "verified"),
            ("resolved", ""),
        )
        assert {"workload", "pods", "events", "rollout_history"} <= await scene.evidence(found)
        assert scene.pager.events == []


async def rolled_out_badly(world: World, scene: Scene, name: str) -> None:
    """A new template whose pods never become ready, so that the rollout stands still."""
    scene.doctor.ill_with(name, BAD)
    annotated = {"spec": {"template": {"metadata": {"annotations": {BAD: "yes"}}}}}
    await world.send("PATCH", world.path(world.ref(name)), annotated, STRATEGIC)

    async def look() -> bool | None:
        seen = await world.cluster.reader.workload(world.ref(name))
        return True if len(await world.cluster.reader.revisions(seen)) == 2 and not seen.rolled_out else None

    await until(look, "the bad rollout has begun")


async def annotations(world: World, name: str) -> dict[str, str]:
    """Of the template that is to run."""
    found: dict[str, str] = (await world.raw(world.ref(name)))["spec"]["template"]["metadata"].get(
        "annotations", {}
    )
    return found


async def test_a_service_that_went_down_after_a_rollout_goes_back(world: World, stage: Stage) -> None:
    """It is not restarted as well: that would run the same mistake again."""
    name = "notification-service"
    async with stage() as scene:
        await deploy(world, name)
        await rolled_out_badly(world, scene, name)
        scene.alertmanager.fire("ServiceDown", service=name)
        await scene.verifying(name)
        await world.rolled_out(world.ref(name))
        scene.alertmanager.end("ServiceDown", service=name)
        found = await scene.resolved(name)
        assert BAD not in await annotations(world, name)
        in_order(
            await scene.timeline(found),
            ("diagnosed", "it may be the cause"),
            ("step", "restart: skipped"),
            ("step", "rollback: done"),
            ("attempt_ended", "verified"),
        )
        assert scene.pager.events == []


async def test_a_way_back_that_does_not_help_is_taken_back_and_people_hear_why(
    world: World, stage: Stage
) -> None:
    """The old template fails as well, so the rollout was not the cause: it runs again, for people to look at."""
    name = "notification-service"
    async with stage(times=BRIEFLY) as scene:
        await deploy(world, name)
        await rolled_out_badly(world, scene, name)
        scene.doctor.all_ill(name)
        scene.alertmanager.fire("ServiceDown", service=name)
        found = await scene.ended(name, "failed")
        assert BAD in await annotations(world, name)
        in_order(
            await scene.timeline(found),
            ("step", "rollback: done"),
            ("verification", "ready"),
            ("step", "undo"),
            ("attempt_ended", "failed"),
            ("page", "oncall"),
        )
        [said] = await scene.paged("oncall")
        assert "not verified in 3s" in said


# --- database failure ---------------------------------------------------------------------------------


async def test_a_database_is_scaled_up_and_its_data_is_counted(
    world: World, fake: FakeApiServer | None, stage: Stage
) -> None:
    """People are called at the same moment: data is at stake."""
    async with stage(prometheus=True) as scene:
        await database(world, fake, holds=COUNTED)
        scene.alertmanager.fire("PostgresDown", namespace=world.namespace, app=DATABASE)
        await scene.paged("oncall", "manager")
        await scene.verifying(DATABASE)
        scene.alertmanager.end("PostgresDown", namespace=world.namespace, app=DATABASE)
        found = await scene.resolved(DATABASE)
        assert (found["severity"], found["rule"]) == ("SEV-1", "database-down")
        in_order(
            await scene.timeline(found),
            ("opened", "SEV-1"),
            ("page", "manager"),
            ("step", "scale: done: scale statefulset/postgres from 0 to 1"),
            ("step", "wait"),
            ("attempt_ended", "verified"),
            ("resolved", ""),
        )
        assert len(await uids(world, DATABASE, "statefulset")) == 1


async def test_a_database_that_came_up_without_its_data_is_not_restored(
    world: World, fake: FakeApiServer | None, stage: Stage
) -> None:
    """It is ready and serves, and its alert is over. What it keeps is not scaled away again."""
    async with stage(prometheus=True, times=BRIEFLY) as scene:
        await database(world, fake, holds="")
        scene.alertmanager.fire("PostgresDown", namespace=world.namespace, app=DATABASE)
        await scene.verifying(DATABASE)
        scene.alertmanager.end("PostgresDown", namespace=world.namespace, app=DATABASE)
        found = await scene.ended(DATABASE, "failed")
        assert "exec" in found["attempts"][0]["reason"]
        in_order(
            await scene.timeline(found), ("attempt_ended", "exec"), ("escalation", "people have been asked")
        )
        assert len(await scene.paged("oncall", "manager")) == 2
        assert (await world.raw(world.ref(DATABASE, "statefulset")))["spec"]["replicas"] == 1


# --- service cascade failure --------------------------------------------------------------------------


CASCADE = {"service": "account-service", "dependency": "auth-service"}


async def cascading(world: World, scene: Scene) -> None:
    """The service that everybody calls is down, and account-service that calls it is, too."""
    for name in CASCADE.values():
        await deploy(world, name)
    await fail(world, scene, *CASCADE.values())


async def test_a_cascade_is_healed_at_its_root_and_then_what_depends_on_it(
    world: World, stage: Stage
) -> None:
    """account-service waits until auth-service is back, wakes nobody of its own, and is restarted afterwards."""
    async with stage() as scene:
        await cascading(world, scene)
        before = await uids(world, "account-service")
        scene.alertmanager.fire("CircuitBreakersOpen", **CASCADE)
        await scene.paged("oncall", "manager")
        scene.alertmanager.fire("ServiceDown", service="account-service")
        root = await scene.verifying("auth-service")
        waiting = await scene.incident("account-service", lambda one: bool(one["attached_to"]), "it waits")
        assert (waiting["attached_to"], waiting["attempts"]) == (root["id"], [])
        assert scene.town.posted == [("account-service", "/circuit-breakers/reset")]
        assert await uids(world, "account-service") == before
        await world.rolled_out(world.ref("auth-service"))
        scene.alertmanager.end("CircuitBreakersOpen", **CASCADE)
        root = await scene.resolved("auth-service")
        in_order(
            await scene.timeline(root),
            ("opened", "SEV-1"),
            ("diagnosed", "pods"),
            ("step", "isolate: done"),
            ("step", "http: done"),
            ("step", "restore: done"),
            ("attempt_ended", "verified"),
        )
        scene.alertmanager.fire(
            "ServiceDown", service="account-service", instance="2"
        )  # it decides again at once
        await scene.verifying("account-service")
        await world.rolled_out(world.ref("account-service"))
        scene.alertmanager.end("ServiceDown", service="account-service")
        scene.alertmanager.end("ServiceDown", service="account-service", instance="2")
        healed = await scene.resolved("account-service")
        assert [one["runbook"] for one in healed["attempts"]] == ["restart-service"]
        assert not before & await uids(world, "account-service")
        assert len(await scene.paged("oncall", "manager")) == 2


async def test_where_breakers_cannot_be_reset_the_isolation_ends_by_itself(
    world: World, stage: Stage
) -> None:
    """The attempt has failed and people know; nothing stays isolated for want of a step."""
    async with stage(times=BRIEFLY) as scene:
        await cascading(world, scene)
        scene.town.refuses.add("/circuit-breakers/reset")
        scene.alertmanager.fire("CircuitBreakersOpen", **CASCADE)
        found = await scene.ended("auth-service", "failed")
        assert "answered 500" in found["attempts"][0]["reason"]
        await scene.paged("oncall", "manager")
        back = await world.rolled_out(world.ref("auth-service"))
        assert back.desired == 2
        in_order(
            await scene.timeline(found),
            ("step", "isolate: done"),
            ("step", "http: failed"),
            ("attempt_ended", "failed"),
            ("escalation", "people have been asked"),
        )


# --- memory exhaustion --------------------------------------------------------------------------------


OOM = "ContainerOOMKilled"


async def hungriest(world: World, name: str) -> Pod | None:
    """The pod that uses the most memory, once all are measured; None where there is no metrics API."""
    reader = world.cluster.reader

    async def look() -> tuple[Pod | None] | None:
        seen = await reader.workload(world.ref(name))
        pods = {pod.name: pod for pod in await reader.pods(seen)}
        try:
            found = await reader.usage(seen)
        except NotFound:
            return (None,)
        except Retryable:
            return None
        if {one.pod for one in found} != set(pods):
            return None
        return (pods[max(found, key=lambda one: one.memory).pod],)

    return (await until(look, "all pods are measured, or nothing is"))[0]


def measure(world: World, fake: FakeApiServer | None, pods: set[str]) -> None:
    """What only the fake must be told: that it has a metrics API, and what pods use. Real ones have it or not."""
    if fake is not None:
        for number, pod in enumerate(sorted(pods)):
            fake.set_usage(world.namespace, pod, cpu="100m", memory=f"{64 * (number + 1)}Mi")


@pytest.mark.parametrize("measured", [True, False], ids=["measured", "unmeasured"])
async def test_the_pod_that_leaks_goes_or_it_is_unknown_and_people_are_paged(
    world: World, fake: FakeApiServer | None, stage: Stage, measured: bool
) -> None:
    """A cluster without a metrics API does not know which pod leaks: then none is taken. Its logs are kept before it goes."""
    name = "analytics-service"
    labels = {"namespace": world.namespace, "container": name}
    async with stage() as scene:
        await deploy(world, name, replicas=3)
        seen = await world.cluster.reader.workload(world.ref(name))
        pods = {pod.name for pod in await world.cluster.reader.pods(seen)}
        if fake is not None:
            for pod in pods:
                fake.append_log(world.namespace, pod, "serving\n")
        if measured:
            measure(world, fake, pods)
        leaks = await hungriest(world, name)
        before = await uids(world, name)
        scene.alertmanager.fire(OOM, **labels)
        if leaks is None:
            found = await scene.ended(name, "blocked")
            [said] = await scene.paged("oncall")
            assert "no metrics API here (metrics.k8s.io)" in found["attempts"][0]["reason"]
            assert "unknown" in said
            assert await uids(world, name) == before
        else:
            await scene.verifying(name)
            scene.alertmanager.end(OOM, **labels)
            found = await scene.resolved(name)
            assert before - await uids(world, name) == {leaks.uid}
            in_order(
                await scene.timeline(found),
                ("diagnosed", "evidence kept"),
                ("step", f"evict_pod: done: evict pod {leaks.name}"),
                ("attempt_ended", "no alert has fired"),
            )
            assert scene.pager.events == []
            if fake is not None or IMAGE is None:  # what another image writes nobody knows
                assert "logs" in await scene.evidence(found)
        assert {"top", "pods", "events"} <= await scene.evidence(found)


async def test_memory_that_stays_exhausted_is_paged_and_its_pod_has_gone(
    world: World, fake: FakeApiServer | None, stage: Stage
) -> None:
    """A second eviction waits for its cooldown: it would not help."""
    name = "analytics-service"
    labels = {"namespace": world.namespace, "container": name}
    async with stage(times=BRIEFLY) as scene:
        await deploy(world, name, replicas=3)
        before = await uids(world, name)
        seen = await world.cluster.reader.workload(world.ref(name))
        measure(world, fake, {pod.name for pod in await world.cluster.reader.pods(seen)})
        leaks = await hungriest(world, name)
        scene.alertmanager.fire(OOM, **labels)
        found = await scene.ended(name, "failed" if leaks else "blocked")
        [said] = await scene.paged("oncall")
        if leaks is not None:
            assert "not verified in 3s" in said
            assert "no_recurrence: 1 alert fires" in found["attempts"][0]["reason"]
            assert len(before - await uids(world, name)) == 1


# --- high error rate ----------------------------------------------------------------------------------


async def test_errors_of_somebody_elses_API_end_with_the_fallback(world: World, stage: Stage) -> None:
    """A real Prometheus scrapes them, fires, and sees that they are over."""
    name = "account-service"
    async with stage(prometheus=True) as scene:
        await deploy(world, name)
        before = await uids(world, name)
        scene.town.failing.add(name)
        found = await scene.resolved(name)
        assert (found["severity"], found["rule"]) == ("SEV-2", "error-rate-of-dependency")
        assert scene.town.posted == [(name, "/fallback/enable")]
        in_order(
            await scene.timeline(found),
            ("diagnosed", "/pay"),
            ("guard", "dry_run"),
            ("step", "http: done"),
            ("attempt_ended", "wanted below 0.01"),
            ("resolved", ""),
        )
        assert await uids(world, name) == before
        assert scene.pager.events == []


async def test_errors_that_go_on_in_spite_of_the_fallback_are_paged(world: World, stage: Stage) -> None:
    """With the rate that was seen. It is asked for once, and nothing takes it back."""
    name = "account-service"
    async with stage(prometheus=True, times=BRIEFLY) as scene:
        await deploy(world, name)
        scene.town.fallback_helps = False
        scene.town.failing.add(name)
        found = await scene.ended(name, "failed")
        [said] = await scene.paged("oncall")
        assert "not verified in" in said
        assert "wanted below 0.01" in found["attempts"][0]["reason"]
        assert scene.town.posted == [(name, "/fallback/enable")]
