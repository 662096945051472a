"""Lints of the catalog of services."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from remediator.core.policies import WorkloadRef
from remediator.policy.lint_rules import has_target
from remediator.policy.lint_view import Note, View


def dependency_cycles(view: View) -> Iterator[Note]:
    """C501: services that wait for each other. Reported at every member."""
    graph = {name: service.depends_on for name, service in view.policy.services.items()}
    for members in _cycles(graph):
        shown = ", ".join(members[:8]) + (", …" if len(members) > 8 else "")
        what = f"{shown} depend on each other" if len(members) > 1 else f"{shown} depends on itself"
        text = f"dependency cycle: {what}; remove one of these depends_on"
        for name in members:
            yield Note(at=view.spot("services", name), code="C501", message=text)


def _cycles(graph: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    """The members of each group of services that all wait for each other, in linear time.

    Source: R. Tarjan, Depth-first search and linear graph algorithms (1972), without recursion.
    """
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    waiting: set[str] = set()
    for root in graph:
        work = [(root, iter(graph[root]))] if root not in index else []
        while work:
            node, following = work[-1]
            if node not in index:
                index[node] = low[node] = len(index)
                stack.append(node)
                waiting.add(node)
            for each in following:
                if each in graph and each not in index:
                    work.append((each, iter(graph[each])))
                    break
                if each in waiting:
                    low[node] = min(low[node], low[each])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    members = [stack.pop()]
                    while members[-1] != node:
                        members.append(stack.pop())
                    waiting.difference_update(members)
                    if len(members) > 1 or node in graph[node]:
                        yield tuple(reversed(members))


def shared_workloads(view: View) -> Iterator[Note]:
    """C502: two services with one workload, whose limits would count separately."""
    seen: dict[WorkloadRef, str] = {}
    for name, service in view.policy.services.items():
        if service.workload is None:
            continue
        first = seen.setdefault(service.workload, name)
        if first != name:
            text = (
                f"{service.workload} in {service.workload.namespace} already belongs to service '{first}' at "
                f"{view.spot('services', first)}; a workload has one service"
            )
            yield Note(at=view.spot("services", name, "workload"), code="C502", message=text)


def services_never_selected(view: View) -> Iterator[Note]:
    """C503: services that no rule can select, as far as matchers and templates tell."""
    if not view.sound:
        return
    rules = view.policy.rules
    if not all(view.selection(rule).narrow and not has_target(view, rule) for rule in rules):
        return
    selected = view.selected(rules)
    for name in view.policy.services if rules else ():
        if name not in selected:
            text = (
                f"no rule can select service '{name}', so it never has an incident; add a rule for its alerts"
            )
            yield Note(at=view.spot("services", name), code="C503", message=text)
