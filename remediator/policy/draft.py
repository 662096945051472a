"""Every object of all policy files, with its name, its place and, if it is valid, its model."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Generic, TypeVar

from pydantic import BaseModel

from remediator.core.policies import SEVERITIES
from remediator.policy.effort import Effort
from remediator.policy.findings import Findings, Level, Spot, quoted, suggestion
from remediator.policy.model import OneOf
from remediator.policy.nodes import Entry, Items, Node, Scalar, Table, compose, follow
from remediator.policy.plugins import ChannelModel
from remediator.policy.schema import (
    DrillsModel,
    EscalationModel,
    GuardsModel,
    HeartbeatModel,
    OperatorModel,
    RuleModel,
    RunbookModel,
    ServiceModel,
    SeverityModel,
    TemplateModel,
    TimeIntervalModel,
)
from remediator.policy.sources import TESTS, Sources
from remediator.policy.validate import validate
from remediator.policy.values import NAME

M = TypeVar("M", bound=BaseModel)

SINGLE = ""
"""The name of the only object of a section that is one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Item(Generic[M]):
    """One object. ``at``: where its name stands. ``model`` is None when something is wrong with it."""

    name: str
    at: Spot
    node: Node
    model: M | None

    def spot(self, *keys: str) -> Spot:
        """Where the value of a key stands, or the name when there is no such key."""
        return next((found.at for found in follow(self.node, keys)), self.at) if keys else self.at


@dataclass(kw_only=True, slots=True)
class Section(Generic[M]):
    """The objects of one section by name, in the order of the files."""

    name: str
    what: str
    model: type[M]
    form: str
    """``named`` (a mapping by name), ``list`` (items with a ``name``) or ``single``."""
    items: dict[str, Item[M]] = field(default_factory=dict)
    spare: list[Item[M]] = field(default_factory=list)
    """Objects without a name, or with one that is taken: only what is wrong with them matters."""

    @property
    def all_items(self) -> Iterator[Item[M]]:
        """The objects, then the spare ones."""
        yield from self.items.values()
        yield from self.spare

    @property
    def names(self) -> tuple[str, ...]:
        """The names that may be referred to."""
        allowed = SEVERITIES.__contains__ if self.name == "severities" else NAME.fullmatch
        return tuple(name for name in self.items if allowed(name))


def _section(name: str, what: str, model: type[M], form: str = "named") -> Section[M]:
    return field(default_factory=lambda: Section(name=name, what=what, model=model, form=form))


@dataclass(kw_only=True, slots=True)
class Draft:
    """What the files say, as far as it can be understood."""

    severities: Section[SeverityModel] = _section("severities", "severity", SeverityModel)
    services: Section[ServiceModel] = _section("services", "service", ServiceModel)
    rules: Section[RuleModel] = _section("rules", "rule", RuleModel, "list")
    runbooks: Section[RunbookModel] = _section("runbooks", "runbook", RunbookModel)
    guards: Section[GuardsModel] = _section("guards", "section", GuardsModel, "single")
    time_intervals: Section[TimeIntervalModel] = _section(
        "time_intervals", "time interval", TimeIntervalModel
    )
    escalations: Section[EscalationModel] = _section("escalations", "escalation", EscalationModel)
    channels: Section[OneOf] = _section("channels", "channel", ChannelModel)
    operator: Section[OperatorModel] = _section("operator", "section", OperatorModel, "single")
    templates: Section[TemplateModel] = _section("templates", "template", TemplateModel)
    heartbeat: Section[HeartbeatModel] = _section("heartbeat", "section", HeartbeatModel, "single")
    drills: Section[DrillsModel] = _section("drills", "section", DrillsModel, "single")
    documents: list[Table] = field(default_factory=list)
    complete: bool = True
    """Whether the text of every file is known: only then can a name be said to be missing."""
    parsed: bool = True
    """Whether every text is YAML."""
    words: set[str] = field(default_factory=set)
    """What could be names in texts that are not YAML, in which anything may be meant."""

    @property
    def whole(self) -> bool:
        """Whether everything that the files say is here."""
        return self.complete and self.parsed

    def may_define(self, name: str) -> bool:
        """Whether a name that is not here may stand in what could not be read."""
        return not self.complete or name in self.words

    def section(self, name: str) -> Section[BaseModel] | None:
        """The section of that name."""
        return getattr(self, name, None) if name in SECTIONS else None


SECTIONS = tuple(
    each.name for each in fields(Draft) if each.name not in ("documents", "complete", "parsed", "words")
)


_WORD = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
"""As ``NAME``, of any length."""


