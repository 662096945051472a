"""A service that flaps in a rehearsal: its attempts are spent, people are paged, and no loop goes on."""

from __future__ import annotations

from remediator.core.policies import Policy
from tests.rehearsal.scenes import one, policy, told


def flapping(every: int, times: int) -> str:
    """It is down every so many minutes, and over when it was restarted."""
    lines = []
    for number in range(times):
        at = number * every
        lines.append(f"- {{at: {at}m, fire: {{alertname: WebDown}}}}")
        lines.append(f"- {{at: {at}m20s, resolve: {{alertname: WebDown}}}}")
    return "\n".join(lines)


def alone(*more: tuple[str, str]) -> Policy:
    return policy(("runbooks: [restart-web, take-pod]", "runbooks: [restart-web]"), *more)


def test_a_service_that_flaps_quickly_spends_its_attempts_and_is_paged() -> None:
    """The limits of the runbook see to that."""
    expect = (
        "- {at: 9m, attempts: [{runbook: restart-web, outcome: verified}], pages: {oncall: 0}}\n"
        "- {at: 21m, attempts: [{runbook: restart-web, outcome: verified}, "
        "{runbook: restart-web, outcome: verified}, {runbook: restart-web, outcome: blocked}], "
        "blocked_by: limits, pages: {oncall: 1}}"
    )
    assert told(one(flapping(10, 3), expect, known=alone())) == ""


def test_a_service_that_flaps_slowly_spends_them_too_and_is_paged() -> None:
    """Two restarts an hour are allowed, and it needs one every fifty minutes: for ever, but for this."""
    expect = (
        "- {at: 99m, attempts: [{runbook: restart-web, outcome: verified}, "
        "{runbook: restart-web, outcome: verified}], pages: {oncall: 0}}\n"
        "- {at: 101m, attempts: [{runbook: restart-web, outcome: verified}, "
        "{runbook: restart-web, outcome: verified}, {runbook: restart-web, outcome: blocked}], "
        "changes: ['restart deployment/web', 'restart deployment/web'], pages: {oncall: 1}, "
        "blocked_by: limits, "
        "timeline: 'fired again within 1h of that, 2 times in a row'}"
    )
    assert told(one(flapping(50, 3), expect, known=alone())) == ""


WATCHED = (
    "- alert: {state: resolved, within: 10m}\n    limits",
    "- no_recurrence: {for: 15m, within: 30m}\n    limits",
)


def test_the_next_runbook_has_its_attempts_and_then_people_are_asked() -> None:
    """Each spends its own. However long it flaps: no more than four fixes, and a page."""
    limits = "limits: {attempts: 2, per: 1h, cooldown: 0s}"
    known = policy((f"{limits}\n  take-pod:", f"{limits}\n  take-pod:\n    {limits}"))
    restart, pod = "{{runbook: restart-web, outcome: {}}}".format, "{{runbook: take-pod, outcome: {}}}".format
    tried = [restart("verified"), restart("verified")]
    tried += [restart("blocked"), pod("verified"), restart("blocked"), pod("verified")]
    tried += [restart("blocked"), pod("blocked")]
    expect = (
        f"- {{at: 159m, pages: {{oncall: 0}}, attempts: [{', '.join(tried[:6])}]}}\n"
        f"- {{at: 161m, pages: {{oncall: 1}}, attempts: [{', '.join(tried)}]}}"
    )
    assert told(one(flapping(40, 5), expect, known=known)) == ""


def test_no_recurrence_is_verified_when_nothing_fired_for_so_long() -> None:
    """Counted from the moment that the last alert was over."""
    expect = (
        "- {at: 15m19s, attempts: [{runbook: restart-web, outcome: running}]}\n"
        "- {at: 15m26s, attempts: [{runbook: restart-web, outcome: verified}], status: resolved}"
    )
    assert told(one(flapping(99, 1), expect, known=alone(WATCHED))) == ""


def test_a_recurrence_begins_the_window_anew_and_one_that_leaves_no_room_fails_it() -> None:
    """Within its 30 minutes no quarter of an hour was quiet."""
    once = (
        "- {at: 25m, attempts: [{runbook: restart-web, outcome: running}], reopened: 0}\n"
        "- {at: 25m27s, attempts: [{runbook: restart-web, outcome: verified}], status: resolved}"
    )
    assert told(one(flapping(10, 2), once, known=alone(WATCHED))) == ""
    again = (
        "- {at: 29m, attempts: [{runbook: restart-web, outcome: running}], reopened: 0}\n"
        "- {at: 31m, attempts: [{runbook: restart-web, outcome: failed}], pages: {oncall: 1}}"
    )
    assert told(one(flapping(10, 3), again, known=alone(WATCHED))) == ""


def test_a_recurrence_that_is_over_before_anybody_looks_counts() -> None:
    """It fires and resolves within a second, between two looks."""
    alerts = (
        "- {at: 0s, fire: {alertname: WebDown}}\n- {at: 20s, resolve: {alertname: WebDown}}\n"
        "- {at: 10m, fire: {alertname: WebDown}}\n- {at: 10m, resolve: {alertname: WebDown}}"
    )
    expect = (
        "- {at: 24m59s, attempts: [{runbook: restart-web, outcome: running}]}\n"
        "- {at: 25m7s, attempts: [{runbook: restart-web, outcome: verified}]}"
    )
    assert told(one(alerts, expect, known=alone(WATCHED))) == ""
