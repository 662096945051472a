"""Label selectors: as a query parameter, and applied to labels we have. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

Json: TypeAlias = Mapping[str, Any]


def label_selector(obj: Json) -> str:
    """The workload's selector as a query parameter; empty when it selects nothing."""
    selector = (obj.get("spec") or {}).get("selector") or {}
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for rule in selector.get("matchExpressions") or ():
        key, operator = rule["key"], rule["operator"]
        values = ",".join(rule.get("values") or ())
        match operator:
            case "Exists":
                parts.append(key)
            case "DoesNotExist":
                parts.append(f"!{key}")
            case _:  # In, NotIn
                parts.append(f"{key} {operator.lower()} ({values})")
    return ",".join(parts)


def selects(selector: Json | None, labels: Mapping[str, str]) -> bool:
    """Whether a selector lets these labels through: none selects nothing, an empty one everything.

    Source: ``metav1.LabelSelectorAsSelector``.
    """
    if selector is None:
        return False
    wanted = selector.get("matchLabels") or {}
    rules = selector.get("matchExpressions") or ()
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _holds(rule, labels) for rule in rules
    )


def _holds(rule: Json, labels: Mapping[str, str]) -> bool:
    key, values = rule["key"], rule.get("values") or ()
    match rule["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values  # a label that is not there is not in the list either
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case _:  # one that a later server knows: who cannot tell counts it in
            return True
