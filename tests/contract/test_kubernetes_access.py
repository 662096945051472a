"""What the API server tells of our own permissions, and how few requests it takes to know."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from remediator.adapters.kubernetes import Call, Kubernetes, Limits, connect
from remediator.adapters.kubernetes.access import AT_ONCE, AccessReviews
from remediator.adapters.kubernetes.api import Api
from remediator.adapters.runtime import AsyncioRuntime
from remediator.core.access import Access, Granted
from remediator.core.errors import Refused, Retryable
from remediator.core.policies import Policy
from remediator.policy.access_check import too_wide
from remediator.policy.manifests import roles_of
from remediator.policy.rbac import demands
from remediator.testing.apiserver import FakeApiServer, User
from tests.contract.permission_stage import staged
from tests.contract.test_permissions import policy, without_each
from tests.fault.kubernetes_scene import QUICK

REVIEWS = "/apis/authorization.k8s.io/v1/self"


@pytest.fixture
def runtime() -> Iterator[AsyncioRuntime]:
    """The machine."""
    machine = AsyncioRuntime()
    yield machine
    machine.close()


@asynccontextmanager
async def connected(
    url: str, directory: Path, runtime: AsyncioRuntime, limits: Limits | None = None
) -> AsyncIterator[Kubernetes]:
    """The adapter at an address, whoever answers there."""
    document = {
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path = directory / "kubeconfig"
    path.write_text(json.dumps(document))
    cluster = await connect(str(path), runtime=runtime, limits=limits)
    yield cluster
    await cluster.close()


def wanted(of: Policy) -> list[Access]:
    """What it needs."""
    return list(demands(of))


async def test_with_the_generated_role_nothing_is_missing_and_nothing_is_too_wide(tmp_path: Path) -> None:
    """One request tells it: RBAC alone decides there."""
    of = policy()
    async with staged(tmp_path, roles_of(demands(of))) as stage:
        assert await stage.cluster.access.missing(wanted(of)) == frozenset()
        assert [one.path for one in stage.server.requests] == [f"{REVIEWS}subjectrulesreviews"]
        assert await too_wide(demands(of), stage.cluster.access, ["shop"]) == ()


async def test_exactly_what_was_left_out_is_missing(tmp_path: Path) -> None:
    """Each line in turn; names tell objects apart."""
    of = policy(check="endpoints: {}")
    for line, rest in without_each(roles_of(demands(of))):
        async with staged(tmp_path, rest) as stage:
            missing = await stage.cluster.access.missing(wanted(of))
            assert {(one.group, one.resource, one.verb, one.name) for one in missing} == {
                (line.group, line.resource, line.verb, *(line.names or ("",)))
            }
    other = Access(namespace="shop", group="apps", resource="deployments", verb="patch", name="other")
    async with staged(tmp_path, roles_of(demands(of))) as stage:
        assert await stage.cluster.access.missing([*wanted(of), other]) == {other}


async def test_what_is_in_no_namespace_is_asked_on_its_own(tmp_path: Path) -> None:
    """The rules of a namespace do not tell what holds everywhere."""
    node = Access(namespace="", group="", resource="nodes", verb="patch")
    async with staged(tmp_path, roles_of({node: ()})) as stage:
        other = Access(namespace="", group="", resource="nodes", verb="delete")
        assert await stage.cluster.access.missing([node, other]) == {other}
        assert {one.path for one in stage.server.requests} == {f"{REVIEWS}subjectaccessreviews"}


class Cloud:
    """An API server where something beside RBAC decides too: it grants what it is asked, if ``allows``."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.rules: list[dict[str, Any]] = []
        self.allowed: set[tuple[str, str]] = set()
        """Verb and name; an empty name: of any name."""

    async def answer(self, request: web.Request) -> web.Response:
        """A review of oneself."""
        spec = (await request.json())["spec"]
        self.asked.append(spec)
        if request.path.endswith("rulesreviews"):
            status: dict[str, Any] = {
                "resourceRules": self.rules,
                "nonResourceRules": [],
                "incomplete": True,
                "evaluationError": "webhook authorizer does not support user rule resolution",
            }
        else:
            attributes = spec["resourceAttributes"]
            given = (attributes["verb"], attributes.get("name", ""))
            status = {"allowed": given in self.allowed or (given[0], "") in self.allowed}
        return web.json_response({"kind": "Review", "status": status}, status=201)


