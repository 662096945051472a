"""Policy files to a policy: everything that is wrong with them in one run, or the values they stand for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from remediator.core.errors import PolicyError
from remediator.core.policies import GuardPolicy, Policy
from remediator.policy.codes import Stage
from remediator.policy.declaring import check_declared, declared_in
from remediator.policy.digest import digest_of
from remediator.policy.draft import SINGLE, Draft, Item, Section, read_draft
from remediator.policy.findings import Finding, Findings, Level, Spot
from remediator.policy.lint import lint, report
from remediator.policy.lint_tests import untested_rules
from remediator.policy.lint_view import Note, View
from remediator.policy.plugins import to_channel
from remediator.policy.raises import Where
from remediator.policy.references import check_raises, check_references
from remediator.policy.rendering import render_runbook
from remediator.policy.silences import Silenced, apply_silences, read_silences
from remediator.policy.sources import Source, read_sources
from remediator.policy.testfiles import fired_labels

M = TypeVar("M", bound=BaseModel)
V = TypeVar("V")


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """What came of reading. ``policy`` is None exactly when something in the files is an error.

    ``silenced``: findings that a comment has an answer to; ``texts``: the files by path.
    """

    policy: Policy | None
    findings: tuple[Finding, ...]
    silenced: tuple[Silenced, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Examined:
    """Files that were looked at, with everything that is wrong with them so far."""

    texts: Mapping[str, str]
    view: View
    out: Findings

    def conclude(self, notes: Iterable[Note] = (), asked: Collection[Stage] = (Stage.FILES,)) -> Loaded:
        """The findings, without what comments silence. ``notes``: what else was found, in ``asked``."""
        policy = None if self.out.has_errors else self.view.policy
        whole = self.view.draft.whole and policy is not None and not self.out.left_out
        report(notes, self.out)
        silences, faults = read_silences(self.texts)
        heard = apply_silences(self.out, silences, asked, whole=whole)
        self.out.keep(heard.told)
        report((*faults, *heard.notes), self.out)
        return Loaded(policy=policy, findings=self.out.ordered(), silenced=heard.silenced, texts=self.texts)


def examine(source: Source, *, advise: bool = True) -> Examined:
    """Read a directory, a file, or texts by path. Never raises for what stands in them.

    Without ``advise`` only errors are looked for: what keeps a daemon from starting.
    """
    out = Findings()
    sources = read_sources(source, out)
    draft = read_draft(sources, out)
    check_references(draft, out)
    check_raises(draft, out)
    check_declared(draft, out)
    view = View(draft=draft, policy=build(draft), sound=not out.has_errors and draft.whole)
    lint(view, out, advise=advise)
    if sources.texts and draft.whole and not draft.severities.items:
        message = "no severity is defined; add severities: with at least one of SEV-1 to SEV-4"
        out.add(Spot(path=next(iter(sources.texts))), "P012", message)
    return Examined(texts=sources.texts, view=view, out=out)


def read_policies(source: Source) -> Loaded:
    """What the files say, and everything that is wrong with them. Never raises for what stands in them."""
    return examine(source).conclude()


def check_policies(source: Source, ask: Callable[[View], Iterable[Note]] | None = None) -> Loaded:
    """``read_policies``, with what tests beside the files leave out and what ``ask`` says of the world."""
    examined = examine(source)
    notes: list[Note] = []
    asked = [Stage.FILES]
    if isinstance(source, Mapping) or Path(source).is_dir():
        notes += untested_rules(examined.view, fired_labels(source))
        asked.append(Stage.TESTS)
    if ask is not None:
        notes += ask(examined.view)
        asked.append(Stage.WORLD)
    return examined.conclude(notes, asked)


def load_policy(source: Source) -> Policy:
    """The policy of a directory. Raises PolicyError with every error in it."""
    examined = examine(source, advise=False)
    if examined.out.has_errors:
        errors = (each for each in examined.out.ordered() if each.level is Level.ERROR)
        raise PolicyError([str(each) for each in errors])
    return examined.view.policy


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
        time_intervals=_built(draft.time_intervals, lambda name, model: model.build()),
        declared=declared_in(draft),
        render=render_runbook,
    )
    return replace(policy, digest=digest_of(policy))


def _places(item: Item[M]) -> Where:
    return lambda *keys: str(item.spot(*keys))


def _built(section: Section[M], make: Callable[[str, M], V]) -> dict[str, V]:
    return {name: make(name, item.model) for name, item in section.items.items() if item.model is not None}
