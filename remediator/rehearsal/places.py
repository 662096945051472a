"""Where the objects of a policy stand in its files, and the keys that their authors wrote."""

from __future__ import annotations

from remediator.policy.draft import SINGLE, Draft, read_draft
from remediator.policy.findings import Findings, Spot
from remediator.policy.nodes import Items, Table, follow
from remediator.policy.sources import Source, read_sources


class Places:
    """Finds the place of an object, or of a key in it."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft

    @classmethod
    def read(cls, source: Source) -> Places:
        """Of the policy files there. What is wrong with them is for others to say."""
        out = Findings()
        return cls(read_draft(read_sources(source, out), out))

    def find(self, section: str, name: str = SINGLE, *keys: str) -> Spot | None:
        """Where that key of the object is written; the object's name without keys. None: nowhere."""
        known = self._draft.section(section)
        item = known.items.get(name) if known is not None else None
        if item is None:
            return None
        if not keys:
            return item.at
        found = next(follow(item.node, keys[:-1]), None)
        if isinstance(found, Table) and (entry := found.get(keys[-1])) is not None:
            return entry.key.at
        if isinstance(found, Items) and keys[-1].isdecimal() and int(keys[-1]) < len(found.items):
            return found.items[int(keys[-1])].at
        return None
