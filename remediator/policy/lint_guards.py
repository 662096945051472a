"""Lints of what the guards let through: nothing, everything, or never what a rule wants."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches

from remediator.core.objects import NODE
from remediator.core.policies import Rate, Rule, Service
from remediator.core.text import plain
from remediator.policy.draft import SINGLE
from remediator.policy.findings import MOST_COMPARED
from remediator.policy.lint_rules import has_target
from remediator.policy.lint_view import Note, View
from remediator.policy.nodes import Scalar, Table
from remediator.policy.shapes import possible_values

_LABEL = re.compile(r"\{\{\s*labels\.(\w+)\s*\}\}", re.ASCII)
LONGEST_SLIP = 2
"""Characters by which a misspelt name is longer or shorter: ``db-primary`` is no slip of ``db``."""


def outside_namespaces(view: View) -> Iterator[Note]:
    """G401: rules act on services where the guards never allow a change."""
    allowed = frozenset(view.policy.guards.namespaces)
    if not allowed:
        return
    told: set[str] = set()
    selections = {id(found): found for found in map(view.selection, view.acting)}
    for selection in selections.values():
        for name in selection.names:
            service = view.policy.services[name]
            if name in told or service.workload is None or service.workload.namespace in allowed:
                continue
            told.add(name)
            text = (
                f"rules act on service '{name}' in namespace '{service.workload.namespace}', which "
                "guards.namespaces does not list; add it there, or write mode: observe for these rules"
            )
            yield Note(at=view.spot("services", name), code="G401", message=text)
    for rule in view.acting:
        for kind, namespaces in _target_namespaces(view, rule):
            if allowed.isdisjoint(namespaces):
                text = (
                    f"rule '{rule.name}' acts on a {kind} in namespace '{plain(min(namespaces), 63)}', which "
                    "guards.namespaces does not list; add it there, or write mode: observe"
                )
                at = view.spot("rules", rule.name, "target", kind)
                yield Note(at=at, code="G401", message=text)


def _target_namespaces(view: View, rule: Rule) -> Iterator[tuple[str, frozenset[str]]]:
    """The kind of a rule's target, and the only namespaces it can be in, where the rule tells them."""
    target = view.node("rules", rule.name, "target")
    for entry in target.entries if isinstance(target, Table) else ():
        place, slash, _ = entry.value.text.partition("/") if isinstance(entry.value, Scalar) else ("", "", "")
        label = _LABEL.fullmatch(place.strip())
        known = possible_values(rule.matchers, label[1]) if label else frozenset((place.strip(),))
        if slash and known and (label or "{{" not in place):
            yield entry.key.text, known


def no_namespace(view: View) -> Iterator[Note]:
    """G402: rules that may act while nothing may be touched."""
    if view.policy.guards.namespaces or not view.draft.whole:
        return
    for rule in view.acting:
        text = (
            f"rule '{rule.name}' is {rule.mode}, but guards.namespaces is empty, nothing is ever changed; "
            "list the namespaces that may be touched"
        )
        yield Note(at=view.spot("rules", rule.name, "mode"), code="G402", message=text)


def only_protected(view: View) -> Iterator[Note]:
    """G403: a rule that acts on nothing but what is protected."""
    protect = frozenset(view.policy.guards.protect)
    for rule in view.acting if protect else ():
        names = view.selection(rule).names
        services = map(view.policy.services.__getitem__, names)  # there may be thousands; most end at once
        if names and not has_target(view, rule) and all(_protected(each, protect) for each in services):
            first = ", ".join(str(view.policy.services[name].workload) for name in names[:3])
            shown = first + (", …" if len(names) > 3 else "")
            text = (
                f"rule '{rule.name}' acts on nothing but {shown}, which guards.protect keeps from every "
                "change; write mode: observe, or have people do it"
            )
            yield Note(at=view.spot("rules", rule.name, "runbooks"), code="G403", message=text)


def _protected(service: Service, protect: frozenset[str]) -> bool:
    return service.workload is not None and str(service.workload) in protect


def misspelt_protection(view: View) -> Iterator[Note]:
    """G404: a protected workload that no service has, while one has nearly its name."""
    workloads = {str(service.workload) for service in view.policy.services.values() if service.workload}
    if not view.draft.whole or len(workloads) > MOST_COMPARED:
        return
    for number, name in enumerate(view.policy.guards.protect):
        known = name in workloads or name.startswith(f"{NODE}/")
        near = [] if known else get_close_matches(name, sorted(workloads), n=1, cutoff=0.8)
        slip = bool(near) and abs(len(near[0]) - len(name)) <= LONGEST_SLIP
        if slip and near[0] not in view.policy.guards.protect:
            text = f"no service has {name}, so this may protect nothing; did you mean '{near[0]}'?"
            yield Note(at=view.spot("guards", SINGLE, "protect", str(number)), code="G404", message=text)


def extreme_shares(view: View) -> Iterator[Note]:
    """G405: a bound on unavailable pods that allows none, or all."""
    share = view.policy.guards.max_unavailable
    if share is None or not (share.value == 0 or (share.percent and share.value == 100)):
        return
    if share.value:
        text = "max_unavailable of 100% bounds nothing; write less, such as 40%, or remove it"
    else:
        text = (
            f"max_unavailable of {share} lets no healthy pod be taken away, so hardly anything is ever done; "
            "write more, such as 40%"
        )
    yield Note(at=view.spot("guards", SINGLE, "max_unavailable"), code="G405", message=text)


def idle_rates(view: View) -> Iterator[Note]:
    """G406: a rate that a wider one, which counts the same changes and more, never lets be reached."""
    rate = view.policy.guards.rate
    for narrow, own, wide, other in (
        ("service", rate.service, "cluster", rate.cluster),
        ("target", rate.target, "service", rate.service),
        ("target", rate.target, "cluster", rate.cluster),
    ):
        written = view.node("guards", SINGLE, "rate", narrow) is not None
        if written and _never_reached(own, other):
            text = f"rate.{narrow} is never reached: rate.{wide} allows less, and counts more; lower it"
            yield Note(at=view.spot("guards", SINGLE, "rate", narrow), code="G406", message=text)
            return


def idle_budget(view: View) -> Iterator[Note]:
    """G407: a bound on error budgets, and no service that has one."""
    bound, services = view.policy.guards.error_budget, view.policy.services.values()
    if bound is None or not view.draft.whole or any(service.slo is not None for service in services):
        return
    text = "no service has an slo, so no error budget is ever looked at; give some an slo, or remove this"
    yield Note(at=view.spot("guards", SINGLE, "error_budget"), code="G407", message=text)


def _never_reached(own: Rate, other: Rate) -> bool:
    return other.count < own.count and other.per >= own.per
