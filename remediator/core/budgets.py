"""Error budgets: how much of what a service may fail is left, from one query of Prometheus. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from remediator.core.errors import Refused
from remediator.core.policies import Slo
from remediator.core.samples import say_value
from remediator.core.times import MINUTE, SECOND, Millis, format_duration

MOST_STEPS = 1_000
"""So many samples of the errors are averaged at most: every 43 minutes of thirty days."""
_ASKED = re.compile(r"avg_over_time\(\(\((?P<errors>.*)\n\) >= 0\)\[[0-9]+s:[0-9]+s\]\)", re.DOTALL)


def budget_query(errors: str, window: Millis) -> str:
    """What gives the share of errors over the window: the average of what ``errors`` gave, now and then.

    ``>= 0`` leaves out what is no number: while there are no requests there is no share of errors. The line
    feed ends a comment that the query may end with.
    """
    step = max(-(-window // MOST_STEPS), min(int(MINUTE), window // 10), int(SECOND))
    return f"avg_over_time((({errors}\n) >= 0)[{window // SECOND}s:{-(-step // SECOND)}s])"


def errors_in(promql: str) -> str | None:
    """The query of errors within a ``budget_query``; None: it is none."""
    found = _ASKED.fullmatch(promql)
    return None if found is None else found["errors"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """How an error budget stands. ``spent``: the share of it that is, 1.0 for all; more is possible."""

    slo: Slo
    spent: float

    @property
    def left(self) -> float:
        """In percent of the budget, 0 when there is none."""
        return max(0.0, round(100.0 * (1.0 - self.spent), 6))

    def __str__(self) -> str:
        left, window = say_value(round(self.left, 2)), format_duration(self.slo.window)
        return f"{left}% of its error budget of {window} left"


def budget_of(slo: Slo, samples: Sequence[tuple[Mapping[str, str], float]]) -> Budget:
    """From the answer to ``budget_query``. Raises Refused where it tells no share of errors."""
    if not samples:
        raise Refused(
            "slo.errors gives no number; where there are no errors it must give 0, as with or vector(0)"
        )
    if len(samples) > 1:
        raise Refused(f"slo.errors gives {len(samples)} series; aggregate them to one")
    share = samples[0][1]
    if math.isnan(share) or not 0 <= share <= 1:
        raise Refused(f"slo.errors gives {say_value(share)}, which is no share of errors between 0 and 1")
    return Budget(slo=slo, spent=round(100 * share / (100 - slo.objective), 9))
