"""Policy files to a policy: everything that is wrong with them in one run, or the values they stand for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from pydantic import BaseModel

from remediator.core.errors import PolicyError
from remediator.core.policies import GuardPolicy, Policy
from remediator.policy.declaring import check_declared, declared_in
from remediator.policy.digest import digest_of
from remediator.policy.draft import SINGLE, Draft, Item, Section, read_draft
from remediator.policy.findings import Finding, Findings, Level, Spot
from remediator.policy.lint import lint
from remediator.policy.lint_view import View
from remediator.policy.plugins import to_channel
from remediator.policy.raises import Where
from remediator.policy.references import check_raises, check_references
from remediator.policy.rendering import render_runbook
from remediator.policy.sources import Source, read_sources

M = TypeVar("M", bound=BaseModel)
V = TypeVar("V")


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """What came of reading. ``policy`` is None exactly when a finding is an error."""

    policy: Policy | None
    findings: tuple[Finding, ...]


def read_policies(source: Source) -> Loaded:
    """Read a directory, a file, or texts by path. Never raises for what stands in them."""
    out = Findings()
    sources = read_sources(source, out)
    draft = read_draft(sources, out)
    check_references(draft, out)
    check_raises(draft, out)
    check_declared(draft, out)
    policy = build(draft)
    lint(View(draft=draft, policy=policy), out)
    if sources.texts and draft.whole and not draft.severities.items:
        message = "no severity is defined; add severities: with at least one of SEV-1 to SEV-4"
        out.add(Spot(path=next(iter(sources.texts))), "P012", message)
    return Loaded(policy=None if out.has_errors else policy, findings=out.ordered())


def load_policy(source: Source) -> Policy:
    """The policy of a directory. Raises PolicyError with every error in it."""
    loaded = read_policies(source)
    if loaded.policy is None:
        raise PolicyError([str(each) for each in loaded.findings if each.level is Level.ERROR])
    return loaded.policy


def build(draft: Draft) -> Policy:
    """The core values of everything in the draft that is valid."""
    guards = draft.guards.items.get(SINGLE)
    operator = draft.operator.items.get(SINGLE)
    policy = Policy(
        severities={
            name: item.model.build(name, _places(item))
            for name, item in draft.severities.items.items()
            if item.model is not None
        },
        services=_built(draft.services, lambda name, model: model.build(name)),
        rules=tuple(
            item.model.build(_places(item)) for item in draft.rules.items.values() if item.model is not None
        ),
        runbooks=_built(draft.runbooks, lambda name, model: model.build(name)),
        guards=guards.model.build() if guards is not None and guards.model is not None else GuardPolicy(),
        escalations=_built(draft.escalations, lambda name, model: model.build(name)),
        channels=_built(draft.channels, to_channel),
        operator=tuple(operator.model.channels)
        if operator is not None and operator.model is not None
        else (),
        declared=declared_in(draft),
        render=render_runbook,
    )
    return replace(policy, digest=digest_of(policy))


def _places(item: Item[M]) -> Where:
    return lambda *keys: str(item.spot(*keys))


def _built(section: Section[M], make: Callable[[str, M], V]) -> dict[str, V]:
    return {name: make(name, item.model) for name, item in section.items.items() if item.model is not None}
