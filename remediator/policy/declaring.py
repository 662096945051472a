"""What policy files ask for beyond what is performed: told as a notice each, and kept for the digest."""

from __future__ import annotations

from collections.abc import Iterator

from remediator.policy.digest import canonical
from remediator.policy.draft import SECTIONS, Draft, Item
from remediator.policy.findings import Findings, Level
from remediator.policy.model import Path, Unperformed, not_performed
from remediator.policy.validate import locate


def declared_in(draft: Draft) -> dict[str, object]:
    """Everything of it that is valid, by its place: ``severities/SEV-1/war_room``. Plain values."""
    return {
        "/".join(map(str, (section, item.name, *path))): canonical(value)
        for section, item, path, _, value in _declared(draft)
    }


def check_declared(draft: Draft, out: Findings) -> None:
    """A notice (N7xx) for each, at the key that asks for it: what happens instead."""
    for section, item, path, unperformed, _ in _declared(draft):
        where, _, key = locate(item.node, path, item.at)
        what = f"'{key}'" if key else f"'{section}'" if not item.name else f"'{item.name}' under {section}"
        text = f"{what} is checked but not performed by this version: {unperformed.instead}"
        out.add(where if path else item.at, unperformed.code, text, Level.NOTICE)


def _declared(draft: Draft) -> Iterator[tuple[str, Item, Path, Unperformed, object]]:  # type: ignore[type-arg]
    for name in SECTIONS:
        section = draft.section(name)
        for item in section.items.values() if section is not None else ():
            if item.model is not None:
                for path, unperformed, value in not_performed(item.model):
                    yield name, item, path, unperformed, value
