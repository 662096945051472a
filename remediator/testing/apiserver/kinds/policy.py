"""Disruption budgets, autoscalers, quotas and limit ranges: what bounds workloads and their pods."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from remediator.testing.apiserver.kinds.base import META_FIELDS, Kind
from remediator.testing.apiserver.objects import Json
from remediator.testing.apiserver.statuses import Cause

_ALPHA = "autoscaling.alpha.kubernetes.io/"


def _validate_budget(obj: Json) -> Sequence[Cause]:
    spec = obj.get("spec", {})
    found: list[Cause] = []
    if "minAvailable" in spec and "maxUnavailable" in spec:
        why = "minAvailable and maxUnavailable cannot be both set"
        found.append(Cause.invalid("spec", "policy.PodDisruptionBudgetSpec{...}", why))
    for name in ("minAvailable", "maxUnavailable"):
        if name in spec:
            found += _validate_amount(f"spec.{name}", spec[name])
    return found


def _validate_amount(path: str, value: Any) -> Sequence[Cause]:
    if isinstance(value, int):
        if value >= 0:
            return ()
        return (Cause.invalid(path, str(value), "must be greater than or equal to 0"),)
    shown = f'intstr.IntOrString{{Type:1, IntVal:0, StrVal:"{value}"}}'
    if not value.endswith("%") or not value[:-1].isdecimal():
        why = (
            "a valid percent string must be a numeric string followed by an ending '%' "
            "(e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"
        )
        return (Cause.invalid(path, shown, why),)
    if int(value[:-1]) > 100:
        return (Cause.invalid(path, shown, "must not be greater than 100%"),)
    return ()


def _default_autoscaler(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("minReplicas", 1)
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]


def _validate_autoscaler(obj: Json) -> Sequence[Cause]:
    spec = obj["spec"]
    found: list[Cause] = []
    low, high = spec["minReplicas"], spec.get("maxReplicas", 0)
    if low < 1:
        found.append(Cause.invalid("spec.minReplicas", str(low), "must be greater than or equal to 1"))
    if high < 1:
        found.append(Cause.invalid("spec.maxReplicas", str(high), "must be greater than 0"))
    if high < low:
        why = "must be greater than or equal to `minReplicas`"
        found.append(Cause.invalid("spec.maxReplicas", str(high), why))
    return found


def _cpu_target(metric: Json) -> int | None:
    resource = metric.get("resource", {})
    if metric["type"] != "Resource" or resource.get("name") != "cpu":
        return None
    target: int | None = resource.get("target", {}).get("averageUtilization")
    return target


def _autoscaler_v1(obj: Json) -> Json:
    """Version 1 knows a CPU target alone; the rest travels in annotations."""
    spec, status = dict(obj["spec"]), dict(obj.get("status", {}))
    annotations = dict(obj["metadata"].get("annotations", {}))
    metrics = spec.pop("metrics", [])
    targets = [target for target in map(_cpu_target, metrics) if target is not None]
    if targets:
        spec["targetCPUUtilizationPercentage"] = targets[0]
    if others := [metric for metric in metrics if _cpu_target(metric) is None]:
        annotations[_ALPHA + "metrics"] = _compact(others)
    for field, name in (("conditions", "conditions"), ("currentMetrics", "current-metrics")):
        if value := status.pop(field, None):
            annotations[_ALPHA + name] = _compact(value)
    status = {"currentReplicas": status.pop("currentReplicas", 0), **status}
    meta = obj["metadata"] | ({"annotations": annotations} if annotations else {})
    return obj | {"apiVersion": "autoscaling/v1", "metadata": meta, "spec": spec, "status": status}


def _autoscaler_v2(obj: Json) -> Json:
    meta, spec = dict(obj.get("metadata", {})), dict(obj.get("spec", {}))
    annotations = dict(meta.get("annotations", {}))
    metrics = json.loads(annotations.pop(_ALPHA + "metrics", "[]"))
    for name in ("conditions", "current-metrics"):
        annotations.pop(_ALPHA + name, None)
    target = spec.pop("targetCPUUtilizationPercentage", None)
    if target is not None:
        cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": target}}
        metrics.insert(0, {"type": "Resource", "resource": cpu})
    if metrics:
        spec["metrics"] = metrics
    meta.pop("annotations", None)
    meta |= {"annotations": annotations} if annotations else {}
    kept = {key: value for key, value in obj.items() if key != "status"}
    return kept | {"apiVersion": "autoscaling/v2", "metadata": meta, "spec": spec}


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


POD_DISRUPTION_BUDGETS = Kind(
    name="PodDisruptionBudget",
    plural="poddisruptionbudgets",
    singular="poddisruptionbudget",
    group="policy",
    short_names=("pdb",),
    validate=_validate_budget,
    initial=lambda: {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0},
    spec_generation=True,
    unconditional=False,
)
AUTOSCALERS = Kind(
    name="HorizontalPodAutoscaler",
    plural="horizontalpodautoscalers",
    singular="horizontalpodautoscaler",
    group="autoscaling",
    version="v2",
    short_names=("hpa",),
    categories=("all",),
    defaults=_default_autoscaler,
    validate=_validate_autoscaler,
    initial=lambda: {"desiredReplicas": 0, "currentMetrics": None},
)
AUTOSCALERS_V1 = Kind(
    name="HorizontalPodAutoscaler",
    plural="horizontalpodautoscalers",
    singular="horizontalpodautoscaler",
    group="autoscaling",
    short_names=("hpa",),
    categories=("all",),
    schema="autoscaling.v1.HorizontalPodAutoscaler",
    stored_as=AUTOSCALERS,
    inward=_autoscaler_v2,
    outward=_autoscaler_v1,
)
QUOTAS = Kind(
    name="ResourceQuota",
    plural="resourcequotas",
    singular="resourcequota",
    short_names=("quota",),
    fields=META_FIELDS,
    initial=dict,
)
LIMIT_RANGES = Kind(
    name="LimitRange",
    plural="limitranges",
    singular="limitrange",
    short_names=("limits",),
    status_subresource=False,
)
