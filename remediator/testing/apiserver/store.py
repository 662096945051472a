"""The objects, the one counter of their versions, and the history that watches replay."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from remediator.testing.apiserver.kinds import Kind
from remediator.testing.apiserver.objects import Json, Key, clone, key_of

HISTORY = 20_000
"""Events kept; a watch that starts before the oldest is answered 410."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """One change: ``old`` is what was there before, ``obj`` what is there now (DELETED: what was last)."""

    revision: int
    type: str
    kind: Kind
    obj: Json
    old: Json | None

    @property
    def key(self) -> Key:
        """The object's namespace and name."""
        return key_of(self.obj)


Listener: TypeAlias = Callable[[Event], None]


class Store:
    """Everything by kind and key. What it hands out must not be changed in place."""

    def __init__(self) -> None:
        self.revision = 1
        self.oldest = 1
        self._objects: dict[tuple[str, str], dict[Key, Json]] = {}
        self._history: deque[Event] = deque()
        self._listeners: list[Listener] = []

    def get(self, kind: Kind, key: Key) -> Json | None:
        """The object, or None."""
        return self._objects.get(kind.resource, {}).get(key)

    def list(self, kind: Kind, namespace: str = "") -> list[Json]:
        """Every object of the kind, of one namespace or of all, in the order of namespace and name."""
        found = self._objects.get(kind.resource, {}).items()
        return [obj for key, obj in sorted(found) if not namespace or key[0] == namespace]

    def at(self, revision: int, kind: Kind, namespace: str = "") -> Sequence[Json]:
        """As ``list``, at a version that is not older than the history."""
        if revision >= self.revision:
            return self.list(kind, namespace)
        found = {key_of(obj): obj for obj in self.list(kind, namespace)}
        for event in reversed(self._history):
            if event.revision <= revision:
                break
            if event.kind.resource != kind.resource or namespace not in {"", event.key[0]}:
                continue
            if event.old is None:
                found.pop(event.key, None)
            else:
                found[event.key] = event.old
        return [found[key] for key in sorted(found)]

    def put(self, kind: Kind, obj: Json) -> Json:
        """Store a new object, or another state of one. A state equal to the present one changes nothing."""
        key = key_of(obj)
        shelf = self._objects.setdefault(kind.resource, {})
        old = shelf.get(key)
        if old is not None and _same(old, obj):
            return old
        stored = self._stamp(obj)
        shelf[key] = stored
        self._emit("ADDED" if old is None else "MODIFIED", kind, stored, old)
        return stored

    def remove(self, kind: Kind, key: Key) -> Json | None:
        """Take an object away; its last state, or None when there was none."""
        old = self._objects.get(kind.resource, {}).pop(key, None)
        if old is None:
            return None
        last = self._stamp(old)
        self._emit("DELETED", kind, last, old)
        return last

    def _stamp(self, obj: Json) -> Json:
        self.revision += 1
        stamped = clone(obj)
        stamped["metadata"]["resourceVersion"] = str(self.revision)
        return stamped

    def _emit(self, event_type: str, kind: Kind, obj: Json, old: Json | None) -> None:
        event = Event(revision=self.revision, type=event_type, kind=kind, obj=obj, old=old)
        self._history.append(event)
        while len(self._history) > HISTORY:
            self.oldest = self._history.popleft().revision
        for listener in tuple(self._listeners):
            listener(event)

    def since(self, revision: int) -> Iterator[Event]:
        """The changes after that version, oldest first."""
        return (event for event in tuple(self._history) if event.revision > revision)

    def compact(self) -> None:
        """Forget the history, as etcd does from time to time: older watches and pages are answered 410."""
        self._history.clear()
        self.oldest = self.revision

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` on every change from now on; the answer ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)


def _same(old: Json, new: Json) -> bool:
    if any(old.get(key) != new.get(key) for key in {*old, *new} - {"metadata"}):
        return False
    left, right = old["metadata"], new["metadata"]
    return all(left.get(key) == right.get(key) for key in {*left, *right} - {"resourceVersion"})
