"""Texts for people: templates that may also see what an alert says.

They are read and checked like templates of runbooks. What an alert says may stand in them, because nothing
acts upon such a text.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from remediator.core.text import plain
from remediator.core.values import said
from remediator.policy.placing import RunbookTemplate, compile_plain
from remediator.policy.templates import TemplateRefused, Vocabulary
from remediator.policy.values import refusal

LONGEST = 4_000
"""Characters of a text, and of what it renders to."""

VOCABULARY = Vocabulary(
    names={
        "service": frozenset(("name", "namespace", "health")),
        "target": frozenset(("kind", "namespace", "name")),
        "incident": frozenset(
            ("id", "title", "status", "rule", "opened_at", "resolved_at", "hypothesis", "impact", "estimate")
        ),
        "severity": frozenset(
            ("name", "summary", "respond_within", "resolve_within", "update_every", "postmortem_within")
        ),
        "labels": None,
        "annotations": None,
    },
    example="write an expression such as {{ service.name }}",
    longest=LONGEST,
)


def compile_text(source: str) -> RunbookTemplate:
    """The text, ready to be rendered. Raises TemplateRefused."""
    return compile_plain(source, VOCABULARY)


def _checked(source: str) -> str:
    try:
        compile_text(source)
    except TemplateRefused as error:
        raise refusal("P016", plain(str(error), 300), error.offset) from None
    return source


PeopleText = Annotated[
    str,
    Field(min_length=1),
    AfterValidator(_checked),
    said(
        "A text for people, with templates over service, target, incident, severity, labels and annotations.",
        "We're looking into an issue affecting {{ service.name }}.",
    ),
]
