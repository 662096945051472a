"""What a backtest finds is what the daemon would have done, and what differs is told with examples."""

from __future__ import annotations

from pathlib import Path

from remediator.core.policies import Mode
from remediator.rehearsal.backtest.report import Changes, Report
from remediator.rehearsal.backtest.run import Played
from tests.rehearsal.records import (
    NOON,
    POLICIES,
    H,
    M,
    S,
    alert,
    archived,
    lines_of,
    outage,
    policy,
    replay,
)


def compared(folder: Path, text: str, raws: list[bytes]) -> tuple[Report, Changes]:
    """The usual policy against a candidate."""
    report = replay(raws, policy(folder, "current"), policy(folder, "candidate", text))
    assert report.changes is not None
    return report, report.changes


def test_the_record_decides_whether_a_fix_is_verified(tmp_path: Path) -> None:
    """Steps work and targets are healthy, but the alert resolves only when it did: then nobody is paged."""
    quick, slow = outage("Down", "web", NOON, 2 * M), outage("Down", "api", NOON + 30 * M, 40 * M)
    report = replay(lines_of(quick, slow), policy(tmp_path, "one"))
    side = report.current
    assert dict(side.outcomes) == {"failed": 1, "verified": 1}
    assert dict(side.pages) == {"manager": 1, "oncall": 1}
    assert dict(side.incidents) == {"SEV-2": 2}
    [down] = [row for row in side.rules if row.rule == "down"]
    assert (down.alerts, down.incidents, down.pages, dict(down.attempts)) == (
        2, 2, 2, {"failed": 1, "verified": 1},
    )  # fmt: skip
    assert dict(side.late) == {}
    assert side.troubles == ()


def test_what_is_resolved_later_than_promised_is_counted(tmp_path: Path) -> None:
    report = replay(lines_of(outage("Down", "web", NOON, 61 * M)), policy(tmp_path, "one"))
    assert dict(report.current.late) == {"SEV-2": 1}


def test_what_comes_back_is_late_only_when_that_takes_too_long(tmp_path: Path) -> None:
    """The promise counts from the reopening: forty quiet minutes are no outage."""
    raws = lines_of(
        outage("Down", "web", NOON, 25 * M), outage("Down", "web", NOON + 65 * M, 10 * M, pod="b")
    )
    report = replay(raws, policy(tmp_path, "one"))
    assert report.current.reopened == 1
    assert dict(report.current.late) == {}


def test_a_held_incident_that_never_opens_is_none(tmp_path: Path) -> None:
    """Flaky holds for two minutes; with a hold of one it opens."""
    raws = lines_of(outage("Flaky", "web", NOON, 90 * S))
    shorter = POLICIES.replace("hold: 2m", "hold: 1m")
    _, changes = compared(tmp_path, shorter, raws)
    assert (changes.gained.incidents.count, changes.lost.incidents.count) == (1, 0)
    [row] = changes.gained.incidents.first
    assert (row.service, row.rule, row.opened_at) == ("web", "flaky", NOON + M)
    assert "alertname=Flaky" in row.first.labels
    assert changes.severity_count == changes.rule_count == 0
    back = replay(raws, policy(tmp_path, "short", shorter), policy(tmp_path, "long")).changes
    assert back is not None
    assert (back.gained.incidents.count, back.lost.incidents.count) == (0, 1)


def test_alerts_that_change_rule_and_severity_are_grouped_with_examples(tmp_path: Path) -> None:
    text = POLICIES.replace("severity: SEV-3}", "severity: SEV-2}", 1).replace("name: flaky", "name: shaky")
    text = text.replace('alertname="Down"', 'alertname="Down"\', \'service!="db"')
    raws = lines_of(
        *[outage("Slow", "web", NOON + n * 2 * H, M, pod=f"web-{n}") for n in range(5)],
        outage("Flaky", "web", NOON, M),
        outage("Down", "db", NOON, M),
        outage("Strange", "web", NOON, M),
    )
    report, changes = compared(tmp_path, text, raws)
    slow, down = changes.severity
    assert (slow.count, slow.rule, slow.severity, slow.to_rule, slow.to_severity) == (
        5, "slow", "SEV-3", "slow", "SEV-2",
    )  # fmt: skip
    assert [each.at for each in slow.examples] == [NOON, NOON + 2 * H, NOON + 4 * H]
    assert slow.examples[0].fingerprint == alert("Slow", "web", pod="web-0")["fingerprint"]
    assert (down.rule, down.to_rule, down.to_severity) == ("down", None, None)
    [flaky] = changes.rule
    assert (flaky.rule, flaky.to_rule, flaky.count) == ("flaky", "shaky", 1)
    assert (changes.severity_count, changes.rule_count) == (6, 1)
    assert report.candidate is not None
    skeletons = [row.skeleton.splitlines()[0] for row in report.candidate.unmatched]
    assert skeletons == ["- name: down", "- name: strange"]


