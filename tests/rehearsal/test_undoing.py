"""``undo: on_failure`` in a rehearsal: what is taken back, what is left, and who hears of it."""

from __future__ import annotations

import pytest

from remediator.core.classify import Classifier
from remediator.core.policies import Policy
from remediator.rehearsal.mutating import try_mutants
from remediator.rehearsal.places import Places
from remediator.rehearsal.running import run_cases
from tests.rehearsal.scenes import POLICY, cases, one, policy, read, told

FIRES = "- {at: 0s, fire: {alertname: WebDown}}"
IMAGE = "set_image: {image: 'shop/web:2'}"
SET = "set the image of main in deployment/web from registry.invalid/what/ran:before to shop/web:2"
BACK = "set the image of main in deployment/web from shop/web:2 to registry.invalid/what/ran:before"


def undoing(*steps: str) -> Policy:
    """``restart-web`` with these steps, which are taken back; no other runbook follows."""
    written = "}, {".join(steps)
    return policy(
        ("steps: [{restart: {}}]", f"undo: on_failure\n    steps: [{{{written}}}]"),
        ("runbooks: [restart-web, take-pod]", "runbooks: [restart-web]"),
    )


def played(known: Policy, expect: str, more: str = "", alerts: str = FIRES) -> str:
    return told(one(alerts, expect, more=more, known=known))


FAILS = "outcomes: [{check: promql, result: failed}]"


def test_what_did_not_help_is_taken_back_and_then_people_are_paged() -> None:
    """The attempt has failed; both changes are told."""
    expect = (
        f"- {{at: 9m, attempts: [{{runbook: restart-web, outcome: running}}], changes: ['{SET}'], "
        "pages: {oncall: 0}}\n"
        f"- {{at: 11m, attempts: [{{runbook: restart-web, outcome: failed}}], changes: ['{SET}', '{BACK}'], "
        "pages: {oncall: 1}, timeline: ['what was changed is taken back', 'undo set_image: done: ']}"
    )
    assert played(undoing(IMAGE), expect, FAILS) == ""


def test_what_has_no_inverse_is_told_as_left_alone() -> None:
    """And the steps before it are taken back all the same."""
    expect = (
        f"- {{at: 11m, changes: ['{SET}', 'restart deployment/web', '{BACK}'], timeline: "
        "['undo restart: nothing is taken back: restart has no inverse']}"
    )
    assert played(undoing(IMAGE, "restart: {}"), expect, FAILS) == ""


@pytest.mark.parametrize(
    ("more", "alerts", "says"),
    [
        ("outcomes: [{check: promql, result: unknown}]", "", "is not known to have failed"),
        (FAILS, "- {at: 9m, pause: deploying}", "paused by the test: deploying"),
        (
            FAILS,
            "- {at: 9m, pause: deploying, scope: {runbook: restart-web}}",
            "paused by the test: deploying",
        ),
        (
            "outcomes: [{check: promql, result: failed}, {undo: set_image, result: failed}]",
            "",
            "lets it fail",
        ),
    ],
)
def test_what_is_left_in_place_is_paged(more: str, alerts: str, says: str) -> None:
    """Unknown is no failure; a pause stops an undo, too."""
    expect = (
        f"- {{at: 11m, attempts: [{{runbook: restart-web, outcome: failed}}], changes: ['{SET}'], "
        f"pages: {{oncall: 1}}, timeline: ['left in place: {SET}', '{says}']}}"
    )
    assert played(undoing(IMAGE), expect, more, f"{FIRES}\n{alerts}") == ""


def test_an_undo_of_which_nothing_is_known_ends_the_attempt_as_unknown() -> None:
    """No guess, and a page."""
    more = "outcomes: [{check: promql, result: failed}, {undo: set_image, result: unknown, takes: 1m}]"
    expect = (
        "- {at: 10m30s, attempts: [{runbook: restart-web, outcome: running}]}\n"
        "- {at: 17m, attempts: [{runbook: restart-web, outcome: unknown}], pages: {oncall: 1}}"
    )
    assert played(undoing(IMAGE), expect, more) == ""


def test_an_undo_takes_no_healthy_pod_away() -> None:
    """What was scaled up serves by now: it stays, and people hear why."""
    expect = (
        "- {at: 11m, changes: ['scale deployment/web from 2 to 3'], blocked_by: plan, timeline: "
        "['left in place: scale deployment/web from 2 to 3 (', 'an undo never lowers availability']}"
    )
    assert played(undoing("scale: {to: 3, only: up}"), expect, FAILS) == ""


def test_pods_that_never_came_up_are_taken_back() -> None:
    """The new one is not ready: nothing that serves is lost."""
    alerts = f"{FIRES}\n- {{at: 1m, cluster: {{workload: deployment/web, replicas: 3, ready: 2}}}}"
    more = "outcomes: [{check: ready, result: failed}]"
    expect = "- {at: 11m, changes: ['scale deployment/web from 2 to 3', 'scale deployment/web from 3 to 2']}"
    assert played(undoing("scale: {to: 3, only: up}"), expect, more, alerts) == ""


def test_only_what_a_runbook_undoes_can_be_said_of() -> None:
    """An outcome of an undo that there is none of proves nothing."""
    outcome, expect = "{undo: restart, result: failed}", "{at: 1m, incidents: 0}"
    text = f"tests: [{{name: t, outcomes: [{outcome}], alerts: [], expect: [{expect}]}}]"
    (finding,) = read(text).findings
    assert "no runbook has a undo of step 'restart'" in str(finding)


def test_a_test_that_does_not_look_at_the_undo_is_noticed() -> None:
    """The mutant that undoes nothing survives it, and is found by one that expects what is taken back."""
    known = undoing(IMAGE)
    source = POLICY.replace("steps: [{restart: {}}]", f"undo: on_failure\n    steps: [{{{IMAGE}}}]").replace(
        "runbooks: [restart-web, take-pod]", "runbooks: [restart-web]"
    )
    for expect, survives in (
        ("attempts: [{runbook: restart-web, outcome: failed}]", True),
        (f"changes: ['{SET}', '{BACK}']", False),
    ):
        text = f"tests: [{{name: t, {FAILS}, alerts: [{FIRES[2:]}], expect: [{{at: 11m, {expect}}}]}}]"
        ran = run_cases(cases(text, known), Classifier(known))
        assert not ran.failed
        tried = try_mutants(known, Places.read({"policies.yaml": source}), ran)
        assert ("undo: never" in [mutant.change for mutant in tried.survivors]) is survives
