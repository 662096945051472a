"""What comes undone again and again is no fix: it is watched for, and ends in a page instead of a loop."""

from __future__ import annotations

from dataclasses import replace

import pytest

from remediator.checks.no_recurrence import NoRecurrence
from remediator.core.alerts import Fingerprint
from remediator.core.incident import CheckProgress
from remediator.core.journal import ActResult, Checked, CheckResult, Resolved
from remediator.core.plugins import NoParams, Sight
from remediator.core.policies import AttemptLimits, Check, Policy
from remediator.core.recurring import spent
from remediator.core.times import HOUR, MINUTE, SECOND, Instant, Millis
from remediator.core.verification import progress
from tests.core.builders import NOW, fired, policy
from tests.core.test_decide import Life, opened


def book(attempts: int = 2) -> Policy:
    """Its fix is verified at once; nobody is paged but for what goes wrong."""
    of = policy()
    limits = AttemptLimits(attempts=attempts, per=Millis(HOUR), cooldown=Millis(0))
    books = {
        name: replace(one, limits=limits, verify=(Check(check="alert"),)) for name, one in of.runbooks.items()
    }
    return replace(of, runbooks=books)


def mend(life: Life) -> None:
    """It is mended, verified and over."""
    life.acted()
    life.tell(Resolved(fingerprint=Fingerprint("aa")), over=("aa",))
    life.checked(True)
    assert life.now.resolved


def recur(life: Life, after: int) -> None:
    """It fires again, so long after it was over."""
    life.tell(fired(life.policy), after=after)


def test_what_was_mended_and_came_undone_is_counted_until_its_attempts_are_spent() -> None:
    """Every 50 minutes, two attempts an hour: no window ever holds more than two of them."""
    life = opened(book(attempts=2))
    for times in (1, 2):
        mend(life)
        recur(life, 50 * MINUTE)
        assert life.now.recurred == {"restart": times}
        attempt = life.now.active
        assert attempt is not None
        assert bool(spent(life.now, attempt.runbook)) is (times == 2)
    assert spent(life.now, life.now.attempts[-1].runbook) == (
        "it was verified, and an alert fired again within 1h of that, 2 times in a row: "
        "it does not last, and at most 2 attempts are allowed"
    )


def test_once_people_were_asked_all_begins_anew() -> None:
    """They have heard of it: from then on the limits alone say whether it is tried."""
    life = opened(book(attempts=1))
    mend(life)
    recur(life, 10 * MINUTE)
    assert life.now.recurred == {"restart": 1}
    life.acted(ActResult.BLOCKED)
    assert len(life.pages) == 1
    life.tell(Resolved(fingerprint=Fingerprint("aa")), over=("aa",))
    recur(life, 10 * MINUTE)
    assert life.now.recurred == {}


def test_what_fires_again_long_after_begins_anew() -> None:
    """An hour and more is another outage."""
    of = book(attempts=1)
    limits = AttemptLimits(attempts=1, per=Millis(10 * MINUTE), cooldown=Millis(0))
    life = opened(replace(of, runbooks={"restart": replace(of.runbooks["restart"], limits=limits)}))
    for _ in range(3):
        mend(life)
        recur(life, 11 * MINUTE)
        assert life.now.recurred == {}


# --- the check ---


async def ask(firing: int, alerts_at: int | None = None) -> CheckResult:
    at = None if alerts_at is None else Instant(alerts_at)
    return await NoRecurrence().ask(
        NoParams(), Sight(cluster=None, target=None, firing=firing, at=NOW, alerts_at=at)
    )


async def test_it_holds_since_the_last_alert_was_over() -> None:
    assert await ask(1) == CheckResult(holds=False, observed="1 alert fires")
    assert await ask(2) == CheckResult(holds=False, observed="2 alerts fire")
    quiet = await ask(0, NOW - 90 * SECOND)
    assert quiet == CheckResult(
        holds=True, observed="no alert has fired for 1m30s", since=Instant(NOW - 90 * SECOND)
    )


@pytest.mark.parametrize(("broken", "since"), [(-60, -30), (-10, -10), (5, 0)])
def test_what_broke_it_between_two_looks_begins_the_window_anew(broken: int, since: int) -> None:
    """It held at both looks; an alert came and went in between. No clock sends it into the future."""
    before = CheckProgress(since=Instant(NOW - 30 * SECOND), asked_at=Instant(NOW - 5 * SECOND), holds=True)
    result = CheckResult(holds=True, observed="quiet", since=Instant(NOW + broken * SECOND))
    assert progress(before, result, NOW).since == NOW + since * SECOND


def test_the_incident_knows_when_an_alert_last_fired_or_resolved() -> None:
    """Nothing else moves that moment."""
    life = opened(book())
    assert life.now.alerts_at == NOW
    life.acted()
    life.tell(Resolved(fingerprint=Fingerprint("aa")), over=("aa",), after=MINUTE)
    assert life.now.alerts_at == NOW + MINUTE
    attempt = life.now.active
    assert attempt is not None
    assert attempt.pending is not None
    life.tell(
        Checked(effect=attempt.pending, results=(CheckResult(holds=False, observed="no"),)), after=MINUTE
    )
    assert life.now.alerts_at == NOW + MINUTE
