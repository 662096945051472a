"""What a policy needs of the cluster: which access, and which part of which runbook it is for. Pure.

Follows an attempt as it is performed. A rule that may not act still diagnoses, waits and plans, up to the
first step that would change something; a target that the guards forbid is looked at and nothing else, and so
is every target while the policies ask for a guard that this version lacks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from remediator.actions import ACTIONS
from remediator.checks import CHECKS
from remediator.core.access import OF_KIND, Access, accesses
from remediator.core.aiming import services_below
from remediator.core.nodes import NODE_ACTIONS
from remediator.core.objects import NODE
from remediator.core.owners import GROUPS, changeable_from, looked_up
from remediator.core.plugins import TARGET, Permission
from remediator.core.policies import Check, Mode, Policy, Runbook, Step, WorkloadRef
from remediator.diagnoses import DIAGNOSES
from remediator.diagnoses.keeping import EVIDENCE, PERMISSIONS
from remediator.guards import GUARDS
from remediator.guards.observer import observed
from remediator.guards.spaces import space_objection
from remediator.guards.target import static_objection
from remediator.policy.plugins import disrupts
from remediator.policy.reach import reached


@dataclass(frozen=True, kw_only=True, slots=True)
class Purpose:
    """What something is needed for: ``part`` of ``runbook``, as these rules try it."""

    rules: tuple[str, ...]
    runbook: str
    part: str
    """Such as ``diagnose pods``, ``guard lease``, ``step restart``, ``verify ready``."""
    why: str

    @property
    def optional(self) -> bool:
        """Whether an attempt goes on without: less is kept of what there was before it."""
        return self.part == EVIDENCE


Demands: TypeAlias = Mapping[Access, tuple[Purpose, ...]]
"""What is needed, in order, and what for."""
_Part: TypeAlias = tuple[str, Permission, Mapping[str, object]]
READY = "ready"
"""The check that a node can be asked, too."""
_Tried: TypeAlias = tuple[tuple[str, ...], str, bool]
"""Services, runbook, and whether it may act."""


def demands(policy: Policy, *, ceiling: Mode = Mode.AUTO, at_least: Mode = Mode.OBSERVE) -> Demands:
    """What the policy needs under the daemon's ``ceiling``, were every rule trusted ``at_least`` so much."""
    found: dict[Access, dict[Purpose, None]] = defaultdict(dict)
    compared = {(each.kind, each.namespace): each for each in observed(policy)}.values()
    _demand_named(found, policy, ceiling, at_least)
    for (services, name, acting), rules in _tried(policy, ceiling, at_least).items():
        runbook = policy.runbooks[name]
        for service in services:
            target = policy.services[service].workload
            allowed = not policy.guards.lacks and not static_objection(service, target, policy.guards)
            for part, permission, params in _parts(runbook, acting=acting, allowed=allowed):
                purpose = Purpose(rules=rules, runbook=name, part=part, why=permission.why)
                places = _places(permission, target, (service,), policy)
                for place in compared if permission.catalog else places:
                    for access in accesses(permission, place, params):
                        found[access][purpose] = None
    return {access: tuple(found[access]) for access in sorted(found)}


def _demand_named(
    found: dict[Access, dict[Purpose, None]], policy: Policy, ceiling: Mode, at_least: Mode
) -> None:
    """Of rules with a target, in every allowed namespace: any object there may be named, and changed."""
    alike: dict[tuple[str, str, bool], list[str]] = defaultdict(list)
    for rule in policy.rules:
        if rule.target is not None and not rule.lacks:
            mode = max(rule.mode, at_least, key=lambda one: one.trust).capped(ceiling)
            for name in dict.fromkeys(rule.runbooks):
                if name in policy.runbooks and not policy.runbooks[name].lacks:
                    alike[(rule.target.kind, name, may_act(mode))].append(rule.name)
    spaces = [space for space in policy.guards.namespaces if not space_objection(space, policy.guards)]
    for (kind, name, acting), rules in alike.items():
        if kind == NODE:
            _demand_nodes(found, policy, spaces, (tuple(rules), name, acting))
            continue
        parts = tuple(_parts(policy.runbooks[name], acting=acting, allowed=not policy.guards.lacks))
        for space in spaces:
            for looked, group in ((each, GROUPS[each]) for each in looked_up(kind)):
                why = f"find out which workload owns the {kind} that an alert names"
                access = Access(namespace=space, group=group, resource=f"{looked}s", verb="get")
                purpose = Purpose(rules=tuple(rules), runbook=name, part="target", why=why)
                found[access][purpose] = None
            for owner in changeable_from(kind):
                target = WorkloadRef(kind=owner, namespace=space, name="")
                owned = _owned(owner, space, policy)
                for part, permission, params in parts:
                    purpose = Purpose(rules=tuple(rules), runbook=name, part=part, why=permission.why)
                    for place in _places(permission, target, owned, policy):
                        for access in accesses(permission, place, params):
                            found[access][purpose] = None


def _owned(kind: str, namespace: str, policy: Policy) -> tuple[str, ...]:
    """The services whose workload an object that an alert names may turn out to belong to."""
    return tuple(
        name
        for name, service in policy.services.items()
        if service.workload is not None
        and (service.workload.kind, service.workload.namespace) == (kind, namespace)
    )


def _places(
    permission: Permission, target: WorkloadRef | None, services: Iterable[str], policy: Policy
) -> tuple[WorkloadRef, ...]:
    """The workloads that the permission is needed on, for a target that is one of these services'.

    What a service depends on is only read, so it may be wherever the catalog says.
    """
    if not permission.below:
        return () if target is None else (target,)
    below = (each for service in services for each in services_below(service, policy))
    return tuple(dict.fromkeys(each.workload for each in below if each.workload is not None))


