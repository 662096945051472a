"""The server as tests, benches and the demo use it."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from remediator.testing.apiserver import control
from remediator.testing.apiserver.access import Access, User
from remediator.testing.apiserver.admission import Admission
from remediator.testing.apiserver.cluster import Cluster, Pace, Sleep
from remediator.testing.apiserver.controllers import default_controllers
from remediator.testing.apiserver.controllers.kubelet import Kubelet
from remediator.testing.apiserver.controllers.machines import Machines
from remediator.testing.apiserver.dispatch import Dispatcher
from remediator.testing.apiserver.executing import Commands
from remediator.testing.apiserver.faults import Faults
from remediator.testing.apiserver.ledger import Arrival, Ledger
from remediator.testing.apiserver.logs import Logs
from remediator.testing.apiserver.machines import register
from remediator.testing.apiserver.metrics import Metrics
from remediator.testing.apiserver.objects import Json, Wall, utc_now
from remediator.testing.apiserver.stage import Stage
from remediator.testing.apiserver.streaming import LogAnswers
from remediator.testing.apiserver.subresources import PodSubresources
from remediator.testing.apiserver.writing import Writer

TOKEN = "fake-token"
ADMIN = User(name="admin")


class FakeApiServer(Stage):
    """A Kubernetes API server on a port of its own, with the controllers that make pods follow workloads.

    ``users`` maps bearer tokens to users (by default one token, ``TOKEN``, for a user who may do everything
    but read Secrets). With ``tls`` (a server context) it speaks TLS, and ``ca`` (PEM) is what a kubeconfig
    trusts.
    Use it as an async context manager.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        ca: bytes | None = None,
        users: Mapping[str, User] | None = None,
        pace: Pace | None = None,
        nodes: Sequence[str] = ("node1", "node2"),
        sleep: Sleep = asyncio.sleep,
        wall: Wall = utc_now,
    ) -> None:
        self._host, self._port, self._tls, self._ca = host, port, tls, ca
        self.users = dict(users) if users is not None else {TOKEN: ADMIN}
        self.faults, self.ledger, self.logs = Faults(), Ledger(), Logs(wall=wall)
        self.commands, self.metrics = Commands(), Metrics()
        self.kubelet, self.machines = Kubelet(self.logs), Machines()
        self.cluster = Cluster(
            default_controllers(self.kubelet, self.machines),
            pace=pace or Pace(),
            sleep=sleep,
            clock=time.monotonic,
            wall=wall,
        )
        self.admission = Admission(store=self.cluster.store)
        self._dispatcher = self._wire(sleep)
        self._runner: web.AppRunner | None = None
        self._engine: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None
        for name in ("default", "kube-node-lease", "kube-public", "kube-system"):
            self.namespace(name)
        for number, name in enumerate(nodes, 1):
            register(self.cluster, name, number)

    def _wire(self, sleep: Sleep) -> Dispatcher:
        writer = Writer(cluster=self.cluster, ledger=self.ledger, admission=self.admission)
        closing = asyncio.Event()
        logs = LogAnswers(cluster=self.cluster, logs=self.logs, closing=closing)
        return Dispatcher(
            cluster=self.cluster,
            writer=writer,
            access=Access(users=self.users, store=self.cluster.store),
            faults=self.faults,
            pods=PodSubresources(writer=writer, logs=logs, commands=self.commands),
            metrics=self.metrics,
            sleep=sleep,
            closing=closing,
        )

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=8 * 2**20)
        application.router.add_route("*", control.PREFIX + "{rest:.*}", control.handler(self))
        application.router.add_route("*", "/{rest:.*}", self._dispatcher.handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port, ssl_context=self._tls)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self._engine = asyncio.get_running_loop().create_task(self.cluster.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._dispatcher.closing.set()
        assert self._runner is not None
        assert self._engine is not None
        await self._runner.cleanup()
        failed = self._engine.done()
        self._engine.cancel()
        results = await asyncio.gather(self._engine, return_exceptions=True)
        await self.cluster.close()
        if failed and error is None and isinstance(results[0], Exception):
            raise results[0]

    @property
    def url(self) -> str:
        """Where it listens, without a trailing slash."""
        scheme = "https" if self._tls is not None else "http"
        return f"{scheme}://{self._host}:{self._port}"

    @property
    def requests(self) -> list[Arrival]:
        """Every request so far, in the order of arrival."""
        return self._dispatcher.requests

    @property
    def stage(self) -> Stage:
        """The cluster behind it, as a test directs it."""
        return self

    def cut_watches(self) -> int:
        """Break off every open watch; how many there were."""
        watches = tuple(self._dispatcher.watches)
        for watch in watches:
            watch.cut()
        return len(watches)

    def silence_watches(self) -> int:
        """Send nothing more on the watches that are open now, and leave them open; how many there are."""
        for watch in self._dispatcher.watches:
            watch.silent = True
        return len(self._dispatcher.watches)

    def kubeconfig(self, path: Path, *, token: str | None = None, namespace: str = "default") -> Path:
        """Write a kubeconfig file for this server and one of its tokens (the first, if none is named)."""
        cluster: Json = {"server": self.url}
        if self._ca is not None:
            cluster["certificate-authority-data"] = base64.b64encode(self._ca).decode()
        chosen = token or next(iter(self.users))
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "fake", "cluster": cluster}],
            "users": [{"name": "fake", "user": {"token": chosen}}],
            "contexts": [
                {"name": "fake", "context": {"cluster": "fake", "user": "fake", "namespace": namespace}}
            ],
            "current-context": "fake",
        }
        path.write_text(json.dumps(document, indent=2))
        return path

    async def settled(self, within: float = 5.0) -> None:
        """Wait until the controllers have nothing left to do. Raises TimeoutError after so many seconds."""
        async with asyncio.timeout(within):
            while not self.cluster.resting:
                if self._engine is not None and self._engine.done():
                    self._engine.result()
                await asyncio.sleep(0.001)
