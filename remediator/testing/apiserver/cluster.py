"""The cluster behind the API: objects, the rules of changing them, and the engine that runs controllers.

Controllers are driven by changes: each names the keys a change concerns, and reconciles them one at a time
until nothing is left to do. Everything that takes time in a real cluster is a timer.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, TypeAlias

from remediator.testing.apiserver.behaviour import Behaviours
from remediator.testing.apiserver.kinds import Kind
from remediator.testing.apiserver.objects import Json, Key, Wall, clone, timestamp, utc_now
from remediator.testing.apiserver.store import Event, Store

Sleep: TypeAlias = Callable[[float], Awaitable[None]]
_TOO_MANY = 100_000


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How long things take, in seconds.

    ``ready_after``: from a pod's creation until it is ready. ``stop_after``: from its deletion until it is
    gone. ``lag``: until controllers notice a change, so that a status is seen to trail its spec. ``second``:
    one second of the cluster's own times: deadlines, back-offs, probes, what programs do. ``spread``: by how
    much each of several pods that start at the same time is later than the one before.
    """

    ready_after: float = 0.05
    stop_after: float = 0.02
    lag: float = 0.005
    second: float = 1.0
    spread: float = 0.0


class Controller(Protocol):
    """Brings the objects it answers for closer to what they say."""

    def keys(self, cluster: Cluster, event: Event) -> Iterable[Key]:
        """The objects that this change concerns."""
        ...

    def reconcile(self, cluster: Cluster, key: Key) -> None:
        """One step for one object."""
        ...


