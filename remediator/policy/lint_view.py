"""What lints look at, and what they say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import BaseModel

from remediator.core.policies import Policy
from remediator.policy.draft import Draft, Item
from remediator.policy.findings import Level, Spot
from remediator.policy.nodes import Scalar, follow
from remediator.policy.references import REFERENCES


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """One remark of a lint."""

    at: Spot
    code: str
    message: str
    level: Level = Level.WARNING


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """The files as written and as understood. ``policy`` holds only what is valid."""

    draft: Draft
    policy: Policy

    def item(self, section: str, name: str) -> Item[BaseModel] | None:
        """The object of that name, valid or not."""
        found = self.draft.section(section)
        return None if found is None else found.items.get(name)

    def spot(self, section: str, name: str, *keys: str) -> Spot:
        """Where a value of an object stands, or its name."""
        item = self.item(section, name)
        return Spot(path="?") if item is None else item.spot(*keys)

    def used(self, target: str) -> Iterator[str]:
        """Every name of section ``target`` that is mentioned anywhere, also in objects that are wrong."""
        for reference in REFERENCES:
            source = self.draft.section(reference.source)
            if reference.target == target and source is not None:
                for item in source.items.values():
                    for node in follow(item.node, reference.keys):
                        if isinstance(node, Scalar):
                            yield node.text
