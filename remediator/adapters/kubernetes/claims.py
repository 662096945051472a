"""The PersistentVolumeClaims of a workload: of its template, of its pods, and those kept for pods to come."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from remediator.adapters.kubernetes.api import Api, Deadline
from remediator.adapters.kubernetes.listing import Listing, collect
from remediator.adapters.kubernetes.paths import core_path
from remediator.adapters.kubernetes.snapshots import claims_of
from remediator.core.cluster import Pod
from remediator.core.holdings import MISSING, Claim
from remediator.core.policies import WorkloadRef

Json: TypeAlias = Mapping[str, Any]


async def read_claims(
    api: Api, ref: WorkloadRef, obj: Json, pods: Sequence[Pod], deadline: Deadline
) -> tuple[Claim, ...]:
    """Those that pods or template name, and those of a StatefulSet, by name. Raises Refused, Retryable.

    A StatefulSet keeps the claims of pods that it does not run now: scaled to nothing it has them all.
    """
    template = (obj["spec"].get("template") or {}).get("spec") or {}
    shared = [one for one in template.get("volumes") or () if "persistentVolumeClaim" in one]
    named = {claim for pod in pods for claim in pod.claims} | {*claims_of("", {"volumes": shared})}
    kept = _kept_by(ref, obj)
    if not named and kept is None:
        return ()
    path = core_path(ref.namespace, "persistentvolumeclaims")
    listing = Listing(resource="persistentvolumeclaims", namespace=ref.namespace, path=path)

    def wanted(one: Json) -> Claim | None:
        name = one["metadata"]["name"]
        return claim_of(one) if name in named or (kept is not None and kept(name)) else None

    found = await collect(api, listing, wanted, deadline)
    missing = named - {claim.name for claim in found}
    return tuple(
        sorted((*found, *(Claim(name=name, phase=MISSING) for name in missing)), key=lambda one: one.name)
    )


def _kept_by(ref: WorkloadRef, obj: Json) -> Callable[[str], bool] | None:
    """Whether a claim of that name is one of the StatefulSet's: ``TEMPLATE-NAME-0``. None: it makes none."""
    templates = [one["metadata"]["name"] for one in obj["spec"].get("volumeClaimTemplates") or ()]
    if not templates:
        return None
    names = "|".join(map(re.escape, templates))
    pattern = re.compile(rf"(?:{names})-{re.escape(ref.name)}-[0-9]+", re.ASCII)
    return lambda name: pattern.fullmatch(name) is not None


def claim_of(obj: Json) -> Claim:
    """The claim. Its capacity is that of its volume, once it has one."""
    meta, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    requests = (spec.get("resources") or {}).get("requests") or {}
    return Claim(
        name=meta["name"],
        phase=status.get("phase") or "Pending",
        capacity=str((status.get("capacity") or {}).get("storage", "")),
        wanted=str(requests.get("storage", "")),
        storage_class=spec.get("storageClassName") or "",
        terminating=bool(meta.get("deletionTimestamp")),
    )
