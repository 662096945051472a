"""``remediator rbac`` as a person, a pipeline and a CI job call it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from remediator.policy.load import load_policy
from remediator.policy.manifests import Account, Role, manifests, roles_of
from remediator.policy.rbac import demands
from remediator.testing.apiserver import ADMIN, TOKEN, FakeApiServer, User
from tests.integration.daemon import POLICIES, write_policies
from tests.integration.test_cli_check import ROOT, run

ACCOUNT = Account(namespace="remediator", name="remediator")
OWN = "token-of-the-account"


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    return write_policies(tmp_path / "policies")


@pytest.fixture
async def cluster() -> AsyncIterator[FakeApiServer]:
    """Where the account has no permissions yet."""
    users = {TOKEN: ADMIN, OWN: User(name="system:serviceaccount:remediator:remediator", rules=())}
    async with FakeApiServer(users=users) as server:
        server.namespace("shop")
        yield server


def grant(cluster: FakeApiServer, roles: Sequence[Role]) -> None:
    """As an administrator does."""
    for manifest in manifests(roles, ACCOUNT):
        cluster.create(manifest)


async def check(policies: Path, cluster: FakeApiServer, *options: str) -> tuple[int, str, str]:
    """What it answers to the account of the cluster."""
    path = cluster.kubeconfig(policies.parent / "kubeconfig", token=OWN)
    done = await asyncio.to_thread(run, "rbac", policies, "--check", "--kubeconfig", path, *options)
    return done.returncode, done.stdout, done.stderr


def test_what_the_default_policies_need_is_what_is_checked_in() -> None:
    """Golden: a change of the policies or of a plugin shows in review what it takes."""
    done = run("rbac", "policies")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (ROOT / "docs" / "examples" / "rbac.yaml").read_text()
    documents = [one for one in YAML(typ="safe").load_all(done.stdout) if one]
    assert [(one["kind"], one["metadata"]["namespace"]) for one in documents] == [
        ("Role", "fintech-services"),
        ("RoleBinding", "fintech-services"),
    ]


def test_the_account_is_named_and_the_output_says_how_it_was_made(policies: Path) -> None:
    done = run("rbac", policies, "--namespace", "ops", "--service-account", "healer", "--as-if", "auto")
    assert done.returncode == 0
    assert "# Written by: remediator rbac policies --namespace ops --service-account healer --as-if auto" in (
        done.stdout.splitlines()
    )
    role, binding = [one for one in YAML(typ="safe").load_all(done.stdout) if one]
    assert role["metadata"]["name"] == binding["roleRef"]["name"] == "healer"
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "healer", "namespace": "ops"}]


def verbs(*arguments: str | Path) -> set[str]:
    """The verbs that it prints."""
    done = run("rbac", *arguments, "--json")
    assert done.returncode == 0
    return {need["verb"] for need in json.loads(done.stdout)["needs"]}


def test_modes_decide_what_is_needed(policies: Path) -> None:
    """The ceiling takes away, one step up the ladder adds."""
    assert verbs(policies) == {"get", "list", "patch"}
    assert verbs(policies, "--mode", "suggest") == {"get", "list"}
    write_policies(policies, POLICIES.replace("mode: auto", "mode: observe"))
    assert verbs(policies) == {"get", "list"}
    assert verbs(policies, "--as-if", "auto") == {"get", "list", "patch"}


def test_as_json_each_need_says_what_for(policies: Path) -> None:
    answer = json.loads(run("rbac", policies, "--json").stdout)
    assert answer["digest"] == load_policy(policies).digest
    assert [one["kind"] for one in answer["manifests"]] == ["Role", "RoleBinding"]
    [patch] = [need for need in answer["needs"] if need["verb"] == "patch"]
    assert patch == {
        "namespace": "shop",
        "group": "apps",
        "resource": "deployments",
        "verb": "patch",
        "name": "web",
        "for": [
            {
                "rules": ["web-down"],
                "runbook": "restart-web",
                "part": "guard lease",
                "why": "write the lease's epoch onto it, so that no older owner can change it",
            },
            {
                "rules": ["web-down"],
                "runbook": "restart-web",
                "part": "step restart",
                "why": "restart the workload",
            },
        ],
    }


def test_wrong_use_and_wrong_policies(tmp_path: Path, policies: Path) -> None:
    """2 for what does not exist or cannot be a name, 1 for policies with errors."""
    assert run("rbac", tmp_path / "nowhere").returncode == 2
    odd = run("rbac", policies, "--namespace", "a\nb")
    assert odd.returncode == 2
    assert "is not a name" in odd.stderr
    alone = run("rbac", policies, "--check")
    assert alone.returncode == 2
    assert "--kubeconfig" in alone.stderr
    write_policies(policies, "rules: [{}]")
    broken = run("rbac", policies)
    assert (broken.returncode, broken.stdout) == (1, "")
    assert "correct them first" in broken.stderr


def test_policies_without_runbooks_need_nothing_and_that_is_said(policies: Path) -> None:
    write_policies(policies, POLICIES.replace(", runbooks: [restart-web]", ""))
    done = run("rbac", policies)
    assert done.returncode == 0
    assert "need nothing of Kubernetes" in done.stderr
    assert all(line.startswith("#") for line in done.stdout.splitlines())


async def test_check_is_content_with_exactly_what_is_printed(policies: Path, cluster: FakeApiServer) -> None:
    grant(cluster, roles_of(demands(load_policy(policies))))
    code, out, err = await check(policies, cluster)
    assert (code, out) == (0, "")
    assert err.strip().endswith("8 permissions needed, all there")


async def test_check_names_what_is_missing_and_who_needs_it(policies: Path, cluster: FakeApiServer) -> None:
    """Exit 1; one line for each permission, with runbook, part and rule below it."""
    [role] = roles_of(demands(load_policy(policies)))
    grant(cluster, [Role(namespace="shop", lines=tuple(one for one in role.lines if one.verb != "patch"))])
    code, out, err = await check(policies, cluster)
    assert code == 1
    assert out.splitlines() == [
        "missing: patch deployments.apps web in namespace shop",
        "  restart-web, guard lease: write the lease's epoch onto it, so that no older owner can change it; "
        "rules web-down",
        "  restart-web, step restart: restart the workload; rules web-down",
    ]
    assert f"1 of 8 permissions missing; grant them: remediator rbac {policies} | kubectl apply -f -" in err
    _, _, err = await check(policies, cluster, "--mode", "suggest", "--namespace", "ops", "--as-if", "auto")
    assert "all there" in err, "under that ceiling nothing is changed"
    code, _, _ = await check(policies, cluster, "--mode", "approve")
    assert code == 1, "what a person approves is changed by the daemon"
    _, _, err = await check(policies, cluster, "--namespace", "ops", "--as-if", "auto")
    assert f"remediator rbac {policies} --namespace ops --as-if auto | kubectl apply -f -" in err
    code, out, _ = await check(policies, cluster, "--json")
    answer = json.loads(out)
    assert (code, answer["ok"], answer["needed"], answer["wider"]) == (1, False, 8, [])
    assert [need["for"][0]["rules"] for need in answer["missing"]] == [["web-down"]]
    assert (await check(policies, cluster, "--mode", "observe"))[0] == 0


async def test_check_notices_what_is_wider_than_needed(policies: Path, cluster: FakeApiServer) -> None:
    """It is said, and nothing fails for it."""
    grant(cluster, roles_of(demands(load_policy(policies))))
    wide: dict[str, Any] = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"}
    rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    cluster.create({**wide, "metadata": {"name": "wide"}, "rules": rules})
    cluster.create(
        {
            **wide,
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "wide"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "wide"},
            "subjects": [{"kind": "ServiceAccount", "name": "remediator", "namespace": "remediator"}],
        }
    )
    code, out, _ = await check(policies, cluster)
    assert code == 0
    assert out == (
        "wider than needed: in namespace shop we may * * of group *, where single permissions are enough\n"
    )


async def test_check_that_gets_no_answer_is_no_success(policies: Path, cluster: FakeApiServer) -> None:
    cluster.users.clear()
    path = policies.parent / "kubeconfig"
    cluster.users[OWN] = ADMIN
    cluster.kubeconfig(path, token="a-token-that-nobody-has")
    done = await asyncio.to_thread(run, "rbac", policies, "--check", "--kubeconfig", path)
    assert done.returncode == 1
    assert "the cluster does not tell what we may do" in done.stderr
    assert "a-token-that-nobody-has" not in done.stdout + done.stderr
