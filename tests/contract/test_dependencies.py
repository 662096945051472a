"""Attempts that look at what a service depends on, by an account that has exactly what ``rbac`` prints."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from remediator.core.incident import Attempt, Outcome
from remediator.core.policies import Policy
from remediator.policy.load import load_policy
from remediator.policy.manifests import Role, roles_of
from remediator.policy.rbac import demands
from remediator.testing.apiserver import Behaviour
from tests.contract.permission_stage import Stage, staged
from tests.contract.test_permissions import unused, without_each

POLICY = """
severities:
  SEV-2: {summary: bad}
services:
  web: {namespace: shop, workload: deployment/web, depends_on: [api]}
  api: {namespace: shop, workload: deployment/api, depends_on: [db]}
  db: {namespace: data, workload: statefulset/db}
rules:
  - {name: down, match: [alertname="ServiceDown"], severity: SEV-2, mode: auto, service: web, runbooks: [fix]}
guards: {namespaces: [shop], protect: [deployment/api]}
runbooks:
  fix:
    diagnose: [DIAGNOSE]
    steps: [{scale: {to: 4, only: up}}]
    verify: [{rollout: {}}, VERIFY]
"""
WORKLOADS = (("deployment", "shop", "web"), ("deployment", "shop", "api"), ("statefulset", "data", "db"))
BELOW = "{dependencies: {within: 30s}}"
LOOKS = {"check": ("{pods: {}}", BELOW), "diagnosis": ("{dependencies: {}}", "{ready: {}}")}


def policy(diagnose: str = "{dependencies: {}}", verify: str = BELOW) -> Policy:
    return load_policy({"p.yaml": POLICY.replace("DIAGNOSE", diagnose).replace("VERIFY", verify)})


@asynccontextmanager
async def stage_of(directory: Path, roles: Sequence[Role]) -> AsyncIterator[Stage]:
    async with staged(directory, roles, *WORKLOADS) as stage:
        yield stage


def could_look(attempt: Attempt) -> bool:
    """Whether it was verified, and its diagnosis told how each of both fares."""
    return attempt.outcome is Outcome.VERIFIED and not any(
        "could not" in line or ": unknown: " in line for line in attempt.findings
    )


@pytest.mark.parametrize("kind", LOOKS)
async def test_the_generated_role_is_enough_all_of_it_is_used_and_no_line_can_be_left_out(
    kind: str, tmp_path: Path
) -> None:
    """What is below is read by its name, one object each, in a namespace where nothing is changed too."""
    of = policy(*LOOKS[kind])
    roles = roles_of(demands(of))
    assert {role.namespace for role in roles} == {"data", "shop"}
    async with stage_of(tmp_path, roles) as stage:
        attempt = await stage.attempt(of)
        assert could_look(attempt), (attempt.reason, attempt.findings)
        assert unused(roles, stage) == []
    for line, rest in without_each(roles):
        if line.names and "web" not in line.names:
            async with stage_of(tmp_path, rest) as stage:
                attempt = await stage.attempt(of)
                assert not could_look(attempt), f"{line.verb} {line.resource} {line.names} is not needed"


async def test_what_is_down_below_is_found_and_keeps_the_attempt_from_being_verified(tmp_path: Path) -> None:
    """The service itself was mended, and its alert is over."""
    of = policy()
    async with stage_of(tmp_path, roles_of(demands(of))) as stage:
        stage.server.behave("data", "db", Behaviour.stays_broken())
        await stage.server.settled()
        attempt = await stage.attempt(of)
    assert attempt.findings == ("db: not well: 0 of 3 pods ready", "api: well: 3 of 3 pods ready")
    assert attempt.outcome is Outcome.FAILED
    assert "dependencies: 1 of 2 dependencies not well: db: 0 of 3 pods ready; api: " in attempt.reason


async def test_what_is_not_there_below_makes_it_unknown(tmp_path: Path) -> None:
    """And so does what may not be read: a person is paged, nothing is guessed."""
    of = policy()
    async with staged(tmp_path, roles_of(demands(of)), *WORKLOADS[:2]) as stage:
        attempt = await stage.attempt(of)
    assert attempt.outcome is Outcome.FAILED
    assert "dependencies: unknown: 1 of 2 dependencies known to be well: db: unknown: " in attempt.reason
    assert attempt.findings[0].startswith("db: unknown: ")
