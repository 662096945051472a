"""Rehearsals of rules whose alerts name an object."""

from __future__ import annotations

import pytest

from remediator.rehearsal.mutants.rules import mutants_of_rules
from remediator.rehearsal.places import Places
from remediator.rehearsal.stage import Stage
from remediator.rehearsal.world import World
from tests.rehearsal.scenes import POLICY, alert, one, policy, told
from tests.rehearsal.test_stage import at

WEB_DOWN = """  - name: web-down
    match: [alertname="WebDown"]
    severity: SEV-2
    service: web
"""
NAMED = WEB_DOWN.replace("service: web", "target: {pod: '{{ labels.namespace }}/{{ labels.pod }}'}")
KNOWN = policy((WEB_DOWN, NAMED))


def test_a_pod_belongs_to_the_workload_whose_name_it_begins_with() -> None:
    played = one(
        "- {at: 0s, fire: {alertname: WebDown, namespace: shop, pod: web-5d9c7-1}}",
        """
        - {at: 1s, service: web, changes: [restart deployment/web], attempts: [{runbook: restart-web}]}
        - {at: 1s, service: web, timeline: ['pod web-5d9c7-1 in namespace shop belongs to deployment/web']}
        """,
        known=KNOWN,
    )
    assert played.passed, told(played)


def test_a_workload_that_is_told_of_needs_no_catalog() -> None:
    played = one(
        "- {at: 0s, fire: {alertname: WebDown, namespace: shop, pod: batch-1}}",
        "- {at: 1s, service: unknown, changes: [restart deployment/batch]}",
        more="cluster: [{workload: deployment/batch, namespace: shop, replicas: 2, ready: 1}]",
        known=KNOWN,
    )
    assert played.passed, told(played)


@pytest.mark.parametrize(
    ("labels", "cluster", "reason"),
    [
        ("namespace: shop, pod: stranger-1", "", "does not exist"),
        ("namespace: bank, pod: web-1", "", "namespace bank is not allowed"),
        ("namespace: shop", "", "cannot be the name of any object"),
        (
            "namespace: shop, pod: web-1",
            "cluster: [{workload: deployment/web, missing: true}]",
            "pod web-1 in namespace shop does not exist",
        ),
    ],
)
def test_what_leads_to_no_workload_is_blocked_and_paged(labels: str, cluster: str, reason: str) -> None:
    played = one(
        f"- {{at: 0s, fire: {{alertname: WebDown, {labels}}}}}",
        f"- {{at: 1s, changes: [], pages: {{oncall: 1}}, timeline: ['{reason}']}}",
        more=cluster,
        known=KNOWN,
    )
    assert played.passed, told(played)


def test_pods_of_one_workload_are_remediated_once() -> None:
    played = one(
        """
        - {at: 0s, fire: {alertname: WebDown, namespace: shop, pod: web-1}}
        - {at: 1s, fire: {alertname: WebDown, namespace: shop, pod: web-2}}
        - {at: 2m, resolve: {alertname: WebDown, namespace: shop, pod: web-1}}
        - {at: 2m, resolve: {alertname: WebDown, namespace: shop, pod: web-2}}
        """,
        """
        - {at: 2s, incidents: 2, service: web, attached_to: web, attempts: [], changes: []}
        - {at: 2s, pages: {oncall: 0}}
        - {at: 4m, service: web, status: resolved, pages: {oncall: 0}}
        """,
        known=KNOWN,
    )
    assert played.passed, told(played)


def test_a_target_that_is_gone_from_the_rule_is_a_mutant() -> None:
    places = Places.read({"policies.yaml": POLICY.replace(WEB_DOWN, NAMED)})
    [found] = [one for one in mutants_of_rules(KNOWN, places) if one.change == "target removed"]
    assert found.subject == "rule web-down"
    assert found.policy.rule("web-down") is not None


@pytest.mark.parametrize(
    ("pod", "workload"),
    [
        ("web-1", "deployment/web"),
        ("batch-5d9c7b8f6d-x2x9z", "deployment/batch"),
        ("queue-0", "statefulset/queue"),
        ("lonely", "deployment/lonely"),
    ],
)
def test_a_backtest_presumes_the_workload_that_kubernetes_would_have_named_a_pod_after(
    pod: str, workload: str
) -> None:
    """Recorded alerts do not tell it; what the catalog names comes first."""
    with Stage(KNOWN, World(strangers=True)) as stage:
        stage.deliver([alert({"alertname": "WebDown", "namespace": "shop", "pod": pod}, 0)], at(0))
        stage.run_until(at(1000))
        [incident] = stage.incidents
        assert incident.attempts[-1].target == f"shop/{workload}"
