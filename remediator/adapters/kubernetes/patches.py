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
from remediator.core.times import Instant

Operation: TypeAlias = dict[str, Any]
Patch: TypeAlias = list[Operation]

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
"""The template annotation by which ``kubectl rollout restart`` replaces pods."""
CLAIM_COUNTS = {"deployment": 1, "statefulset": 0, "daemonset": 0}
"""By how much a claim raises the generation: annotations of a Deployment count, of the others they do not."""
_OBJECT = "/metadata/annotations"
_TEMPLATE = "/spec/template/metadata/annotations"


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """Which of the two maps of annotations an object has: adding to a map needs the map."""

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


def _test(path: str, value: str | int | None) -> Operation:
    return {"op": "test", "path": path, "value": value}


def _absent(place: str, *, has_map: bool) -> Patch:
    return [] if has_map else [_test(place, None)]


def _annotate(place: str, key: str, value: str, *, has_map: bool) -> Patch:
    if has_map:
        return [{"op": "add", "path": pointer(place, key), "value": value}]
    return [{"op": "add", "path": place, "value": {key: value}}]
