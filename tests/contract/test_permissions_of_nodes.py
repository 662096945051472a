"""The roles of rules about nodes are enough, and little more than is used: nodes are in no namespace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from remediator.adapters.kubernetes import Call, connect
from remediator.core.incident import Attempt, Outcome
from remediator.core.nodes import CORDONED_AT
from remediator.core.policies import Policy
from remediator.policy.load import load_policy
from remediator.policy.manifests import Role, roles_of
from remediator.policy.rbac import demands
from remediator.testing.apiserver.kinds import NODES, PODS
from tests.contract.permission_stage import Stage, staged
from tests.contract.test_permissions import unused, without_each
from tests.fault.kubernetes_scene import Impatient

POLICY = """
severities: {{SEV-2: {{}}}}
rules:
  - name: down
    match: ['alertname="ServiceDown"']
    severity: SEV-2
    mode: {mode}
    target: {{node: '{{{{ labels.node }}}}'}}
    runbooks: [fix]
guards: {{namespaces: [shop], max_unavailable: 1, rate: {{cluster: 9/1h, service: 9/1h, target: 9/1h}}}}
runbooks:
  fix: {{steps: [{step}: {{}}], verify: [ready: {{}}]}}
"""
STEPS = ("cordon", "uncordon", "drain")
ELSEWHERE = {"statefulsets", "jobs", "cronjobs"}
"""What may own a pod, too, and does not own the one that is there."""
WITHHELD = {"observe": Outcome.OBSERVED, "suggest": Outcome.SUGGESTED}


def policy(step: str, mode: str = "auto") -> Policy:
    """One rule and one runbook."""
    return load_policy({"p.yaml": POLICY.format(step=step, mode=mode)})


async def attempted(directory: Path, of: Policy, roles: Sequence[Role]) -> tuple[Attempt, Stage]:
    """What becomes of an attempt on the node that runs a pod of ``web``."""
    step = of.runbooks["fix"].steps[0].action
    async with staged(directory, roles, ("deployment", "shop", "web")) as stage:
        stage.server.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "spare"}})
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        stage.server.cluster.set_status(NODES, ("", "spare"), ready)
        node = stage.server.cluster.store.list(PODS, "shop")[0]["spec"]["nodeName"]
        if step == "uncordon":
            await _cordon(stage, directory, node)
        stage.server.requests.clear()
        return await stage.attempt(of, node=node), stage


async def _cordon(stage: Stage, directory: Path, node: str) -> None:
    runtime = Impatient()
    admin = await connect(str(stage.server.kubeconfig(directory / "admin")), runtime=runtime)
    body = {"metadata": {"annotations": {CORDONED_AT: "then"}}, "spec": {"unschedulable": True}}
    await admin.api.call(
        Call(
            method="PATCH",
            path=f"/api/v1/nodes/{node}",
            doing="cordon it",
            query=(("fieldManager", "remediator"),),
            body=body,
            media="application/merge-patch+json",
        )
    )
    await admin.close()
    runtime.close()


def fine(attempt: Attempt, mode: str) -> bool:
    """Whether everything could be found out and done."""
    objected = "could not" in attempt.reason or "would have been blocked" in attempt.reason
    return attempt.outcome is WITHHELD.get(mode, Outcome.VERIFIED) and not objected


@pytest.mark.parametrize("mode", ["auto", "observe", "suggest"])
@pytest.mark.parametrize("step", STEPS)
async def test_the_generated_roles_are_enough_and_all_of_them_is_used(
    tmp_path: Path, step: str, mode: str
) -> None:
    of = policy(step, mode)
    roles = roles_of(demands(of))
    attempt, stage = await attempted(tmp_path, of, roles)
    assert fine(attempt, mode), (attempt.outcome, attempt.reason)
    assert {one.resource for one in unused(roles, stage)} <= (ELSEWHERE if step == "drain" else set())


@pytest.mark.parametrize("step", STEPS)
async def test_no_line_of_the_generated_roles_can_be_left_out(tmp_path: Path, step: str) -> None:
    of = policy(step)
    for line, rest in without_each(roles_of(demands(of))):
        if line.resource in ELSEWHERE:
            continue
        attempt, _ = await attempted(tmp_path, of, rest)
        assert not fine(attempt, "auto"), f"{line.verb} {line.resource} is not needed"


def test_a_rule_that_is_not_trusted_to_act_is_granted_no_change() -> None:
    for step in STEPS:
        granted = demands(policy(step, "suggest"))
        assert {access.verb for access in granted} <= {"get", "list"}
        assert demands(replace(policy(step), guards=replace(policy(step).guards, namespaces=()))) != granted
