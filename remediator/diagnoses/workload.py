"""``workload``: how the workload stands, in its controller's words."""

from __future__ import annotations

from typing import ClassVar

from remediator.core.plugins import NoParams, Params, Permission, Sight, on_target
from remediator.core.text import plain
from remediator.diagnoses.telling import nothing


class WorkloadStatus:
    """The workload's counts and the conditions that are not as they should be."""

    name: ClassVar[str] = "workload"
    params: ClassVar[type[Params]] = NoParams
    permissions: ClassVar[tuple[Permission, ...]] = (on_target("get", "tell how the workload stands"),)
    example: ClassVar[str] = "workload: {}"

    async def look(self, params: Params, sight: Sight) -> tuple[str, ...]:
        """One line of counts, one for each bad condition."""
        if sight.cluster is None or sight.target is None:
            return nothing(self.name)
        seen = await sight.cluster.workload(sight.target)
        lines = [
            f"{seen.ref}: {seen.ready} of {seen.desired} pods ready, {seen.available} available, "
            f"{seen.updated} of the newest revision"
        ]
        for name, condition in sorted(seen.conditions.items()):
            if condition.status != "True":
                lines.append(
                    f"{name} is {condition.status}: {condition.reason} {plain(condition.message)}".strip()
                )
        return tuple(lines[:20])
