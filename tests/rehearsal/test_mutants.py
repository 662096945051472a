"""Policies broken one way at a time, and which breaks no test notices."""

from __future__ import annotations

import re

import pytest

from remediator.core.classify import Classifier
from remediator.core.policies import Policy
from remediator.rehearsal.mutants import all_mutants
from remediator.rehearsal.mutating import Score, try_mutants
from remediator.rehearsal.places import Places
from remediator.rehearsal.running import run_cases
from tests.rehearsal.scenes import POLICY, cases, policy

PLACES = Places.read({"policies.yaml": POLICY})
HOLD = """
tests:
  - name: the database is held for half a minute
    alerts: [{at: 0s, fire: {alertname: PostgresDown, cluster: prod}}]
    expect:
      - {at: 29s, incidents: 0}
      - {at: 30s, rule: database-down, severity: SEV-1}
"""


def score(text: str, known: Policy | None = None) -> Score:
    """What becomes of all mutants of the policy."""
    rules = known or policy()
    run = run_cases(cases(text, rules), Classifier(rules))
    assert not run.failed
    return try_mutants(rules, PLACES, run)


def survivors(found: Score) -> set[str]:
    """What no test noticed."""
    return {f"{each.subject}: {each.change}" for each in found.survivors}


def test_what_a_test_looks_at_it_notices() -> None:
    """The rule gone, its hold or its severity another one, its matchers changed."""
    left = survivors(score(HOLD))
    own = {each for each in left if each.startswith("rule database-down: ")}
    assert own == {
        'rule database-down: matcher alertname="PostgresDown" dropped',
        'rule database-down: matcher cluster=~"prod.*" dropped',
        "rule database-down: mode auto -> suggest",
        "rule database-down: group_by service -> every alert by itself",
        "rule database-down: runbook restore-database removed",
    }


def test_what_it_does_not_look_at_survives_in_words_with_its_place_and_advice() -> None:
    """What an SRE reads: where, what was changed, and what would notice it."""
    lax = HOLD.replace("      - {at: 29s, incidents: 0}\n", "")
    hold = next(each for each in score(lax).survivors if each.change == "hold 30s -> 15s")
    assert (hold.where, hold.subject) == ("policies.yaml:14:5", "rule database-down")
    assert hold.hint == "expect incidents: 0 just before 30s and incidents: 1 just after"


def test_the_score_is_kept_by_section() -> None:
    """And adds up."""
    found = score(HOLD)
    assert list(found.by_section) == ["rules", "runbooks", "guards", "severities", "escalations"]
    assert sum(killed for killed, _ in found.by_section.values()) == found.killed
    assert sum(total for _, total in found.by_section.values()) == found.total


def test_it_comes_out_the_same_every_time() -> None:
    """On however many processors, and the policy is as it was."""
    own = policy()
    digest = own.digest
    first, second = score(HOLD, own), score(HOLD, own)
    assert first == second
    assert own.digest == digest


def test_every_kind_of_break_is_made() -> None:
    """Numbers and names mask, so that the kinds are left."""
    kinds = {
        re.sub(r"[0-9][0-9.a-z%/]*|'[^']*'|\"[^\"]*\"", "N", f"{each.section}: {each.change}")
        for each in all_mutants(policy(), PLACES, [{"alertname": "WebDown"}])
    }
    assert kinds >= {
        "rules: removed",
        "rules: swapped with anything-down, which matches too",
        "rules: matcher alertname=N dropped",
        "rules: matcher alertname=N negated, !=",
        "rules: matcher of alertname: N -> N",
        "rules: severity SEV-N -> SEV-N",
        "rules: mode auto -> suggest",
        "rules: mode suggest -> observe",
        "rules: hold N -> N",
        "rules: group_by service -> every alert by itself",
        "rules: runbook restart-web removed",
        "rules: runbooks in reverse",
        "rules: raise above N -> N",
        "rules: raise to SEV-N removed",
        "runbooks: step N, scale, removed",
        "runbooks: step N, wait, removed",
        "runbooks: scale: to N -> N",
        "runbooks: delete_pod: at_most N -> N",
        "runbooks: wait: timeout N -> N",
        "runbooks: check ready removed",
        "runbooks: check ready: for N -> N",
        "runbooks: check ready: within N -> N",
        "runbooks: check promql: below N -> N",
        "runbooks: limits: attempts N -> N",
        "runbooks: limits: per N -> N",
        "guards: namespace shop no longer allowed",
        "guards: max_unavailable N -> N",
        "guards: max_unavailable removed",
        "guards: rate.target N -> N",
        "guards: rate.target per N -> N",
        "severities: paged at once -> never paged",
        "severities: never paged -> paged at once",
        "severities: unless_verified_within N -> N",
        "severities: escalation removed",
        "severities: raise after N -> N",
        "escalations: removed",
        "escalations: channel oncall removed",
        "escalations: acknowledge_within N -> N",
    }


