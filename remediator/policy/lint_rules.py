"""Lints of rules: what they would do, to whom, and when."""

from __future__ import annotations

from collections.abc import Iterator

from remediator.core.approval import must_ask
from remediator.core.classify import TARGET
from remediator.core.nodes import NODE_ACTIONS
from remediator.core.objects import NODE
from remediator.core.policies import Mode, PageNever, PageUnlessVerified, Rule
from remediator.core.times import format_duration
from remediator.policy.lint_view import Note, View
from remediator.policy.nodes import Items
from remediator.policy.templates import LabelTemplate

CHECKS_OF_NODES = frozenset(("ready", "promql", "http", "alert", "no_recurrence"))
"""Checks that say something of a node, or do not ask about the target."""
NEED_A_WORKLOAD = frozenset(
    (
        *("restart", "scale", "rollback", "delete_pod", "evict_pod", "set_image", "set_resources", "hpa"),
        "isolate",
        "restore",
    )
)
"""Actions that do something to the service's workload."""


def unknown_services(view: View) -> Iterator[Note]:
    """R103: a rule with runbooks for services that the catalog does not know: every change is blocked."""
    if not view.draft.whole:
        return
    known = view.draft.services.items
    for rule in view.policy.rules:
        if not rule.runbooks or rule.lacks or has_target(view, rule):
            continue  # what it lacks, a notice says
        if isinstance(rule.service, LabelTemplate) and rule.service.constant:
            name = rule.service.source.strip()
            if name not in known:
                text = f"service '{name}' is not in the catalog, so nothing is ever done; add it to services"
                yield Note(at=view.spot("rules", rule.name, "service"), code="R103", message=text)
        elif known and len(known) == len(view.policy.services) and not view.selection(rule).names:
            text = (
                f"no service that rule '{rule.name}' can select is in the catalog, so nothing is ever done; "
                "add it to services"
            )
            yield Note(at=view.spot("rules", rule.name, "match"), code="R103", message=text)


def has_target(view: View, rule: Rule) -> bool:
    """Whether the rule names an object by itself: then the catalog tells nothing of what it acts upon."""
    return view.node("rules", rule.name, "target") is not None


def silent_rules(view: View) -> Iterator[Note]:
    """R104: a rule that opens incidents of which nobody is told, and for which nothing is done."""
    for rule in view.policy.rules:
        severity = view.policy.severities.get(rule.severity)
        if severity is None or rule.runbooks or rule.raises or severity.raises:
            continue
        told = [
            node
            for section, name in (("rules", rule.name), ("severities", severity.name))
            if isinstance(node := view.node(section, name, "channels"), Items) and node.items
        ]
        if isinstance(severity.page, PageNever) and not told:
            text = (
                f"rule '{rule.name}' tells nobody and does nothing: {severity.name} is never paged, and "
                "there are no runbooks; name some, or a severity that somebody hears of"
            )
            yield Note(at=view.spot("rules", rule.name), code="R104", message=text)


def idle_modes(view: View) -> Iterator[Note]:
    """R105: a mode that governs nothing."""
    for rule in view.policy.rules:
        if not rule.runbooks and rule.mode is not Mode.OBSERVE:
            text = f"rule '{rule.name}' is {rule.mode}, but has no runbooks; name some, or remove mode"
            yield Note(at=view.spot("rules", rule.name, "mode"), code="R105", message=text)


def unheard_questions(view: View) -> Iterator[Note]:
    """R114: a rule that waits for approval, and nobody hears of it."""
    for rule in view.policy.rules:
        severity = view.policy.severities.get(rule.severity)
        if severity is None or severity.escalation is not None or view.policy.operator:
            continue
        books = [view.policy.runbooks[name] for name in rule.runbooks if name in view.policy.runbooks]
        if any(must_ask(rule.mode, book, severity.name) for book in books):
            text = (
                f"rule '{rule.name}' waits for approval, and nobody hears of it: {severity.name} has no "
                "escalation, and there is no operator; name one of them"
            )
            yield Note(at=view.spot("rules", rule.name), code="R114", message=text)


