"""Rehearsals of what attaches to what: expectations, reasons, mutants, and days that cost nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from remediator.core.times import DAY, MINUTE
from remediator.rehearsal.mutants.services import mutants_of_services
from remediator.rehearsal.places import Places
from remediator.rehearsal.stage import Stage
from tests.rehearsal.scenes import DATABASE, POLICY, WEB, alert, one, policy, read, told
from tests.rehearsal.test_stage import at

DEPENDS = ("workload: deployment/web, ", "workload: deployment/web, depends_on: [postgres], ")
KNOWN = policy(DEPENDS)
BOTH = """
    - {at: 0s, fire: {alertname: PostgresDown, cluster: prod-eu}}
    - {at: 40s, fire: {alertname: WebDown}}
    - {at: 5m, resolve: {alertname: PostgresDown, cluster: prod-eu}}
"""


def test_what_it_waits_for_can_be_expected() -> None:
    played = one(
        BOTH,
        """
        - {at: 4m, service: web, attached_to: postgres, attempts: [], pages: {oncall: 0}}
        - {at: 12m, service: web, attached_to: nothing, attempts: [{runbook: restart-web}]}
        - {at: 12m, service: postgres, status: resolved, attached_to: nothing}
        """,
        known=KNOWN,
    )
    assert played.passed, told(played)


@pytest.mark.parametrize(
    ("known", "expect", "why"),
    [
        (
            KNOWN,
            "{at: 4m, service: web, attached_to: nothing}",
            "attached_to: expected nothing, seen postgres; at T+40s: attached to ",
        ),
        (
            KNOWN,
            "{at: 35s, service: postgres, attached_to: web}",
            "attached_to: expected web, seen nothing; postgres does not depend on web",
        ),
        (KNOWN, "{at: 12m, service: web, attached_to: postgres}", "no incident of postgres is open"),
        (policy(), "{at: 4m, service: web, attached_to: postgres}", "web does not depend on postgres"),
    ],
)
def test_why_it_is_otherwise_is_told(known: object, expect: str, why: str) -> None:
    from remediator.core.policies import Policy

    assert isinstance(known, Policy)
    assert why in told(one(BOTH, f"- {expect}", known=known))


def test_a_service_that_is_not_there_is_no_expectation() -> None:
    text = "tests: [{name: a, alerts: [], expect: [{at: 1s, attached_to: postgress}]}]"
    [finding] = read(text, KNOWN).findings
    assert finding.code == "T831"
    assert "postgres" in finding.message


def test_each_dependency_is_a_mutant_unless_another_leads_there() -> None:
    text = POLICY.replace(*DEPENDS).replace(
        "  postgres:", "  shop: {depends_on: [web, postgres]}\n  postgres:"
    )
    known = policy(DEPENDS, ("  postgres:", "  shop: {depends_on: [web, postgres]}\n  postgres:"))
    found = list(mutants_of_services(known, Places.read({"policies.yaml": text})))
    assert [(one.subject, one.change) for one in found] == [
        ("service web", "no longer depends on postgres"),
        ("service shop", "no longer depends on web"),
    ]
    assert found[0].policy.services["web"].depends_on == ()


def test_jumping_over_what_it_waits_for_changes_nothing() -> None:
    """An incident that waits for days is as one that looked every half minute."""

    def played(*, jumps: bool) -> tuple[object, ...]:
        with Stage(KNOWN, jumps=jumps) as stage:
            stage.deliver([alert(DATABASE, 0)], at(0))
            stage.deliver([alert(WEB, MINUTE)], at(MINUTE))
            stage.deliver([alert({**WEB, "instance": "b"}, 7 * MINUTE)], at(7 * MINUTE))
            stage.deliver([alert(DATABASE, DAY // 8, since=0)], at(DAY // 8))
            stage.run_until(at(DAY // 6))
            incidents = [replace(incident, version=0) for incident in stage.incidents]
            return incidents, [stage.timeline(incident.id) for incident in incidents]

    assert played(jumps=True) == played(jumps=False)
