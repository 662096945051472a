"""The Kubernetes adapter's own promises: what it sends, how it logs in, and that no secret gets out."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme
from aiohttp import web
from aiohttp.test_utils import TestServer

from remediator.adapters.kubernetes import Call, InCluster, Kubernetes, connect
from remediator.adapters.runtime import AsyncioRuntime
from remediator.core.changes import Fence, RestartWorkload
from remediator.core.errors import NotFound, Refused, Retryable, SettingsError, Unknown
from remediator.core.incident import EffectId
from remediator.core.policies import WorkloadRef
from remediator.core.times import Instant
from remediator.testing.apiserver import ADMIN, FakeApiServer, Rule, User

WEB = WorkloadRef(kind="deployment", namespace="shop", name="web")
SECRET = "very-secret-token"


@pytest.fixture
def runtime() -> Iterator[AsyncioRuntime]:
    """The machine."""
    machine = AsyncioRuntime()
    yield machine
    machine.close()


@asynccontextmanager
async def connected(
    server: FakeApiServer, directory: Path, runtime: AsyncioRuntime, token: str | None = None
) -> AsyncIterator[Kubernetes]:
    """The adapter, logged in by a kubeconfig."""
    path = server.kubeconfig(directory / "kubeconfig", token=token)
    cluster = await connect(str(path), runtime=runtime)
    yield cluster
    await cluster.close()


async def test_writes_name_their_manager_and_are_sent_once(tmp_path: Path, runtime: AsyncioRuntime) -> None:
    """A change is one PATCH under our field manager, a dry run says so, and we say who we are."""
    async with FakeApiServer() as server, connected(server, tmp_path, runtime) as cluster:
        server.deployment("shop", "web")
        await server.settled()
        seen = await cluster.reader.workload(WEB)
        change = RestartWorkload(target=WEB, uid=seen.uid, at=Instant(0))
        await cluster.executor.dry_run(change)
        await cluster.executor.claim(WEB, seen.uid, Fence(epoch=1, effect=EffectId("e")))
        await cluster.executor.apply(change, Fence(epoch=1, effect=EffectId("e")))
    queries = [request.query for request in server.requests if request.method == "PATCH"]
    assert queries == [
        "fieldManager=remediator&dryRun=All",
        "fieldManager=remediator",
        "fieldManager=remediator",
    ]
    assert server.ledger.restarts("shop", "web") == 1
    assert all(request.user_agent.startswith("remediator/") for request in server.requests)


@pytest.mark.parametrize(
    "ref",
    [
        WorkloadRef(kind="deployment", namespace="..", name="web"),
        WorkloadRef(kind="deployment", namespace="shop", name="../../secrets/x"),
        WorkloadRef(kind="deployment", namespace="shop", name="web?dryRun=All"),
        WorkloadRef(kind="job", namespace="shop", name="web"),
    ],
)
async def test_what_is_no_name_never_reaches_the_server(
    tmp_path: Path, runtime: AsyncioRuntime, ref: WorkloadRef
) -> None:
    """A path is built from names alone."""
    async with FakeApiServer() as server, connected(server, tmp_path, runtime) as cluster:
        with pytest.raises(Refused):
            await cluster.reader.workload(ref)
    assert not server.requests


async def test_a_missing_permission_is_named(tmp_path: Path, runtime: AsyncioRuntime) -> None:
    """Who may read and not patch learns which permission to ask for, in the dry run already."""
    reader = User(name="reader", rules=(Rule(verbs=frozenset({"get", "list"})),))
    async with (
        FakeApiServer(users={SECRET: reader}) as server,
        connected(server, tmp_path, runtime) as cluster,
    ):
        server.deployment("shop", "web")
        seen = await cluster.reader.workload(WEB)
        with pytest.raises(Refused, match=r"grant it: patch deployments.apps in namespace shop"):
            await cluster.executor.dry_run(RestartWorkload(target=WEB, uid=seen.uid, at=Instant(0)))


@pytest.fixture
def pod(tmp_path: Path) -> tuple[InCluster, ssl.SSLContext]:
    """A service account as a pod has it, and the TLS its API server speaks. The port is filled in later."""
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    ca.cert_pem.write_to_path(tmp_path / "ca.crt")
    (tmp_path / "token").write_text(f"{SECRET}\n")
    return InCluster(directory=tmp_path, environ={"KUBERNETES_SERVICE_HOST": "127.0.0.1"}), context


async def test_a_service_account_whose_token_rotates_stays_logged_in(
    pod: tuple[InCluster, ssl.SSLContext], runtime: AsyncioRuntime
) -> None:
    """When the old token is refused the new one is read: by many requests at once, and for a write too."""
    account, tls = pod
    async with FakeApiServer(users={SECRET: ADMIN}, tls=tls) as server:
        port = {"KUBERNETES_SERVICE_PORT": server.url.rpartition(":")[2]}
        inside = InCluster(directory=account.directory, environ={**(account.environ or {}), **port})
        cluster = await connect(None, runtime=runtime, pod=inside)
        server.deployment("shop", "web")
        seen = await cluster.reader.workload(WEB)
        server.users["next-token"] = server.users.pop(SECRET)
        (account.directory / "token").write_text("next-token\n")
        await asyncio.gather(*(cluster.reader.workload(WEB) for _ in range(5)))
        server.users["last-token"] = server.users.pop("next-token")
        (account.directory / "token").write_text("last-token")
        claimed = await cluster.executor.claim(WEB, seen.uid, Fence(epoch=2, effect=EffectId("e")))
        await cluster.close()
    assert claimed.epoch == 2


class Later(AsyncioRuntime):
    """The machine, some seconds from now."""

    ahead = 0.0

    def monotonic(self) -> float:
        """Later."""
        return super().monotonic() + self.ahead


async def test_credentials_that_cannot_be_read_again_are_used_until_refused(
    pod: tuple[InCluster, ssl.SSLContext],
) -> None:
    """A token file that is away for a moment stops nothing while the old token is good."""
    account, tls = pod
    machine = Later()
    async with FakeApiServer(users={SECRET: ADMIN}, tls=tls) as server:
        port = {"KUBERNETES_SERVICE_PORT": server.url.rpartition(":")[2]}
        inside = InCluster(directory=account.directory, environ={**(account.environ or {}), **port})
        cluster = await connect(None, runtime=machine, pod=inside)
        (account.directory / "token").unlink()
        machine.ahead = 3600
        server.deployment("shop", "web")
        once = Call(method="GET", path="/apis/apps/v1/namespaces/shop/deployments/web", doing="look")
        assert (await cluster.api.call(once))["metadata"]["name"] == "web"
        server.users.clear()
        with pytest.raises(Retryable, match="could not be read again"):
            await cluster.reader.workload(WEB)
        await cluster.close()
    machine.close()


@pytest.mark.parametrize(
    ("page", "told"),
    [
        ("<html>Please log in</html>", "no Kubernetes object"),
        ("[]", "no Kubernetes object"),
        ("x" * (33 * 2**20), "larger than 32 MiB"),
    ],
    ids=["html", "list", "huge"],
)
async def test_what_is_no_api_server_is_told_apart(
    tmp_path: Path, runtime: AsyncioRuntime, page: str, told: str
) -> None:
    """A login page with status 200: reading is refused, and of a change nothing is known."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=page)

    application = web.Application()
    application.router.add_route("*", "/{rest:.*}", answer)
    async with TestServer(application) as stranger:
        path = FakeApiServer().kubeconfig(tmp_path / "kubeconfig")
        path.write_text(
            path.read_text().replace("http://127.0.0.1:0", str(stranger.make_url("")).rstrip("/"))
        )
        cluster = await connect(str(path), runtime=runtime)
        with pytest.raises(Refused, match=told):
            await cluster.reader.workload(WEB)
        with pytest.raises(Unknown, match=told):
            change = RestartWorkload(target=WEB, uid="u", at=Instant(0))
            await cluster.executor.apply(change, Fence(epoch=1, effect=EffectId("e")))
        await cluster.close()


