"""What a failing expectation says: expected, seen, and why, in the words of an SRE."""

from __future__ import annotations

import pytest

from remediator.rehearsal.stage import START
from remediator.rehearsal.telling import in_test_time, moment
from tests.rehearsal.scenes import one, policy, told


def fire(at: str, labels: str = "alertname: WebDown") -> str:
    """A moment at which an alert fires."""
    return f"- {{at: {at}, fire: {{{labels}}}}}\n"


def resolve(at: str, labels: str = "alertname: WebDown") -> str:
    """A moment at which it fires no longer."""
    return f"- {{at: {at}, resolve: {{{labels}}}}}\n"


POSTGRES = "alertname: PostgresDown, cluster: prod-eu"
DOWN, HEALED = fire("0s", POSTGRES), resolve("50s", POSTGRES)
WEB = fire("0s")
SLOW = fire("0s", "alertname: WebSlow")

REASONS = [
    (WEB, "{at: 1s, severity: SEV-1}", "expected SEV-1, seen SEV-2; rule web-down won", "and says SEV-2"),
    (
        fire("0s", "alertname: PostgresDown, cluster: dev"),
        "{at: 1m, severity: SEV-1}",
        "rule anything-down won",
        "database-down fails at cluster=~\"prod.*\" (saw 'dev')",
    ),
    (
        fire("0s", "alertname: PostgresDown"),
        "{at: 1m, rule: database-down}",
        "expected database-down, seen anything-down",
        'database-down fails at cluster=~"prod.*" (there is no such label)',
    ),
    (WEB, "{at: 1s, rule: anything-down}", "rule web-down won", "matches too, but stands after web-down"),
    (
        DOWN,
        "{at: 29s, incidents: 1}",
        "rule database-down holds it for 30s",
        "opens if it still fires at T+30s",
    ),
    (DOWN, "{at: 29s, rule: database-down}", "expected an incident, seen none", "holds it for 30s"),
    (
        fire("0s", "alertname: X"),
        "{at: 1s, rule: web-down}",
        "no rule matches X",
        "web-down fails at",
    ),
    (
        fire("1m", "alertname: X"),
        "{at: 1s, incidents: 1}",
        "expected 1, seen 0",
        "nothing has fired yet",
    ),
    (WEB, "{at: 1s, incidents: 0}", "seen 1: web (web-down)", "rule web-down groups by service"),
    (WEB, "{at: 1s, service: web, incidents: 0, rule: web-down}", "expected 0, seen 1", ""),
    (WEB, "{at: 1s, service: cart, rule: web-down}", "an incident of cart", "WebDown selects service web"),
    (WEB, "{at: 1s, status: resolved}", "1 alert still fires", "alert: 1 alert still fires"),
    (WEB, "{at: 1s, status: resolved}", "attempt 1 is verifying", "people are paged at T+15m unless a fix"),
    (
        WEB,
        "{at: 1s, pages: {oncall: 1}}",
        "expected oncall: 1, seen oncall: 0",
        "unless a fix is verified within 15m",
    ),
    (
        WEB,
        "{at: 16m, pages: {oncall: 0}}",
        "oncall took level 1 at T+15m",
        "the last one because not verified in time",
    ),
    (WEB, "{at: 16m, pages: {vp: 1}}", "level 1 asks oncall, manager", "level 2 is asked at T+30m"),
    (WEB, "{at: 16m, level: 2}", "expected level 2, seen level 1", "level 2 is asked at T+30m"),
    (WEB, "{at: 1s, level: 1}", "expected level 1, seen nobody was asked", "people are paged at T+15m"),
    (WEB, "{at: 1s, reopened: 1}", "expected once, seen never", ""),
    (
        WEB,
        "{at: 20m, attempts: [{runbook: restart-web, outcome: verified}]}",
        "seen restart-web: failed, take-pod: failed",
        "attempt 1 ended at T+10m: not verified in 10m: ",
    ),
    (WEB, "{at: 1s, changes: []}", "expected none, seen restart deployment/web", "attempt 1 is verifying"),
    (WEB, "{at: 1s, blocked_by: limits}", "seen no guard blocked", "limits: tightest is"),
    (
        WEB,
        "{at: 1m, raised_to: SEV-1}",
        "seen SEV-2, never raised",
        "SEV-2 raises it when still open after 2h",
    ),
    (WEB, "{at: 1m, raised_to: SEV-1}", "never raised", "its severity is raised at T+2h if it is still open"),
    (WEB, "{at: 1m, raised_to: SEV-3}", "never raised", "nothing raises SEV-2 to SEV-3"),
    (
        WEB,
        "{at: 3h, severity: SEV-2}",
        "seen SEV-1",
        "raised from SEV-2 to SEV-1: still open after 2h, at T+2h",
    ),
    (WEB, "{at: 1s, timeline: burns}", "expected “burns”, seen no such entry", ""),
]


