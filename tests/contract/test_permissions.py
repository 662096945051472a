"""What plugins and guards declare, held against what they ask of an API server that enforces it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from remediator.actions import ACTIONS
from remediator.checks import CHECKS
from remediator.core.access import BY_NAME, Access
from remediator.core.incident import Attempt, Outcome
from remediator.core.plugins import Permission
from remediator.core.policies import (
    AttemptLimits,
    Mode,
    Policy,
    Rate,
    RateLimits,
    TargetSelector,
    WorkloadRef,
)
from remediator.core.times import HOUR, Millis
from remediator.diagnoses import DIAGNOSES
from remediator.guards import GUARDS
from remediator.policy.load import load_policy, read_policies
from remediator.policy.manifests import Line, Role, roles_of
from remediator.policy.rbac import demands
from remediator.policy.reach import reached
from remediator.policy.templates import compile_template
from remediator.testing.apiserver import Behaviour, Output
from tests.contract.permission_stage import Stage, staged

POLICY = """
severities:
  SEV-2: {{summary: bad}}
services:
  web: {{namespace: shop, workload: {kind}/web}}
rules:
  - name: down
    match: ['alertname="ServiceDown"']
    severity: SEV-2
    mode: {mode}
    service: web
    runbooks: [fix]
guards: {{namespaces: [shop], rate: {{cluster: 9/1h, service: 9/1h, target: 9/1h}}}}
runbooks:
  fix:
    diagnose: [{diagnosis}]
    steps: [{step}]
    verify: [{check}]
"""
STEPS = {
    "restart": "restart: {}",
    "rollback": "rollback: {}",
    "scale": "scale: {to: 1}",
    "delete_pod": "delete_pod: {which: oldest}",
    "evict_pod": "evict_pod: {which: oldest}",
    "set_image": "set_image: {image: 'registry.local/web:v3'}",
    "set_resources": "set_resources: {limits: {memory: 1Gi}}",
    "isolate": "isolate: {for: 30m}",
    "restore": "restore: {}",
    "hpa": "hpa: {max: 2}",
    "exec": "exec: {command: [/app/breakers, reset]}",
    "job": "job: {from: tidy}",
}
NUMBERED = frozenset(("scale", "isolate", "restore", "hpa"))
"""Steps on what has a number of pods to ask for: a DaemonSet has none."""
UNDONE = {name for name in STEPS if ACTIONS[name].invertible} - {"restore"}
"""Steps that are taken back; a restoration only while its isolation was to go on."""
PROOF = {"isolate": "alert: {state: resolved}"}
"""What proves a step, where that is not that all its pods are ready."""
LOOKS = {"exec": "command: [/app/breakers, reset]", "logs": "match: panic"}
"""Parameters of looks that need some."""
EVERYWHERE = frozenset(("http", "promql", "alert", "traces", "no_recurrence", "dependencies"))
"""Plugins that ask nothing of Kubernetes, or nothing about the target: see ``test_dependencies``."""


def policy(
    kind: str = "deployment",
    mode: str = "auto",
    *,
    diagnosis: str = "workload: {}",
    step: str = "restart: {}",
    check: str = "ready: {}",
) -> Policy:
    """One rule and one runbook."""
    parts = {"diagnosis": f"{{{diagnosis}}}", "step": f"{{{step}}}", "check": f"{{{check}}}"}
    loaded = read_policies({"p.yaml": POLICY.format(kind=kind, mode=mode, **parts)})
    assert loaded.policy is not None, loaded.findings
    return loaded.policy


def policies() -> Iterator[tuple[str, Policy]]:
    """A policy for each plugin that asks something of the cluster, by its name and the target's kind."""
    for kind in ("deployment", "statefulset", "daemonset"):
        for name, step in STEPS.items():
            if kind != "daemonset" or name not in NUMBERED:
                yield f"{name} {kind}", policy(kind, step=step, check=PROOF.get(name, "ready: {}"))
        yield f"evict_pod by memory {kind}", policy(kind, step="evict_pod: {which: most_memory}")
        if kind != "daemonset":
            yield f"scale up {kind}", policy(kind, step="scale: {to: 4, only: up}")
        for name in sorted(DIAGNOSES.keys() - EVERYWHERE):
            yield f"diagnose {name} {kind}", policy(kind, diagnosis=f"{name}: {{{LOOKS.get(name, '')}}}")
    none = "{recent_rollout: {expect: none}}"  # what a step has rolled out itself it never takes for one
    yield "when recent_rollout", policy(step=f"restart: {{}}, when: {none}")
    for name in sorted(CHECKS.keys() - EVERYWHERE - {"recent_rollout"}):
        yield f"check {name}", policy(check=f"{name}: {{{LOOKS.get(name, '')}}}")
        wait = f"{{{name}: {{{LOOKS[name]}}}}}" if name in LOOKS else name
        yield f"wait {name}", policy(step=f"restart: {{}}}}, {{wait: {{for: {wait}}}")
    for mode in ("observe", "suggest"):
        for name, step in STEPS.items():
            yield f"{mode} {name}", policy(mode=mode, step=step)
    for name, step in STEPS.items():
        yield f"approve {name}", policy(mode="approve", step=step, check=PROOF.get(name, "ready: {}"))


