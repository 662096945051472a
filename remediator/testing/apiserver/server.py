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
from typing import Any, Self

from aiohttp import web

from remediator.testing.apiserver import control
from remediator.testing.apiserver.access import Access, User
from remediator.testing.apiserver.admission import Admission
from remediator.testing.apiserver.behaviour import Behaviour
from remediator.testing.apiserver.cluster import Cluster, Pace, Sleep
from remediator.testing.apiserver.controllers import default_controllers
from remediator.testing.apiserver.controllers.kubelet import Kubelet
from remediator.testing.apiserver.dispatch import Dispatcher
from remediator.testing.apiserver.faults import Faults
from remediator.testing.apiserver.kinds import (
    DAEMON_SETS,
    DEPLOYMENTS,
    KINDS,
    NAMESPACES,
    STATEFUL_SETS,
    Kind,
)
from remediator.testing.apiserver.ledger import Arrival, Ledger
from remediator.testing.apiserver.logs import Logs
from remediator.testing.apiserver.machines import register
from remediator.testing.apiserver.objects import Json, Wall, digest, utc_now
from remediator.testing.apiserver.writing import Writer

TOKEN = "fake-token"
ADMIN = User(name="admin")
_BY_KIND = {(kind.api_version, kind.name): kind for kind in KINDS}


class FakeApiServer:
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
        self._kubelet = Kubelet(self.logs)
        self.cluster = Cluster(
            default_controllers(self._kubelet),
            pace=pace or Pace(),
            sleep=sleep,
            clock=time.monotonic,
            wall=wall,
        )
        self.admission = Admission(store=self.cluster.store)
        self._dispatcher = Dispatcher(
            cluster=self.cluster,
            writer=Writer(cluster=self.cluster, ledger=self.ledger, admission=self.admission),
            access=Access(users=self.users, store=self.cluster.store),
            faults=self.faults,
            logs=self.logs,
            sleep=sleep,
        )
        self._runner: web.AppRunner | None = None
        self._engine: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None
        for name in ("default", "kube-node-lease", "kube-public", "kube-system"):
            self.namespace(name)
        for number, name in enumerate(nodes, 1):
            register(self.cluster, name, number)

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

    def namespace(self, name: str) -> Json:
        """The namespace, created if it is not there."""
        present = self.cluster.store.get(NAMESPACES, ("", name))
        return present or self.cluster.create(NAMESPACES, {"metadata": {"name": name}})

    def create(self, manifest: Json) -> Json:
        """Create an object as an administrator would, its namespace too. Not in the ledger.

        Raises ValueError for a kind this server does not serve, an invalid object or a name that is taken.
        """
        kind = _BY_KIND.get((str(manifest.get("apiVersion")), str(manifest.get("kind"))))
        if kind is None:
            raise ValueError(
                f"this fake API server serves no {manifest.get('apiVersion')} {manifest.get('kind')}"
            )
        filled = {**manifest, "metadata": dict(manifest["metadata"])}
        if kind.namespaced:
            self.namespace(filled["metadata"].setdefault("namespace", "default"))
        obj = self.cluster.prepare_create(kind, filled)
        if causes := kind.validate(obj):
            raise ValueError(f"{kind.name} {obj['metadata']['name']}: {causes[0].field}: {causes[0].message}")
        if self.cluster.store.get(kind, (obj["metadata"].get("namespace", ""), obj["metadata"]["name"])):
            raise ValueError(f"{kind.name} {obj['metadata']['name']} exists")
        return self.cluster.store.put(kind, obj)

    def restore(self, obj: Json) -> Json:
        """Store an object exactly as it is, status included: a state that was recorded elsewhere."""
        kind = _BY_KIND[(obj["apiVersion"], obj["kind"])]
        if kind.namespaced:
            self.namespace(obj["metadata"]["namespace"])
        return self.cluster.store.put(kind, obj)

    def deployment(self, namespace: str, name: str, *, replicas: int = 2, **spec: Any) -> Json:
        """Create a plain Deployment with the label ``app: NAME``; ``spec`` adds to its spec."""
        labels = {"app": name}
        pod = {"containers": [{"name": name, "image": f"registry.local/{name}:v1"}]}
        meta = {"name": name, "namespace": namespace, "labels": labels}
        template = {"metadata": {"labels": labels}, "spec": pod}
        body = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template, **spec}
        return self.create({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": body})

    def get(self, kind: Kind, namespace: str, name: str) -> Json | None:
        """The object as it is now, or None. Must not be changed."""
        return self.cluster.store.get(kind, (namespace, name))

    def behave(self, namespace: str, name: str, behaviour: Behaviour) -> None:
        """From now on, the pods of this workload (or this bare pod) behave so."""
        revision = None
        for kind in (DEPLOYMENTS, STATEFUL_SETS, DAEMON_SETS):
            if (workload := self.get(kind, namespace, name)) is not None:
                revision = digest(workload["spec"]["template"])
        self._kubelet.apply(self.cluster, (namespace, name), behaviour, revision)

    def break_image(self, image: str, answer: str = "not found") -> None:
        """From now on this image cannot be pulled; ``answer`` is what the registry says."""
        self.cluster.behaviours.broken_images[image] = answer

    def mend_image(self, image: str) -> None:
        """The image can be pulled again: pods that wait for it start when they next try."""
        self.cluster.behaviours.broken_images.pop(image, None)

    def set_log(
        self, namespace: str, pod: str, text: str, *, container: str = "", previous: bool = False
    ) -> None:
        """What a pod's container has written."""
        self.logs.set((namespace, pod), text, container=container, previous=previous)

    async def settled(self, within: float = 5.0) -> None:
        """Wait until the controllers have nothing left to do. Raises TimeoutError after so many seconds."""
        async with asyncio.timeout(within):
            while not self.cluster.resting:
                if self._engine is not None and self._engine.done():
                    self._engine.result()
                await asyncio.sleep(0.001)
