"""A daemon whose service account may do less than its policies need."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme
from structlog.testing import capture_logs

from remediator.app import App
from remediator.core.policies import Mode
from remediator.policy.load import load_policy
from remediator.policy.manifests import Account, Role, manifests, roles_of
from remediator.policy.rbac import demands
from remediator.testing.apiserver import ADMIN, TOKEN, FakeApiServer, Fault, FaultKind, User
from remediator.testing.apiserver.kinds import ROLES
from remediator.testing.pagerduty import ROUTING_KEY, FakePagerDuty
from remediator.workers.permissions import ReviewPace
from tests.contract.test_permissions import without_each
from tests.integration.daemon import POLICIES, Daemon, alert, daemon_of, notification, until, write_policies
from tests.servers import RedisServer, redis_server

ACCOUNT = Account(namespace="ops", name="remediator")
OWN = "token-of-the-account"
LACKING = "may not patch deployments.apps in namespace shop"


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server("redis-7.0", tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    return write_policies(tmp_path / "policies")


@pytest.fixture
async def cluster() -> AsyncIterator[FakeApiServer]:
    """With the workload of the policies."""
    users = {TOKEN: ADMIN, OWN: User(name="system:serviceaccount:ops:remediator", rules=())}
    async with FakeApiServer(users=users) as server:
        server.deployment("shop", "web")
        await server.settled()
        yield server


@pytest.fixture
async def pager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakePagerDuty]:
    """Of the operator."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("TEST_ONCALL_KEY", ROUTING_KEY)
    async with FakePagerDuty(tls=context) as there:
        yield there


class Hasty(App):
    """Whose reviews follow each other quickly."""

    review_pace = ReviewPace(every=0.05, again=0.05, look=0.05)


def whole(policies: Path) -> tuple[Role, ...]:
    """What they need."""
    return roles_of(demands(load_policy(policies)))


def without(roles: Sequence[Role], verb: str) -> tuple[Role, ...]:
    """All but the line of that verb."""
    return next(rest for line, rest in without_each(roles) if line.verb == verb)


def without_pods(roles: Sequence[Role]) -> tuple[Role, ...]:
    """All but the lines about pods."""
    return tuple(
        replace(role, lines=tuple(line for line in role.lines if line.resource != "pods")) for role in roles
    )


def grant(cluster: FakeApiServer, roles: Sequence[Role]) -> None:
    """As an administrator does."""
    for manifest in manifests(roles, ACCOUNT):
        cluster.create(manifest)


def regrant(cluster: FakeApiServer, roles: Sequence[Role]) -> None:
    """Other rules for the same account."""
    [role, _] = manifests(roles, ACCOUNT)
    there = cluster.get(ROLES, "shop", "remediator")
    assert there is not None
    cluster.restore({**there, "rules": role["rules"]})


async def lowered(running: Daemon, count: int) -> None:
    """Once so many rules are lowered, by the metric."""

    async def look() -> bool:
        return f"remediator_rules_lowered {count}.0" in await running.text("/metrics")

    await until(look, f"{count} rules are lowered")


async def test_a_rule_that_lacks_a_permission_observes_is_told_and_recovers(
    redis: RedisServer,
    policies: Path,
    cluster: FakeApiServer,
    pager: FakePagerDuty,
    tmp_path: Path,
) -> None:
    """Before anything is worked on; ready all the same; raised when the permission comes."""
    grant(cluster, without(whole(policies), "patch"))
    kubeconfig = cluster.kubeconfig(tmp_path / "kubeconfig", token=OWN)
    with capture_logs() as logs:
        async with daemon_of(
            Hasty, policies, redis_url=redis.url, kubeconfig=kubeconfig, pagerduty_url=pager.url
        ) as running:
            rule = running.app.rulebook.policy().rules[0]  # at the start, before any review by the way
            assert rule.mode is Mode.OBSERVE
            assert rule.lowered.startswith(f"from auto: {LACKING}")
            assert running.app.rulebook.policy().digest == load_policy(policies).digest
            await running.ready()
            await lowered(running, 1)

            await running.post(alert("WebDown"))
            incident = await running.incident(lambda each: bool(each["attempts"]), "an attempt was made")
            attempt = (
                await running.incident(lambda each: each["attempts"][0]["outcome"] == "observed", "it ended")
            )["attempts"][0]
            assert f"mode observe, lowered from auto: {LACKING}" in attempt["reason"]
            timeline = (await running.get(f"/v1/incidents/{incident['id']}/timeline"))["items"]
            assert any(LACKING in entry["text"] for entry in timeline if entry["kind"] == "guard")
            assert cluster.ledger.restarts("shop", "web") == 0
            explained = (await explain(running))["alerts"][0]
            assert explained["rule"]["mode"] == "observe"
            assert explained["rule"]["lowered"].startswith(f"from auto: {LACKING}")

            async def told() -> bool:
                return any("1 rule only observes" in each for each in summaries(pager))

            await until(told, "the operator was told")
            for _ in range(3):  # later reviews find the same and tell nobody
                await reviewed(cluster)
            assert len([one for one in summaries(pager) if "only observes" in one]) == 1

            regrant(cluster, whole(policies))
            await lowered(running, 0)
            assert running.app.rulebook.policy() == load_policy(policies)
            regrant(cluster, without(whole(policies), "patch"))
            await lowered(running, 1)
    said = [(one["event"], one["log_level"], one.get("rule")) for one in logs if one.get("rule")]
    assert said == [
        ("rule lowered to observe", "warning", "web-down"),
        ("rule raised again", "info", "web-down"),
        ("rule lowered to observe", "warning", "web-down"),
    ]


