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
    """By rule, what it lacks of what it needs, in order. Rules that lack nothing are not there."""
    found: dict[str, dict[Access, Lack]] = {}
    for access, purposes in needed.items():
        if access in missing:
            for purpose in purposes:
                lack = Lack(access=access, runbook=purpose.runbook, part=purpose.part)
                for rule in purpose.rules:
                    found.setdefault(rule, {}).setdefault(access, lack)
    return {rule: tuple(lacks.values()) for rule, lacks in found.items()}


def lowered(policy: Policy, missing: Collection[Access], *, ceiling: Mode = Mode.AUTO) -> Policy:
    """The policy with every rule that lacks a permission in mode ``observe``, and the reason at the rule.

    Names, places and the digest stay: it is the same policy, trusted with less.
    """
    if not missing:
        return policy
    lacks = lacking(demands(policy, ceiling=ceiling), missing)
    return replace(
        policy, rules=tuple(_lowered(rule, lacks.get(rule.name, ()), ceiling) for rule in policy.rules)
    )


def _lowered(rule: Rule, lacks: Sequence[Lack], ceiling: Mode) -> Rule:
    if not lacks or rule.mode.capped(ceiling) is Mode.OBSERVE:
        return rule
    reason = f"from {rule.mode}: {say_lacks(lacks)}; remediator rbac says what to grant"
    return replace(rule, mode=Mode.OBSERVE, lowered=reason)


def say_lacks(lacks: Iterable[Lack]) -> str:
    """``may not patch deployments.apps in namespace shop``: objects that differ by name alone count once."""
    alike = list(
        dict.fromkeys(
            f"{one.access.what.removesuffix(f' {one.access.name}')} {one.access.place}" for one in lacks
        )
    )
    more = f" and {len(alike) - SHOWN} more" if len(alike) > SHOWN else ""
    return f"may not {', '.join(alike[:SHOWN])}{more}"


def lowered_rules(policy: Policy) -> tuple[Rule, ...]:
    """The rules that are trusted with less than their file says."""
    return tuple(rule for rule in policy.rules if rule.lowered)
