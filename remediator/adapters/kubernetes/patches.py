"""The patches we send, as data. Each is one JSON Patch (RFC 6902): all of it applies, or nothing.

A ``test`` against null holds where the path is missing. That is how API servers of all versions apply
patches; source: ``Patch.test`` of gopkg.in/evanphx/json-patch.v4, which they vendor. So "nobody has written
there yet" can be tested, and adding a whole map never replaces one that somebody else just made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

from remediator.core.cluster import EFFECT_ANNOTATION, EPOCH_ANNOTATION
from remediator.core.incident import EffectId
from remediator.core.isolation import ISOLATED_REPLICAS, ISOLATED_UNTIL, say_until
from remediator.core.nodes import CORDONED_AT
from remediator.core.times import Instant

Operation: TypeAlias = dict[str, Any]
Patch: TypeAlias = list[Operation]

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
"""The template annotation by which ``kubectl rollout restart`` replaces pods."""
CLAIM_COUNTS = {"deployment": 1, "statefulset": 0, "daemonset": 0}
"""By how much a claim raises the generation: annotations of a Deployment count, of the others they do not."""
_OBJECT = "/metadata/annotations"
_TEMPLATE = "/spec/template/metadata/annotations"
_UNSCHEDULABLE = "/spec/unschedulable"
_CONTAINERS = "/spec/template/spec/containers"


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """Which of the two maps of annotations an object has: adding to a map needs the map.

    Where there is no template, its map is of no interest.
    """

    annotations: bool = True
    template_annotations: bool = True

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> Shape:
        """The shape of a workload as the API server tells it."""
        template = obj.get("spec", {}).get("template", {}).get("metadata") or {}
        return cls(
            annotations=bool(obj["metadata"].get("annotations")),
            template_annotations=bool(template.get("annotations")),
        )


def claim(uid: str, seen: Mapping[str, str] | None, epoch: int) -> Patch:
    """Replace the epoch that was ``seen`` among the annotations (None: there were no annotations) by ours.

    It tests that epoch and nothing else that changes, so that it does not lose against every status update of
    a rollout, as a test of resourceVersion would.
    """
    before = None if seen is None else seen.get(EPOCH_ANNOTATION)
    place = _OBJECT if seen is None else pointer(_OBJECT, EPOCH_ANNOTATION)
    return [
        _test("/metadata/uid", uid),
        _test(place, before),
        *_annotate(_OBJECT, EPOCH_ANNOTATION, str(epoch), has_map=seen is not None),
    ]


def fenced(uid: str, effect: EffectId, shape: Shape, operations: Patch, *, epoch: int | None) -> Patch:
    """``operations`` under ``epoch``, leaving the effect's mark; without one (a dry run), whoever owns it."""
    fence = [] if epoch is None else [_test(pointer(_OBJECT, EPOCH_ANNOTATION), str(epoch))]
    return [
        _test("/metadata/uid", uid),
        *fence,
        *_absent(_OBJECT, has_map=shape.annotations),
        *_annotate(_OBJECT, EFFECT_ANNOTATION, effect, has_map=shape.annotations),
        *operations,
    ]


def restart(at: Instant, shape: Shape) -> Patch:
    """Make every pod a new one, as ``kubectl rollout restart`` does."""
    return [
        *_absent(_TEMPLATE, has_map=shape.template_annotations),
        *_annotate(_TEMPLATE, RESTARTED_AT, rfc3339_seconds(at), has_map=shape.template_annotations),
    ]


def scale(seen: int, replicas: int) -> Patch:
    """Ask for so many pods, if so many were asked for until now."""
    return [_test("/spec/replicas", seen), {"op": "replace", "path": "/spec/replicas", "value": replicas}]


def set_image(index: int, container: str, seen: str, image: str) -> Patch:
    """Another image for a container, if it still stands at that place with the image that was seen."""
    place = f"{_CONTAINERS}/{index}"
    return [
        _test(f"{place}/name", container),
        _test(f"{place}/image", seen or None),
        {"op": "add", "path": f"{place}/image", "value": image},
    ]


