"""What guards say of the pods that a drain takes from a node: of all of them, and of each in its turn."""

from __future__ import annotations

from collections.abc import Sequence

from remediator.core.aiming import service_of_owner
from remediator.core.changes import Change, EvictPod
from remediator.core.errors import NotFound
from remediator.core.evicting import named_owner, room_of
from remediator.core.pauses import PauseScope, ScopeKind
from remediator.core.verdicts import ChangeRequest, Evicted, GuardPorts, Measure
from remediator.guards.spaces import protection, space_objection


def evictions(changes: Sequence[Change]) -> tuple[EvictPod, ...]:
    """Those of pods on a node."""
    return tuple(change for change in changes if isinstance(change, EvictPod) and change.namespace)


async def objection(change: EvictPod, request: ChangeRequest, ports: GuardPorts) -> str:
    """Why that pod must not be evicted; empty when it may. A pod that is gone by now is no matter."""
    guards, what = request.policy.guards, f"pod {change.space}/{change.pod} would be evicted"
    if forbidden := space_objection(change.space, guards):
        return f"{what}: {forbidden}"
    try:
        evicted = await ports.evicted(change)
    except NotFound:
        return ""
    owner = evicted.owner
    if owner is not None and owner.ignored:
        return f"{what}: {owner.ref} has opted out by annotation"
    if owner is not None and (forbidden := protection(owner.ref, guards)):
        return f"{what}: {forbidden}"
    pauses = await ports.paused(_scopes(change, evicted, request))
    return f"{what}: {'; '.join(map(str, pauses))}" if pauses else ""


def _scopes(change: EvictPod, evicted: Evicted, request: ChangeRequest) -> tuple[PauseScope, ...]:
    """Pauses of its namespace, and of the service that it is of, stop its eviction too."""
    scopes = [PauseScope(kind=ScopeKind.NAMESPACE, name=change.space)]
    if evicted.workload is not None:
        service = service_of_owner(evicted.workload.ref, request.policy)
        scopes += [] if service is None else [PauseScope(kind=ScopeKind.SERVICE, name=service)]
    return tuple(scopes)


async def seen_of(changes: Sequence[Change], ports: GuardPorts) -> dict[str, Evicted]:
    """Whose the pods are, by UID, of those that are there and were ready: what is down costs nothing."""
    found: dict[str, Evicted] = {}
    for change in evictions(changes):
        if change.ready:
            try:
                found[change.pod_uid] = await ports.evicted(change)
            except NotFound:
                continue
    return found


async def population(
    changes: Sequence[Change], request: ChangeRequest, ports: GuardPorts
) -> tuple[str, bool, tuple[Measure, ...]]:
    """Whether each workload can ever spare a pod; they go one by one, so when is asked before each."""
    bound = request.policy.guards.max_unavailable
    if bound is None:
        return "", True, ()
    rooms: dict[str, tuple[str, bool, Measure]] = {}
    for evicted in (await seen_of(changes, ports)).values():
        room = room_of(evicted, bound)
        if room is not None:
            rooms[named_owner(evicted.owner)] = (room.text, room.ever, room.measure)
    never = [text for text, ever, _ in rooms.values() if not ever]
    measures = tuple(measure for _, _, measure in rooms.values())
    if never:
        return never[0], False, measures
    text = f"pods of {', '.join(sorted(rooms))} go one by one, as {bound} allows" if rooms else ""
    return text, True, measures


async def budgets(changes: Sequence[Change], ports: GuardPorts) -> tuple[str, bool]:
    """Whether the API server evicts them at all. How many at a time it says itself; they wait for that."""
    by_owner = {
        each.workload.ref.path: each for each in (await seen_of(changes, ports)).values() if each.workload
    }
    over: list[str] = []
    for evicted in by_owner.values():
        assert evicted.workload is not None
        if len(evicted.budgets) > 1:
            names = ", ".join(budget.name for budget in evicted.budgets)
            whose = evicted.workload.ref
            why = f"budgets {names} select the pods of {whose}: the API server evicts none of them"
            return why, False
        over += [f"budget {budget.name} lets {budget.allowed} go now" for budget in evicted.budgets]
    if not over:
        return "no budget selects the pods", True
    return f"{', '.join(sorted(over))}; the others wait", True
