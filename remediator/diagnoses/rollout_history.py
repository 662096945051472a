"""``rollout_history``: which revisions there are, which runs now, and whether one came just before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from remediator.core.cluster import Revision
from remediator.core.plugins import NoParams, Params, Permission, Sight, on_target
from remediator.core.redact import redact
from remediator.core.rollouts import newest
from remediator.core.text import plain
from remediator.core.times import MINUTE, Instant
from remediator.diagnoses.telling import bounded, nothing, span, when

SHOWN = 6
SHORTLY = 30 * MINUTE
"""A rollout that began so long before the incident opened may well be its cause."""
IMAGES = 4


class RolloutHistory:
    """The newest revisions with their images, their age and what still runs of them.

    Says whether the present one was rolled out within half an hour before the incident opened.
    """

    name: ClassVar[str] = "rollout_history"
    params: ClassVar[type[Params]] = NoParams
    permissions: ClassVar[tuple[Permission, ...]] = (
        on_target("get", "know which revisions are its own"),
        Permission(group="apps", resource="{revisions}", verbs=("list",), why="read its revisions"),
    )
    example: ClassVar[str] = "rollout_history: {}"

    async def look(self, params: Params, sight: Sight) -> tuple[str, ...]:
        """Whether a rollout may be the cause, then at most six revisions, newest first."""
        if sight.cluster is None or sight.target is None:
            return nothing(self.name)
        workload = await sight.cluster.workload(sight.target)
        revisions = await sight.cluster.revisions(workload)
        if not revisions:
            return (f"{workload.ref} has no revisions that its controller keeps",)
        lines = [_line(revision, sight.at) for revision in revisions]
        return (*_verdict(revisions, sight.opened_at), *bounded(lines, SHOWN + 1))


def _verdict(revisions: Sequence[Revision], opened_at: Instant | None) -> tuple[str, ...]:
    """What the present revision's age tells, where it tells something."""
    found = newest(revisions, opened_at)
    if found is None:
        return ()
    if found.returned_from is not None:
        return (f"revision {found.number} is older than {found.returned_from}: somebody rolled back to it",)
    if found.before is None:
        return ()
    if found.before < 0:
        return (f"revision {found.number} was rolled out {span(-found.before)} after the incident opened",)
    if found.before <= SHORTLY:
        return (
            f"revision {found.number} was rolled out {span(found.before)} before the incident opened: "
            "it may be the cause",
        )
    return (f"no rollout in the {span(SHORTLY)} before the incident opened",)


def _line(revision: Revision, now: Instant | None) -> str:
    parts = [f"revision {revision.number}" + (" (now)" if revision.current else "")]
    parts.append(f"made {when(revision.created_at, now)}")
    if revision.pods:
        parts.append(f"{revision.ready} of {revision.pods} pods ready")
    images = ", ".join(plain(image, 120) for image in revision.images[:IMAGES])
    more = len(revision.images) - IMAGES
    told = f"{', '.join(parts)}: {images}" + (f" and {more} more" if more > 0 else "")
    return told + (f" ({plain(redact(revision.cause), 120)})" if revision.cause else "")