def _demand_nodes(
    found: dict[Access, dict[Purpose, None]], policy: Policy, spaces: Sequence[str], tried: _Tried
) -> None:
    """Of rules whose target is a node, which is in no namespace: any may be named. What is evicted from it is
    in ``spaces``."""
    rules, name, acting = tried
    allowed = bool(spaces) and not policy.guards.lacks
    located = Permission(
        group="",
        resource="nodes",
        verbs=("get",),
        cluster_wide=True,
        why="find out whether the node that an alert names is there",
    )
    parts = _parts(policy.runbooks[name], acting=acting, allowed=allowed, of_node=True)
    for part, permission, params in (("target", located, {}), *parts):
        purpose = Purpose(rules=rules, runbook=name, part=part, why=permission.why)
        everywhere = permission.cluster_wide or permission.resource == OF_KIND
        for space in ("",) if everywhere else spaces:
            target = WorkloadRef(kind=NODE, namespace=space, name="")
            for access in accesses(permission, target, params):
                found[access][purpose] = None


def may_act(mode: Mode) -> bool:
    """Whether a rule of that mode changes something, once a person agrees or by itself."""
    return mode in (Mode.AUTO, Mode.APPROVE)


def _tried(policy: Policy, ceiling: Mode, at_least: Mode) -> dict[_Tried, tuple[str, ...]]:
    """Which runbooks are tried on which services, by which rules. Many rules are alike in that."""
    found: dict[_Tried, list[str]] = defaultdict(list)
    for rule, services in reached(policy):
        if rule.lacks or rule.target is not None:
            continue  # as with a runbook that lacks something, its attempts are blocked at their start
        mode = max(rule.mode, at_least, key=lambda one: one.trust).capped(ceiling)
        for name in dict.fromkeys(rule.runbooks):
            runbook = policy.runbooks.get(name)
            if runbook is not None and not runbook.lacks:
                found[(services, name, may_act(mode))].append(rule.name)
    return {tried: tuple(rules) for tried, rules in found.items()}


def _parts(runbook: Runbook, *, acting: bool, allowed: bool, of_node: bool = False) -> Iterator[_Part]:
    """The permissions of an attempt, in the order in which they are used, with whose they are.

    ``of_node``: its target is a node. What looks at a workload finds out nothing there, and needs nothing.
    """
    if of_node:
        yield from _on_node(runbook, acting=acting, allowed=allowed)
        return
    for looked in runbook.diagnose:
        if (diagnosis := DIAGNOSES.get(looked.diagnosis)) is not None:
            wanted = _withheld(diagnosis.permissions, acting and allowed)
            yield from _of(f"diagnose {looked.diagnosis}", wanted, looked.params)
    if runbook.evidence and acting and allowed:
        yield from _of(EVIDENCE, PERMISSIONS, {})
    for step in runbook.steps:
        if step.when is not None:
            yield from _checks("when", (step.when,), acting=acting and allowed)
        if step.wait is not None:
            yield from _checks("wait", (step.wait,), acting=acting and allowed)
        if not step.acts:
            continue
        if not allowed:
            return  # ``supported`` or ``target`` blocks before the cluster is looked at
        yield from _change(step, acting=acting)
        if not acting and step.when is None:
            return  # it is told what would be done, and that ends the attempt
    yield from _checks("verify", runbook.verify, acting=acting and allowed)


def _on_node(runbook: Runbook, *, acting: bool, allowed: bool) -> Iterator[_Part]:
    """The same of a node: its steps, and the check that it is ready."""
    for step in runbook.steps:
        for where, check in (("when", step.when), ("wait", step.wait)):
            if check is not None and check.check == READY:
                yield from _checks(where, (check,), acting=acting and allowed)
        if not step.acts:
            continue
        if not allowed or step.action not in NODE_ACTIONS:
            return  # ``target`` blocks
        yield from _change(step, acting=acting)
        if not acting and step.when is None:
            return
    proofs = tuple(check for check in runbook.verify if check.check == READY)
    yield from _checks("verify", proofs, acting=acting and allowed)


def _change(step: Step, *, acting: bool) -> Iterator[_Part]:
    action = ACTIONS.get(step.action)
    if action is None:
        return
    takes, claims = disrupts(step), action.fenced_on == TARGET
    for guard in GUARDS:
        wanted = (
            one for one in guard.permissions if (takes or not one.disrupting) and (claims or not one.claiming)
        )
        yield from _of(f"guard {guard.name}", _withheld(wanted, acting), {})
    yield from _of(f"step {step.action}", _withheld(action.permissions, acting), step.params)


def _withheld(permissions: Iterable[Permission], acting: bool) -> Iterator[Permission]:
    return (one for one in permissions if acting or not one.acting)


def _checks(where: str, checks: Sequence[Check], *, acting: bool) -> Iterator[_Part]:
    for check in checks:
        if (plugin := CHECKS.get(check.check)) is not None:
            yield from _of(f"{where} {check.check}", _withheld(plugin.permissions, acting), check.params)


def _of(part: str, permissions: Iterable[Permission], params: Mapping[str, object]) -> Iterator[_Part]:
    for permission in permissions:
        yield part, permission, params


def namespaces_of(policy: Policy) -> tuple[str, ...]:
    """Every namespace that the policy speaks of."""
    named = {one.workload.namespace for one in policy.services.values() if one.workload is not None}
    return tuple(sorted(named | set(policy.guards.namespaces)))
