"""Lints of runbooks, severities, escalations, the catalog, and of secrets anywhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from remediator.core.policies import PageNever, WorkloadRef
from remediator.core.times import format_duration
from remediator.policy.findings import Level
from remediator.policy.lint_view import Note, View
from remediator.policy.nodes import scalars

OWN_SIGNALS = frozenset(("ready", "rollout", "endpoints"))
"""Checks that say how the change itself went, not whether the trouble is over."""

_SECRETS = (
    (re.compile(r"xox[abeprs]-[A-Za-z0-9-]{10,}"), "a Slack token"),
    (re.compile(r"\bAKIA[0-9A-Z]{16}\b"), "an AWS access key"),
    (re.compile(r"\bgh[pousr]_[A-Za-z0-9]{30,}"), "a GitHub token"),
    (re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----"), "a private key"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\."), "a JSON web token"),
)


def unproven_runbooks(view: View) -> Iterator[Note]:
    """B202 and B203: runbooks whose success is not verified, or only by what the step itself controls."""
    for name, runbook in view.policy.runbooks.items():
        checks = {check.check for check in runbook.verify}
        if not checks:
            text = (
                f"runbook '{name}' has no verify: success must be proven; add "
                "verify: [{alert: {state: resolved, within: 10m}}]"
            )
            yield Note(at=view.spot("runbooks", name), code="B202", message=text, level=Level.ERROR)
        elif checks <= OWN_SIGNALS:
            shown = " and ".join(sorted(checks))
            text = (
                f"runbook '{name}' is verified by {shown} alone, which its own steps control; add "
                "alert: {state: resolved, within: 10m}"
            )
            yield Note(at=view.spot("runbooks", name, "verify"), code="B203", message=text)


def impossible_checks(view: View) -> Iterator[Note]:
    """B204: a check that must hold for longer than it is waited for."""
    for name, runbook in view.policy.runbooks.items():
        asked = [
            (("verify", str(number), check.check), check, "within")
            for number, check in enumerate(runbook.verify)
        ]
        asked += [
            (("steps", str(number), "wait"), step.wait, "timeout")
            for number, step in enumerate(runbook.steps)
            if step.wait is not None
        ]
        for where, check, bound in asked:
            if check.stable >= check.within:
                text = (
                    f"{check.check} must hold for {format_duration(check.stable)} but is waited for only "
                    f"{format_duration(check.within)}; make {bound} longer than for"
                )
                at = view.spot("runbooks", name, *where)
                yield Note(at=at, code="B204", message=text, level=Level.ERROR)


def unused_objects(view: View) -> Iterator[Note]:
    """B201, E602 and E603: runbooks, escalations and channels that nothing mentions."""
    if not view.draft.whole:
        return
    for section, code, hint, level in (
        ("runbooks", "B201", "name it under runbooks of a rule, or remove it", Level.WARNING),
        ("escalations", "E602", "name it as escalation of a severity, or remove it", Level.NOTICE),
        ("channels", "E603", "name it in an escalation or under operator, or remove it", Level.NOTICE),
    ):
        found = view.draft.section(section)
        used = set(view.used(section))
        for name, item in found.items.items() if found is not None else ():
            if found is not None and name not in used:
                yield Note(
                    at=item.at, code=code, message=f"{found.what} '{name}' is never used; {hint}", level=level
                )


def pages_nobody(view: View) -> Iterator[Note]:
    """S301: a severity that pages, but does not say whom."""
    for name, severity in view.policy.severities.items():
        if not isinstance(severity.page, PageNever) and severity.escalation is None:
            text = f"{name} pages but names no escalation; add escalation: NAME, or write page: never"
            yield Note(at=view.spot("severities", name), code="S301", message=text, level=Level.ERROR)


def levels_never_reached(view: View) -> Iterator[Note]:
    """E601: a level after one that waits for ever."""
    for name, escalation in view.policy.escalations.items():
        for number, level in enumerate(escalation.levels[:-1]):
            if level.acknowledge_within is None:
                text = (
                    f"escalation '{name}' never climbs above level {level.level} by itself; "
                    "add acknowledge_within: 15m to that level"
                )
                yield Note(at=view.spot("escalations", name, str(number)), code="E601", message=text)


def dependency_cycles(view: View) -> Iterator[Note]:
    """C501: services that wait for each other. Reported at every member."""
    graph = {name: service.depends_on for name, service in view.policy.services.items()}
    for members in _cycles(graph):
        shown = ", ".join(members[:8]) + (", …" if len(members) > 8 else "")
        what = f"{shown} depend on each other" if len(members) > 1 else f"{shown} depends on itself"
        text = f"dependency cycle: {what}; remove one of these depends_on"
        for name in members:
            yield Note(at=view.spot("services", name), code="C501", message=text, level=Level.ERROR)


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


def secrets_in_text(view: View) -> Iterator[Note]:
    """P019: something that looks like a secret, anywhere. It is never repeated."""
    for document in view.draft.documents:
        entries = [entry for entry in document.entries if entry.key.text != "channels"]  # checked by settings
        for scalar in (each for entry in entries for each in scalars(entry.value)):
            kind = _secret_kind(scalar.text)
            if kind:
                text = (
                    f"this looks like {kind}: secrets do not belong here; revoke it, and refer to env or file"
                )
                yield Note(at=scalar.at, code="P019", message=text, level=Level.ERROR)


def _secret_kind(text: str) -> str:
    if "://" in text and "@" in text:
        try:
            if urlsplit(text).password:
                return "a URL with a password"
        except ValueError:
            return ""
    return next((kind for pattern, kind in _SECRETS if pattern.search(text)), "")
