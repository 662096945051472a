"""Persistent volumes, the claims on them, and storage classes."""

from __future__ import annotations

from collections.abc import Sequence

from remediator.testing.apiserver.kinds.base import META_FIELDS, Kind
from remediator.testing.apiserver.kinds.pod_template import quantity
from remediator.testing.apiserver.objects import Json, deleting
from remediator.testing.apiserver.statuses import Cause

CLAIM_PROTECTION = "kubernetes.io/pvc-protection"
VOLUME_PROTECTION = "kubernetes.io/pv-protection"
_FIXED_CLAIM = (
    "spec is immutable after creation except resources.requests and volumeAttributesClassName "
    "for bound claims"
)


def _default_volume(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("persistentVolumeReclaimPolicy", "Retain")
    spec.setdefault("volumeMode", "Filesystem")
    if "hostPath" in spec:
        spec["hostPath"].setdefault("type", "")
    if obj["status"]["phase"] == "Pending":
        obj["status"].setdefault("lastPhaseTransitionTime", obj["metadata"]["creationTimestamp"])
    _protect(obj, VOLUME_PROTECTION)


def _default_claim(obj: Json) -> None:
    obj.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")
    _protect(obj, CLAIM_PROTECTION)


def _protect(obj: Json, finalizer: str) -> None:
    """A new object may not vanish while it is in use; of an older one, the controller decides."""
    meta = obj["metadata"]
    if "resourceVersion" not in meta and not deleting(obj) and finalizer not in meta.get("finalizers", ()):
        meta["finalizers"] = [*meta.get("finalizers", ()), finalizer]


def storage_of(claim: Json) -> str:
    """The storage a claim asks for, as it is written."""
    return str(claim["spec"].get("resources", {}).get("requests", {}).get("storage", "0"))


def _validate_claim(obj: Json) -> Sequence[Cause]:
    spec = obj["spec"]
    found = []
    if not spec.get("accessModes"):
        found.append(Cause.required("spec.accessModes"))
    if "storage" not in spec.get("resources", {}).get("requests", {}):
        found.append(Cause.required("spec.resources[storage]"))
    return found


def _claim_update(new: Json, old: Json) -> Sequence[Cause]:
    """A claim gets its volume once; after that, its size may grow and not fall below what it has."""
    bound = bool(old["spec"].get("volumeName"))
    changeable = {"resources", "volumeAttributesClassName"} if bound else {"volumeName"}
    keys = {*new["spec"], *old["spec"]} - changeable
    if any(new["spec"].get(key) != old["spec"].get(key) for key in keys):
        return (Cause.forbidden("spec", _FIXED_CLAIM),)
    has = old.get("status", {}).get("capacity", {}).get("storage")
    if has and quantity(storage_of(new)) < quantity(storage_of(old)) and _below(storage_of(new), has):
        why = "field can not be less than status.capacity"
        return (Cause.forbidden("spec.resources.requests.storage", why),)
    return ()


def _below(wanted: str, has: str) -> bool:
    return quantity(wanted) < quantity(has)


def _default_class(obj: Json) -> None:
    obj.setdefault("reclaimPolicy", "Delete")
    obj.setdefault("volumeBindingMode", "Immediate")


VOLUMES = Kind(
    name="PersistentVolume",
    plural="persistentvolumes",
    singular="persistentvolume",
    namespaced=False,
    short_names=("pv",),
    defaults=_default_volume,
    initial=lambda: {"phase": "Pending"},
    returns_object=True,
)
CLAIMS = Kind(
    name="PersistentVolumeClaim",
    plural="persistentvolumeclaims",
    singular="persistentvolumeclaim",
    short_names=("pvc",),
    fields=META_FIELDS,
    defaults=_default_claim,
    validate=_validate_claim,
    validate_update=_claim_update,
    initial=lambda: {"phase": "Pending"},
    returns_object=True,
)
STORAGE_CLASSES = Kind(
    name="StorageClass",
    plural="storageclasses",
    singular="storageclass",
    group="storage.k8s.io",
    namespaced=False,
    short_names=("sc",),
    defaults=_default_class,
    status_subresource=False,
    returns_object=True,
)