def test_pages_gained_lost_sooner_and_later_are_told_apart(tmp_path: Path) -> None:
    raws = lines_of(outage("Down", "web", NOON, 40 * M))
    text = POLICIES.replace("unless_verified_within: 15m", "unless_verified_within: 3m")
    text = text.replace("acknowledge_within: 10m", "acknowledge_within: 50m")
    _, changes = compared(tmp_path, text, raws)
    assert (changes.gained.sooner.count, changes.lost.sooner.count) == (1, 0)
    assert (changes.gained.paged.count, changes.lost.paged.count) == (0, 1)
    [row] = changes.lost.paged.first
    assert (row.pages, row.other_pages) == (
        ("oncall at 12:05:00", "manager at 12:15:00"), ("oncall at 12:03:00",),
    )  # fmt: skip


def test_a_second_page_that_leaves_later_is_told(tmp_path: Path) -> None:
    """The first page is as it was: only who is asked next hears of it later."""
    raws = lines_of(outage("Down", "web", NOON, 40 * M))
    text = POLICIES.replace("acknowledge_within: 10m", "acknowledge_within: 20m")
    report, changes = compared(tmp_path, text, raws)
    assert (changes.gained.sooner.count, changes.lost.sooner.count) == (0, 1)
    [row] = changes.lost.sooner.first
    assert (row.pages[1], row.other_pages[1]) == ("manager at 12:15:00", "manager at 12:25:00")
    assert report.changed


RAISED = POLICIES.replace("resolve_within: 1h,", "resolve_within: 1h, raise: {to: SEV-1, after: 30m},")


def test_an_incident_that_is_raised_sooner_later_or_not_at_all_is_told(tmp_path: Path) -> None:
    """Even where everybody had been paged before, so that no page is another."""
    raws = lines_of(outage("Down", "web", NOON, 40 * M))
    slower = RAISED.replace("after: 30m", "after: 35m")
    report = replay(raws, policy(tmp_path, "one", RAISED), policy(tmp_path, "two", slower))
    assert report.changes is not None
    assert (report.changes.gained.raised.count, report.changes.lost.raised.count) == (0, 1)
    [row] = report.changes.lost.raised.first
    assert row.raised == ("to SEV-1 at 12:30:00: still open after 30m",)
    assert row.other_raised == ("to SEV-1 at 12:35:00: still open after 35m",)
    _, never = compared(tmp_path, RAISED, raws)
    assert (never.gained.raised.count, never.lost.raised.count) == (1, 0)
    assert never.gained.raised.first[0].other_raised == ()


def test_what_opens_more_severe_is_not_raised_later(tmp_path: Path) -> None:
    """It never was less severe; that its alerts change severity is told."""
    raws = lines_of(outage("Down", "web", NOON, 40 * M))
    severe = RAISED.replace("severity: SEV-2, mode: auto", "severity: SEV-1, mode: auto")
    report = replay(raws, policy(tmp_path, "one", RAISED), policy(tmp_path, "two", severe))
    assert report.changes is not None
    assert (report.changes.gained.raised.count, report.changes.lost.raised.count) == (0, 0)
    assert report.changes.severity_count == 1


def test_a_promise_that_is_kept_no_longer_is_a_change(tmp_path: Path) -> None:
    raws = lines_of(outage("Down", "web", NOON, 40 * M))
    report, changes = compared(tmp_path, POLICIES.replace("resolve_within: 1h", "resolve_within: 30m"), raws)
    assert not changes.any
    assert report.changed
    assert report.candidate is not None
    assert dict(report.candidate.late) == {"SEV-2": 1}


def test_an_attempt_with_another_outcome_is_a_difference(tmp_path: Path) -> None:
    """A tighter limit blocks the second restart within ten minutes, and the guard says why."""
    raws = lines_of(outage("Down", "web", NOON, 2 * M), outage("Down", "web", NOON + 5 * M, 2 * M, pod="b"))
    report, changes = compared(tmp_path, POLICIES.replace("target: 2/10m", "target: 1/10m"), raws)
    assert report.candidate is not None
    assert dict(report.current.outcomes) == {"verified": 2}
    assert report.current.guards == ()
    [guard] = report.candidate.guards
    assert (guard.guard, guard.attempts, guard.rules) == ("limits", 1, {"down": 1})
    [down] = [row for row in report.candidate.rules if row.rule == "down"]
    assert down.guards == {"limits": 1}
    assert "10m" in guard.text
    assert (changes.gained.attempted.count, changes.lost.attempted.count) == (1, 0)
    [row] = changes.gained.attempted.first
    assert row.attempts == ("restart: verified", "restart: blocked")
    assert row.other_attempts == ("restart: verified", "restart: verified")


