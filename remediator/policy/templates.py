"""Templates that select a service from an alert's labels.

Jinja2 syntax, but only expressions that cannot loop, call or grow: the labels, ``or``, ``~``, conditions
and a few filters. Label values are data; nothing in them is ever read as a template.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

LONGEST_SOURCE = 500
LONGEST_OUTPUT = 200
FILTERS = ("default", "lower", "trim", "upper")
_EXAMPLE = "write an expression such as {{ labels.app }}"

_ALLOWED = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Getattr,
    nodes.Getitem,
    nodes.Const,
    nodes.Filter,
    nodes.Or,
    nodes.And,
    nodes.Not,
    nodes.Concat,
    nodes.CondExpr,
    nodes.Compare,
    nodes.Operand,
)


class TemplateRefused(ValueError):
    """The template cannot be used. ``offset``: the position of the trouble in it, in characters from 0."""

    def __init__(self, message: str, *, offset: int = 0) -> None:
        super().__init__(message)
        self.offset = offset


class _Labels:
    """The labels as templates see them: reading only, and a missing one is the empty string."""

    __slots__ = ("_labels",)

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._labels = labels

    def __getitem__(self, name: str) -> str:
        return self._labels.get(name, "")


@dataclass(frozen=True, slots=True, eq=False)
class LabelTemplate:
    """A compiled ``service:`` template; a ServiceSelector. Equal when its source is."""

    source: str
    _template: Template
    constant: bool
    """Whether it selects the same name whatever the labels."""
    labels: frozenset[str]
    """The labels it looks at."""

    def select(self, labels: Mapping[str, str]) -> str:
        """The name the labels select; empty when it cannot be told, or is longer than any name."""
        try:
            name = self._template.render(labels=_Labels(labels))
            return name.strip() if len(name) <= LONGEST_OUTPUT else ""
        except (TemplateError, TypeError, ValueError):
            return ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LabelTemplate) and other.source == self.source

    def __hash__(self) -> int:
        return hash(self.source)

    def __repr__(self) -> str:
        return f"LabelTemplate({self.source!r})"


class _Environment(ImmutableSandboxedEnvironment):
    """Looks everything up as an item, so that ``labels.items`` is a label and never a method."""

    def getattr(self, obj: object, attribute: str) -> object:
        return self.getitem(obj, attribute)


@lru_cache(maxsize=1)
def _environment() -> _Environment:
    made = _Environment(undefined=StrictUndefined, autoescape=False)
    made.globals.clear()
    made.filters = {name: made.filters[name] for name in FILTERS}
    made.tests.clear()
    return made


def compile_template(source: str) -> LabelTemplate:
    """The template of a rule's ``service``. Raises TemplateRefused."""
    if len(source) > LONGEST_SOURCE:
        raise TemplateRefused(
            f"the template has {len(source)} characters; at most {LONGEST_SOURCE} are allowed"
        )
    for mark, what in (("{%", "statements"), ("{#", "comments")):
        if (offset := source.find(mark)) >= 0:
            raise TemplateRefused(
                f"{mark} begins {what}, which are not allowed here; {_EXAMPLE}", offset=offset
            )
    start = max(source.find("{{"), 0)
    environment = _environment()
    try:
        tree = environment.parse(source)
        seen = _inspect(tree, start)
        template = environment.from_string(source)
    except TemplateSyntaxError as error:
        raise TemplateRefused(f"not a template: {error.message}; {_EXAMPLE}", offset=start) from None
    except (RecursionError, MemoryError, OverflowError, SyntaxError) as error:
        raise TemplateRefused(f"the template is too complicated; {_EXAMPLE}", offset=start) from error
    return LabelTemplate(source=source, _template=template, constant="{{" not in source, labels=seen)


def _inspect(tree: nodes.Template, start: int) -> frozenset[str]:
    """The labels that the template looks at. Raises TemplateRefused for anything that is not allowed."""
    lookups: list[nodes.Getattr | nodes.Getitem] = [
        *tree.find_all(nodes.Getattr),
        *tree.find_all(nodes.Getitem),
    ]
    looked_into = {id(lookup.node) for lookup in lookups}
    for node in tree.find_all(nodes.Node):
        if not isinstance(node, _ALLOWED):
            kind = type(node).__name__.lower()
            raise TemplateRefused(f"a {kind} is not allowed in a template; {_EXAMPLE}", offset=start)
        if isinstance(node, nodes.Name) and node.name != "labels":
            text = f"'{node.name}' is not known here, only labels is; {_EXAMPLE}"
            raise TemplateRefused(text, offset=start)
        if isinstance(node, nodes.Name) and id(node) not in looked_into:
            raise TemplateRefused(f"'labels' alone names no label; {_EXAMPLE}", offset=start)
        if isinstance(node, nodes.Filter) and node.name not in FILTERS:
            text = f"the filter '{node.name}' is not allowed; use one of: {', '.join(FILTERS)}"
            raise TemplateRefused(text, offset=start)
    return frozenset(_label(lookup, start) for lookup in lookups)


def _label(node: nodes.Getattr | nodes.Getitem, start: int) -> str:
    if isinstance(node.node, nodes.Name):
        name = node.attr if isinstance(node, nodes.Getattr) else _constant(node.arg)
        if isinstance(name, str):
            return name
    raise TemplateRefused(f"only labels.NAME or labels['NAME'] can be looked up; {_EXAMPLE}", offset=start)


def _constant(node: nodes.Expr) -> object:
    return node.value if isinstance(node, nodes.Const) else None