@pytest.mark.parametrize(("alerts", "expect", "says", "why"), REASONS)
def test_what_a_failure_says(alerts: str, expect: str, says: str, why: str) -> None:
    """What was expected, what was seen, and the reason."""
    played = one(alerts, f"- {expect}")
    assert says in told(played)
    assert why in told(played)


@pytest.mark.parametrize(
    ("change", "alerts", "expect", "says"),
    [
        (
            ("hold: 30s", "hold: 45s"),
            DOWN,
            "{at: 31s, incidents: 1}",
            "holds it for 45s (policies.yaml:10:11): it opens",
        ),
        (
            ("acknowledge_within: 15m", "acknowledge_within: 20m"),
            DOWN,
            "{at: 16m, pages: {manager: 2}}",
            "level 2 is asked at T+20m30s unless somebody acknowledges",
        ),
        (
            ("severity: SEV-1", "severity: SEV-2"),
            DOWN,
            "{at: 31s, severity: SEV-1}",
            "rule database-down won",
        ),
        (
            ("for: 5m", "for: 7m"),
            DOWN + HEALED,
            "{at: 6m, attempts: [{runbook: restore-database, outcome: verified}]}",
            "is verifying",
        ),
    ],
    ids=["hold", "acknowledge_within", "severity", "for"],
)
def test_one_threshold_changes_and_the_test_says_what_that_means(
    change: tuple[str, str], alerts: str, expect: str, says: str
) -> None:
    """It passes as long as nothing is changed; then it says in words what is different now."""
    assert one(alerts, f"- {expect}").passed, told(one(alerts, f"- {expect}"))
    played = one(alerts, f"- {expect}", known=policy(change))
    assert says in told(played)


def test_a_failure_stands_where_the_key_stands_and_tells_the_story() -> None:
    """``path:line:column`` of the very key, and what happened until then in virtual time."""
    (failure,) = one(WEB, "- {at: 1s, incidents: 1, severity: SEV-1}").failures
    assert str(failure.where) == "web_test.yaml:6:42"
    assert [str(line) for line in failure.story[:2]] == [
        "T+0s       SEV-2 WebDown on web, by rule web-down",
        "T+0s       WebDown fires",
    ]


def test_every_expectation_is_looked_at() -> None:
    """One that fails does not hide the next."""
    played = one(WEB, "- {at: 1s, severity: SEV-1}\n- {at: 2s, severity: SEV-3}\n- {at: 3s, severity: SEV-2}")
    assert [moment(failure.at) for failure in played.failures] == ["T+1s", "T+2s"]


def test_with_several_incidents_one_must_be_named() -> None:
    """Pages are counted over all of them unless one is."""
    both = WEB + fire("0s", "alertname: CartDown, service: cart")
    assert "add service: NAME" in told(one(both, "- {at: 1s, severity: SEV-2}"))
    assert one(both, "- {at: 1s, service: cart, severity: SEV-2, pages: {oncall: 1}}").passed
    assert one(
        both, "- {at: 1s, incidents: 2, pages: {oncall: 1}}\n- {at: 1s, service: web, pages: {oncall: 0}}"
    ).passed


def test_the_same_alert_twice_is_a_duplicate() -> None:
    """As in the daemon: nothing begins anew."""
    assert one(WEB + fire("5s"), "- {at: 1m, incidents: 1, reopened: 0}").passed


def test_an_alert_that_comes_back_reopens_its_incident() -> None:
    """Within the hour; every opening is remedied anew."""
    back = WEB + resolve("1m") + fire("20m")
    assert one(back, "- {at: 21m, incidents: 1, reopened: 1, status: verifying}").passed


def test_what_people_do_must_be_possible() -> None:
    """Who acknowledges what is not there is told so."""
    text = told(one(WEB + "- {at: 1m, acknowledge: bob, service: cart}", "- {at: 2m, incidents: 1}"))
    assert "no incident of cart is open then" in text


def test_people_close_what_fires_no_longer() -> None:
    """The kill switch is thrown, nothing is done, and a person ends it."""
    moments = f"""
    - {{at: 0s, pause: deploying}}
    {WEB}
    - {{at: 1m, resume: true}}
    {resolve("2m")}
    """
    assert one(moments, "- {at: 3m, status: resolved, blocked_by: kill_switch, changes: []}").passed


@pytest.mark.parametrize("scope", ["namespace: shop", "service: web", "rule: web-down"])
def test_P13_a_pause_whose_scope_a_change_meets_stops_it(scope: str) -> None:
    """Lifting another does not lift it."""
    moments = f"""
    - {{at: 0s, pause: deploying, scope: {{{scope}}}}}
    - {{at: 0s, pause: a storm}}
    - {{at: 1s, resume: true}}
    {fire("2s")}
    """
    played = one(moments, "- {at: 3s, blocked_by: kill_switch, changes: [], timeline: 'is paused by'}")
    assert played.passed, told(played)