class Cluster:
    """Objects and controllers. Must be used on one event loop."""

    def __init__(
        self,
        controllers: Sequence[Controller],
        *,
        pace: Pace,
        sleep: Sleep = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        wall: Wall = utc_now,
    ) -> None:
        self.store = Store()
        self.behaviours = Behaviours()
        self.moments: dict[str, float] = {}
        self.announced: dict[tuple[str, ...], str] = {}
        self.dead_nodes: set[str] = set()
        self.pace, self.clock = pace, clock
        self._sleep, self._wall = sleep, wall
        self._controllers = controllers
        self._queue: dict[tuple[int, Key], None] = {}
        self._wake = asyncio.Event()
        self._timers: set[asyncio.Task[None]] = set()
        self._deadlines: set[asyncio.Task[None]] = set()
        self.store.subscribe(self._on_change)

    def _on_change(self, event: Event) -> None:
        for index, controller in enumerate(self._controllers):
            for key in controller.keys(self, event):
                self._queue[(index, key)] = None
        self._wake.set()

    def enqueue(self, controller: Controller, key: Key) -> None:
        """Look at an object again soon."""
        self._queue[(self._controllers.index(controller), key)] = None
        self._wake.set()

    async def run(self) -> None:
        """Reconcile for ever: notice a change after the lag, then work until nothing is left."""
        while True:
            await self._wake.wait()
            await self._sleep(self.pace.lag)
            self._wake.clear()
            self._work()

    def _work(self) -> None:
        for _ in range(_TOO_MANY):
            if not self._queue:
                return
            index, key = next(iter(self._queue))
            del self._queue[(index, key)]
            self._controllers[index].reconcile(self, key)
        raise RuntimeError(
            "the controllers of the fake API server do not come to rest; this is its own fault"
        )

    @property
    def resting(self) -> bool:
        """Nothing to reconcile and no pod on its way up or down; deadlines may still run."""
        return not self._queue and not self._timers and not self._wake.is_set()

    def after(self, delay: float, act: Callable[[], None], *, deadline: bool = False) -> None:
        """Do something later. A deadline does not keep the cluster from being at rest."""

        async def wait() -> None:
            await self._sleep(delay)
            act()

        timers = self._deadlines if deadline else self._timers
        task = asyncio.get_running_loop().create_task(wait())
        timers.add(task)
        task.add_done_callback(timers.discard)

    async def pause(self) -> None:
        """Long enough for the controllers to notice what was just written. Not the sleep that was passed in:
        a test that holds the controllers does not hold requests."""
        await asyncio.sleep(2 * self.pace.lag)

    async def close(self) -> None:
        """End every timer."""
        tasks = [*self._timers, *self._deadlines]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def timestamp(self, ahead: float = 0) -> str:
        """Now, or some seconds later, as objects write it."""
        return timestamp(self._wall() + timedelta(seconds=ahead))

    def prepare_create(self, kind: Kind, manifest: Json) -> Json:
        """The object a create stores, without storing it."""
        obj = clone(manifest)
        obj["apiVersion"], obj["kind"] = kind.api_version, kind.name
        meta = obj["metadata"]
        for key in ("resourceVersion", "uid", "generation", "selfLink", "deletionTimestamp"):
            meta.pop(key, None)
        if "name" not in meta and "generateName" in meta:
            meta["name"] = f"{meta['generateName']}{uuid.uuid4().hex[:5]}"
        meta["uid"] = str(uuid.uuid4())
        meta["creationTimestamp"] = self.timestamp()
        if kind.spec_generation:
            meta["generation"] = 1
        obj.pop("status", None)
        if kind.initial is not None:
            obj["status"] = kind.initial()
        kind.defaults(obj)
        return obj

    def prepare_update(self, kind: Kind, new: Json, old: Json) -> Json:
        """The object an update stores: system fields and status stay, the generation counts spec changes."""
        obj = clone(new)
        meta, was = obj["metadata"], old["metadata"]
        obj["apiVersion"], obj["kind"] = kind.api_version, kind.name
        for key in (
            "uid",
            "creationTimestamp",
            "generation",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
        ):
            meta.pop(key, None)
            if key in was:
                meta[key] = was[key]
        meta.pop("selfLink", None)
        if "managedFields" in was:
            meta.setdefault("managedFields", was["managedFields"])
        for key in [
            key for key in ("labels", "annotations", "finalizers", "ownerReferences") if not meta.get(key, 1)
        ]:
            del meta[key]
        if kind.status_subresource:
            obj.pop("status", None)
            if "status" in old:
                obj["status"] = old["status"]
        kind.defaults(obj)
        annotated = kind.annotation_generation and meta.get("annotations") != was.get("annotations")
        if kind.spec_generation and (annotated or obj.get("spec") != old.get("spec")):
            meta["generation"] = was["generation"] + 1
            kind.defaults(obj)
        return obj

    def create(self, kind: Kind, manifest: Json) -> Json:
        """Create as a controller does."""
        return self.store.put(kind, self.prepare_create(kind, manifest))

    def update(self, kind: Kind, new: Json) -> Json:
        """Update as a controller does; the object must be there."""
        old = self.store.get(kind, (new["metadata"].get("namespace", ""), new["metadata"]["name"]))
        assert old is not None
        return self.store.put(kind, self.prepare_update(kind, new, old))

    def set_status(self, kind: Kind, key: Key, status: Json) -> None:
        """Write the status alone, if the object is still there."""
        present = self.store.get(kind, key)
        if present is not None:
            self.store.put(kind, {**present, "status": status})

    def mark_deleting(self, kind: Kind, obj: Json, grace: int, *, finalizer: str | None = None) -> Json:
        """Ask for an object's deletion; it stays until whoever finishes it is done."""
        marked = clone(obj)
        meta = marked["metadata"]
        if "deletionTimestamp" not in meta:
            meta["deletionTimestamp"] = self.timestamp(ahead=grace)
            meta["deletionGracePeriodSeconds"] = grace
            if "generation" in meta:
                meta["generation"] += 1
        elif grace < meta.get("deletionGracePeriodSeconds", grace):
            meta["deletionTimestamp"] = self.timestamp(ahead=grace)
            meta["deletionGracePeriodSeconds"] = grace
        if finalizer:
            meta["finalizers"] = [*meta.get("finalizers", ()), finalizer]
        return marked

    def delete(self, kind: Kind, key: Key, *, grace: int | None = None) -> None:
        """Delete as a controller does: gracefully where the kind is stopped by its node."""
        obj = self.store.get(kind, key)
        if obj is None:
            return
        seconds = (
            obj["spec"].get("terminationGracePeriodSeconds", 30) if grace is None and kind.graceful else grace
        )
        if kind.graceful and seconds and obj["spec"].get("nodeName"):
            self.store.put(kind, self.mark_deleting(kind, obj, seconds))
        elif obj["metadata"].get("finalizers"):
            self.store.put(kind, self.mark_deleting(kind, obj, 0))
        else:
            self.store.remove(kind, key)
