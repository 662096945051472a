"""The small languages of declared parameters: programs and matchers."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from remediator.core.templated import PlainTemplate
from remediator.core.values import said
from remediator.policy.values import read_matcher

Argument = Annotated[PlainTemplate, Field(max_length=2_000)]
Command = Annotated[list[Argument], Field(min_length=1, max_length=64)]
"""A program and its arguments, one by one: no shell reads them."""
MatcherSource = Annotated[
    str,
    BeforeValidator(lambda value: str(read_matcher(value))),
    said("A matcher of Alertmanager.", 'alertname="PostgresDown"', pattern="(=|!~)"),
]
