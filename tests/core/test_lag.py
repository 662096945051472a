"""A verification by an alert or a query is neither believed nor given up before the alert's rule can know."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.core.alertmanagers import MOST_NAMES, narrowed
from remediator.core.incident import Outcome, Phase
from remediator.core.journal import Checked, CheckResult, Kind
from remediator.core.lag import AlertingRule, Lag, find_lag, lag_of
from remediator.core.opening import NAME_LENGTH
from remediator.core.policies import Check
from remediator.core.times import MINUTE, SECOND, Millis
from tests.core.builders import fired, policy
from tests.core.test_decide import Life, opened


def rule(name: str, waits: int = 0, keeps: int = 0, every: int = 0) -> AlertingRule:
    """Of Prometheus; times in seconds."""
    return AlertingRule(
        name=name,
        waits=Millis(waits * SECOND),
        keeps=Millis(keeps * SECOND),
        every=Millis(every * SECOND),
    )


@pytest.mark.parametrize(
    ("rules", "span"),
    [
        ([rule("A", waits=300, every=15)], 315),
        ([rule("A", keeps=600, every=30)], 630),
        ([rule("A", waits=300, keeps=600, every=30)], 630),
        ([rule("A", every=15)], 15),
        ([rule("A", waits=60), rule("A", waits=120), rule("B", waits=600)], 120),
        ([rule("A", waits=60), rule("C", keeps=90)], 90),
    ],
)
def test_the_slowest_of_its_rules_counts(rules: list[AlertingRule], span: int) -> None:
    found = find_lag(["A", "C"], rules)
    assert found.span == span * SECOND
    assert "takes (for " in found.text


@pytest.mark.parametrize("names", [[], ["X"]])
def test_without_a_rule_nothing_is_waited_for_and_that_is_told(names: list[str]) -> None:
    found = find_lag(names, [rule("A", waits=60)])
    assert found.span == 0
    assert "not known" in found.text


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_an_alert_is_over_or_back_within_that_time(waits: int, keeps: int, every: int) -> None:
    """After a change, however the evaluations fall.

    The condition may go for a moment and be back at once: then the alert, if it resolved, fires again after
    ``waits``. Or it has gone for good: then the alert ends after ``keeps``. Each is seen one evaluation later
    at the latest.
    """
    span = lag_of(rule("A", waits, keeps, every))
    assert span >= (waits + every) * SECOND
    assert span >= (keeps + every) * SECOND


LAG = Lag(span=Millis(5 * MINUTE), text="not believed before 5m")
WITHIN = Millis(2 * MINUTE)
YES = CheckResult(holds=True, observed="no alert fires")
NO = CheckResult(holds=False, observed="1 alert still fires")


def verifying(check: str = "alert") -> Life:
    """An incident whose restart is being verified by that check alone."""
    one = policy()
    verify = (Check(check=check, stable=Millis(10 * SECOND), within=WITHIN),)
    book = replace(one.runbooks["restart"], verify=verify)
    life = opened(replace(one, runbooks={**one.runbooks, "restart": book}))
    life.acted()
    assert life.now.attempts[-1].phase is Phase.VERIFYING
    return life


def ask(life: Life, answer: CheckResult, lag: Lag | None = None) -> Outcome | None:
    """One round, when it is due; how the attempt ended, if it did."""
    if "poll" in life.timers:
        life.ring("poll")
    effect = life.now.attempts[-1].pending
    assert effect is not None
    life.tell(Checked(effect=effect, results=(answer,), lag=lag))
    return life.now.attempts[-1].outcome


def took(life: Life, answer: CheckResult, lag: Lag | None) -> tuple[Outcome, int]:
    """How it ends when every round has that answer, and how long it was verified."""
    while (outcome := ask(life, answer, lag)) is None:
        pass
    attempt = life.now.attempts[-1]
    return outcome, life.at - attempt.phase_at


def test_P14_success_is_not_believed_before_the_rule_could_have_fired_again() -> None:
    for check in ("alert", "promql"):
        assert took(verifying(check), YES, LAG) == (Outcome.VERIFIED, 5 * MINUTE)


def test_P14_failure_is_counted_from_when_the_rule_could_have_noticed() -> None:
    assert took(verifying(), NO, LAG) == (Outcome.FAILED, 5 * MINUTE + WITHIN)


def test_what_is_seen_without_prometheus_is_believed_at_once() -> None:
    assert took(verifying("ready"), YES, LAG) == (Outcome.VERIFIED, 10 * SECOND)
    assert took(verifying("ready"), NO, LAG) == (Outcome.FAILED, WITHIN)


@pytest.mark.parametrize("lag", [None, Lag(span=Millis(0), text="no rule")])
def test_without_a_minimum_it_is_as_ever(lag: Lag | None) -> None:
    assert took(verifying(), YES, lag) == (Outcome.VERIFIED, 10 * SECOND)
    assert took(verifying(), NO, lag) == (Outcome.FAILED, WITHIN)


def test_P14_a_lull_is_no_success() -> None:
    """The pods were replaced, for a moment there was no data, and the alert resolved; then it fired again."""
    life = verifying()
    began = life.now.attempts[-1].phase_at
    while life.at - began < 4 * MINUTE:
        assert ask(life, YES, LAG) is None
    assert took(life, NO, LAG) == (Outcome.FAILED, 5 * MINUTE + WITHIN)


def test_how_long_it_takes_is_pinned_and_told_once() -> None:
    """What the rule says later does not count for an attempt that verifies already."""
    life = verifying()
    ask(life, NO, LAG)
    ask(life, NO, Lag(span=Millis(0), text="gone"))
    assert life.now.attempts[-1].lag == LAG.span
    assert told(life) == [LAG.text]


def told(life: Life) -> list[str]:
    """What the timeline says of it."""
    entries = [entry for one in life.decisions for entry in one.timeline]
    return [entry.text for entry in entries if entry.kind is Kind.VERIFICATION]


def test_P14_while_prometheus_cannot_be_asked_success_waits_for_the_last_moment() -> None:
    """And as soon as it can be, that counts. What could not be asked is told once."""
    unread = Lag(span=None, text="cannot be found out: no answer")
    assert took(verifying(), YES, unread) == (Outcome.VERIFIED, WITHIN)
    assert took(verifying(), NO, unread) == (Outcome.FAILED, WITHIN)
    life = verifying()
    for _ in range(3):
        assert ask(life, YES, unread) is None
    assert took(life, YES, Lag(span=Millis(20 * SECOND), text="20s")) == (Outcome.VERIFIED, 20 * SECOND)
    assert told(life) == [unread.text, "20s"]


def test_names_of_alerts_are_kept_up_to_a_number() -> None:
    """With one more than anybody is asked for it is known that there are more."""
    of = policy()
    life = opened(of)
    assert life.now.alert_names == ("ServiceDown",)
    worse = next(each for each in of.rules if each.name == "data-loss")
    of = replace(of, rules=(replace(worse, matchers=()),))
    for number in range(20):
        life.tell(fired(of, f"{number:02x}", alertname=f"Alert{number}"))
    assert len(life.now.alert_names) == MOST_NAMES + 1
    assert narrowed(life.now.alert_names) == frozenset()
    life = opened(of)
    life.tell(fired(of, "bb", alertname="x" * (NAME_LENGTH + 1)))
    assert life.now.alert_names == ("ServiceDown", "")
