"""How far a rule has earned its trust: its record, when it is lowered by itself, and what is advised.

The record is kept in the store and grows in the very commit that ends an attempt, so it is exact. Rules are
lowered by it, and never raised: that is done by a person, in the policy files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from remediator.core import paging
from remediator.core.decision import Draft
from remediator.core.incident import Attempt, Outcome
from remediator.core.journal import Kind
from remediator.core.policies import Mode, Policy
from remediator.core.standing import Lowering
from remediator.core.times import format_instant

FAILED_IN_A_ROW = 3
"""So many attempts for a rule in mode ``auto`` that failed, or whose outcome is unknown, with none verified
between them, and it is held to ``approve`` from then on."""
LOWERED_TO = Mode.APPROVE
ENOUGH = 10
"""Attempts, or observations, before anything is advised of them."""
MOSTLY = 0.9
"""The share of them that must have been right."""
SELDOM = 0.2
"""The share of verified attempts that may recur."""
GOES_WRONG = (Outcome.FAILED, Outcome.UNKNOWN)


class Mark(StrEnum):
    """What is counted of a rule, beside how its attempts ended."""

    RECURRED = "recurred"
    """It was verified, and its rule's alerts fired again within the hour, or alerts went on firing."""
    RIGHT = "right"
    NEEDLESS = "needless"
    UNCLEAR = "unclear"
    HELD_BACK = "held_back"
    """What hindsight says of an attempt that only observed or suggested; see ``core.hindsight``."""


class Advice(StrEnum):
    """What a record speaks for. The label of ``remediator_rule_advice``."""

    TO_APPROVE = "to_approve"
    TO_AUTO = "to_auto"
    HOLD_LONGER = "hold_longer"
    GOES_WRONG = "goes_wrong"
    DOES_NOT_LAST = "does_not_last"
    RESTORE = "restore"


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """What is known of a rule. ``counts``: attempts by outcome, and marks. ``in_a_row``: failed last."""

    rule: str
    counts: Mapping[str, int] = field(default_factory=dict)
    in_a_row: int = 0
    lowered: Lowering | None = None

    def count(self, *what: str) -> int:
        """Of these together."""
        return sum(self.counts.get(each, 0) for each in what)

    @property
    def attempts(self) -> int:
        """That ended, however they did."""
        return self.count(*Outcome)


def ended(draft: Draft, attempt: Attempt, outcome: Outcome) -> None:
    """Count it."""
    draft.mark(attempt.rule, outcome.value)


def recurred(draft: Draft) -> None:
    """What was verified is broken again: the rule whose attempt that was is told by it."""
    verified = next((a for a in reversed(draft.incident.attempts) if a.outcome is Outcome.VERIFIED), None)
    if verified is not None:
        draft.mark(verified.rule, Mark.RECURRED)


def judge(draft: Draft, attempt: Attempt, policy: Policy) -> None:
    """Lower the rule when this was one failure too many, and tell the operator."""
    standing, rule = draft.facts.standing, policy.rule(attempt.rule)
    if attempt.outcome not in GOES_WRONG or standing is None or standing.rule != attempt.rule:
        return
    row = standing.in_a_row + 1
    if row < FAILED_IN_A_ROW or standing.lowered or rule is None or rule.mode is not Mode.AUTO:
        return
    why = f"{row} attempts in a row failed, the last one in {draft.incident.id}"
    draft.lowering = Lowering(rule=rule.name, why=why, at=draft.at)
    text = (
        f"rule {rule.name} is held to {LOWERED_TO} from now on, because {why}; a person lifts that: "
        f"remediator trust --restore {rule.name}"
    )
    draft.say(Kind.TRUST, text, rule=rule.name, mode=LOWERED_TO.value)
    paging.tell_operator(draft, policy.operator, f"lowered{attempt.number}", text)


def describe_lowering(lowering: Lowering) -> str:
    """As the guard says it."""
    return f"held to {LOWERED_TO} since {format_instant(lowering.at)}: {lowering.why}"


def advise(mode: Mode, record: Record) -> str:
    """What its record speaks for, in words; empty where it is too short, or for nothing. A person does it."""
    found = weigh(mode, record)
    return "" if found is None else found[1]


def weigh(mode: Mode, record: Record) -> tuple[Advice, str] | None:
    """What its record speaks for, by name and in words."""
    if record.lowered is not None:
        lift = f"find out why its attempts failed, then lift it: remediator trust --restore {record.rule}"
        return Advice.RESTORE, lift
    if mode in (Mode.OBSERVE, Mode.SUGGEST):
        return _advise_to_begin(record)
    verified, wrong = record.count(Outcome.VERIFIED), record.count(*GOES_WRONG)
    recurred = record.count(Mark.RECURRED)
    tried = verified + wrong
    if tried < ENOUGH:
        return None
    if verified < MOSTLY * tried:
        text = (
            f"{wrong} of {tried} attempts went wrong: look into its runbooks before it is trusted with more"
        )
        return Advice.GOES_WRONG, text
    if recurred > SELDOM * verified:
        text = f"{recurred} of {verified} verified fixes did not last: it treats what it should cure"
        return Advice.DOES_NOT_LAST, text
    if mode is Mode.APPROVE:
        text = f"{verified} of {tried} attempts were verified, {recurred} recurred: it has earned mode auto"
        return Advice.TO_AUTO, text
    return None


def _advise_to_begin(record: Record) -> tuple[Advice, str] | None:
    """Of a rule that does nothing yet."""
    right, needless = record.count(Mark.RIGHT), record.count(Mark.NEEDLESS)
    seen = right + needless
    if seen < ENOUGH:
        return None
    if right >= MOSTLY * seen:
        text = f"{right} of {seen} times acting would have been right: it has earned mode approve"
        return Advice.TO_APPROVE, text
    if needless >= MOSTLY * seen:
        text = f"{needless} of {seen} times it resolved by itself: let it hold for longer first"
        return Advice.HOLD_LONGER, text
    return None
