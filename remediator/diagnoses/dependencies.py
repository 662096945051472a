"""``dependencies``: which of the things that the service depends on fails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from remediator.core.below import (
    MOST,
    STRANGER,
    BelowParams,
    Seen,
    depends_on_nothing,
    left_out,
    on_each_below,
    see,
    worst_first,
)
from remediator.core.plugins import Params, Permission, Sight
from remediator.core.roots import Root
from remediator.diagnoses.telling import bounded

_WORDS = {True: "well", False: "not well", None: "unknown"}


class Dependencies:
    """How all that the service depends on fares, directly and in turn (`depends_on`); what fails comes first.

    Looked at as check `dependencies` does, a line each, with the open incident of each that has one.
    """

    name: ClassVar[str] = "dependencies"
    params: ClassVar[type[Params]] = BelowParams
    permissions: ClassVar[tuple[Permission, ...]] = (
        on_each_below("tell which of the things it depends on fails"),
    )
    example: ClassVar[str] = "dependencies: {}"

    async def look(self, params: Params, sight: Sight) -> tuple[str, ...]:
        """A line for each, at most 20."""
        import asyncio  # here, because whoever only checks policies has no use for it and would wait for it

        if sight.below is None:
            return (f"dependencies: {STRANGER}",)
        if not sight.below:
            return (f"dependencies: {depends_on_nothing(sight)}",)
        found = await asyncio.gather(*(see(each, sight) for each in sight.below[:MOST]))
        if len(sight.below) > MOST:
            found.append(left_out(len(sight.below) - MOST))
        roots = await _open_ones(sight)
        return bounded([_line(each, roots) for each in worst_first(found)])


async def _open_ones(sight: Sight) -> Mapping[str, Root]:
    """Of each dependency the open incident that comes first, where there is one."""
    if sight.incidents is None or sight.below is None:
        return {}
    found = await sight.incidents.open_about([each.name for each in sight.below])
    return {root.about: root for root in reversed(found)}


def _line(seen: Seen, roots: Mapping[str, Root]) -> str:
    root = roots.get(seen.name)
    incident = f"; {root.severity} incident {root.incident} is open" if root is not None else ""
    return f"{seen.name}: {_WORDS[seen.well]}: {seen.text}{incident}"
