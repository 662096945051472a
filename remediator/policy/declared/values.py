"""The small languages of declared parameters: matchers."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator

from remediator.core.values import said
from remediator.policy.values import read_matcher

MatcherSource = Annotated[
    str,
    BeforeValidator(lambda value: str(read_matcher(value))),
    said("A matcher of Alertmanager.", 'alertname="PostgresDown"', pattern="(=|!~)"),
]
