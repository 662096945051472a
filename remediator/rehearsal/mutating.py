"""Tries mutants: for each, the tests that could notice it, until one does."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from remediator.core.classify import Classifier
from remediator.core.policies import Policy
from remediator.rehearsal.cases import Case, Labels
from remediator.rehearsal.mutants import Mutant, all_mutants
from remediator.rehearsal.places import Places
from remediator.rehearsal.playing import play
from remediator.rehearsal.running import Ran, Run

FEW = 40
"""So few mutants are tried in this process: starting others would take longer."""
Verdict = tuple[str, str, str] | None
"""How labels are classified: rule, service and group."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """What became of the mutants. ``by_section``: how many were noticed, and how many there were."""

    total: int
    survivors: tuple[Mutant, ...]
    by_section: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def killed(self) -> int:
        """How many some test noticed."""
        return self.total - len(self.survivors)

    @property
    def percent(self) -> int:
        """Whole percents, rounded down; 100 where there was nothing to break."""
        return 100 * self.killed // self.total if self.total else 100


def try_mutants(
    policy: Policy, places: Places, run: Run, moved: Callable[[int, int], None] = lambda done, total: None
) -> Score:
    """Break the policy in every way and run what could notice. All tests of ``run`` must have passed."""
    fired = list(
        {
            tuple(sorted(labels.items())): labels for ran in run.tests for labels in ran.played.case.alerts
        }.values()
    )
    mutants = all_mutants(policy, places, fired)
    tries = _Tries(policy, run.tests, mutants)
    survived = []
    for number, killed in enumerate(tries.outcomes()):
        moved(number + 1, len(mutants))
        if not killed:
            survived.append(mutants[number])
    sections: dict[str, tuple[int, int]] = {}
    for mutant in mutants:
        noticed, total = sections.get(mutant.section, (0, 0))
        sections[mutant.section] = noticed + (mutant not in survived), total + 1
    return Score(total=len(mutants), survivors=tuple(survived), by_section=sections)


class _Tries:
    """Everything that trying one mutant needs."""

    def __init__(self, policy: Policy, tests: Sequence[Ran], mutants: Sequence[Mutant]) -> None:
        self._tests, self._mutants = tests, mutants
        rules = Classifier(policy)
        self._verdicts = [[_verdict(rules, labels) for labels in ran.played.case.alerts] for ran in tests]

    def outcomes(self) -> Iterator[bool]:
        """Whether each was noticed, in their order; on every processor where that pays."""
        cores = os.process_cpu_count() if hasattr(os, "process_cpu_count") else len(os.sched_getaffinity(0))
        if (
            len(self._mutants) < FEW
            or (cores or 1) < 2
            or "fork" not in multiprocessing.get_all_start_methods()
        ):
            yield from map(self.is_noticed, range(len(self._mutants)))
            return
        global _TRIES  # a forked process finds here what cannot be pickled
        _TRIES = self
        try:
            with multiprocessing.get_context("fork").Pool(cores) as pool:
                yield from pool.imap(_try_one, range(len(self._mutants)), chunksize=4)
        finally:
            _TRIES = None

    def is_noticed(self, number: int) -> bool:
        """Whether some test fails under that mutant."""
        mutant = self._mutants[number]
        rules = Classifier(mutant.policy)
        return any(
            not play(case, rules, first_only=True).passed for case in self._could_notice(mutant, rules)
        )

    def _could_notice(self, mutant: Mutant, rules: Classifier) -> Iterator[Case]:
        for ran, before in zip(self._tests, self._verdicts, strict=True):
            case = ran.played.case
            if mutant.touches in ran.touched or (
                mutant.touches is None and before != [_verdict(rules, labels) for labels in case.alerts]
            ):
                yield case


_TRIES: _Tries | None = None


def _try_one(number: int) -> bool:
    assert _TRIES is not None
    return _TRIES.is_noticed(number)


def _verdict(rules: Classifier, labels: Labels) -> Verdict:
    match = rules.match(labels)
    return None if match is None else (match.rule.name, match.service, match.group)
