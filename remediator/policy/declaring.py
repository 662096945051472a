"""What policy files ask for beyond what is performed: told as a notice each, and kept for the digest."""

from __future__ import annotations

from collections.abc import Iterator

from remediator.policy.digest import canonical
from remediator.policy.draft import SECTIONS, Draft, Item
from remediator.policy.findings import Findings, Level, quoted
from remediator.policy.model import Path, Unperformed, not_performed
from remediator.policy.nodes import Scalar
from remediator.policy.validate import locate


def declared_in(draft: Draft) -> dict[str, object]:
    """Everything of it that is valid, by its place: ``severities/SEV-1/war_room``. Plain values."""
    return {
        "/".join(str(part) for part in (section, item.name, *path) if part != ""): canonical(value)
        for section, item, path, _, value in _declared(draft)
    }


def check_declared(draft: Draft, out: Findings) -> None:
    """A notice (N7xx) for each, at the key that asks for it: what happens instead."""
    for section, item, path, unperformed, _ in _declared(draft):
        where, found, key = locate(item.node, path, item.at)
        if not path:
            what = f"{quoted(item.name)} under {section}" if item.name else f"'{section}'"
        else:
            what = quoted(f"{key}: {found.text}" if isinstance(found, Scalar) and found.text else key)
        text = f"{what} is checked but not performed by this version: {unperformed.instead}"
        out.add(where if path else item.at, unperformed.code, text, Level.NOTICE)


def _declared(draft: Draft) -> Iterator[tuple[str, Item, Path, Unperformed, object]]:  # type: ignore[type-arg]
    for name in SECTIONS:
        section = draft.section(name)
        for item in section.items.values() if section is not None else ():
            if item.model is not None:
                for path, unperformed, value in not_performed(item.model):
                    yield name, item, path, unperformed, value
