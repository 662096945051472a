"""Defaults and rules of pod specs, alone or as the template of a workload."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from remediator.testing.apiserver.objects import Json
from remediator.testing.apiserver.selectors import of_object
from remediator.testing.apiserver.statuses import Cause

QUANTITY = re.compile(r"^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$")
_POWERS = {"": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15}
_FACTORS = {name: Decimal(10) ** power for name, power in _POWERS.items()} | {"m": Decimal("0.001")}
_FACTORS |= {name: Decimal(2 ** (10 * place)) for place, name in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi"), 1)}


def default_pod_spec(spec: Json) -> None:
    """Fill in what the API server fills in."""
    for container in [*spec.get("containers", ()), *spec.get("initContainers", ())]:
        _default_container(container)
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("securityContext", {})
    spec.setdefault("schedulerName", "default-scheduler")


def _default_container(container: Json) -> None:
    image = str(container.get("image", ""))
    tag = image.rpartition("/")[2].partition(":")[2]
    latest = not tag or tag == "latest"
    container.setdefault("resources", {})
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    if image:
        container.setdefault("imagePullPolicy", "Always" if latest and "@" not in image else "IfNotPresent")
    for port in container.get("ports", ()):
        port.setdefault("protocol", "TCP")
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if probe in container:
            _default_probe(container[probe])


def _default_probe(probe: Json) -> None:
    if "httpGet" in probe:
        probe["httpGet"].setdefault("scheme", "HTTP")
        probe["httpGet"].setdefault("path", "/")
    for key, value in (
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ):
        probe.setdefault(key, value)


def default_template(spec: Json) -> None:
    """The defaults of ``spec.template``."""
    template = spec.setdefault("template", {})
    template.setdefault("metadata", {}).setdefault("creationTimestamp", None)
    default_pod_spec(template.setdefault("spec", {}))


def validate_pod_spec(spec: Json, path: str) -> Iterator[Cause]:
    """What is wrong with a pod spec that stands at ``path``."""
    if not spec.get("containers"):
        yield Cause.required(f"{path}.containers")
    for index, container in enumerate(spec.get("containers", ())):
        here = f"{path}.containers[{index}]"
        yield from (Cause.required(f"{here}.{key}") for key in ("name", "image") if not container.get(key))
        yield from _validate_resources(container.get("resources", {}), f"{here}.resources")


def _validate_resources(resources: Json, path: str) -> Iterator[Cause]:
    limits = resources.get("limits", {})
    for name, request in resources.get("requests", {}).items():
        if name in limits and quantity(request) > quantity(limits[name]):
            why = f"must be less than or equal to {name} limit of {limits[name]}"
            yield Cause.invalid(f"{path}.requests", f'"{request}"', why)


def quantity(text: Any) -> Decimal:
    """A Kubernetes quantity as a number. Raises ValueError for anything else."""
    match = re.fullmatch(r"([+-]?[0-9.]+)([a-zA-Z]*)", str(text))
    if match is None or match[2] not in _FACTORS:
        raise ValueError(text)
    return Decimal(match[1]) * _FACTORS[match[2]]


def bad_quantities(spec: Json) -> bool:
    """Whether some resource amount in a pod spec is no quantity at all."""
    for container in spec.get("containers", ()):
        for amounts in container.get("resources", {}).values():
            values = amounts.values() if isinstance(amounts, dict) else ()
            if any(not QUANTITY.match(str(value)) for value in values):
                return True
    return False


def validate_workload(obj: Json) -> list[Cause]:
    """The rules that Deployments, ReplicaSets, StatefulSets and DaemonSets share."""
    spec = obj.get("spec", {})
    found: list[Cause] = []
    replicas = spec.get("replicas", 0)
    if replicas < 0:
        found.append(Cause.invalid("spec.replicas", str(replicas), "must be greater than or equal to 0"))
    labels = spec.get("template", {}).get("metadata", {}).get("labels", {})
    if not spec.get("selector"):
        found.append(Cause.required("spec.selector"))
    elif not of_object(spec["selector"]).matches(labels):
        why = "`selector` does not match template `labels`"
        found.append(Cause.invalid("spec.template.metadata.labels", go_labels(labels), why))
    found += validate_pod_spec(spec.get("template", {}).get("spec", {}), "spec.template.spec")
    return found


def validate_selector_update(new: Json, old: Json) -> Sequence[Cause]:
    """A selector never changes."""
    if new["spec"].get("selector") == old["spec"].get("selector"):
        return ()
    labels = go_labels(new["spec"]["selector"].get("matchLabels", {}))
    shown = f"v1.LabelSelector{{MatchLabels:{labels}, MatchExpressions:[]v1.LabelSelectorRequirement(nil)}}"
    return (Cause.invalid("spec.selector", shown, "field is immutable"),)


def go_labels(labels: Json) -> str:
    """A string map as Go prints it."""
    inner = ", ".join(f'"{key}":"{value}"' for key, value in sorted(labels.items()))
    return f"map[string]string{{{inner}}}"
