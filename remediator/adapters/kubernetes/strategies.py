"""How many pods a workload's rollout strategy takes away before new ones are ready. Pure.

Sources, of Kubernetes 1.32: ``ResolveFenceposts`` and ``MaxUnavailable`` of the Deployment controller,
``getStatefulSetMaxUnavailable`` of the StatefulSet controller and ``updatedDesiredNodeCounts`` of the
DaemonSet controller.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

Json: TypeAlias = Mapping[str, Any]


def max_unavailable(kind: str, spec: Json, desired: int) -> int:
    """For a workload of that kind (``deployment``, ``statefulset``, ``daemonset``); at most ``desired``."""
    return max(0, min(_STRATEGIES[kind](spec, desired), desired))


def is_heedless(kind: str, spec: Json) -> bool:
    """Whether a rollout takes the next pod in order while others are down.

    Of a StatefulSet the highest ordinal of an older template goes, and only the pods above it are waited for;
    where pods are made in order, all of them are. Source: ``updateStatefulSet`` of the controller.
    """
    return kind == "statefulset" and spec.get("podManagementPolicy") == "Parallel"


def _deployment(spec: Json, desired: int) -> int:
    strategy = spec.get("strategy") or {}
    if strategy.get("type") == "Recreate":
        return desired
    rolling = strategy.get("rollingUpdate") or {}
    surge = _scaled(rolling.get("maxSurge", "25%"), desired, up=True)
    unavailable = _scaled(rolling.get("maxUnavailable", "25%"), desired, up=False)
    return 1 if surge == unavailable == 0 else unavailable  # with both at zero nothing could ever move


def _stateful_set(spec: Json, desired: int) -> int:
    strategy = spec.get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete":
        return 0
    rolling = strategy.get("rollingUpdate") or {}
    replaced = max(desired - int(rolling.get("partition") or 0), 0)  # those below it keep the old template
    at_once = _scaled(rolling.get("maxUnavailable", 1), desired, up=False)
    return min(max(at_once, 1), replaced)


def _daemon_set(spec: Json, desired: int) -> int:
    strategy = spec.get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete":
        return 0
    rolling = strategy.get("rollingUpdate") or {}
    surge = _scaled(rolling.get("maxSurge", 0), desired, up=True)
    unavailable = _scaled(rolling.get("maxUnavailable", 1), desired, up=True)
    return 1 if surge == unavailable == 0 else unavailable


_STRATEGIES = {"deployment": _deployment, "statefulset": _stateful_set, "daemonset": _daemon_set}


def _scaled(value: object, total: int, *, up: bool) -> int:
    """A number of pods, or a percentage of ``total``. What is neither counts as all of them."""
    if isinstance(value, int):
        return value
    text = str(value)
    if not (text.endswith("%") and text[:-1].isdecimal()):
        return total
    share = int(text[:-1]) * total
    return -(-share // 100) if up else share // 100
