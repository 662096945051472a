"""LimitRanges at work: the resources a container gets when it asks for none, and how much it may ask for.

Source: ``k8s.io/kubernetes/plugin/pkg/admission/limitranger``, for limits of type ``Container``.
"""

from __future__ import annotations

from collections.abc import Iterator

from remediator.testing.apiserver.kinds import LIMIT_RANGES
from remediator.testing.apiserver.kinds.pod_template import quantity
from remediator.testing.apiserver.objects import Json
from remediator.testing.apiserver.store import Store

_ANNOTATION = "kubernetes.io/limit-ranger"


def _limits(store: Store, pod: Json) -> Iterator[Json]:
    for limit_range in store.list(LIMIT_RANGES, pod["metadata"]["namespace"]):
        for limit in limit_range["spec"].get("limits", ()):
            if limit["type"] == "Container":
                yield limit


def fill(store: Store, pod: Json) -> None:
    """Give the containers of a new pod, in place, what the limit ranges of its namespace say."""
    changes = []
    for limit in _limits(store, pod):
        for container in pod["spec"].get("containers", ()):
            for bound, name in (("limits", "default"), ("requests", "defaultRequest")):
                present = container["resources"].get(bound, {})
                missing = {key: value for key, value in limit.get(name, {}).items() if key not in present}
                if missing:
                    container["resources"][bound] = present | missing
                    listed = ", ".join(sorted(missing))
                    what = "limit" if bound == "limits" else "request"
                    changes.append(f"{listed} {what} for container {container['name']}")
    if changes:
        text = f"LimitRanger plugin set: {'; '.join(changes)}"
        pod["metadata"].setdefault("annotations", {})[_ANNOTATION] = text


def broken(store: Store, pod: Json) -> str:
    """What the containers of a new pod ask for beyond the limit ranges; empty when nothing."""
    found: list[str] = []
    for limit in _limits(store, pod):
        for container in pod["spec"].get("containers", ()):
            found += _above(limit.get("max", {}), container["resources"])
            found += _below(limit.get("min", {}), container["resources"])
    return found[0] if len(found) == 1 else f"[{', '.join(found)}]" if found else ""


def _above(bounds: Json, resources: Json) -> Iterator[str]:
    for name, most in bounds.items():
        head = f"maximum {name} usage per Container is {most}"
        limit, request = resources.get("limits", {}).get(name), resources.get("requests", {}).get(name)
        if limit is None:
            yield f"{head}.  No limit is specified"
        elif quantity(limit) > quantity(most):
            yield f"{head}, but limit is {limit}"
        elif request is not None and quantity(request) > quantity(most):
            yield f"{head}, but request is {request}"


def _below(bounds: Json, resources: Json) -> Iterator[str]:
    for name, least in bounds.items():
        head = f"minimum {name} usage per Container is {least}"
        request = resources.get("requests", {}).get(name)
        if request is None:
            yield f"{head}.  No request is specified"
        elif quantity(request) < quantity(least):
            yield f"{head}, but request is {request}"
