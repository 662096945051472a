"""Tests of policies can silence alerts: what is silenced is not changed, as long as it is."""

from __future__ import annotations

import pytest

from remediator.policy.load import load_policy
from remediator.rehearsal.mutants.runbooks import mutants_of_runbooks
from remediator.rehearsal.places import Places
from tests.rehearsal.scenes import POLICY, one, policy, read, told


def test_a_silenced_alert_blocks_the_change_and_resolves_nothing() -> None:
    played = one(
        """
        - {at: 0s, silence: {alertname: WebDown}}
        - {at: 1s, fire: {alertname: WebDown}}
        """,
        """
        - {at: 1m, blocked_by: suppressed, changes: [], incidents: 1}
        - {at: 2h, incidents: 1, timeline: ['suppressed: an alert of the incident is silenced by the test']}
        """,
    )
    assert played.passed, told(played)


@pytest.mark.parametrize(
    "deed",
    [
        "{at: 0s, silence: {alertname: WebDown}, for: 1m}",
        "{at: 0s, silence: {alertname: SomethingElse}}",
        "{at: 0s, silence: {alertname: WebDown, pod: web-1}}",
        "{at: 10m, silence: {alertname: WebDown}}",
    ],
)
def test_a_silence_that_is_over_or_of_something_else_blocks_nothing(deed: str) -> None:
    played = one(
        f"- {deed}\n- {{at: 2m, fire: {{alertname: WebDown}}}}",
        "- {at: 4m, changes: [restart deployment/web]}",
    )
    assert played.passed, told(played)


def test_of_several_alerts_one_that_is_silenced_is_enough() -> None:
    played = one(
        """
        - {at: 0s, silence: [{alertname: Nothing}, {alertname: WebDown, pod: b}]}
        - {at: 1s, fire: [{alertname: WebDown, pod: a}, {alertname: WebDown, pod: b}]}
        """,
        "- {at: 1m, blocked_by: suppressed, changes: []}",
    )
    assert played.passed, told(played)


def test_how_long_belongs_to_pauses_and_silences() -> None:
    found = read(
        "tests: [{name: a, alerts: [{at: 0s, fire: {alertname: WebDown}, for: 1m}], expect: [{at: 1s}]}]"
    ).findings
    assert "'for' says how long a pause or a silence lasts; fire has none" in "".join(map(str, found))


SILENCED = 'silence {alertname="WebDown"} for 15m'
QUIETLY = policy(("steps: [{restart: {}}]", "steps: [{silence: {for: 15m}}, {restart: {}}]"))
ON = "- {at: 1s, fire: {alertname: WebDown}}"


def test_a_step_silences_and_the_next_one_is_performed() -> None:
    """Its own silence is no person's; it is told as a change; nothing resolves by it."""
    played = one(
        ON,
        f"""
        - {{at: 5m, changes: ['{SILENCED}', 'restart deployment/web'], incidents: 1}}
        - {{at: 5m, timeline: 'silenced by a step of a runbook, which is no objection: 1'}}
        - {{at: 10m, status: verifying}}
        """,
        known=QUIETLY,
    )
    assert played.passed, told(played)


def test_the_silence_ends_with_the_attempt_or_is_taken_back_before() -> None:
    """Then whoever asks Alertmanager is told again."""
    failing = "outcomes: [{check: promql, result: failed}]"
    quietly = ("steps: [{restart: {}}]", "steps: [{silence: {for: 15m}}, {restart: {}}]")
    ended = "its silence ends with the attempt: "
    for text, undone in ((f"{ended}end the silence of", 0), (f"{ended}it was over", 1)):
        also = (
            (("    limits: {attempts: 2", "    undo: on_failure\n    limits: {attempts: 2"),)
            if undone
            else ()
        )
        known = policy(quietly, ("[restart-web, take-pod]", "[restart-web]"), *also)
        taken_back = ", 'end the silence of {alertname=\"WebDown\"}'" if undone else ""
        changes = f"'{SILENCED}', 'restart deployment/web'{taken_back}"
        expect = f"- {{at: 14m, changes: [{changes}], timeline: '{text}'}}"
        played = one(ON, expect, more=failing, known=known)
        assert played.passed, told(played)


def test_what_came_of_a_silence_is_said() -> None:
    """Refused at once; of an answer that never comes nobody knows, and the step behind it is not reached."""
    for result, outcome in (("failed", "failed"), ("unknown", "unknown")):
        played = one(
            ON,
            f"- {{at: 14m, attempts: [{{runbook: restart-web, outcome: {outcome}}}], changes: []}}",
            more=f"outcomes: [{{step: silence, result: {result}}}]",
            known=policy(
                ("steps: [{restart: {}}]", "steps: [{silence: {for: 15m}}, {restart: {}}]"),
                ("[restart-web, take-pod]", "[restart-web]"),
            ),
        )
        assert played.passed, told(played)


def test_a_person_who_silences_stops_what_follows_a_silence_of_ours() -> None:
    played = one(
        f"- {{at: 0s, silence: {{alertname: WebDown}}}}\n{ON}",
        "- {at: 1m, blocked_by: suppressed, changes: []}",
        known=QUIETLY,
    )
    assert played.passed, told(played)


def test_a_test_notices_how_long_is_silenced() -> None:
    """The mutant that changes it is found by whoever expects the change."""
    text = POLICY.replace("[{restart: {}}]", "[{silence: {for: 15m}}, {restart: {}}]")
    known, places = load_policy({"policies.yaml": text}), Places.read({"policies.yaml": text})
    every = mutants_of_runbooks(known, places)
    longer = next(mutant for mutant in every if mutant.change.startswith("silence: for"))
    for rules, passed in ((known, True), (longer.policy, False)):
        expect = f"- {{at: 5m, changes: ['{SILENCED}', 'restart deployment/web']}}"
        assert one(ON, expect, known=rules).passed is passed