def test_what_runs_when_the_record_ends_is_an_attempt_too(tmp_path: Path) -> None:
    """Its target was touched, so nobody reads that nothing was tried."""
    report = replay([archived(NOON, alert("Down"))], policy(tmp_path, "one"), beyond=0)
    assert dict(report.current.outcomes) == {"running": 1}
    assert report.current.worst_targets.most == 1


def test_guards_and_targets_are_told_of_each_rule(tmp_path: Path) -> None:
    """As incidents and pages are, so that a reviewer sees whose they are."""
    text = POLICIES.replace("severity: SEV-3}", "severity: SEV-3, mode: suggest, runbooks: [restart]}", 1)
    down = [outage("Down", name, NOON + n * M, 2 * M) for n, name in enumerate(("api", "db"))]
    slow = [outage("Slow", "web", NOON + n * 2 * H, 2 * M) for n in range(3)]
    side = replay(lines_of(*down, *slow), policy(tmp_path, "one", text)).current
    rows = {row.rule: row for row in side.rules}
    assert (rows["down"].targets, dict(rows["down"].guards)) == (2, {})
    assert (rows["slow"].targets, dict(rows["slow"].guards)) == (0, {"mode": 3})
    [mode] = side.guards
    assert (mode.guard, mode.attempts, dict(mode.rules)) == ("mode", 3, {"slow": 3})


def test_the_worst_hour_is_told_for_pages_and_for_targets(tmp_path: Path) -> None:
    services = ("web", "api", "db")
    early = [outage("Down", "web", NOON, 2 * M)]
    storm = [outage("Down", name, NOON + 3 * H + n * M, 30 * M) for n, name in enumerate(services)]
    report = replay(lines_of(*early, *storm), policy(tmp_path, "one"))
    targets, pages = report.current.worst_targets, report.current.worst_pages
    assert (targets.most, targets.names) == (3, tuple(f"shop/deployment/{n}" for n in sorted(services)))
    assert targets.ended_at == NOON + 3 * H + 2 * M
    assert (pages.most, pages.names) == (6, ("manager", "oncall"))


def test_the_ceiling_holds_in_a_backtest_too(tmp_path: Path) -> None:
    one = policy(tmp_path, "one")
    watched = Played(path="one", policy=one.policy, ceiling=Mode.OBSERVE)
    report = replay(lines_of(outage("Down", "web", NOON, 2 * M)), watched)
    assert dict(report.current.outcomes) == {"observed": 1}
    assert report.current.worst_targets.most == 0


def test_the_same_policy_twice_changes_nothing(tmp_path: Path) -> None:
    raws = lines_of(outage("Down", "web", NOON, 40 * M), outage("Flaky", "api", NOON, 10 * M))
    report, changes = compared(tmp_path, POLICIES, raws)
    assert not changes.any
    assert report.candidate is not None
    assert report.candidate.rules == report.current.rules


def test_time_goes_on_after_the_last_line_as_long_as_it_is_told(tmp_path: Path) -> None:
    raws = [archived(NOON, alert("Down"))]
    for beyond, pages in ((4 * M, 0), (6 * M, 1), (60 * M, 2)):
        assert sum(replay(raws, policy(tmp_path, "one"), beyond=beyond).current.pages.values()) == pages


def test_dead_letters_are_counted_with_the_others(tmp_path: Path) -> None:
    raws = [archived(NOON, alert("Down"), {"status": "odd"}, rejected=["too many labels"])]
    report = replay(raws, policy(tmp_path, "one"))
    assert dict(report.current.dispositions) == {"dead_letter": 2, "new": 1}
    assert report.read.alerts == 3


def test_a_freeze_and_a_window_of_the_candidate_count_what_they_would_have_blocked(tmp_path: Path) -> None:
    """By the times at which it happened: of an outage at noon and one at night, each keeps one."""
    raws = lines_of(outage("Down", "web", NOON, 2 * M), outage("Down", "api", NOON + 11 * H, 2 * M))
    span = "times: [{start_time: '09:00', end_time: '17:00'}]"
    hours = f"time_intervals: {{day: [{{{span}, location: Europe/Berlin}}]}}\n"
    for changed, guard, said in (
        (
            POLICIES.replace("guards: {", "guards: {freeze: [day], "),
            "freeze",
            "day: nothing is changed before 2025-11-25T16:00:00.000Z",
        ),
        (
            POLICIES.replace("    limits:", "    during: [day]\n    limits:"),
            "window",
            "runbook restart is for day, which begins at 2025-11-26T08:00:00.000Z",
        ),
    ):
        report, changes = compared(tmp_path, changed + hours, raws)
        assert report.candidate is not None
        [row] = report.candidate.guards
        assert (row.guard, row.attempts, dict(row.rules), row.text) == (guard, 1, {"down": 1}, said)
        assert (dict(report.current.outcomes), dict(report.candidate.outcomes)) == (
            {"verified": 2},
            {"blocked": 1, "verified": 1},
        )
        assert changes.gained.attempted.count == 1
