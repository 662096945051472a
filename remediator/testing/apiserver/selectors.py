"""Label and field selectors, with the error texts of the real parsers.

Source: ``k8s.io/apimachinery/pkg/labels`` (the grammar in ``selector.go``) and ``pkg/fields``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from remediator.testing.apiserver.objects import Json
from remediator.testing.apiserver.statuses import bad_request

Labels: TypeAlias = Mapping[str, str]

_TOKEN = re.compile(r"\s*(==|!=|=|!|,|\(|\)|<|>|[^\s=!,()<>]+)")
_OPERATORS = {"=", "==", "!=", "in", "notin"}
_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?\Z")
_SYMBOLS = {"=", "==", "!=", "!", ",", "(", ")", "<", ">"}


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """One clause: ``key`` is (not) one of ``values``; without values, the label exists or not."""

    key: str
    values: frozenset[str] | None
    negated: bool

    def matches(self, labels: Labels) -> bool:
        """Whether these labels satisfy the clause."""
        if self.values is None:
            return (self.key in labels) != self.negated
        return (labels.get(self.key) in self.values) != self.negated


@dataclass(frozen=True)
class Selector:
    """Clauses that must all hold."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Labels) -> bool:
        """Whether these labels satisfy every clause."""
        return all(requirement.matches(labels) for requirement in self.requirements)


def parse_labels(text: str) -> Selector:
    """A label selector in its query form. Raises ApiError 400 in the words of the real parser."""
    tokens = [*_TOKEN.findall(text), ""]
    found: list[Requirement] = []
    position = 0
    while tokens[position]:
        requirement, position = _clause(tokens, position)
        found.append(requirement)
        if tokens[position] == ",":
            position += 1
            if not tokens[position]:
                raise bad_request("found '', expected: identifier after ','")
        elif tokens[position]:
            raise bad_request(f"found '{tokens[position]}', expected: ',' or 'end of string'")
    return Selector(tuple(found))


def _clause(tokens: list[str], at: int) -> tuple[Requirement, int]:
    absent = tokens[at] == "!"
    key = tokens[at + 1] if absent else tokens[at]
    at += 2 if absent else 1
    if key in _SYMBOLS or not key:
        raise bad_request(f"unable to parse requirement: found '{key}', expected: identifier")
    operator = tokens[at]
    if operator in {"", ","}:
        return Requirement(key=key, values=None, negated=absent), at
    if operator not in _OPERATORS:
        raise bad_request(
            f"unable to parse requirement: found '{operator}', expected: in, notin, =, ==, !=, gt, lt"
        )
    values, at = _set(tokens, at + 1) if operator in {"in", "notin"} else _single(tokens, at + 1)
    return Requirement(key=key, values=frozenset(values), negated=operator in {"!=", "notin"}), at


def _single(tokens: list[str], at: int) -> tuple[list[str], int]:
    value = tokens[at]
    if value in {"", ","}:
        return [""], at
    if value in _SYMBOLS:
        raise bad_request(f"unable to parse requirement: found '{value}', expected: identifier")
    _check_value(value)
    return [value], at + 1


def _set(tokens: list[str], at: int) -> tuple[list[str], int]:
    if tokens[at] != "(":
        raise bad_request(f"unable to parse requirement: found '{tokens[at]}' expected: '('")
    values: list[str] = []
    at += 1
    while tokens[at] != ")":
        if not tokens[at]:
            raise bad_request("unable to parse requirement: found '', expected: ',' or ')'")
        if tokens[at] != ",":
            _check_value(tokens[at])
            values.append(tokens[at])
        at += 1
    return values or [""], at + 1


def _check_value(value: str) -> None:
    if len(value) > 63 or not _VALUE.match(value):
        raise bad_request(f"unable to parse requirement: values[0][{value}]: Invalid value: {value!r}")


def of_object(selector: Json | None) -> Selector:
    """The ``matchLabels`` and ``matchExpressions`` of a workload; an empty one selects everything."""
    chosen = selector or {}
    found = [
        Requirement(key=key, values=frozenset({value}), negated=False)
        for key, value in chosen.get("matchLabels", {}).items()
    ]
    for entry in chosen.get("matchExpressions", ()):
        values = frozenset(entry["values"]) if entry.get("values") else None
        negated = entry["operator"] in {"NotIn", "DoesNotExist"}
        found.append(Requirement(key=entry["key"], values=values, negated=negated))
    return Selector(tuple(found))


def query_form(selector: Json | None) -> str:
    """A workload's selector as it stands in ``status.selector`` of a Scale."""
    chosen = selector or {}
    parts = [f"{key}={value}" for key, value in sorted(chosen.get("matchLabels", {}).items())]
    forms = {"In": "{} in ({})", "NotIn": "{} notin ({})", "Exists": "{}", "DoesNotExist": "!{}"}
    for entry in chosen.get("matchExpressions", ()):
        parts.append(forms[entry["operator"]].format(entry["key"], ",".join(sorted(entry.get("values", ())))))
    return ",".join(parts)


FieldReader: TypeAlias = Callable[[Json], str]


@dataclass(frozen=True)
class FieldSelector:
    """Terms of a field selector: how to read the field, the value, and whether it must differ."""

    terms: tuple[tuple[FieldReader, str, bool], ...] = ()

    def matches(self, obj: Json) -> bool:
        """Whether the object satisfies every term."""
        return all((read(obj) == value) != negated for read, value, negated in self.terms)


class Selectable(Protocol):
    """A kind, as far as field selectors look at it."""

    @property
    def name(self) -> str:
        """Its name, such as ``Pod``."""

    @property
    def group(self) -> str:
        """Its API group; empty for the core group."""

    @property
    def fields(self) -> Mapping[str, FieldReader]:
        """The fields its objects can be selected by."""


def parse_fields(text: str, kind: Selectable) -> FieldSelector:
    """A field selector over the fields its kind can be selected by. Raises ApiError 400."""
    terms = []
    for name, value, negated in _field_terms(text):
        if name not in kind.fields:
            raise bad_request(_unknown_field(name, kind))
        terms.append((kind.fields[name], value, negated))
    return FieldSelector(tuple(terms))


def _unknown_field(name: str, kind: Selectable) -> str:
    """Every group words it in its own way."""
    if kind.group == "batch":
        return f'field label "{name}" not supported for {kind.name}'
    if not kind.group or kind.group == "events.k8s.io":
        return f"field label not supported: {name}"
    return f'"{name}" is not a known field selector: only "metadata.name", "metadata.namespace"'


def _field_terms(text: str) -> Iterator[tuple[str, str, bool]]:
    for part in filter(None, text.split(",")):
        match = re.fullmatch(r"([^=!]+)(!=|==|=)(.*)", part)
        if match is None:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{part}'")
        yield match[1], match[3], match[2] == "!="