def long_holds(view: View) -> Iterator[Note]:
    """R109: a rule that waits before it opens an incident for as long as people have to answer."""
    for rule in view.policy.rules:
        severity = view.policy.severities.get(rule.severity)
        if severity is None or not rule.hold:
            continue
        page = severity.page.within if isinstance(severity.page, PageUnlessVerified) else None
        bounds = {"pages after": page, "promises an answer within": severity.respond_within}
        for what, bound in bounds.items():
            if bound is not None and rule.hold >= bound:
                text = (
                    f"rule '{rule.name}' holds for {format_duration(rule.hold)} before an incident opens, "
                    f"but {severity.name} {what} {format_duration(bound)}; shorten hold"
                )
                yield Note(at=view.spot("rules", rule.name, "hold"), code="R109", message=text)
                break


def nothing_to_act_upon(view: View) -> Iterator[Note]:
    """R112: a rule whose steps need a workload, for services that have none."""
    if not view.draft.whole:
        return
    for rule in view.policy.rules:
        names = view.selection(rule).names
        if not rule.runbooks or not names or has_target(view, rule):
            continue
        if any(view.policy.services[name].workload is not None for name in names):
            continue
        books = [view.policy.runbooks[name] for name in rule.runbooks if name in view.policy.runbooks]
        if any(step.action in NEED_A_WORKLOAD for book in books for step in book.steps):
            shown = ", ".join(f"'{name}'" for name in names[:3]) + (", …" if len(names) > 3 else "")
            has = "has" if len(names) == 1 else "have"
            text = (
                f"rule '{rule.name}' acts on {shown}, which {has} no workload, so nothing is ever done; add "
                "workload: deployment/NAME to the service"
            )
            yield Note(at=view.spot("rules", rule.name, "runbooks"), code="R112", message=text)


def objects_together(view: View) -> Iterator[Note]:
    """R113: alerts that name different objects share an incident, and then nothing is changed for any."""
    for rule in view.policy.rules:
        if rule.target is None or TARGET in rule.group_by:
            continue
        selector = rule.target.selector
        if isinstance(selector, LabelTemplate) and (selector.constant or selector.labels <= {*rule.group_by}):
            continue
        text = (
            f"rule '{rule.name}' has a target, but group_by leaves it out: an incident whose alerts name two "
            "objects changes neither; add target to group_by"
        )
        yield Note(at=view.spot("rules", rule.name, "group_by"), code="R113", message=text)


def strange_targets(view: View) -> Iterator[Note]:
    """R115: steps that are for nodes where the rule names none, or for workloads where it names one."""
    for rule in view.policy.rules:
        kind = rule.target.kind if rule.target is not None else ""
        for number, name in enumerate(rule.runbooks):
            runbook = view.policy.runbooks.get(name)
            if runbook is None:
                continue
            steps = [step.action for step in runbook.steps if step.acts]
            strange = [each for each in dict.fromkeys(steps) if (each in NODE_ACTIONS) != (kind == NODE)]
            if not strange:
                continue
            shown = " and ".join(strange)
            if kind == NODE:
                why = (
                    f"{shown} needs a workload, and its target is a node: blocked; take it out of the runbook"
                )
            else:
                why = f"{shown} is for a node, and the rule names none: blocked; add target: {{node: …}}"
            text = f"rule '{rule.name}' tries runbook '{name}', but {why}"
            at = view.spot("rules", rule.name, "runbooks", str(number))
            yield Note(at=at, code="R115", message=text)


def checks_of_nodes(view: View) -> Iterator[Note]:
    """R116: checks that ask about a workload, in a runbook for a node: they are never known to hold."""
    for rule in view.policy.rules:
        if rule.target is None or rule.target.kind != NODE:
            continue
        for number, name in enumerate(rule.runbooks):
            runbook = view.policy.runbooks.get(name)
            if runbook is None:
                continue
            asked = [check for step in runbook.steps for check in (step.when, step.wait) if check is not None]
            names = dict.fromkeys(check.check for check in (*asked, *runbook.verify))
            if strange := [each for each in names if each not in CHECKS_OF_NODES]:
                text = (
                    f"rule '{rule.name}' tries runbook '{name}' on a node, of which {' and '.join(strange)} "
                    "cannot be found out; ask ready, promql, http, alert or no_recurrence"
                )
                at = view.spot("rules", rule.name, "runbooks", str(number))
                yield Note(at=at, code="R116", message=text)
