"""Which container of its target's template an action means."""

from __future__ import annotations

from remediator.core.cluster import Container, Workload
from remediator.core.errors import Refused


def chosen(name: str, target: Workload) -> tuple[int, Container]:
    """The container of that name, or the only one there is, and its place. Raises Refused."""
    there = ", ".join(each.name for each in target.containers) or "none"
    if not name and len(target.containers) != 1:
        raise Refused(f"{target.ref} has containers {there}: say which one is meant, under container")
    for index, container in enumerate(target.containers):
        if name in ("", container.name):
            return index, container
    raise Refused(f"{target.ref} has no container {name}, only {there}")


def must_roll_out(target: Workload) -> None:
    """Raises Refused while its rollouts are paused: nothing would happen."""
    if target.paused:
        raise Refused(f"{target.ref} is paused (spec.paused): nothing would roll out; resume it first")


def still(change_index: int, name: str, now: Workload) -> Container:
    """The container that a change was about, where it stood. Raises Refused when another is there."""
    there = now.containers[change_index : change_index + 1]
    if not there or there[0].name != name:
        raise Refused(f"container {name} of {now.ref} is not where it was: its template is another by now")
    return there[0]
