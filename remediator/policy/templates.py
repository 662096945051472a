"""Templates in policy files: Jinja2 syntax, but only expressions that cannot loop, call or grow.

Lookups of what a template may see, ``or``, ``~``, conditions and a few filters. Values are data; nothing in
them is ever read as a template. ``compile_template`` is for a rule's ``service``, which sees an alert's
labels; templates of runbooks see none of them, see ``remediator.policy.placing``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

LONGEST_SOURCE = 500
LONGEST_OUTPUT = 200
DEEPEST = 30
"""Levels of an expression: Python takes exponential time for ``not not not …``."""
FILTERS = ("default", "lower", "trim", "upper")

_ALLOWED = (
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Vocabulary:
    """What templates of one kind may look at.

    ``names``: each name with what can be looked up in it; None: anything. ``example`` ends every message.
    """

    names: Mapping[str, frozenset[str] | None]
    example: str
    longest: int = LONGEST_SOURCE


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """One ``{{ expression }}``. ``offset``: where it begins; ``reads``: what it looks up, name by name."""

    expression: nodes.Expr
    offset: int
    reads: frozenset[tuple[str, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Parsed:
    """A template that was found harmless. ``outputs``: each text and expression, in their order."""

    tree: nodes.Template
    outputs: Sequence[nodes.Output]
    pieces: tuple[Piece, ...]

    @property
    def sample(self) -> str:
        """The text with ``x`` for every expression."""
        every = [node for output in self.outputs for node in output.nodes]
        return "".join(node.data if isinstance(node, nodes.TemplateData) else "x" for node in every)


class Environment(ImmutableSandboxedEnvironment):
    """Looks everything up as an item, so that ``labels.items`` is a label and never a method."""

    def getattr(self, obj: object, attribute: str) -> object:
        return self.getitem(obj, attribute)


def make_environment(filters: Mapping[str, Callable[..., object]] | None = None) -> Environment:
    """An environment that knows a few filters and nothing else. ``filters``: more, or others in their place;
    authors can name only those of ``FILTERS``."""
    made = Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
    made.globals.clear()
    made.filters = {name: made.filters[name] for name in FILTERS} | dict(filters or {})
    made.tests.clear()
    return made


def parse_template(source: str, environment: Environment, vocabulary: Vocabulary) -> Parsed:
    """The template, if it does nothing but look up what it may. Raises TemplateRefused."""
    if len(source) > vocabulary.longest:
        raise TemplateRefused(
            f"the template has {len(source)} characters; at most {vocabulary.longest} are allowed"
        )
    for mark, what in (("{%", "statements"), ("{#", "comments")):
        if (offset := source.find(mark)) >= 0:
            raise TemplateRefused(
                f"{mark} begins {what}, which are not allowed here; {vocabulary.example}", offset=offset
            )
    start = max(source.find("{{"), 0)
    try:
        return _parsed(source, environment, vocabulary)
    except TemplateSyntaxError as error:
        text = f"not a template: {error.message}; {vocabulary.example}"
        raise TemplateRefused(text, offset=start) from None
    except (RecursionError, MemoryError, OverflowError, SyntaxError) as error:
        text = f"the template is too complicated; {vocabulary.example}"
        raise TemplateRefused(text, offset=start) from error


def _parsed(source: str, environment: Environment, vocabulary: Vocabulary) -> Parsed:
    tree = environment.parse(source)
    offsets = _offsets(source, environment)
    outputs = [output for output in tree.body if isinstance(output, nodes.Output)]
    every = [node for output in outputs for node in output.nodes]
    written = [node for node in every if not isinstance(node, nodes.TemplateData)]
    pieces = [_inspect(node, at, vocabulary) for node, at in zip(written, offsets, strict=True)]
    return Parsed(tree=tree, outputs=outputs, pieces=tuple(pieces))


def _offsets(source: str, environment: Environment) -> list[int]:
    """Where each ``{{`` stands. The tokens of the lexer are the source, piece by piece."""
    found, position = [], 0
    for _, token, text in environment.lex(source):
        if token == "variable_begin":  # noqa: S105  # a kind of token
            found.append(position)
        position += len(text)
    return found


def _inspect(expression: nodes.Expr, offset: int, vocabulary: Vocabulary) -> Piece:
    """What the expression looks at. Raises TemplateRefused for anything that is not allowed."""
    if _too_deep(expression):
        text = f"an expression of more than {DEEPEST} levels is not allowed; {vocabulary.example}"
        raise TemplateRefused(text, offset=offset)
    every = [expression, *expression.find_all(nodes.Node)]
    lookups = [node for node in every if isinstance(node, nodes.Getattr | nodes.Getitem)]
    looked_into = {id(lookup.node) for lookup in lookups}
    for node in every:
        problem = _objection(node, looked_into, vocabulary)
        if problem:
            raise TemplateRefused(f"{problem}; {vocabulary.example}", offset=offset)
    reads = []
    for lookup in lookups:
        read = _read(lookup)
        if read is None:
            name = next(iter(vocabulary.names))
            text = f"only {name}.NAME or {name}['NAME'] can be looked up; {vocabulary.example}"
            raise TemplateRefused(text, offset=offset)
        reads.append(read)
    for name, own in reads:
        known = vocabulary.names[name]
        if known is not None and own not in known:
            text = f"{name} has no '{own}'; write one of: {', '.join(f'{name}.{k}' for k in sorted(known))}"
            raise TemplateRefused(text, offset=offset)
    return Piece(expression=expression, offset=offset, reads=frozenset(reads))


def _too_deep(expression: nodes.Expr) -> bool:
    level: list[nodes.Node] = [expression]
    for _ in range(DEEPEST):
        level = [child for node in level for child in node.iter_child_nodes()]
    return bool(level)


def _objection(node: nodes.Node, looked_into: set[int], vocabulary: Vocabulary) -> str:
    if not isinstance(node, _ALLOWED):
        return f"a {type(node).__name__.lower()} is not allowed in a template"
    if isinstance(node, nodes.Name) and node.name not in vocabulary.names:
        known = list(vocabulary.names)
        are = f"{', '.join(known[:-1])} and {known[-1]} are" if len(known) > 1 else f"{known[0]} is"
        return f"'{node.name}' is not known here, only {are}"
    if isinstance(node, nodes.Name) and id(node) not in looked_into:
        return f"'{node.name}' alone names nothing"
    if isinstance(node, nodes.Filter) and node.name not in FILTERS:
        return f"the filter '{node.name}' is not allowed; use one of: {', '.join(FILTERS)}"
    return ""


def _read(node: nodes.Getattr | nodes.Getitem) -> tuple[str, str] | None:
    """The name that is looked into and what is looked up in it, if both are written out."""
    if not isinstance(node.node, nodes.Name):
        return None
    own = node.attr if isinstance(node, nodes.Getattr) else _constant(node.arg)
    return (node.node.name, own) if isinstance(own, str) else None


def _constant(node: nodes.Expr) -> object:
    return node.value if isinstance(node, nodes.Const) else None


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
    constant: bool
    """Whether it selects the same name whatever the labels."""
    labels: frozenset[str]
    """The labels it looks at."""

    def select(self, labels: Mapping[str, str]) -> str:
        """The name the labels select; empty when it cannot be told, or is longer than any name."""
        try:
            name = _compiled(self.source).render(labels=_Labels(labels))
            return name.strip() if len(name) <= LONGEST_OUTPUT else ""
        except (TemplateError, TypeError, ValueError):
            return ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LabelTemplate) and other.source == self.source

    def __hash__(self) -> int:
        return hash(self.source)

    def __repr__(self) -> str:
        return f"LabelTemplate({self.source!r})"


_LABELS = Vocabulary(names={"labels": None}, example="write an expression such as {{ labels.app }}")


def _default(value: object, other: object = "", boolean: object = False) -> object:
    """Jinja's ``default`` where a missing label is empty, and not undefined."""
    return value or other


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return make_environment({"default": _default})


@lru_cache(maxsize=4096)  # thousands of rules share a few templates
def compile_template(source: str) -> LabelTemplate:
    """The template of a rule's ``service``. Raises TemplateRefused."""
    parsed = parse_template(source, _environment(), _LABELS)
    labels = frozenset(label for piece in parsed.pieces for _, label in piece.reads)
    _compiled(source)
    return LabelTemplate(source=source, constant="{{" not in source, labels=labels)


@lru_cache(maxsize=4096)
def _compiled(source: str) -> Template:
    """Beside the value, so that a policy can be handed from one process to another."""
    return compile_tree(parse_template(source, _environment(), _LABELS).tree, _environment(), _LABELS)


def sample_of(template: LabelTemplate) -> str:
    """Its text with ``x`` for every expression."""
    return parse_template(template.source, _environment(), _LABELS).sample


def compile_tree(tree: nodes.Template, environment: Environment, vocabulary: Vocabulary) -> Template:
    """What was parsed, ready to be rendered. Raises TemplateRefused when Python cannot take it."""
    try:
        return environment.from_string(tree)
    except (TemplateSyntaxError, RecursionError, MemoryError, OverflowError, SyntaxError) as error:
        raise TemplateRefused(f"the template is too complicated; {vocabulary.example}") from error