@pytest.fixture
async def cloud() -> AsyncIterator[tuple[Cloud, str]]:
    """The server and its address."""
    there, application = Cloud(), web.Application()
    application.router.add_post("/{rest:.*}", there.answer)
    async with TestServer(application) as server:
        yield there, str(server.make_url("")).rstrip("/")


def deployments(verb: str, *names: str) -> list[Access]:
    """One access for each name."""
    return [
        Access(namespace="shop", group="apps", resource="deployments", verb=verb, name=name) for name in names
    ]


async def test_where_rules_do_not_tell_all_the_server_is_asked_one_by_one(
    cloud: tuple[Cloud, str], tmp_path: Path, runtime: AsyncioRuntime
) -> None:
    """Of any name first: where that is allowed, thousands of names need no thousands of questions."""
    there, url = cloud
    there.rules = [{"verbs": ["get"], "apiGroups": ["apps"], "resources": ["deployments"]}]
    async with connected(url, tmp_path, runtime) as cluster:
        there.allowed = {("patch", "")}
        needs = [*deployments("get", "a", "b"), *deployments("patch", "a", "b", "c")]
        assert await cluster.access.missing(needs) == frozenset()
        assert len(there.asked) == 2
        there.allowed, there.asked = {("patch", "b")}, []
        assert await cluster.access.missing(needs) == set(deployments("patch", "a", "c"))
        assert len(there.asked) == 5
        assert not (await cluster.access.granted("shop")).complete


async def test_one_question_without_an_answer_ends_the_asking() -> None:
    """Thousands more of them would only keep a server busy that is in trouble."""

    class Troubled:
        asked = 0

        async def call(self, call: Call) -> dict[str, Any]:
            if call.path.endswith("rulesreviews"):
                return {"status": {"incomplete": True}}
            self.asked += 1
            await asyncio.sleep(0)
            raise Retryable("the server is busy")

    there = Troubled()
    needs = [
        Access(namespace="shop", group="", resource=f"r{number}", verb="get", name="a")
        for number in range(100)
    ]
    with pytest.raises(Retryable):
        await AccessReviews(cast(Api, there)).missing(needs)
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*rest, return_exceptions=True)
    assert there.asked <= AT_ONCE


async def test_a_subresource_is_asked_as_one(
    cloud: tuple[Cloud, str], tmp_path: Path, runtime: AsyncioRuntime
) -> None:
    there, url = cloud
    log = Access(namespace="shop", group="", resource="pods/log", verb="get")
    async with connected(url, tmp_path, runtime) as cluster:
        assert await cluster.access.missing([log]) == {log}
    assert there.asked[1]["resourceAttributes"] == {
        "namespace": "shop",
        "verb": "get",
        "resource": "pods",
        "subresource": "log",
    }


async def test_who_may_do_everything_is_told_so(tmp_path: Path, runtime: AsyncioRuntime) -> None:
    async with FakeApiServer(users={"t": User(name="admin")}) as server:
        server.namespace("shop")
        async with connected(server.url, tmp_path, runtime) as cluster:
            assert await cluster.access.missing(wanted(policy())) == frozenset()
            everything = frozenset("*")
            wide = Granted(groups=everything, resources=everything, verbs=everything)
            assert wide in (await cluster.access.granted("shop")).rules
            assert await too_wide(demands(policy()), cluster.access, ["shop"]) == (
                "in namespace shop we may * * of group *, where single permissions are enough",
            )


async def test_a_review_that_cannot_be_had_is_no_answer(tmp_path: Path, runtime: AsyncioRuntime) -> None:
    """Nobody there, an answer of another shape, or a refusal: never "nothing is missing"."""
    async with FakeApiServer(users={"other": User(name="x")}) as server:
        async with connected(server.url, tmp_path, runtime, QUICK) as cluster:
            with pytest.raises(Refused, match="does not accept our credentials"):
                await cluster.access.missing(wanted(policy()))
        url = server.url
    async with connected(url, tmp_path, runtime, QUICK) as cluster:
        with pytest.raises(Retryable):
            await cluster.access.missing(wanted(policy()))

    async def odd(_request: web.Request) -> web.Response:
        return web.json_response({"status": "fine"})

    application = web.Application()
    application.router.add_post("/{rest:.*}", odd)
    async with (
        TestServer(application) as other,
        connected(str(other.make_url("")).rstrip("/"), tmp_path, runtime, QUICK) as cluster,
    ):
        with pytest.raises(Refused, match="is it an API server"):
            await cluster.access.missing(wanted(policy()))
