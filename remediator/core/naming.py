"""The one object that an alert's labels name, as text: checked before anybody looks for it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from remediator.core.objects import NODE, ObjectRef
from remediator.core.policies import TargetSelector
from remediator.core.text import plain

EXPORTED = "exported_"
"""What Prometheus puts before a label of a metric that the target which was scraped carries as well."""
EXPORTERS = frozenset(("namespace", "pod", "container", "service", "endpoint", "job", "instance"))
"""Labels that a scraped target carries of itself: beside an ``exported_`` one they speak of the exporter."""
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", re.ASCII)
_LONGEST = 253


def told_apart(labels: Mapping[str, str]) -> Mapping[str, str]:
    """The labels as those of the object, and none of the exporter's.

    kube-state-metrics speaks of other pods than its own. Where Prometheus scrapes it without
    ``honor_labels``, ``pod`` is the exporter's and the one that is meant is ``exported_pod``. One exported
    label is enough to know that: the exporter's own count as missing where there is no exported one.
    """
    exported = (item for item in labels.items() if item[0].startswith(EXPORTED))
    meant = {name.removeprefix(EXPORTED): value for name, value in exported}
    if not meant.keys() & EXPORTERS:
        return labels
    return {**{name: value for name, value in labels.items() if name not in EXPORTERS}, **meant}


def name_object(target: TargetSelector, labels: Mapping[str, str]) -> tuple[ObjectRef | None, str]:
    """What the labels name, and how they tell it. None where some part of it cannot be a name."""
    told = target.selector.select(told_apart(labels))
    *spaces, name = told.split("/")
    wanted = 0 if target.kind == NODE else 1
    fits = len(spaces) == wanted and all(_LABEL.fullmatch(space) for space in spaces)
    if not fits or len(name) > _LONGEST or _NAME.fullmatch(name) is None:
        return None, f"{target.kind} {plain(told, 100)!r}"
    ref = ObjectRef(kind=target.kind, namespace=spaces[0] if spaces else "", name=name)
    return ref, say_object(ref)


def say_object(ref: ObjectRef) -> str:
    """``pod web-1 in namespace shop``."""
    return f"{ref.kind} {ref.name}" + (f" in namespace {ref.namespace}" if ref.namespace else "")
