"""The end of an isolation in a rehearsal: by itself, after its incident, and told while it must not be."""

from __future__ import annotations

from remediator.core.policies import Policy
from remediator.core.times import MINUTE, SECOND, Instant
from remediator.rehearsal.backtest.replay import Replay
from remediator.rehearsal.stage import START, Stage, notify
from tests.rehearsal.scenes import DATABASE, WEB, alert, one, policy, told

DOWN = "- {at: 0s, fire: {alertname: WebDown}}\n- {at: 10s, resolve: {alertname: WebDown}}"
AWAY = "isolate deployment/web: scale it from 3 to 0, for 30m at most"
BACK = "restore deployment/web: scale it from 0 to 3"


def isolating(*more: tuple[str, str]) -> Policy:
    return policy(
        ("steps: [{restart: {}}]", "steps: [{isolate: {for: 30m}}]"),
        ("runbooks: [restart-web, take-pod]", "runbooks: [restart-web]"),
        *more,
    )


def played(expect: str, more: str = "", alerts: str = DOWN, known: Policy | None = None) -> str:
    return told(one(alerts, expect, more=more, known=known or isolating()))


def test_it_ends_by_itself_though_its_incident_is_over() -> None:
    """And nobody is paged."""
    expect = (
        f"- {{at: 29m, status: resolved, changes: ['{AWAY}']}}\n"
        f"- {{at: 31m, status: resolved, changes: ['{AWAY}', '{BACK}'], pages: {{oncall: 0}}, "
        "timeline: 'the isolation is over: restore'}"
    )
    assert played(expect) == ""


def test_it_ends_by_itself_though_its_runbook_failed() -> None:
    """What failed to help is not left isolated either."""
    more = "outcomes: [{check: promql, result: failed}]"
    attempts = "attempts: [{runbook: restart-web, outcome: failed}]"
    expect = f"- {{at: 31m, {attempts}, changes: ['{AWAY}', '{BACK}']}}"
    assert played(expect, more, "- {at: 0s, fire: {alertname: WebDown}}") == ""


def test_it_ends_though_another_incident_of_its_group_has_opened_since() -> None:
    """The old one is over for more than an hour: its timer is its own."""
    known = isolating(("isolate: {for: 30m}", "isolate: {for: 2h}"))
    with Stage(known) as stage:
        for at in (0, 90 * MINUTE):
            stage.deliver([alert(WEB, at)], Instant(START + at))
            stage.deliver([alert(WEB, at + 10 * SECOND, since=at)], Instant(START + at + 10 * SECOND))
        stage.run_until(Instant(START + 119 * MINUTE))
        old, new = stage.incidents
        assert (len(old.isolations), old.resolved, old.group) == (1, True, new.group)
        stage.run_until(Instant(START + 121 * MINUTE))
        old, new = stage.incidents
        assert old.isolations == ()
        assert len(new.isolations) == 1
        text = "the isolation is over: deployment/web is not isolated by it any more"
        assert stage.timeline(old.id)[-1].text == text, "a later one holds it"
        stage.run_until(Instant(START + 211 * MINUTE))
        assert stage.watch.changes[new.id][-1] == BACK
        assert not stage.watch.troubles


def test_a_pause_keeps_it_isolated_and_is_paged_and_then_it_ends() -> None:
    """Once, however often it is tried."""
    alerts = f"{DOWN}\n- {{at: 29m, pause: deploying}}\n- {{at: 63m, resume: true}}"
    expect = (
        f"- {{at: 60m, status: resolved, changes: ['{AWAY}'], pages: {{oncall: 1}}, "
        "timeline: ['stays isolated beyond its time', 'paused by the test: deploying']}\n"
        f"- {{at: 66m, status: resolved, changes: ['{AWAY}', '{BACK}'], pages: {{oncall: 1}}}}"
    )
    assert played(expect, "", alerts) == ""


def test_what_the_runbook_itself_brings_back_needs_no_end() -> None:
    """Its timer finds nothing, says so, and changes nothing."""
    known = isolating(("{isolate: {for: 30m}}", "{isolate: {for: 30m}}, {restore: {}}"))
    expect = f"- {{at: 31m, changes: ['{AWAY}', '{BACK}'], timeline: 'is not isolated by it any more'}}"
    assert played(expect, known=known) == ""


def test_a_backtest_remembers_what_is_isolated_for_longer_than_an_incident_can_come_back() -> None:
    """Its end falls into the worst hour, in which another target is touched, too; forgetting or not."""
    known = isolating(("isolate: {for: 30m}", "isolate: {for: 2h}"))
    for forgets in (True, False):
        with Replay(known, START, forgets=forgets) as replay:
            replay.take(notify([alert(WEB, 0)]), START)
            replay.take(notify([alert(WEB, 10 * SECOND, since=0)]), Instant(START + 10 * SECOND))
            replay.run_until(Instant(START + 90 * MINUTE))
            replay.take(notify([alert(DATABASE, 100 * MINUTE)]), Instant(START + 100 * MINUTE))
            replay.run_until(Instant(START + 119 * MINUTE))
            assert [*replay.tally.targets.held] == ["shop/deployment/web"]
            replay.run_until(Instant(START + 121 * MINUTE))
            assert [*replay.tally.targets.held] == ["shop/deployment/web", "shop/statefulset/postgres"]
            assert not replay.tally.troubles