POLICIES = dict(policies())
ONCE = [
    name for name in POLICIES if not name.endswith(("statefulset", "daemonset")) and "suggest" not in name
]


def first(of: Policy) -> str:
    """The action that its runbook begins with."""
    return of.runbooks["fix"].steps[0].action


def expected(of: Policy) -> Outcome:
    """How an attempt ends when nothing is amiss."""
    mode = of.rules[0].mode
    withheld = {
        Mode.OBSERVE: Outcome.OBSERVED,
        Mode.SUGGEST: Outcome.SUGGESTED,
    }
    done = Outcome.FAILED if first(of) == "job" else Outcome.VERIFIED  # only then its log is read
    return withheld.get(mode, done)


def fine(attempt: Attempt, of: Policy) -> bool:
    """Whether everything could be found out and done; what was withheld only when nothing else objects."""
    objected = any("could not" in line for line in (attempt.reason, *attempt.findings))
    return (
        attempt.outcome is expected(of) and not objected and "would have been blocked" not in attempt.reason
    )


def without_each(roles: Sequence[Role]) -> Iterator[tuple[Line, tuple[Role, ...]]]:
    """The roles without one of their lines, for each line."""
    for role in roles:
        for line in role.lines:
            rest = replace(role, lines=tuple(one for one in role.lines if one is not line))
            yield line, tuple(rest if one is role else one for one in roles)


def unused(roles: Sequence[Role], stage: Stage) -> list[Access]:
    """What the roles grant and no request needed."""
    asked = stage.asked()
    any_name = {replace(one, name="") for one in asked}
    granted = [
        Access(namespace=role.namespace, group=line.group, resource=line.resource, verb=line.verb, name=name)
        for role in roles
        for line in role.lines
        for name in line.names or ("",)
    ]
    return [one for one in granted if one not in (asked if one.name else any_name)]


@pytest.mark.parametrize("name", POLICIES)
async def test_the_generated_role_is_enough_and_all_of_it_is_used(name: str, tmp_path: Path) -> None:
    """Who has nothing but the Role performs the attempt to its end, and asks for all that it grants."""
    of = POLICIES[name]
    target = of.services["web"].workload
    assert target is not None
    roles = roles_of(demands(of))
    async with staged(tmp_path, roles, (target.kind, "shop", "web"), step=first(of)) as stage:
        attempt = await stage.attempt(of)
        assert fine(attempt, of), (attempt.outcome, attempt.reason, attempt.findings)
        assert unused(roles, stage) == []


@pytest.mark.parametrize("name", sorted(UNDONE))
async def test_what_a_step_changed_is_taken_back_under_the_permissions_of_the_step(
    name: str, tmp_path: Path
) -> None:
    """An undo takes no more than what it undoes; the Role is the same with it and without."""
    of = policy(step=STEPS[name], check="alert: {state: resolved, within: 30s}")
    books = {key: replace(book, undo=True) for key, book in of.runbooks.items()}
    undoing = replace(of, runbooks=books)
    roles = roles_of(demands(undoing))
    assert roles == roles_of(demands(of))
    async with staged(tmp_path, roles, ("deployment", "shop", "web"), step=name) as stage:
        stage.server.behave("shop", "web", Behaviour.stays_broken())
        await stage.server.settled()
        attempt = await stage.attempt(undoing, helps=False)
        assert attempt.outcome is Outcome.FAILED
        assert attempt.undoing is not None
        assert (len(attempt.undoing.undone), attempt.undoing.left) == (1, ()), attempt.reason