def test_P13_a_paused_runbook_is_passed_over() -> None:
    """As one that any other guard blocks."""
    moments = f"- {{at: 0s, pause: it loops, scope: {{runbook: restart-web}}}}\n{fire('1s')}"
    wanted = "[{runbook: restart-web, outcome: blocked}, {runbook: take-pod, outcome: running}]"
    played = one(moments, f"- {{at: 10s, attempts: {wanted}, blocked_by: kill_switch}}")
    assert played.passed, told(played)


@pytest.mark.parametrize(
    "scope", ["namespace: other", "service: postgres", "rule: web-slow", "runbook: restore-database"]
)
def test_a_pause_of_something_else_stops_nothing(scope: str) -> None:
    """The first runbook is begun as ever."""
    moments = f"- {{at: 0s, pause: deploying, scope: {{{scope}}}}}\n{fire('1s')}"
    played = one(moments, "- {at: 2s, status: verifying, changes: restart deployment/web}")
    assert played.passed, told(played)


@pytest.mark.parametrize(("at", "status"), [("29999ms", "blocked"), ("30s", "running")])
@pytest.mark.parametrize("scope", ["", ", scope: {service: web}"])
def test_a_pause_ends_by_itself_at_its_very_moment(at: str, status: str, scope: str) -> None:
    """Nobody has to resume it."""
    moments = f"- {{at: 0s, pause: deploying, for: 30s{scope}}}\n{fire(at)}"
    wanted = f"- {{at: 31s, attempts: [{{runbook: restart-web, outcome: {status}}}]}}"
    if status == "blocked":
        wanted = wanted.replace("}]}", "}, {runbook: take-pod, outcome: blocked}]}")
    played = one(moments, wanted)
    assert played.passed, told(played)


def test_facts_and_values_can_change_on_the_way() -> None:
    """From that moment on, and not before."""
    moments = f"""
    {WEB}
    - {{at: 1m, query: {{'errors:ratio{{service="web"}}': 0.5}}}}
    {resolve("2m")}
    - {{at: 4m, query: {{'errors:ratio': null, 'errors:ratio{{service="web"}}': 0.001}}}}
    """
    played = one(moments, "- {at: 3m, status: verifying}\n- {at: 5m, status: resolved}")
    assert played.passed, told(played)


def test_what_is_said_on_the_way_counts_before_what_was_said_at_the_beginning() -> None:
    """Whatever that says of later moments; of what is said together the first counts."""
    broken = "outcomes: [{check: promql, result: failed, after: 1m}]"
    mended = WEB + resolve("1s") + "- {at: 3m, outcome: {check: promql, result: ok}}"
    assert one(mended, "- {at: 2m, status: resolved}", more="outcomes: []").passed
    slow = policy(("ready: {for: 30s}", "ready: {for: 4m}"))
    played = one(
        mended, "- {at: 2m, status: verifying}\n- {at: 5m, status: resolved}", more=broken, known=slow
    )
    assert played.passed, told(played)

    late = "outcomes: [{check: promql, result: ok, after: 2m}]"
    worse = WEB + resolve("1s") + "- {at: 1m, outcome: {check: promql, result: failed}}"
    played = one(worse, "- {at: 5m, status: verifying}", more=late)
    assert played.passed, told(played)

    both = "- {at: 0s, outcome: [{step: restart, result: failed}, {step: restart, result: ok}]}\n"
    played = one(
        both + WEB,
        "- {at: 1s, changes: [delete pod web-5d9c7-0 of deployment/web, "
        "delete pod web-5d9c7-1 of deployment/web]}",
    )
    assert played.passed, told(played)


def test_a_bound_of_a_query_is_judged_by_the_check_itself() -> None:
    """A value on the wrong side of a threshold fails the verification, and says by how much."""
    played = one(WEB, "- {at: 5m, status: resolved}", more="query: {'errors:ratio': 0.02}")
    assert "promql: 0.02, wanted below 0.01" in told(played)


def test_the_ceiling_of_a_daemon_can_be_rehearsed() -> None:
    """With ``mode: observe`` nothing is changed, whatever the rules say."""
    played = one(WEB, "- {at: 1m, changes: [], blocked_by: mode}", more="mode: observe")
    assert played.passed, told(played)


@pytest.mark.parametrize(
    ("ceiling", "rule", "outcome"),
    [
        ("observe", "auto", "observed"),
        ("observe", "suggest", "observed"),
        ("suggest", "auto", "suggested"),
        ("suggest", "observe", "observed"),
    ],
)
def test_the_ceiling_decides_whether_anything_was_suggested(ceiling: str, rule: str, outcome: str) -> None:
    """Under a ceiling of observe nothing is, however much the rule itself is trusted."""
    expect = f"- {{at: 1m, attempts: [{{runbook: restart-web, outcome: {outcome}}}]}}"
    played = one(WEB, expect, more=f"mode: {ceiling}\ntrust: {{web-down: {rule}}}")
    assert played.passed, told(played)


