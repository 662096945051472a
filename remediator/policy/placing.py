"""Templates of runbooks, and how a value is written where a template puts it.

They see the service, the target, the incident and the severity, and never what an alert says. Even so a
service's name may be a stranger's: what an expression gives is written as a part of a PromQL string, of a
regular expression in one, of a string of JSON, or of a URL, by the place at which it stands. No value can
leave its place.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote

import re2
from jinja2 import Template, TemplateError, UndefinedError, nodes

from remediator.core.templated import Escape
from remediator.policy.templates import (
    Environment,
    Parsed,
    Piece,
    TemplateRefused,
    Vocabulary,
    compile_tree,
    make_environment,
    parse_template,
)

LONGEST = 2000
"""Characters of a template, and of what it renders to: an incident keeps its runbooks as rendered."""

Values = Mapping[str, Mapping[str, str]]

VOCABULARY = Vocabulary(
    names={
        "service": frozenset(("name", "namespace", "health")),
        "target": frozenset(("kind", "namespace", "name")),
        "incident": frozenset(("id",)),
        "severity": frozenset(("name",)),
    },
    example="write an expression such as {{ service.name }}",
    longest=LONGEST,
)
_QUOTED = 'a value stands within a quoted string only, such as up{service="{{ service.name }}"}'


def promql_text(value: object) -> str:
    """A part of a PromQL string in either kind of quotes. Source: Prometheus ``strutil.Unquote``."""
    return "".join(_promql_character(character) for character in str(value))


def _promql_character(character: str) -> str:
    if character == "\\":
        return "\\\\"
    if character in "\"'" or character < " " or character == "\x7f":
        return f"\\x{ord(character):02x}"  # an escaped quote of the other kind is an error there
    return character


def promql_pattern(value: object) -> str:
    """A part of a regular expression in a PromQL string that matches nothing but the value."""
    return promql_text(re2.escape(str(value)))


def url_text(value: object) -> str:
    """A part of a path segment, or of a query's value."""
    return quote(str(value), safe="")


def json_text(value: object) -> str:
    """A part of a string of JSON. That it stands in one is the parameter's to see to."""
    return json.dumps(str(value))[1:-1]


def plain_text(value: object) -> str:
    """The value itself."""
    return str(value)


WRITERS = {
    writer.__name__: writer for writer in (promql_text, promql_pattern, url_text, json_text, plain_text)
}
_BY_ESCAPE = {Escape.PLAIN: plain_text, Escape.URL: url_text, Escape.JSON: json_text}


@dataclass(frozen=True, kw_only=True, slots=True)
class RunbookTemplate:
    """A compiled template of a step, a check or a diagnosis, or of a text for people."""

    template: Template
    reads: frozenset[tuple[str, str]]
    longest: int = LONGEST
    """Characters of what it renders to."""
    sample: str = ""
    """The text with ``x`` for every expression: what it looks like to whoever reads the rendered one."""

    def render(self, values: Values) -> str:
        """The text for these values. Raises TemplateRefused: something is not known, or it grew too long."""
        try:
            text = self.template.render({name: dict(own) for name, own in values.items()})
        except UndefinedError:
            lacking = sorted(f"{name}.{own}" for name, own in self.reads if own not in values.get(name, ()))
            what = " and ".join(lacking) or "something"
            raise TemplateRefused(f"the template reads {what}, which is not known here") from None
        except (TemplateError, TypeError, ValueError) as error:
            raise TemplateRefused(f"the template cannot be rendered: {type(error).__name__}") from None
        if len(text) > self.longest:
            raise TemplateRefused(f"the template renders to more than {self.longest} characters")
        return text


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return make_environment(WRITERS)


@lru_cache(maxsize=2048)
def compile_placed(source: str, escape: Escape) -> RunbookTemplate:
    """The template of a runbook's parameter. Raises TemplateRefused."""
    return _compile(source, escape, VOCABULARY)


def compile_plain(source: str, vocabulary: Vocabulary) -> RunbookTemplate:
    """A text that nothing interprets, with names of its own. Raises TemplateRefused."""
    return _compile(source, Escape.PLAIN, vocabulary)


def _compile(source: str, escape: Escape, vocabulary: Vocabulary) -> RunbookTemplate:
    environment = _environment()
    parsed = parse_template(source, environment, vocabulary)
    sample = parsed.sample  # before anything is written into the tree
    _write_values(parsed, escape, environment)
    return RunbookTemplate(
        template=compile_tree(parsed.tree, environment, vocabulary),
        reads=frozenset(read for piece in parsed.pieces for read in piece.reads),
        longest=vocabulary.longest,
        sample=sample,
    )


def _write_values(parsed: Parsed, escape: Escape, environment: Environment) -> None:
    """Let each expression be written as its place demands."""
    pieces = iter(parsed.pieces)
    scanner = _PromqlScanner()
    for output in parsed.outputs:
        for number, node in enumerate(output.nodes):
            if isinstance(node, nodes.TemplateData):
                scanner.feed(node.data)
                continue
            piece = next(pieces)
            writer = scanner.writer(piece) if escape is Escape.PROMQL else _BY_ESCAPE[escape].__name__
            written = nodes.Filter(node, writer, [], [], None, None, lineno=node.lineno)
            written.set_environment(environment)
            output.nodes[number] = written


class _PromqlScanner:
    """Knows whether a place in PromQL is within a string, and whether that is a regular expression.

    Source: Prometheus ``promql/parser/lex.go``: strings in three kinds of quotes, comments to the line's end.
    """

    def __init__(self) -> None:
        self._quote = ""
        self._pattern = self._comment = self._escaped = False
        self._before = ""
        """The last two characters outside of strings that are no blanks."""

    def feed(self, text: str) -> None:
        """Go on to the end of ``text``."""
        for character in text:
            if self._comment:
                self._comment = character != "\n"
            elif self._quote:
                self._within(character)
            elif character in "\"'`":
                self._quote, self._pattern = character, self._before in ("=~", "!~")
            elif character == "#":
                self._comment = True
            elif not character.isspace():
                self._before = (self._before + character)[-2:]

    def _within(self, character: str) -> None:
        if self._escaped:
            self._escaped = False
        elif character == "\\" and self._quote != "`":
            self._escaped = True
        elif character == self._quote:
            self._quote, self._before = "", ""

    def writer(self, piece: Piece) -> str:
        """How a value is written here. Raises TemplateRefused where none can stand."""
        if self._quote not in ("'", '"') or self._comment:
            raise TemplateRefused(_QUOTED, offset=piece.offset)
        if self._escaped:
            raise TemplateRefused(
                "a backslash before a value would change it; remove it", offset=piece.offset
            )
        return promql_pattern.__name__ if self._pattern else promql_text.__name__
