"""The default policies are the playbook."""

from __future__ import annotations

from pathlib import Path

import pytest

from remediator.core.classify import Classifier
from remediator.core.policies import Mode, PageNever, PageNow, PageUnlessVerified, Policy, Runbook
from remediator.core.times import MINUTE, Millis
from remediator.policy.findings import Level
from remediator.policy.load import read_policies
from remediator.policy.selecting import Selector

DIRECTORY = Path(__file__).parents[2] / "policies"


@pytest.fixture(scope="module")
def policy() -> Policy:
    loaded = read_policies(DIRECTORY)
    assert [str(each) for each in loaded.findings if each.level is not Level.NOTICE] == []
    assert loaded.policy is not None
    return loaded.policy


def test_the_four_severities_page_as_the_playbook_says(policy: Policy) -> None:
    pages = {name: severity.page for name, severity in policy.severities.items()}
    assert pages == {
        "SEV-1": PageNow(),
        "SEV-2": PageUnlessVerified(within=Millis(15 * MINUTE)),
        "SEV-3": PageNever(),
        "SEV-4": PageNever(),
    }


def test_the_four_severities_respond_as_the_playbook_says(policy: Policy) -> None:
    minutes = {name: (each.respond_within or 0) // MINUTE for name, each in policy.severities.items()}
    assert minutes == {"SEV-1": 15, "SEV-2": 60, "SEV-3": 240, "SEV-4": 1440}


def test_the_escalation_climbs_as_the_playbook_says(policy: Policy) -> None:
    for severity, first in (("SEV-1", ("oncall", "manager")), ("SEV-2", ("oncall",))):
        levels = [(level.channels, level.acknowledge_within) for level in policy.levels(severity)]
        assert levels == [(first, 15 * MINUTE), (("manager",), 5 * MINUTE), (("vp",), None)]


@pytest.mark.parametrize(
    ("labels", "severity", "service", "mode", "runbooks"),
    [
        ({"alertname": "ServiceDown", "service": "auth-service"}, "SEV-2", "auth-service", "auto", 1),
        ({"alertname": "TargetDown", "app": "account-service"}, "SEV-2", "account-service", "auto", 1),
        (
            {
                "alertname": "KubeDeploymentReplicasMismatch",
                "namespace": "fintech-services",
                "deployment": "analytics-service",
                "service": "kube-state-metrics",
            },
            "SEV-2",
            "analytics-service",
            "suggest",
            1,
        ),
        ({"alertname": "PostgresDown", "service": "postgres-exporter"}, "SEV-1", "postgres", "auto", 1),
        ({"alertname": "ServiceDown", "service": "billing"}, "SEV-2", "billing", "observe", 0),
        ({"alertname": "HighErrorRate", "service": "auth-service"}, "SEV-2", "auth-service", "observe", 0),
        ({"alertname": "Other", "severity": "warning", "job": "node"}, "SEV-3", "node", "observe", 0),
        ({"alertname": "Other", "severity": "info"}, "SEV-4", "unknown", "observe", 0),
    ],
)
def test_what_becomes_of_common_alerts(
    policy: Policy, labels: dict[str, str], severity: str, service: str, mode: str, runbooks: int
) -> None:
    match = Classifier(policy).match(labels)
    assert match is not None
    assert (match.rule.severity, match.service) == (severity, service)
    assert (match.rule.mode, len(match.rule.runbooks)) == (Mode(mode), runbooks)


def test_a_watchdog_is_nobodys_incident(policy: Policy) -> None:
    assert Classifier(policy).match({"alertname": "Watchdog", "severity": "none"}) is None


def disrupting(book: Runbook) -> bool:
    """Whether pods may go by it."""
    return any(step.acts and step.action != "http" for step in book.steps)


def test_every_runbook_proves_itself_by_the_alert_and_by_staying_ready(policy: Policy) -> None:
    for book in policy.runbooks.values():
        if not disrupting(book):
            continue  # nobody's pods are touched: the alert, and what it asks about, is the proof
        checks = {check.check: check for check in book.verify}
        assert {"ready", "alert"} <= checks.keys(), book.name
        assert checks["ready"].stable >= 30_000, book.name


def test_the_database_is_only_ever_scaled_up_by_a_machine(policy: Policy) -> None:
    """By every rule that acts by itself and can select it, as far as matchers and templates tell."""
    selector = Selector(policy=policy)
    acting = [rule for rule in policy.rules if rule.mode is Mode.AUTO]
    books = {name for rule in acting if "postgres" in selector.of(rule).names for name in rule.runbooks}
    steps = [step for name in books for step in policy.runbooks[name].steps if step.acts]
    steps = [step for step in steps if step.action != "http"]  # asks a host of the catalog, and it has none
    assert policy.services["postgres"].health is None
    assert [(step.action, dict(step.params)) for step in steps] == [("scale", {"to": 1, "only": "up"})]


def test_only_the_services_namespace_is_ever_touched(policy: Policy) -> None:
    assert policy.guards.namespaces == ("fintech-services",)
