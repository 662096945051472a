"""What ``remediator rbac`` prints, taken by a real kubectl, and what the account that has it may do."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from remediator.policy.load import load_policy
from remediator.policy.manifests import Account, as_yaml, roles_of
from remediator.policy.rbac import demands
from remediator.testing.apiserver import ADMIN, TOKEN, FakeApiServer, User
from tests.contract.test_apiserver_kubectl import Kubectl

ACCOUNT = Account(namespace="ops", name="remediator")
ACCOUNT_TOKEN = "token-of-the-account"


@pytest.fixture
async def admin(tmp_path: Path) -> AsyncIterator[Kubectl]:
    """An administrator's kubectl; the service account has a token of its own and no rules."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    users = {TOKEN: ADMIN, ACCOUNT_TOKEN: User(name="system:serviceaccount:ops:remediator", rules=())}
    async with FakeApiServer(tls=context, ca=authority.cert_pem.bytes(), users=users) as server:
        for namespace in ("fintech-services", "ops"):
            server.namespace(namespace)
        server.kubeconfig(tmp_path / "kubeconfig")
        yield Kubectl(server=server, home=tmp_path)


@pytest.fixture
def account(admin: Kubectl, tmp_path: Path) -> Kubectl:
    """The kubectl of the service account."""
    home = tmp_path / "account"
    home.mkdir()
    admin.server.kubeconfig(home / "kubeconfig", token=ACCOUNT_TOKEN, namespace="fintech-services")
    return Kubectl(server=admin.server, home=home)


async def may(kubectl: Kubectl, *words: str) -> bool:
    """Whether the server lets this command through."""
    code, _, err = await kubectl.run(*words)
    assert code == 0 or "is forbidden" in err, err
    return code == 0


async def test_kubectl_takes_it_and_the_account_may_do_that_and_no_more(
    admin: Kubectl, account: Kubectl, tmp_path: Path
) -> None:
    """Applied twice it changes nothing; names are held to. Rules with a target read by any."""
    for name in ("auth-service", "another"):
        admin.server.deployment("fintech-services", name, replicas=1)
    await admin.server.settled()
    assert not await may(account, "get", "pods")
    printed = tmp_path / "rbac.yaml"
    known = load_policy(Path("policies"))
    printed.write_text(as_yaml(roles_of(demands(known)), ACCOUNT, ["a comment"]))
    first = await admin("apply", "-f", str(printed))
    assert [line.split()[-1] for line in first.splitlines()] == ["created", "created"]
    again = await admin("apply", "-f", str(printed))
    assert [line.split()[-1] for line in again.splitlines()] == ["unchanged", "unchanged"]
    change = ("--type=merge", "-p", '{"metadata": {"annotations": {"a": "b"}}}')
    for words in (
        ("get", "pods"),
        ("get", "events"),
        ("get", "poddisruptionbudgets"),
        ("get", "deployments"),
        ("get", "deployments", "auth-service"),
        ("get", "deployments", "another"),
        ("logs", "--tail=1", "-l", "app=auth-service"),
        ("patch", "deployments", "auth-service", *change),
    ):
        assert await may(account, *words), words
    for words in (
        ("get", "secrets"),
        ("patch", "deployments", "another", *change),
        ("delete", "pods", "--all"),
        ("get", "pods", "-n", "kube-system"),
        ("get", "nodes"),
    ):
        assert not await may(account, *words), words
    named = replace(known, rules=tuple(rule for rule in known.rules if rule.target is None))
    printed.write_text(as_yaml(roles_of(demands(named)), ACCOUNT, ["a comment"]))
    await admin("apply", "-f", str(printed))
    assert await may(account, "get", "deployments", "auth-service")
    assert not await may(account, "get", "deployments", "another")
