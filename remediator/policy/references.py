"""Names that refer to other objects: every one must lead somewhere."""

from __future__ import annotations

from dataclasses import dataclass

from remediator.policy.draft import Draft
from remediator.policy.findings import Findings, quoted, suggestion
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

    Where a file could not be read at all nothing is known to be missing, so nothing is reported.
    """
    if not draft.complete:
        return
    for reference in REFERENCES:
        source, target = draft.section(reference.source), draft.section(reference.target)
        if source is None or target is None:
            raise AssertionError(f"{reference} names a section that does not exist")
        for item in source.items.values():
            for node in follow(item.node, reference.keys):
                if (
                    isinstance(node, Scalar)
                    and isinstance(node.value, str)
                    and node.value not in target.items
                ):
                    hint = suggestion(node.value, target.items, otherwise="define it, or write one of: ")
                    hint = hint if target.items else f"add it under {target.name}"
                    text = f"{target.what} {quoted(node.value)} is not defined under {target.name}; {hint}"
                    out.add(node.at, "P017", text)
