"""What lints look at, and what they say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from pydantic import BaseModel

from remediator.core.policies import Mode, Policy, Rule
from remediator.policy.draft import Draft, Item
from remediator.policy.findings import Level, Spot
from remediator.policy.nodes import Node, Scalar, follow
from remediator.policy.references import REFERENCES
from remediator.policy.selecting import Selection, Selector


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """One remark of a lint. ``level``: None for the usual one of its code."""

    at: Spot
    code: str
    message: str
    level: Level | None = None


@dataclass(frozen=True, kw_only=True)
class View:
    """The files as written and as understood. ``policy`` holds only what is valid.

    ``sound``: nothing is wrong with the files themselves, so that what is nowhere is really nowhere.
    """

    draft: Draft
    policy: Policy
    sound: bool = True

    @cached_property
    def rules_of(self) -> Mapping[str, tuple[Rule, ...]]:
        """The rules that name a runbook, by the runbook."""
        found: dict[str, list[Rule]] = defaultdict(list)
        for rule in self.policy.rules:
            for name in dict.fromkeys(rule.runbooks):
                found[name].append(rule)
        return {name: tuple(rules) for name, rules in found.items()}

    @cached_property
    def _selector(self) -> Selector:
        return Selector(policy=self.policy)

    def selection(self, rule: Rule) -> Selection:
        """The services of the catalog that a rule can select."""
        return self._selector.of(rule)

    def selected(self, rules: Iterable[Rule]) -> frozenset[str]:
        """The services of the catalog that any of the rules can select."""
        selections = {id(found): found for found in map(self.selection, rules)}  # thousands share a few
        return frozenset(name for each in selections.values() for name in each.names)

    @cached_property
    def acting(self) -> tuple[Rule, ...]:
        """The rules that may do something, by their mode and runbooks."""
        return tuple(rule for rule in self.policy.rules if rule.runbooks and rule.mode is not Mode.OBSERVE)

    def item(self, section: str, name: str) -> Item[BaseModel] | None:
        """The object of that name, valid or not."""
        found = self.draft.section(section)
        return None if found is None else found.items.get(name)

    def node(self, section: str, name: str, *keys: str) -> Node | None:
        """What is written under these keys of an object, if anything is."""
        item = self.item(section, name)
        return None if item is None else next(follow(item.node, keys), None)

    def spot(self, section: str, name: str, *keys: str) -> Spot:
        """Where a value of an object stands, or its name."""
        item = self.item(section, name)
        return Spot(path="?") if item is None else item.spot(*keys)

    def used(self, target: str) -> Iterator[str]:
        """Every name of section ``target`` that is mentioned anywhere, also in objects that are wrong."""
        for reference in REFERENCES:
            source = self.draft.section(reference.source)
            if reference.target == target and source is not None:
                for item in source.all_items:
                    for node in follow(item.node, reference.keys):
                        if isinstance(node, Scalar):
                            yield node.text
