"""The Role that the chart grants is what the policies need under its mode: not less, and not more."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from remediator.core.access import Access, Granted
from remediator.core.policies import Mode
from remediator.policy.access_check import excess
from remediator.policy.load import load_policy
from remediator.policy.rbac import demands
from tests.chart.rendering import ROOT, Object, Rendered, render
from tests.integration.daemon import write_policies
from tests.integration.test_cli_check import run


def grants(rendered: Rendered) -> dict[str, list[Granted]]:
    """What the daemon's account is granted, by namespace; "" is the whole cluster."""
    found: dict[str, list[Granted]] = {}
    account = rendered.one("Deployment")["spec"]["template"]["spec"]["serviceAccountName"]
    for kind in ("Role", "ClusterRole"):
        for binding in rendered.of(f"{kind}Binding"):
            (subject,) = binding["subjects"]
            assert (subject["kind"], subject["name"], subject["namespace"]) == (
                "ServiceAccount",
                account,
                "ops",
            )
            role = rendered.one(kind, binding["roleRef"]["name"])
            namespace = role["metadata"].get("namespace", "")
            assert binding["metadata"].get("namespace", "") == namespace
            found[namespace] = [_granted(rule) for rule in role["rules"]]
    return found


def _granted(rule: Object) -> Granted:
    return Granted(
        groups=frozenset(rule["apiGroups"]),
        resources=frozenset(rule["resources"]),
        verbs=frozenset(rule["verbs"]),
        names=frozenset(rule.get("resourceNames", ())),
    )


def differences(rendered: Rendered, needed: Any) -> list[str]:
    """What is missing and what is too wide."""
    granted = grants(rendered)
    found = [str(each) for each in needed if not _allowed(granted, each)]
    for namespace, rules in granted.items():
        own = [access for access in needed if access.namespace == namespace]
        found += [text for rule in rules for text in excess(rule, own)]
    return found


def _allowed(granted: dict[str, list[Granted]], wanted: Access) -> bool:
    return any(rule.allows(wanted) for rule in granted.get(wanted.namespace, ()))


@pytest.mark.parametrize("mode", list(Mode))
def test_the_default_policies_get_what_they_need_and_no_more(mode: Mode) -> None:
    """Under each ceiling; who may only observe gets nothing that changes anything."""
    rendered = render({"mode": str(mode)})
    needed = demands(load_policy(ROOT / "policies"), ceiling=mode)
    assert differences(rendered, needed) == []
    verbs = {verb for rules in grants(rendered).values() for rule in rules for verb in rule.verbs}
    assert ("patch" in verbs) is (mode in (Mode.APPROVE, Mode.AUTO))
    assert rendered.of("ClusterRole") == []


@pytest.mark.parametrize(
    "wider",
    [
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "create"]},
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["delete"]},
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
    ],
)
def test_a_wider_role_is_noticed(wider: Object) -> None:
    """And a narrower one: each rule that is taken away is missed."""
    needed = demands(load_policy(ROOT / "policies"), ceiling=Mode.AUTO)
    rendered = deepcopy(render({"mode": "auto"}))
    rules = rendered.one("Role")["rules"]
    rules.append(wider)
    assert differences(rendered, needed)
    rules[-1:] = []
    for number in range(len(rules)):
        taken = rules.pop(number)
        assert differences(rendered, needed), taken
        rules.insert(number, taken)


def test_policies_of_your_own_with_the_roles_they_need(tmp_path: Path) -> None:
    """As ``remediator rbac DIR --values`` writes them: they read back as they were, and get their Role."""
    written = write_policies(tmp_path / "policies")
    (written / "a.yaml").write_text('  # odd\ntemplates:\n  odd: "tab\\t é"\n\n\n')
    done = run("rbac", written, "--values", "--mode", "approve")
    assert (done.returncode, done.stderr) == (0, "")
    values = YAML(typ="safe").load(done.stdout)
    rendered = render({**values, "mode": "approve"})
    texts = {file.name: file.read_text() for file in written.glob("*.yaml")}
    assert rendered.one("ConfigMap", "remediator-policies")["data"] == texts
    assert differences(rendered, demands(load_policy(written), ceiling=Mode.APPROVE)) == []
    assert "#" in done.stdout.partition("rbac:")[2], "each rule says what it is for"


def test_the_values_go_by_what_a_config_map_can_hold(tmp_path: Path) -> None:
    """No folders, no more than it takes; and one form at a time."""
    written = write_policies(tmp_path / "policies")
    (written / "more").mkdir()
    (written / "more" / "x.yaml").write_text("severities: {SEV-4: {summary: s}}\n")
    done = run("rbac", written, "--values")
    assert done.returncode == 1
    assert "more/x.yaml" in done.stderr
    assert run("rbac", written, "--values", "--json").returncode == 2


def test_a_cluster_role_only_where_something_is_in_no_namespace() -> None:
    """Bound across the cluster, and named so that no other release has the name."""
    rules = [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "patch"]}]
    spaced = {
        "namespace": "shop",
        "rules": [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"]}],
    }
    rendered = render({"rbac": {"roles": [{"namespace": "", "rules": rules}, spaced]}})
    assert rendered.one("ClusterRole", "ops:remediator")["rules"] == rules
    assert rendered.one("ClusterRoleBinding", "ops:remediator")["roleRef"]["kind"] == "ClusterRole"
    assert set(grants(rendered)) == {"", "shop"}


def test_policies_of_your_own_get_nothing_that_you_did_not_say() -> None:
    """The default policies' Role is for the default policies alone."""
    assert grants(render({"policies": {"existingConfigMap": "ours"}})) == {}
    assert grants(render({"rbac": {"create": False}})) == {}
