"""Events, in the words of the core group and in those of events.k8s.io: one store, two forms."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from remediator.testing.apiserver.kinds.base import META_FIELDS, Kind
from remediator.testing.apiserver.objects import Json
from remediator.testing.apiserver.statuses import Cause

_REFERENCE = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_RENAMED = (
    ("reportingComponent", "reportingController"),
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
)


def _default_event(obj: Json) -> None:
    for name in ("involvedObject", "source"):
        obj.setdefault(name, {})
    for name in ("firstTimestamp", "lastTimestamp", "eventTime"):
        obj.setdefault(name, None)
    for name in ("reportingComponent", "reportingInstance"):
        obj.setdefault(name, "")


def _validate_event(obj: Json) -> Sequence[Cause]:
    """The old rule: an event lies where its object does; those of cluster-wide objects in ``default``."""
    involved, namespace = obj["involvedObject"].get("namespace", ""), obj["metadata"].get("namespace", "")
    if involved == namespace or (not involved and namespace in {"", "default", "kube-system"}):
        return ()
    why = "does not match event.namespace"
    return (Cause.invalid("involvedObject.namespace", f'"{involved}"', why),)


def _validate_event_v1(obj: Json) -> Sequence[Cause]:
    """The new rules say who does what, and when."""
    names = ("eventTime", "reportingController", "reportingInstance", "action", "reason", "type")
    return [Cause.required(name) for name in names if not obj.get(name)]


def _reference(prefix: str) -> dict[str, Callable[[Json], str]]:
    def reader(name: str) -> Callable[[Json], str]:
        return lambda obj: str(obj["involvedObject"].get(name, ""))

    return {f"{prefix}.{name}": reader(name) for name in _REFERENCE}


def _text(name: str) -> Callable[[Json], str]:
    return lambda obj: str(obj.get(name) or "")


def _source(obj: Json) -> str:
    return str(obj["source"].get("component") or obj.get("reportingComponent", ""))


def _outward(obj: Json) -> Json:
    kept = {key: value for key, value in obj.items() if key not in {old for old, _ in _RENAMED}}
    renamed = {new: obj[old] for old, new in _RENAMED if old in obj}
    return {key: value for key, value in (kept | renamed).items() if value != "" or key == "metadata"} | {
        "apiVersion": "events.k8s.io/v1"
    }


def _inward(obj: Json) -> Json:
    kept = {key: value for key, value in obj.items() if key not in {new for _, new in _RENAMED}}
    renamed = {old: obj[new] for old, new in _RENAMED if new in obj}
    return kept | renamed | {"apiVersion": "v1"}


EVENTS = Kind(
    name="Event",
    plural="events",
    singular="event",
    short_names=("ev",),
    fields=META_FIELDS
    | _reference("involvedObject")
    | {
        "reason": _text("reason"),
        "type": _text("type"),
        "reportingComponent": _text("reportingComponent"),
        "source": _source,
    },
    defaults=_default_event,
    validate=_validate_event,
    status_subresource=False,
)
EVENTS_V1 = Kind(
    name="Event",
    plural="events",
    singular="event",
    group="events.k8s.io",
    short_names=("ev",),
    fields=META_FIELDS
    | _reference("regarding")
    | {
        "reason": _text("reason"),
        "type": _text("type"),
        "reportingController": _text("reportingComponent"),
    },
    validate=_validate_event_v1,
    status_subresource=False,
    schema="events.v1.Event",
    stored_as=EVENTS,
    inward=_inward,
    outward=_outward,
)