@pytest.mark.parametrize(
    "lacking",
    [
        replace(policy(), guards=replace(policy().guards, lacks=("storm",))),
        replace(policy(), rules=tuple(replace(rule, lacks=("target",)) for rule in policy().rules)),
    ],
)
async def test_what_is_blocked_for_want_of_this_version_is_granted_nothing(
    lacking: Policy, tmp_path: Path
) -> None:
    """What is asked before it is blocked is all that the Role grants."""
    roles = roles_of(demands(lacking))
    async with staged(tmp_path, roles, ("deployment", "shop", "web")) as stage:
        attempt = await stage.attempt(lacking)
        assert attempt.outcome is Outcome.BLOCKED
        assert not any("could not" in line for line in attempt.findings)
        assert unused(roles, stage) == []


@pytest.mark.parametrize("name", [*ONCE, "rollback statefulset", "diagnose rollout_history statefulset"])
async def test_no_line_of_the_generated_role_can_be_left_out(name: str, tmp_path: Path) -> None:
    """Without any one of its lines the attempt fails, is blocked, or cannot find something out."""
    of = POLICIES[name]
    target = of.services["web"].workload
    assert target is not None
    for line, rest in without_each(roles_of(demands(of))):
        async with staged(tmp_path, rest, (target.kind, "shop", "web"), step=first(of)) as stage:
            attempt = await stage.attempt(of)
            assert not fine(attempt, of), f"{line.verb} {line.resource} is not needed"


BUSY: Mapping[str, Mapping[str, object]] = {
    "scale": {"to": 4, "only": "up"},
    "evict_pod": {"which": "oldest"},
    "delete_pod": {"which": "oldest"},
}
"""Parameters with which these have something to do on a workload that is well."""


def eager(of: Policy) -> Policy:
    """The same policy at once, often, with something to do, and proven by the cluster alone."""
    often = Rate(count=99, per=HOUR)
    books = {
        name: replace(
            book,
            diagnose=tuple(look for look in book.diagnose if look.diagnosis not in EVERYWHERE),
            steps=tuple(
                replace(step, params=BUSY.get(step.action, step.params), when=None)
                for step in book.steps
                if step.action not in EVERYWHERE
            ),
            verify=tuple(check for check in book.verify if check.check not in ("promql", "http")),
            limits=AttemptLimits(attempts=99, cooldown=Millis(0)),
        )
        for name, book in of.runbooks.items()
    }
    rate = RateLimits(cluster=often, service=often, target=often)
    return replace(
        of,
        rules=tuple(replace(rule, hold=Millis(0)) for rule in of.rules),
        runbooks=books,
        guards=replace(of.guards, rate=rate),
    )


async def test_the_default_policies_need_all_that_their_role_grants(tmp_path: Path) -> None:
    """Every runbook of every rule is tried on every service that the rule can select.

    But for rules with a target: what their alerts will name is not known, so they are granted more.
    """
    written = load_policy(Path("policies"))
    roles, of = roles_of(demands(written)), eager(written)
    targets = [one.workload for one in of.services.values() if one.workload is not None]
    workloads = [(one.kind, one.namespace, one.name) for one in targets]
    async with staged(tmp_path, roles, *workloads) as stage:
        counted = Output(stdout="transactions: 42\n")
        stage.server.set_command("fintech-services", "postgres", ("psql",), counted)
        for rule, services in reached(of):
            alone = replace(of, rules=(replace(rule, matchers=(), service=None),))
            for service in services:
                tried = await stage.attempt(alone, service=service)
                assert tried.rule == rule.name
                assert not any("could not" in line for line in (tried.reason, *tried.findings)), tried
        by_service = tuple(rule for rule in written.rules if rule.target is None)
        assert unused(roles_of(demands(replace(written, rules=by_service))), stage) == []


async def a_pod(stage: Stage, kind: str) -> str:
    """The name of one of ``web``."""
    reader = stage.cluster.reader
    found = await reader.pods(await reader.workload(WorkloadRef(kind=kind, namespace="shop", name="web")))
    return found[0].name


