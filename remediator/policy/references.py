"""Names that refer to other objects: every one must lead somewhere."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel

from remediator.policy.draft import Draft, Section
from remediator.policy.findings import Findings, Spot, quoted, suggestion
from remediator.policy.nodes import Scalar, follow


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """Where in the objects of a section names of another section stand."""

    source: str
    keys: tuple[str, ...]
    target: str


REFERENCES = (
    Reference(source="rules", keys=("severity",), target="severities"),
    Reference(source="rules", keys=("runbooks", "*"), target="runbooks"),
    Reference(source="severities", keys=("escalation",), target="escalations"),
    Reference(source="escalations", keys=("*", "channels", "*"), target="channels"),
    Reference(source="services", keys=("depends_on", "*"), target="services"),
    Reference(source="operator", keys=("channels", "*"), target="channels"),
)


def check_references(draft: Draft, out: Findings) -> None:
    """Report every name that leads nowhere, also in objects that are wrong otherwise.

    A name that may stand in a file that could not be read is given the benefit of the doubt.
    """
    for reference in REFERENCES:
        source, target = draft.section(reference.source), draft.section(reference.target)
        if source is None or target is None:
            raise AssertionError(f"{reference} names a section that does not exist")
        for item in source.items.values():
            for node in follow(item.node, reference.keys):
                if isinstance(node, Scalar) and isinstance(node.value, str):
                    _check(draft, node.value, node.at, target, out)


def _check(draft: Draft, name: str, at: Spot, target: Section[BaseModel], out: Findings) -> None:
    if name in target.items or draft.may_define(name):
        return
    if out.full:
        out.left_out += 1
        return
    hint = suggestion(name, target.names, otherwise="define it, or write one of: ")
    hint = hint if target.names else f"add it under {target.name}"
    out.add(at, "P017", f"{target.what} {quoted(name)} is not defined under {target.name}; {hint}")