def test_a_rule_can_be_rehearsed_with_more_trust_than_its_file_gives_it() -> None:
    """What it would do one day is tested before that day; the file stays what it is."""
    assert one(SLOW, "- {at: 1s, changes: [], blocked_by: mode}").passed
    trusted = one(SLOW, "- {at: 1s, changes: [restart deployment/web]}", more="trust: {web-slow: auto}")
    assert trusted.passed, told(trusted)
    lowered = one(WEB, "- {at: 1s, changes: [], blocked_by: mode}", more="trust: {web-down: observe}")
    assert lowered.passed, told(lowered)


def test_a_condition_that_does_not_hold_is_told_with_its_place_and_what_it_looks_like() -> None:
    """Who changed the threshold reads where it stands, and how far the value is from it."""
    text = told(one(SLOW, "- {at: 1m, severity: SEV-1}", more="query: {'sum(rate(errors': 0.2}"))
    assert (
        "rule web-slow (policies.yaml:29:12) does not raise it: sum(rate(errors[5m])) is 0.2, not above 0.25"
        in text
    )


def test_a_condition_that_raised_is_told_with_its_place() -> None:
    """The severity's own, or the rule's."""
    text = told(one(SLOW, "- {at: 1m, severity: SEV-3}", more="query: {'sum(rate(errors': 0.3}"))
    assert "is 0.3, above 0.25, at T+0s; so says rule web-slow (policies.yaml:29:12)" in text
    text = told(one(WEB, "- {at: 3h, severity: SEV-2}"))
    assert "still open after 2h, at T+2h; so says SEV-2 (policies.yaml:4:77)" in text


def test_pages_that_nobody_got_because_nothing_opened_say_so() -> None:
    """As the other expectations do."""
    assert "rule database-down holds it for 30s" in told(one(DOWN, "- {at: 29s, pages: {oncall: 1}}"))


def test_attempts_that_ended_as_expected_are_not_explained() -> None:
    """A list of five needs the reason of the one that is another, and times as the test counts them."""
    again = "".join(
        fire(begins) + resolve(ends) for begins, ends in (("0s", "2m"), ("10m", "12m"), ("20m", "22m"))
    )
    good = "{runbook: restart-web, outcome: verified}"
    text = told(one(again, f"- {{at: 30m, attempts: [{good}, {good}, {good}]}}"))
    assert "attempt 1" not in text
    assert "attempt 3 ended at T+20m: limits: attempts of restart-web on shop/deployment/web: 2 in" in text
    assert "free again at T+1h" in text
    told_so = one(again, "- {at: 30m, timeline: [free again at T+1h]}")
    assert told_so.passed, told(told_so)


def test_days_of_attempts_are_all_compared() -> None:
    """An incident keeps its last attempts, and of older ones the first changes: a test sees them all."""
    again = "".join(fire(f"{50 * n}m") + resolve(f"{50 * n + 1}m") for n in range(12))
    attempts = ", ".join(["{runbook: restart-web, outcome: verified}"] * 12)
    changes = ", ".join(["restart deployment/web"] * 12)
    known = policy(("{attempts: 2, per: 1h, cooldown: 0s}", "{attempts: 2, per: 10m, cooldown: 0s}"))
    expect = f"- {{at: 12h, reopened: 11, attempts: [{attempts}], changes: [{changes}]}}"
    played = one(again, expect, known=known)
    assert played.passed, told(played)

    twice = "".join(fire(f"{20 * n}m") + resolve(f"{20 * n + 1}m") for n in range(2))
    pods = ", ".join(f"delete pod web-5d9c7-{n} of deployment/web" for n in [*range(8), *range(8)])
    played = one(
        twice,
        f"- {{at: 2h, changes: [{pods}]}}",
        more="outcomes: [{step: restart, result: failed}]",
        known=policy(("at_most: 2", "at_most: 8")),
    )
    assert played.passed, told(played)


def test_what_only_looks_like_a_moment_is_left_as_it_is() -> None:
    """Labels are other people's."""
    odd = fire("0s", "alertname: WebDown, since: '2026-99-99T00:00:00Z'")
    assert one(odd, "- {at: 1s, timeline: [WebDown fires]}").passed
    assert in_test_time("2026-99-99T00:00:00Z, 2026-01-05T07:00:00Z, 2026-01-05T09:00:00.000Z", START) == (
        "2026-99-99T00:00:00Z, 2026-01-05T07:00:00Z, T+1h"
    )
