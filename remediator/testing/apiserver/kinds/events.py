"""Events: what controllers, the scheduler and kubelets say about objects."""

from __future__ import annotations

from collections.abc import Callable

from remediator.testing.apiserver.kinds.base import META_FIELDS, Kind
from remediator.testing.apiserver.objects import Json


def _involved(name: str) -> Callable[[Json], str]:
    return lambda obj: str(obj.get("involvedObject", {}).get(name, ""))


def _plain(name: str) -> Callable[[Json], str]:
    return lambda obj: str(obj.get(name, ""))


def _source(obj: Json) -> str:
    return str(obj.get("source", {}).get("component") or obj.get("reportingComponent", ""))


_INVOLVED = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")

EVENTS = Kind(
    name="Event",
    plural="events",
    singular="event",
    short_names=("ev",),
    fields=META_FIELDS
    | {f"involvedObject.{name}": _involved(name) for name in _INVOLVED}
    | {name: _plain(name) for name in ("reason", "type", "reportingComponent")}
    | {"source": _source},
    status_subresource=False,
)