def test_thresholds_of_what_is_waited_for_are_broken_too() -> None:
    """A wait can have a bound, a count and a time of its own, as a verification can."""
    change = (
        "- wait: {for: ready, timeout: 5m}",
        "- wait: {for: {promql: {query: up, above: 2, for: 1m}}}\n"
        "      - wait: {for: {endpoints: {at_least: 2}}, timeout: 5m}",
    )
    text = POLICY.replace(*change)
    places = Places.read({"policies.yaml": text})
    found = {each.change: each.where for each in all_mutants(policy(change), places, [])}
    assert {words for words in found if words.startswith("wait: ")} == {
        "wait: above 2 -> 1",
        "wait: above 2 -> 4",
        "wait: for 1m -> 30s",
        "wait: for 1m -> 2m",
        "wait: at_least 2 -> 1",
        "wait: at_least 2 -> 3",
        "wait: timeout 5m -> 2m30s",
        "wait: timeout 5m -> 10m",
    }
    assert found["wait: at_least 2 -> 1"] == "policies.yaml:39:34"


def test_what_is_left_to_the_defaults_is_not_broken() -> None:
    """Nobody wrote it, so nobody is to test it."""
    changes = [each.change for each in all_mutants(policy(), PLACES, [])]
    assert not any("rate.cluster" in change for change in changes)
    assert not any(change.startswith("limits: cooldown") for change in changes)


@pytest.mark.parametrize(
    ("expect", "noticed"),
    [
        ("{at: 2m, changes: [scale statefulset/postgres from 0 to 1]}", "scale: to 1 -> 2"),
        ("{at: 5m29s, status: verifying}", "check ready: for 5m -> 2m30s"),
        ("{at: 5m31s, status: resolved}", "check ready: for 5m -> 10m"),
        ("{at: 1m, pages: {oncall: 1}}", "paged at once -> never paged"),
    ],
)
def test_what_is_expected_decides_what_is_noticed(expect: str, noticed: str) -> None:
    """Each expectation by itself."""
    alone = f"""
    tests:
      - name: the database
        alerts:
          - {{at: 0s, fire: {{alertname: PostgresDown, cluster: prod}}}}
          - {{at: 31s, resolve: {{alertname: PostgresDown, cluster: prod}}}}
        expect:
          - {expect}
    """
    left = {each.change for each in score(alone).survivors}
    known = {each.change for each in all_mutants(policy(), PLACES, [])}
    assert noticed in known - left


def test_a_wait_that_another_outlasts_is_not_said_to_be_noticeable() -> None:
    """A hint that no test can follow would cost somebody an afternoon."""
    hints = {each.change: each.hint for each in all_mutants(policy(), PLACES, [])}
    outlasted = "all checks are waited for as long as the longest of them, here 20m"
    assert hints["check ready: within 10m -> 5m"].startswith(outlasted)  # of restore-database, alert: 20m
    assert hints["check alert: within 20m -> 10m"].startswith("let check alert fail, and expect")
