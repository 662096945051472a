"""Tests of policies can silence alerts: what is silenced is not changed, as long as it is."""

from __future__ import annotations

import pytest

from tests.rehearsal.scenes import one, read, told


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
