"""Logs as the adapter reads them: what is a line, what is too long, and where there is none."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from remediator.adapters.kubernetes import Kubernetes, connect
from remediator.adapters.kubernetes.logs import LIMIT
from remediator.adapters.runtime import AsyncioRuntime
from remediator.core.errors import NotFound, Refused, RemediatorError, Retryable
from remediator.core.times import Millis
from remediator.testing.apiserver import FakeApiServer
from tests.contract.test_kubernetes_reading import RECORDED

Handler = Callable[[web.Request], Awaitable[web.Response]]


@pytest.fixture
def runtime() -> Iterator[AsyncioRuntime]:
    """The machine."""
    machine = AsyncioRuntime()
    yield machine
    machine.close()


class Kubelet:
    """Answers every request for a log; remembers how many lines each asked for."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.answer: tuple[int, str, str | bytes] | None = None
        """Status, media type and text that are answered in any case."""
        self.tails: list[int] = []
        self.previous: list[bool] = []
        self.since: list[str] = []

    async def handle(self, request: web.Request) -> web.Response:
        """As a kubelet: the last lines, of which the limit cuts off the end."""
        tail, limit = int(request.query["tailLines"]), int(request.query["limitBytes"])
        self.tails.append(tail)
        self.since.append(request.query.get("sinceSeconds", ""))
        self.previous.append(request.query.get("previous") == "true")
        if self.answer is not None:
            status, media, text = self.answer
            body = text.encode() if isinstance(text, str) else text
            return web.Response(status=status, body=body or None, content_type=media)
        written = "".join(f"{line}\n" for line in self.lines[-tail:])
        return web.Response(body=written.encode()[:limit], content_type="text/plain")


@pytest.fixture
def kubelet() -> Kubelet:
    """What the pod's node says."""
    return Kubelet()


@pytest.fixture
async def cluster(kubelet: Kubelet, tmp_path: Path, runtime: AsyncioRuntime) -> AsyncIterator[Kubernetes]:
    """The adapter before it."""
    application = web.Application()
    application.router.add_get("/api/v1/namespaces/shop/pods/web-0/log", kubelet.handle)
    async with TestServer(application) as server:
        path = FakeApiServer().kubeconfig(tmp_path / "kubeconfig")
        url = str(server.make_url("")).rstrip("/")
        path.write_text(path.read_text().replace("http://127.0.0.1:0", url))
        connected = await connect(str(path), runtime=runtime)
        yield connected
        await connected.close()


async def read(cluster: Kubernetes, tail: int = 100, *, previous: bool = False) -> tuple[str, ...]:
    """The log of the one container."""
    return await cluster.reader.logs("shop", "web-0", "web", tail=tail, previous=previous)


async def test_lines_are_what_was_written(cluster: Kubernetes, kubelet: Kubelet) -> None:
    """JSON is text here, and nothing but a line feed ends a line."""
    kubelet.lines = ['{"level":"error"}', "", "a\u2028b\x0bc\rd", "ünï", "windows\r"]
    assert await read(cluster) == ('{"level":"error"}', "", "a\u2028b\x0bc\rd", "ünï", "windows")
    kubelet.lines = ['{"one":"object"}']
    assert await read(cluster, 1, previous=True) == ('{"one":"object"}',)
    kubelet.lines = []
    assert await read(cluster) == ()
    assert (kubelet.tails, kubelet.previous) == ([100, 1, 100], [False, True, False])


async def test_what_is_no_unicode_is_read_all_the_same(cluster: Kubernetes, kubelet: Kubelet) -> None:
    """A broken character is one broken character."""
    kubelet.answer = (200, "text/plain", b"caf\xe9 is open\n")
    assert await read(cluster) == ("caf\ufffd is open",)


async def test_long_lines_mean_fewer_and_never_older_ones(cluster: Kubernetes, kubelet: Kubelet) -> None:
    """The server's limit cuts off the newest lines: they are asked for again, fewer at a time."""
    kubelet.lines = [f"{n:04} {'x' * 20_000}" for n in range(500)]
    found = await read(cluster, 500)
    assert found[-1].startswith("0499 ")
    assert sum(map(len, found)) < LIMIT
    assert kubelet.tails == [500, 62, 7]


async def test_all_lines_since_a_time_are_read_or_none(cluster: Kubernetes, kubelet: Kubelet) -> None:
    """Whoever counts them must not be told of fewer. A part of a second is one."""
    kubelet.lines = ["one", "two"]
    logs = cluster.reader.logs
    assert await logs("shop", "web-0", "web", tail=5, since=Millis(1001)) == ("one", "two")
    assert await logs("shop", "web-0", "web", tail=5, since=Millis(1)) == ("one", "two")
    assert kubelet.since == ["2", "1"]
    kubelet.lines = ["x" * 20_000] * 100
    with pytest.raises(Refused, match="the log of web-0/web in that time is longer than 1 MiB"):
        await logs("shop", "web-0", "web", tail=100, since=Millis(1000))


async def test_a_line_longer_than_everything_is_cut(cluster: Kubernetes, kubelet: Kubelet) -> None:
    """Its beginning is what there is."""
    kubelet.lines = ["short", "begin" + "x" * 2 * LIMIT]
    [line] = await read(cluster, 2)
    assert line.startswith("begin")
    assert len(line) == LIMIT


@pytest.mark.parametrize(
    ("name", "meaning", "told"),
    [
        ("log-main-while-init-400", NotFound, "waiting to start: PodInitializing"),
        ("log-previous-none-400", NotFound, "previous terminated container"),
        ("log-container-unknown-400", NotFound, "is not valid for pod"),
        ("log-image-pull-failing-400", NotFound, "failing to pull image"),
        ("log-container-required-400", Refused, "choose one of"),
        ("log-pod-404", NotFound, "not found"),
        ("log-403", Refused, "grant it: get pods/log in namespace shop"),
        ("log-tail-negative-422", Refused, "greater than or equal to 0"),
        ("log-on-dead-kubelet-500", Retryable, "connection refused"),
    ],
)
async def test_where_there_is_no_log_the_server_says_why(
    cluster: Kubernetes, kubelet: Kubelet, name: str, meaning: type[RemediatorError], told: str
) -> None:
    """Each recorded answer becomes the error that says what to do, in the server's own words."""
    entry = RECORDED[name]
    kubelet.answer = (entry["status"], "application/json", json.dumps(entry["body"]))
    with pytest.raises(meaning, match=told):
        await read(cluster)


async def test_a_pod_without_a_node_has_no_lines(cluster: Kubernetes, kubelet: Kubelet) -> None:
    """204, as recorded for a pod that is not scheduled."""
    kubelet.answer = (204, "text/plain", "")
    assert await read(cluster) == ()


@pytest.mark.parametrize(
    "text",
    [
        "unable to retrieve container logs for containerd://6c6b61825b",
        'failed to try resolving symlinks in path "/var/log/pods/x/0.log": lstat: no such file',
    ],
)
async def test_a_log_that_is_lost_is_not_taken_for_lines(
    cluster: Kubernetes, kubelet: Kubelet, text: str
) -> None:
    """The kubelet says so with status 200."""
    kubelet.answer = (200, "text/plain", text)
    with pytest.raises(NotFound, match="no longer on its node"):
        await read(cluster, previous=True)
    kubelet.answer = (200, "text/plain", f"{text}\nand more\n")
    assert len(await read(cluster)) == 2
