"""Rules that the daemon lacks permissions for are trusted to observe, until it has them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from remediator.core.access import Access
from remediator.core.policies import Mode, Policy, Rule
from remediator.policy.rbac import Demands, demands

SHOWN = 2
"""Permissions that are named; the rest is counted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lack:
    """A permission that a rule lacks, and the runbook and part of it that need it first."""

    access: Access
    runbook: str
    part: str


def lacking(needed: Demands, missing: Collection[Access]) -> Mapping[str, tuple[Lack, ...]]:
    """By rule, what it lacks of what it needs, in order. Rules that lack nothing are not there.

    Rules that need the same share one answer: one missing permission may concern thousands.
    """
    alike: dict[int, tuple[tuple[str, ...], dict[Access, Lack]]] = {}
    for access, purposes in needed.items():
        if access in missing:
            needing = (purpose for purpose in purposes if not purpose.optional)
            for purpose in needing:  # told apart by identity: hashing thousands of names takes long
                _, own = alike.setdefault(id(purpose.rules), (purpose.rules, {}))
                own.setdefault(access, Lack(access=access, runbook=purpose.runbook, part=purpose.part))
    found: dict[str, tuple[Lack, ...]] = {}
    for rules, own in alike.values():
        lacks = tuple(own.values())
        for rule in rules:
            found[rule] = _merged(found[rule], lacks) if rule in found else lacks
    return found


def _merged(first: Sequence[Lack], second: Sequence[Lack]) -> tuple[Lack, ...]:
    """Of a rule that tries several runbooks: each access once, in order."""
    by_access: dict[Access, Lack] = {}
    for lack in (*first, *second):
        by_access.setdefault(lack.access, lack)
    return tuple(by_access[access] for access in sorted(by_access))


def lowered(policy: Policy, missing: Collection[Access], *, ceiling: Mode = Mode.AUTO) -> Policy:
    """The policy with every rule that lacks a permission in mode ``observe``, and the reason at the rule.

    Names, places and the digest stay: it is the same policy, trusted with less.
    """
    if not missing:
        return policy
    lacks = lacking(demands(policy, ceiling=ceiling), missing)
    shared = {id(own): own for own in lacks.values()}
    texts = {key: say_lacks(own) for key, own in shared.items()}
    return replace(
        policy,
        rules=tuple(
            _lowered(rule, texts[id(lacks[rule.name])])
            if rule.name in lacks and rule.mode.capped(ceiling) is not Mode.OBSERVE
            else rule
            for rule in policy.rules
        ),
    )


def _lowered(rule: Rule, text: str) -> Rule:
    reason = f"from {rule.mode}: {text}; remediator rbac says what to grant"
    return replace(rule, mode=Mode.OBSERVE, lowered=reason)


def say_lacks(lacks: Iterable[Lack]) -> str:
    """``may not patch deployments.apps in namespace shop``: objects that differ by name alone count once."""
    alike = list(dict.fromkeys(str(replace(one.access, name="")) for one in lacks))
    more = f" and {len(alike) - SHOWN} more" if len(alike) > SHOWN else ""
    return f"may not {', '.join(alike[:SHOWN])}{more}"


def lowered_rules(policy: Policy) -> tuple[Rule, ...]:
    """The rules that are trusted with less than their file says."""
    return tuple(rule for rule in policy.rules if rule.lowered)