def read_draft(sources: Sources, out: Findings) -> Draft:
    """Everything the files say, merged; what is wrong with any of it is in ``out``."""
    draft, effort = Draft(complete=sources.complete), Effort()
    for path, text in sources.texts.items():
        documents = compose(path, text, out, effort)
        if documents is None:
            draft.parsed = False
            draft.words.update(_WORD.findall(text))
        for document in documents or ():
            if isinstance(document, Table):
                draft.documents.append(document)
                for entry in document.entries:
                    _read_section(draft, entry, out)
            elif not (isinstance(document, Scalar) and document.value is None):
                out.add(document.at, "P013", f"expected sections: {', '.join(SECTIONS)}")
    return draft


def _read_section(draft: Draft, entry: Entry, out: Findings) -> None:
    name, at, node = entry.key.text, entry.key.at, entry.value
    section = draft.section(name)
    if section is None:
        _refuse_section(name, at, out)
    elif isinstance(node, Scalar) and node.value is None:
        out.add(at, "P013", f"{name} is empty; say something there or remove it", Level.NOTICE)
    elif section.form == "single":
        _read_single(section, at, node, out)
    elif section.form == "list":
        if isinstance(node, Items):
            for item in node.items:
                _read_listed(section, item, out)
        else:
            out.add(node.at, "P013", f"{name} must be a list: begin each {section.what} with - name: …")
    elif isinstance(node, Table):
        for each in node.entries:
            _read_named(section, each, out)
    else:
        out.add(node.at, "P013", f"{name} must be a mapping: write NAME: {{…}} for each {section.what}")


def _refuse_section(name: str, at: Spot, out: Findings) -> None:
    if name == "tests" and at.path.endswith(TESTS):
        out.add(at, "P010", "this is a file of tests; name the directory of the policies that they are for")
    elif name == "tests":
        out.add(at, "P010", "tests stand in files of their own; move them to one named *_test.yaml")
    else:
        out.add(at, "P010", f"unknown section {quoted(name)}; {suggestion(name, SECTIONS)}")


def _read_single(section: Section[M], at: Spot, node: Node, out: Findings) -> None:
    model = validate(section.model, node, at, out)
    _define(section, Item(name=SINGLE, at=at, node=node, model=model), section.name, out)


_EMPTY = {
    "time_intervals": "write a list of intervals, such as [{weekdays: [saturday, sunday]}]",
    "templates": "write the text, in quotes",
    "escalations": "write a list of levels, such as [{level: 1, channels: [oncall]}]",
    "runbooks": "write what it does, such as {steps: [{restart: {}}], verify: [{alert: {state: resolved}}]}",
}


def _read_named(section: Section[M], entry: Entry, out: Findings) -> None:
    name, at = entry.key.text, entry.key.at
    _check_name(section, name, at, out)
    secret = section.name == "channels"
    if isinstance(entry.value, Scalar) and entry.value.value is None and section.model is not ChannelModel:
        how = _EMPTY.get(section.name, "write {} if that is meant")
        out.add(at, "P013", f"{section.what} {quoted(name)} is empty; {how}")
        model = None
    else:
        model = validate(section.model, entry.value, at, out, secret=secret)
    _define(
        section, Item(name=name, at=at, node=entry.value, model=model), f"{section.what} {quoted(name)}", out
    )


def _read_listed(section: Section[M], node: Node, out: Findings) -> None:
    named = next(follow(node, ("name",)), None)
    at = named.at if isinstance(named, Scalar) else node.at
    model = validate(section.model, node, at, out)
    name = named.text if isinstance(named, Scalar) and isinstance(named.value, str) else ""
    item = Item(name=name, at=at, node=node, model=model)
    if name:
        _define(section, item, f"{section.what} {quoted(name)}", out)
    else:
        section.spare.append(item)


def _check_name(section: Section[M], name: str, at: Spot, out: Findings) -> None:
    if section.name == "severities":
        if name not in SEVERITIES:
            out.add(at, "P018", f"{quoted(name)} is not a severity; {suggestion(name, SEVERITIES)}")
    elif NAME.fullmatch(name) is None:
        out.add(at, "P018", f"{quoted(name)} is not a name here; write 1 to 63 of A-Z a-z 0-9 . _ -")


def _define(section: Section[M], item: Item[M], label: str, out: Findings) -> None:
    first = section.items.get(item.name)
    if first is None:
        section.items[item.name] = item
    else:
        section.spare.append(item)
        out.add(item.at, "P005", f"{label} is defined twice, here and at {first.at}; keep one")