@pytest.mark.parametrize("kind", ["deployment", "statefulset"])
async def test_a_rule_with_a_target_finds_the_owner_and_changes_it_in_every_allowed_namespace(
    kind: str, tmp_path: Path
) -> None:
    """What may own the object is not known beforehand, so more is granted than one attempt uses."""
    whole = policy(kind, step="evict_pod: {which: oldest}")
    rule = replace(
        whole.rules[0], target=TargetSelector(kind="pod", selector=compile_template("shop/{{ labels.pod }}"))
    )
    of = replace(whole, rules=(replace(rule, service=None, group_by=("target",)),), services={})
    needed = demands(of)
    assert {one.name for one in needed} == {""}, "whatever is in the namespace"
    assert {one.namespace for one in needed} == {"shop"}
    roles = roles_of(needed)
    async with staged(tmp_path, roles, (kind, "shop", "web")) as stage:
        attempt = await stage.attempt(of, pod=await a_pod(stage, kind))
        assert attempt.target == f"shop/{kind}/web"
        assert fine(attempt, of), (attempt.outcome, attempt.reason, attempt.findings)
        read = {(one.resource, one.verb) for one in stage.asked()}
        assert ("pods", "get") in read
        assert (f"{kind}s", "get") in read


async def test_without_what_it_takes_to_find_the_owner_nothing_is_changed(tmp_path: Path) -> None:
    whole = policy(step="evict_pod: {which: oldest}")
    rule = replace(
        whole.rules[0], target=TargetSelector(kind="pod", selector=compile_template("shop/{{ labels.pod }}"))
    )
    of = replace(whole, rules=(replace(rule, service=None, group_by=("target",)),))
    roles = roles_of({one: why for one, why in demands(of).items() if one.resource != "replicasets"})
    async with staged(tmp_path, roles, ("deployment", "shop", "web")) as stage:
        attempt = await stage.attempt(of, pod=await a_pod(stage, "deployment"))
        assert attempt.outcome is Outcome.BLOCKED
        assert "get replicasets.apps in namespace shop" in attempt.reason


def permissions() -> Iterator[Permission]:
    """Every permission that anything declares."""
    for action in ACTIONS.values():
        yield from action.permissions
    for guard in GUARDS:
        yield from guard.permissions
    yield from looking()


def looking() -> Iterator[Permission]:
    """What checks and diagnoses declare."""
    for check in CHECKS.values():
        yield from check.permissions
    for diagnosis in DIAGNOSES.values():
        yield from diagnosis.permissions


def test_names_are_declared_only_where_kubernetes_honours_them() -> None:
    """A list or a creation is not held to names: a Role that names them would allow nothing."""
    for permission in permissions():
        assert not permission.named or set(permission.verbs) <= BY_NAME


def test_only_actions_and_guards_change_anything() -> None:
    """Checks and diagnoses declare what is read, ``get`` and ``list``, but to run programs."""
    assert all(one.acting or set(one.verbs) <= {"get", "list"} for one in looking())
    assert {one.resource for one in looking() if one.acting} == {"pods", "pods/exec"}
    assert not any(one.disrupting for one in looking())
    for one in permissions():
        assert one.acting or set(one.verbs) <= {"get", "list"}


@pytest.mark.parametrize("look", ["diagnosis", "check"])
@pytest.mark.parametrize("mode", ["observe", "suggest"])
def test_a_rule_that_may_not_act_is_not_granted_to_run_programs(look: str, mode: str) -> None:
    """It looks without them."""
    of = policy(mode=mode, step="rollback: {}", **{look: f"exec: {{{LOOKS['exec']}}}"})
    granted = {(line.resource, line.verb) for role in roles_of(demands(of)) for line in role.lines}
    assert not any(resource == "pods/exec" for resource, _ in granted)
    trusted = {one.resource for one in demands(replace(of, rules=(replace(of.rules[0], mode=Mode.AUTO),)))}
    assert "pods/exec" in trusted


async def test_a_program_on_a_target_that_must_not_be_touched_is_not_granted_and_not_run(
    tmp_path: Path,
) -> None:
    """It is only looked at; the diagnosis says why."""
    of = policy(diagnosis=f"exec: {{{LOOKS['exec']}}}")
    of = replace(of, guards=replace(of.guards, protect=("deployment/web",)))
    roles = roles_of(demands(of))
    async with staged(tmp_path, roles, ("deployment", "shop", "web")) as stage:
        attempt = await stage.attempt(of)
        assert attempt.outcome is Outcome.BLOCKED
        assert attempt.findings == (
            "exec: could not be found out: nothing was run: target: deployment/web is protected by "
            "guards.protect",
        )
        assert stage.server.commands.calls == []
        assert unused(roles, stage) == []
