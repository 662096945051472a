"""Names that refer to other objects: every one must lead somewhere."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel

from remediator.core.policies import SEVERITIES
from remediator.policy.draft import Draft, Section
from remediator.policy.findings import Findings, Level, Spot, quoted, suggestion
from remediator.policy.nodes import Node, Scalar, follow


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """Where in the objects of a section names of another section stand."""

    source: str
    keys: tuple[str, ...]
    target: str


def _reference(source: str, keys: str, target: str) -> Reference:
    return Reference(source=source, keys=tuple(keys.split()), target=target)


REFERENCES = (
    _reference("rules", "severity", "severities"),
    _reference("rules", "runbooks *", "runbooks"),
    _reference("rules", "channels *", "channels"),
    _reference("rules", "raise to", "severities"),
    _reference("rules", "raise * to", "severities"),
    _reference("severities", "escalation", "escalations"),
    _reference("severities", "channels *", "channels"),
    _reference("severities", "raise to", "severities"),
    _reference("severities", "raise * to", "severities"),
    _reference("runbooks", "approval for *", "severities"),
    _reference("runbooks", "during *", "time_intervals"),
    _reference("guards", "freeze *", "time_intervals"),
    _reference("escalations", "* channels *", "channels"),
    _reference("services", "depends_on *", "services"),
    _reference("operator", "channels *", "channels"),
)


def check_references(draft: Draft, out: Findings) -> None:
    """Report every name that leads nowhere, also in objects that are wrong otherwise.

    A name that may stand in a file that could not be read is given the benefit of the doubt.
    """
    for reference in REFERENCES:
        source, target = draft.section(reference.source), draft.section(reference.target)
        if source is None or target is None:
            raise AssertionError(f"{reference} names a section that does not exist")
        for item in source.all_items:
            for node in follow(item.node, reference.keys):
                if isinstance(node, Scalar) and isinstance(node.value, str):
                    _check(draft, node.value, node.at, target, out)


def check_raises(draft: Draft, out: Findings) -> None:
    """P027: a ``raise`` to a severity that is not more severe than the one it begins with.

    To the same one is a warning: it never happens, and means nothing else than it says.
    """
    for item in draft.severities.all_items:
        _check_raises(item.name, item.node, out)
    for rule in draft.rules.all_items:
        severity = next(follow(rule.node, ("severity",)), None)
        if isinstance(severity, Scalar):
            _check_raises(severity.text, rule.node, out)


def _check_raises(severity: str, node: Node, out: Findings) -> None:
    if severity not in SEVERITIES:
        return
    for keys in (("raise", "to"), ("raise", "*", "to")):
        for to in follow(node, keys):
            if isinstance(to, Scalar) and to.text in SEVERITIES and to.text >= severity:
                higher = [each for each in SEVERITIES if each < severity]
                how = f"write one of: {', '.join(higher)}" if higher else "nothing is: remove the raise"
                level = Level.WARNING if to.text == severity else Level.ERROR
                text = f"{quoted(to.text)} is not more severe than {severity}; {how}"
                out.add(to.at, "P027", text, level)


def _check(draft: Draft, name: str, at: Spot, target: Section[BaseModel], out: Findings) -> None:
    if name in target.items or draft.may_define(name):
        return
    if out.full:
        out.leave_out()
        return
    hint = suggestion(name, target.names, otherwise="define it, or write one of: ")
    hint = hint if target.names else f"add it under {target.name}"
    out.add(at, "P017", f"{target.what} {quoted(name)} is not defined under {target.name}; {hint}")