async def test_a_certificate_of_a_stranger_is_refused(
    pod: tuple[InCluster, ssl.SSLContext], tmp_path: Path, runtime: AsyncioRuntime
) -> None:
    """Another authority's certificate: no request is made, and what is wrong is said."""
    async with FakeApiServer(tls=pod[1], ca=trustme.CA().cert_pem.bytes()) as server:
        async with connected(server, tmp_path, runtime) as cluster:
            with pytest.raises(Refused, match="certificate is not one that the kubeconfig trusts"):
                await cluster.reader.workload(WEB)
        assert not server.requests


@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        "{",
        f"users: [{{token: {SECRET}}}]",
        json.dumps({"users": [{"name": "me", "token": SECRET}], "current-context": "gone"}),
        json.dumps(
            {
                "current-context": "c",
                "contexts": [{"name": "c", "context": {"cluster": "k", "user": "me"}}],
                "clusters": [{"name": "k", "cluster": {"server": "https://127.0.0.1:1"}}],
                "users": [{"name": "me", "token": SECRET}],
            }
        ),
    ],
)
async def test_a_kubeconfig_that_cannot_be_used_is_named_without_its_secrets(
    tmp_path: Path, runtime: AsyncioRuntime, content: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """The daemon says which file, and never quotes it: not in the error, its causes, or the log."""
    caplog.set_level(logging.DEBUG)
    path = tmp_path / "kubeconfig"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SettingsError, match="kubeconfig") as refused:
        await connect(str(path), runtime=runtime)
    assert str(path) in str(refused.value)
    assert SECRET not in str(refused.value) + repr(refused.value.__cause__) + caplog.text
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


async def test_no_cluster_is_an_error_that_says_what_to_set(tmp_path: Path, runtime: AsyncioRuntime) -> None:
    """Neither a file nor a service account."""
    with pytest.raises(SettingsError, match="REMEDIATOR_KUBECONFIG"):
        await connect(None, runtime=runtime, in_cluster=False)
    with pytest.raises(SettingsError, match="service account"):
        await connect(None, runtime=runtime, pod=InCluster(directory=tmp_path))


async def test_tokens_are_never_logged(
    tmp_path: Path, runtime: AsyncioRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even at the most talkative level, by any library, when requests succeed or fail."""
    caplog.set_level(logging.DEBUG)
    async with (
        FakeApiServer(users={SECRET: ADMIN}) as server,
        connected(server, tmp_path, runtime) as cluster,
    ):
        await cluster.describe()
        with pytest.raises(NotFound):
            await cluster.reader.workload(WEB)
        server.users.clear()
        with pytest.raises(Refused) as refused:
            await cluster.reader.workload(WEB)
    assert SECRET not in caplog.text + str(refused.value)


def test_only_what_is_needed_of_the_library_is_loaded(tmp_path: Path) -> None:
    """Its 700 models stay on disk (38 MB), and who wants all of it afterwards still gets it."""
    script = """
import sys
from remediator.adapters.kubernetes.library import load
library = load()
loaded = [name for name in sys.modules if name.startswith("kubernetes_asyncio")]
assert not loaded, loaded
assert library.rest_client.__module__ == "kubernetes_asyncio.client.rest"
import kubernetes_asyncio
assert kubernetes_asyncio.client.AppsV1Api and kubernetes_asyncio.config.load_kube_config
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