async def explain(running: Daemon) -> Any:
    """What it says of the alert."""
    status, data = await running.ask("POST", "/v1/explain", notification(alert("WebDown")))
    assert status == 200
    return data


def summaries(pager: FakePagerDuty) -> list[str]:
    """Of every page that was triggered."""
    return [event.body["payload"]["summary"] for event in pager.triggers()]


async def reviewed(cluster: FakeApiServer) -> None:
    """Once another review was asked for."""
    before = reviews(cluster)

    async def look() -> bool:
        return reviews(cluster) > before

    await until(look, "it was reviewed again")


def reviews(cluster: FakeApiServer) -> int:
    """How often it was asked what the account may do."""
    return sum("subjectrulesreviews" in request.path for request in cluster.requests)


async def test_what_a_reload_brings_is_reviewed(
    redis: RedisServer, policies: Path, cluster: FakeApiServer, tmp_path: Path
) -> None:
    """A known lack holds for the new policy at once; what is new is reviewed; no lack ends with a reload."""
    roles = without_pods(without(whole(policies), "patch"))  # which only evidence needs, so far
    grant(cluster, roles)
    kubeconfig = cluster.kubeconfig(tmp_path / "kubeconfig", token=OWN)
    async with daemon_of(Hasty, policies, redis_url=redis.url, kubeconfig=kubeconfig) as running:
        await running.ready()
        two = POLICIES.replace(
            "  - {name: slow,",
            "  - {name: again, match: ['a=\"b\"'], severity: SEV-3, mode: auto, runbooks: [evict]}\n"
            "  - {name: slow,",
        ).replace(
            "guards:", "  evict: {steps: [{evict_pod: {}}], verify: [{alert: {state: resolved}}]}\nguards:"
        )
        write_policies(policies, two)
        assert (await running.ask("POST", "/-/reload"))[0] == 200
        assert running.app.rulebook.policy().rules[0].lowered
        await lowered(running, 2)

        async def all_found() -> bool:
            rule = running.app.rulebook.policy().rule("again")
            return rule is not None and "may not get pods in namespace shop" in rule.lowered

        await until(all_found, "what the new rule lacks is found")
        write_policies(policies, two.replace("mode: auto", "mode: suggest"))
        assert (await running.ask("POST", "/-/reload"))[0] == 200
        await lowered(running, 1)  # it still may not list the pods to plan with
        assert running.app.rulebook.policy().rules[0].mode is Mode.SUGGEST


async def test_a_review_that_cannot_be_made_changes_no_mode_and_is_made_later(
    redis: RedisServer, policies: Path, cluster: FakeApiServer, tmp_path: Path
) -> None:
    """The API server is away: it says so, is ready all the same, and lowers when it is back."""
    grant(cluster, without(whole(policies), "patch"))
    kubeconfig = cluster.kubeconfig(tmp_path / "kubeconfig", token=OWN)
    cluster.faults.add(Fault(kind=FaultKind.STATUS, path_regex="selfsubjectrulesreviews", times=9))
    with capture_logs() as logs:
        async with daemon_of(Hasty, policies, redis_url=redis.url, kubeconfig=kubeconfig) as running:
            await running.ready()
            assert running.app.rulebook.policy().rules[0].mode is Mode.AUTO
            await lowered(running, 1)
    assert any("modes stay as they are" in str(one.get("error")) for one in logs)


async def test_an_api_server_that_hangs_holds_the_start_up_for_a_moment(
    redis: RedisServer, policies: Path, cluster: FakeApiServer, tmp_path: Path
) -> None:
    """Alerts are taken, and the modes are what the files say."""

    class Patient(App):
        review_pace = ReviewPace(first=0.1)

    cluster.faults.add(Fault(kind=FaultKind.HANG, path_regex="selfsubjectrulesreviews", times=None))
    kubeconfig = cluster.kubeconfig(tmp_path / "kubeconfig", token=OWN)
    with capture_logs() as logs:
        async with daemon_of(Patient, policies, redis_url=redis.url, kubeconfig=kubeconfig) as running:
            await running.ready()
            assert (await running.post(alert("Slow")))[0] == 200
            assert running.app.rulebook.policy().rules[0].mode is Mode.AUTO
    [said] = [str(one["error"]) for one in logs if one.get("where") == "permissions"]
    assert "modes stay as they are: no answer within 0.1 s" in said


async def test_under_a_ceiling_that_lets_nothing_act_nothing_is_lowered(
    redis: RedisServer, policies: Path, cluster: FakeApiServer, tmp_path: Path
) -> None:
    """The daemon needs no more than to look, and may."""
    grant(cluster, roles_of(demands(load_policy(policies), ceiling=Mode.OBSERVE)))
    kubeconfig = cluster.kubeconfig(tmp_path / "kubeconfig", token=OWN)
    async with daemon_of(
        Hasty, policies, redis_url=redis.url, kubeconfig=kubeconfig, mode="observe"
    ) as running:
        await running.ready()
        await reviewed(cluster)
        await lowered(running, 0)
        assert running.app.rulebook.policy() == load_policy(policies)
