"""``dependencies``: everything that the service depends on is well."""

from __future__ import annotations

from collections.abc import Sequence
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
from remediator.core.journal import CheckResult
from remediator.core.plugins import Params, Permission, Sight

TOLD = 10


class DependenciesCheck:
    """Holds while all that the service depends on, directly and in turn (`depends_on`), is well.

    One with a workload is well when that is ready, as check `ready` says; one without when its `health` URL
    answers 2xx. One with neither cannot be seen, nor can more than 30: then it is unknown whether it holds.
    They are only looked at, so that it does not matter whether `guards` let them be changed. A service that
    depends on nothing in the catalog has nothing that could fail.
    """

    name: ClassVar[str] = "dependencies"
    params: ClassVar[type[Params]] = BelowParams
    permissions: ClassVar[tuple[Permission, ...]] = (on_each_below("see whether what it depends on is well"),)
    example: ClassVar[str] = "dependencies: {for: 30s, within: 5m}"

    async def ask(self, params: Params, sight: Sight) -> CheckResult:
        """One look at each, all at once; what fails is told first."""
        import asyncio  # here, because whoever only checks policies has no use for it and would wait for it

        if sight.below is None:
            return CheckResult(holds=None, observed=STRANGER)
        if not sight.below:
            return CheckResult(holds=True, observed=depends_on_nothing(sight))
        found = await asyncio.gather(*(see(each, sight) for each in sight.below[:MOST]))
        if len(sight.below) > MOST:
            found.append(left_out(len(sight.below) - MOST))
        return judged(found, len(sight.below))


def judged(found: Sequence[Seen], count: int) -> CheckResult:
    """What was seen of ``count`` of them: one that fails is enough, whatever could not be found out."""
    ill = sum(each.well is False for each in found)
    unknown = any(each.well is None for each in found)
    if ill:
        holds, head = False, f"{ill} of {count} dependencies not well"
    elif unknown:
        well = sum(each.well is True for each in found)
        holds, head = None, f"{well} of {count} dependencies known to be well"
    else:
        holds, head = True, f"{count} of {count} dependencies well"
    told = [str(each) for each in worst_first(found)]
    more = [f"and {len(told) - TOLD} more"] if len(told) > TOLD else []
    return CheckResult(holds=holds, observed=f"{head}: {'; '.join([*told[:TOLD], *more])}")
