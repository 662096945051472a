"""What a ResourceQuota counts, and how much of it a namespace uses.

Source: the evaluators of ``k8s.io/kubernetes/pkg/quota/v1``: pods that have ended are not counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from remediator.testing.apiserver.kinds import CLAIMS, KINDS, PODS, QUOTAS, Kind
from remediator.testing.apiserver.kinds.pod_template import quantity
from remediator.testing.apiserver.objects import Json
from remediator.testing.apiserver.store import Store

_ENDED = {"Succeeded", "Failed"}
_BINARY = ("Ei", "Pi", "Ti", "Gi", "Mi", "Ki")
_COMPUTE = ("cpu", "memory", "ephemeral-storage")
_BYTES = ("memory", "storage")


def costs(kind: Kind, obj: Json) -> dict[str, Decimal]:
    """What one object uses, by the names under which quotas bound it."""
    if kind is PODS and obj.get("status", {}).get("phase") in _ENDED:
        return {}
    name = f"{kind.plural}.{kind.group}" if kind.group else kind.plural
    found = {f"count/{name}": Decimal(1)} | ({} if kind.group else {kind.plural: Decimal(1)})
    if kind is CLAIMS:
        found["requests.storage"] = quantity(obj["spec"]["resources"]["requests"]["storage"])
    if kind is PODS:
        for container in obj["spec"].get("containers", ()):
            for bound, amounts in container.get("resources", {}).items():
                for resource in _COMPUTE:
                    if bound in {"requests", "limits"} and resource in amounts:
                        _add(found, f"{bound}.{resource}", quantity(amounts[resource]))
        found |= {name: found[f"requests.{name}"] for name in _COMPUTE if f"requests.{name}" in found}
    return found


def _add(found: dict[str, Decimal], name: str, amount: Decimal) -> None:
    found[name] = found.get(name, Decimal(0)) + amount


def used(store: Store, quota: Json) -> dict[str, Decimal]:
    """How much of each bounded thing the quota's namespace uses now."""
    hard = quota["spec"].get("hard", {})
    found = dict.fromkeys(sorted(hard), Decimal(0))
    for kind in KINDS:
        if not kind.namespaced or kind is QUOTAS:
            continue
        for obj in store.list(kind, quota["metadata"]["namespace"]):
            for name, amount in costs(kind, obj).items():
                if name in found:
                    found[name] += amount
    return found


def exceeded(store: Store, kind: Kind, new: Json, old: Json | None) -> Iterator[str]:
    """Every quota that a new object (or a changed one) would break, in the words of the admission."""
    before = costs(kind, old) if old is not None else {}
    wanted = {
        name: amount - before.get(name, Decimal(0))
        for name, amount in costs(kind, new).items()
        if amount > before.get(name, Decimal(0))
    }
    for quota in store.list(QUOTAS, new["metadata"].get("namespace", "")):
        hard = quota["spec"].get("hard", {})
        now = used(store, quota) if wanted.keys() & hard.keys() else {}
        names = [
            name for name in sorted(now) if name in wanted and now[name] + wanted[name] > quantity(hard[name])
        ]
        if names:
            asked = ",".join(f"{name}={written(name, wanted[name])}" for name in names)
            have = ",".join(f"{name}={written(name, now[name])}" for name in names)
            limit = ",".join(f"{name}={hard[name]}" for name in names)
            quota_name = quota["metadata"]["name"]
            yield f"exceeded quota: {quota_name}, requested: {asked}, used: {have}, limited: {limit}"


def written(name: str, amount: Decimal) -> str:
    """An amount as a quota's status writes it: bytes in the largest power of 1024 that divides them."""
    if name.endswith(_BYTES) and amount:
        for place, unit in enumerate(_BINARY):
            size = 2 ** (10 * (len(_BINARY) - place))
            if amount % size == 0:
                return f"{amount // size}{unit}"
    if amount != amount.to_integral_value():
        return f"{int(amount * 1000)}m"
    return str(int(amount))
