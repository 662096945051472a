"""``pvcs``: the storage that the workload claims, and how full it is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import ClassVar

from remediator.core.cluster import Pod
from remediator.core.errors import RemediatorError, StoreUnavailable
from remediator.core.holdings import BOUND, MISSING, Claim
from remediator.core.plugins import Metrics, NoParams, Params, Permission, Sight, on_target
from remediator.core.quantities import say_bytes
from remediator.core.samples import NO_PROMETHEUS
from remediator.core.text import plain
from remediator.diagnoses.telling import bounded, nothing

SHOWN = 18
ASKED = 100
"""Claims of which Prometheus is asked how full they are."""
USERS = 3
"""Pods that are named as users of one claim."""
Filled = Mapping[str, tuple[float, float]]
"""By claim: bytes used, and bytes there are."""


class Pvcs:
    """The persistent volume claims of the workload: bound or not, how large, how full.

    A StatefulSet's claims are told whether its pods run or not. How full they are is known where kubelets'
    metrics are in Prometheus (``kubelet_volume_stats_*``); where not, that is said.
    """

    name: ClassVar[str] = "pvcs"
    params: ClassVar[type[Params]] = NoParams
    permissions: ClassVar[tuple[Permission, ...]] = (
        on_target("get", "know which claims are its own"),
        Permission(group="", resource="pods", verbs=("list",), why="know which claims its pods use"),
        Permission(
            group="", resource="persistentvolumeclaims", verbs=("list",), why="see whether they are bound"
        ),
    )
    example: ClassVar[str] = "pvcs: {}"

    async def look(self, params: Params, sight: Sight) -> tuple[str, ...]:
        """A line for each claim, those in trouble first, then the fullest; and what is not known of them."""
        if sight.cluster is None or sight.target is None:
            return nothing(self.name)
        workload = await sight.cluster.workload(sight.target)
        pods = await sight.cluster.pods(workload)
        claims = await sight.cluster.claims(workload, pods)
        if not claims:
            return (f"{workload.ref} claims no volumes",)
        filled, unknown = await _fill(sight.metrics, sight.target.namespace, claims)
        ordered = sorted(claims, key=lambda claim: (_is_well(claim), -_share(filled, claim), claim.name))
        lines = bounded([_line(claim, pods, filled) for claim in ordered], SHOWN)
        return (*lines, f"how full they are is not known: {unknown}") if unknown else lines


def _is_well(claim: Claim) -> bool:
    return claim.phase == BOUND and not claim.terminating


async def _fill(metrics: Metrics | None, namespace: str, claims: Sequence[Claim]) -> tuple[Filled, str]:
    """How full the bound ones are, and why that is not known."""
    names = [claim.name for claim in claims if claim.phase == BOUND][:ASKED]
    if not names:
        return {}, ""
    if metrics is None:
        return {}, NO_PROMETHEUS
    try:
        used = await _volume_stats(metrics, "used_bytes", namespace, names)
        there = await _volume_stats(metrics, "capacity_bytes", namespace, names)
    except StoreUnavailable:
        raise
    except RemediatorError as error:
        return {}, plain(str(error), 160)
    filled = {name: (used[name], there[name]) for name in used if there.get(name, 0) > 0}
    return filled, "" if filled else "Prometheus has no kubelet_volume_stats_* of them"


async def _volume_stats(
    metrics: Metrics, which: str, namespace: str, names: Sequence[str]
) -> dict[str, float]:
    """One number for each claim. Names of Kubernetes hold nothing special but dots."""
    pattern = "|".join(name.replace(".", "[.]") for name in names)
    selector = f"namespace={json.dumps(namespace)},persistentvolumeclaim=~{json.dumps(pattern)}"
    query = f"max by (persistentvolumeclaim) (kubelet_volume_stats_{which}{{{selector}}})"
    return {labels.get("persistentvolumeclaim", ""): value for labels, value in await metrics.query(query)}


def _share(filled: Filled, claim: Claim) -> float:
    used, there = filled.get(claim.name, (0.0, 1.0))
    return used / there


def _line(claim: Claim, pods: Sequence[Pod], filled: Filled) -> str:
    parts = [claim.phase if claim.phase != MISSING else "there is no claim of that name"]
    if claim.terminating:
        parts.append("to be deleted")
    if claim.capacity or claim.wanted:
        parts.append(claim.capacity or f"{claim.wanted} wanted")
    if claim.phase != MISSING:
        parts.append(f"class {claim.storage_class}" if claim.storage_class else "no storage class")
    parts.append(_users(claim, pods))
    if claim.name in filled:
        used, there = (Decimal(round(each)) for each in filled[claim.name])
        share = _share(filled, claim)
        parts.append(f"{share:.0%} full ({say_bytes(used)} of {say_bytes(there)})")
    return f"{claim.name}: {plain(', '.join(parts), 240)}"


def _users(claim: Claim, pods: Sequence[Pod]) -> str:
    users = sorted(pod.name for pod in pods if claim.name in pod.claims)
    if not users:
        return "used by no pod"
    more = f" and {len(users) - USERS} more" if len(users) > USERS else ""
    return f"used by {', '.join(users[:USERS])}{more}"
