"""The records of rules in the in-memory store."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping

from remediator.core.decision import Decision
from remediator.core.incident import Incident
from remediator.core.standing import Lowering, Standing
from remediator.core.store import ROW_AFTER, Commit
from remediator.core.trust import Record
from remediator.testing.memory_guards import MemoryGuards


class MemoryTrust(MemoryGuards):
    """``core.store.TrustStore`` in memory, and what a commit counts."""

    def __init__(self, clock: Callable[[], int]) -> None:
        super().__init__(clock)
        self._counts: dict[str, Counter[str]] = defaultdict(Counter)
        self._rows: dict[str, int] = {}
        self._lowered: dict[str, Lowering] = {}

    def _standing(self, incident: Incident | None) -> Standing | None:
        if incident is None or incident.active is None:
            return None
        rule = incident.active.rule
        return Standing(rule=rule, in_a_row=self._rows.get(rule, 0), lowered=rule in self._lowered)

    def _stands(self, commit: Commit) -> bool:
        """Whether the rule still stands as the decision relied on."""
        standing = commit.relies_on
        return standing is None or self._rows.get(standing.rule, 0) == standing.in_a_row

    def _count(self, decision: Decision) -> None:
        for rule, what in decision.marks:
            self._counts[rule][what] += 1
            if what in ROW_AFTER:
                self._rows[rule] = self._rows.get(rule, 0) + 1 if ROW_AFTER[what] == "1" else 0
        if decision.lowering is not None:
            self._lowered[decision.lowering.rule] = decision.lowering

    async def lowered(self, rule: str) -> Lowering | None:
        """As the Protocol says."""
        return self._lowered.get(rule)

    async def records(self) -> Mapping[str, Record]:
        """As the Protocol says."""
        return {
            rule: Record(
                rule=rule,
                counts=dict(self._counts.get(rule, {})),
                in_a_row=self._rows.get(rule, 0),
                lowered=self._lowered.get(rule),
            )
            for rule in sorted({*self._counts, *self._rows, *self._lowered})
        }

    async def restore_trust(self, rule: str) -> Lowering | None:
        """As the Protocol says."""
        self._rows[rule] = 0
        return self._lowered.pop(rule, None)
