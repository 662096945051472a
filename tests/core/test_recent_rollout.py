"""Whether a rollout came before an incident: what the check makes of revisions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from remediator.checks.recent_rollout import RecentRollout
from remediator.core.cluster import Revision
from remediator.core.errors import Retryable
from remediator.core.plugins import Sight
from remediator.core.times import HOUR, MINUTE, SECOND, Instant
from tests.core.looking import NOW, WEB, Cluster


def revision(number: int, ago: int, *, current: bool = False) -> Revision:
    """Made that long ago."""
    made = Instant(NOW - ago)
    return Revision(
        number=number, name=f"web-{number}", uid=f"uid-{number}", current=current, created_at=made
    )


NEW, OLD = revision(5, 30 * MINUTE, current=True), revision(4, 49 * HOUR)


@pytest.mark.parametrize(
    ("opened", "history", "recent", "told"),
    [
        (20 * MINUTE, (NEW, OLD), True, "revision 5 was rolled out 10m before the incident opened"),
        (0, (NEW, OLD), True, "revision 5 was rolled out 30m before the incident opened"),
        (-SECOND, (NEW, OLD), False, "revision 5 was rolled out 30m1s before the incident opened"),
        (30 * MINUTE, (NEW, OLD), True, "revision 5 was rolled out 0s before the incident opened"),
        (31 * MINUTE, (NEW, OLD), False, "revision 5 was rolled out 1m after the incident opened"),
        (0, (NEW,), False, "revision 5 is its first"),
        (0, (NEW, revision(4, 10 * MINUTE)), False, "somebody rolled back to revision 5 from 4"),
        (
            0,
            (replace(NEW, current=False), OLD),
            None,
            "which of its revisions is the present one is not known",
        ),
        (0, (replace(NEW, created_at=Instant(0)), OLD), False, "somebody rolled back to revision 5 from 4"),
        (None, (NEW, OLD), None, "when revision 5 was made is not known"),
        (0, (), None, "which of its revisions is the present one is not known"),
    ],
)
async def test_either_there_was_one_or_there_was_none(
    opened: int | None, history: tuple[Revision, ...], recent: bool | None, told: str
) -> None:
    """Of two steps that depend on the one and on the other, never both are meant; and none, in doubt."""
    at = None if opened is None else Instant(NOW - opened)
    sight = Sight(cluster=Cluster(history=history), target=WEB, firing=1, at=NOW, opened_at=at)
    for expect, holds in (("one", recent), ("none", None if recent is None else not recent)):
        params = RecentRollout.params.model_validate({"before": "30m", "expect": expect})
        result = await RecentRollout().ask(params, sight)
        assert (result.holds, result.observed) == (holds, told)


async def test_revisions_that_cannot_be_read_are_unknown_and_our_own_are_no_cause() -> None:
    class Forgetful(Cluster):
        async def revisions(self, workload: object) -> tuple[Revision, ...]:
            raise Retryable("the API server is busy")

    sight = Sight(cluster=Forgetful(), target=WEB, firing=1, at=NOW, opened_at=NOW)
    params = RecentRollout.params.model_validate({})
    result = await RecentRollout().ask(params, sight)
    assert (result.holds, result.observed) == (
        None,
        "its revisions could not be read: the API server is busy",
    )
    rolled = await RecentRollout().ask(params, replace(sight, rolled=True))
    assert (rolled.holds, rolled.observed) == (False, "what runs now was rolled out by a step before")
    nowhere = replace(sight, cluster=None)
    assert (await RecentRollout().ask(params, nowhere)).holds is None
