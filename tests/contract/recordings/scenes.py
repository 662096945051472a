"""The scenes of recorded watches, made again: what was there before, and what was done."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import aiohttp

from remediator.testing.apiserver import Behaviour, FakeApiServer
from remediator.testing.apiserver.kinds import DEPLOYMENTS, PODS
from tests.contract.recordings.replay import TOKENS, Replay
from tests.contract.recordings.watched import PATHS, Json, Seen, load_watch, recorded

Act: TypeAlias = Callable[["Scene"], Awaitable[None]]

_HASH = "pod-template-hash"
_REVISION = "deployment.kubernetes.io/revision"
_LATE = "ProgressDeadlineExceeded"
NO_IMAGE = "registry.local/none:v9"
NO_HOST = (
    f'failed to resolve reference "{NO_IMAGE}": failed to do request: Head '
    '"https://registry.local/v2/none/manifests/v9": dial tcp: lookup registry.local: no such host'
)


@dataclass(kw_only=True)
class Scene:
    """One recording and the server it is replayed against; ``live``: what the watches see."""

    name: str
    server: FakeApiServer
    replay: Replay
    recording: list[Json]
    wanted: dict[str, Seen]
    live: dict[str, Seen] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    def of(cls, name: str, server: FakeApiServer, session: aiohttp.ClientSession) -> Scene:
        """The scene of a recording."""
        recording = load_watch(name)
        watched = dict.fromkeys(entry["watch"] for entry in recording if "watch" in entry)
        wanted = {watch: recorded(recording, watch) for watch in watched if watch != "events"}
        replay = Replay(server=server, session=session)
        return cls(name=name, server=server, replay=replay, recording=recording, wanted=wanted)

    @property
    def namespace(self) -> str:
        """Where it plays."""
        requests = [entry["request"]["path"] for entry in self.recording if entry["kind"] == "request"]
        if requests:
            return str(requests[0].partition("/namespaces/")[2].partition("/")[0])
        return str(self.listed("deployments")[0]["metadata"]["namespace"])

    def listed(self, watch: str) -> list[Json]:
        """What was there before."""
        return [
            item
            for entry in self.recording
            if entry["kind"] == "list" and entry["watch"] == watch
            for item in entry["items"]
        ]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for something that the watches see. Raises TimeoutError."""
        async with asyncio.timeout(8):
            while not holds():
                self.changed.clear()
                await self.changed.wait()

    async def watch(self, watch: str, opened: asyncio.Event) -> None:
        """Watch one resource from now on."""
        path = f"{PATHS[watch]}/{watch}"
        _, body, _ = await self.replay.send({"method": "GET", "path": path})
        seen = self.live[watch] = Seen(watch=watch)
        seen.bases = {one["metadata"]["uid"]: one["metadata"].get("generation", 0) for one in body["items"]}
        query = {"watch": "true", "resourceVersion": body["metadata"]["resourceVersion"]}
        headers = {"Authorization": f"Bearer {TOKENS['admin']}"}
        url = self.server.url + path
        async with self.replay.session.get(url, params=query, headers=headers) as answer:
            opened.set()
            async for line in answer.content:
                event = json.loads(line)
                seen.note(event["type"], event["object"])
                self.changed.set()

    async def prepare(self) -> None:
        """Create what the lists hold; a rollout that is under way comes from the template before."""
        self.server.namespace(self.namespace)
        self.server.break_image(NO_IMAGE, NO_HOST)
        for watch, kind in (
            ("deployments", "Deployment"),
            ("statefulsets", "StatefulSet"),
            ("daemonsets", "DaemonSet"),
        ):
            for obj in self.listed(watch):
                await self._create(obj, kind)
        for budget in self.listed("poddisruptionbudgets"):
            self.server.create(_bare(budget, "policy/v1", "PodDisruptionBudget"))
        await self.server.settled()

    async def _create(self, obj: Json, kind: str) -> None:
        """Create a workload; a Deployment goes through the templates of its ReplicaSets."""
        sets = [
            one
            for one in self.listed("replicasets")
            if one["metadata"]["ownerReferences"][0]["name"] == obj["metadata"]["name"]
        ]
        sets.sort(key=lambda one: int(one["metadata"]["annotations"][_REVISION]))
        made = _bare(obj, "apps/v1", kind)
        if sets:
            made["spec"] = made["spec"] | {"template": _template(sets[0])}
        self.server.create(made)
        await self.server.settled()
        for later in sets[1:]:
            await self._roll_on(obj, _template(later), last=later is sets[-1])

    async def _roll_on(self, obj: Json, template: Json, *, last: bool) -> None:
        """Roll on to a template; where the recorded rollout was stuck there, so is this one."""
        namespace, name = obj["metadata"]["namespace"], obj["metadata"]["name"]
        stuck = last and _LATE in json.dumps(obj["status"])
        if stuck and NO_IMAGE not in json.dumps(template):
            self.server.behave(namespace, name, Behaviour.bad_rollout())
        path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
        patch = [{"op": "replace", "path": "/spec/template", "value": template}]
        media = "application/json-patch+json"
        request = {"method": "PATCH", "path": path, "content_type": media, "body": patch}
        assert (await self.replay.send(request))[0] == 200
        await self.server.settled()
        while stuck and _LATE not in json.dumps(self.server.get(DEPLOYMENTS, namespace, name)):
            await self._next_change()

    async def _next_change(self) -> None:
        changed = asyncio.Event()
        stop = self.server.cluster.store.subscribe(lambda _: changed.set())
        await asyncio.wait_for(changed.wait(), 5)
        stop()

    async def send_requests(self) -> None:
        """The recorded requests, in their order; a pod that is named is one of those here."""
        pods = [pod["metadata"] for pod in self.server.cluster.store.list(PODS, self.namespace)]
        names: dict[str, Json] = {}
        for entry in self.recording:
            if entry["kind"] != "request":
                continue
            text = json.dumps(entry["request"])
            for item in self.listed("pods"):
                meta = item["metadata"]
                if meta["name"] in text:
                    other = names.setdefault(meta["name"], pods[len(names) % len(pods)])
                    text = text.replace(meta["name"], other["name"]).replace(meta["uid"], other["uid"])
            status, body, _ = await self.replay.send(json.loads(text))
            assert status == entry["status"], body


def _bare(obj: Json, version: str, kind: str) -> Json:
    meta = {
        name: obj["metadata"][name] for name in ("name", "namespace", "labels") if name in obj["metadata"]
    }
    return {"apiVersion": version, "kind": kind, "metadata": meta, "spec": obj["spec"]}


def _template(replica_set: Json) -> Json:
    found: Json = json.loads(json.dumps(replica_set["spec"]["template"]))
    found["metadata"]["labels"].pop(_HASH, None)
    return found