def set_resources(
    index: int, container: str, seen: Mapping[str, Any] | None, resources: Mapping[str, Any]
) -> Patch:
    """Other resources for a container, if it still stands at that place with those that were seen."""
    place = f"{_CONTAINERS}/{index}"
    return [
        _test(f"{place}/name", container),
        _test(f"{place}/resources", seen),
        {"op": "add", "path": f"{place}/resources", "value": resources},
    ]


def isolate(seen: int, memory: str | None, until: Instant) -> Patch:
    """Ask for no pods and remember how many there were, if so many were asked for until now.

    The map of annotations is there: the mark is written before it.
    """
    return [
        _test(pointer(_OBJECT, ISOLATED_REPLICAS), memory),
        *scale(seen, 0),
        {"op": "add", "path": pointer(_OBJECT, ISOLATED_REPLICAS), "value": str(seen)},
        {"op": "add", "path": pointer(_OBJECT, ISOLATED_UNTIL), "value": say_until(until)},
    ]


def restore(seen: int, replicas: int, memory: str, until: str | None) -> Patch:
    """Ask for so many pods and forget the isolation, if it is as it was seen."""
    kept = {ISOLATED_REPLICAS: memory, ISOLATED_UNTIL: until}
    places = {pointer(_OBJECT, key): value for key, value in kept.items()}
    return [
        *(_test(place, value) for place, value in places.items()),
        *scale(seen, replicas),
        *({"op": "remove", "path": place} for place, value in places.items() if value is not None),
    ]


def cordon(memory: str | None, mark: str) -> Patch:
    """Let no pods be placed on a node, if they are, and write that it was we.

    The map of annotations is there: the mark of the effect is written before it.
    """
    return [
        _test(_UNSCHEDULABLE, None),
        _test(pointer(_OBJECT, CORDONED_AT), memory),
        {"op": "add", "path": _UNSCHEDULABLE, "value": True},
        {"op": "add", "path": pointer(_OBJECT, CORDONED_AT), "value": mark},
    ]


def uncordon(memory: str) -> Patch:
    """Let pods be placed on a node again, if it is cordoned as we did it."""
    place = pointer(_OBJECT, CORDONED_AT)
    return [
        _test(_UNSCHEDULABLE, True),
        _test(place, memory),
        {"op": "remove", "path": _UNSCHEDULABLE},
        {"op": "remove", "path": place},
    ]


def wake() -> Patch:
    """Let a Job run that is asleep."""
    return [_test("/spec/suspend", True), {"op": "replace", "path": "/spec/suspend", "value": False}]


def set_bounds(seen: tuple[int, int], bounds: tuple[int, int]) -> Patch:
    """Other bounds for an autoscaler, if they are still those that were seen: the least, the most."""
    names = ("/spec/minReplicas", "/spec/maxReplicas")
    return [
        *(_test(name, value) for name, value in zip(names, seen, strict=True)),
        *({"op": "replace", "path": name, "value": value} for name, value in zip(names, bounds, strict=True)),
    ]


def roll_back(template: Mapping[str, Any], generation: int) -> Patch:
    """Run an earlier template, if the specification is still the one of that generation."""
    return [
        _test("/metadata/generation", generation),
        {"op": "replace", "path": "/spec/template", "value": template},
    ]


def pointer(place: str, key: str) -> str:
    """The JSON Pointer (RFC 6901) of a key below ``place``."""
    return f"{place}/{key.replace('~', '~0').replace('/', '~1')}"


def rfc3339_seconds(at: Instant) -> str:
    """``at`` as ``kubectl`` writes it, such as ``2026-11-23T04:40:08Z``."""
    return datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _test(path: str, value: str | bool | Mapping[str, Any] | int | None) -> Operation:
    return {"op": "test", "path": path, "value": value}


def _absent(place: str, *, has_map: bool) -> Patch:
    return [] if has_map else [_test(place, None)]


def _annotate(place: str, key: str, value: str, *, has_map: bool) -> Patch:
    if has_map:
        return [{"op": "add", "path": pointer(place, key), "value": value}]
    return [{"op": "add", "path": place, "value": {key: value}}]
