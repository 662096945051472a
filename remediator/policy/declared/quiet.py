"""A step that keeps things quiet for a while, that is declared and not performed yet."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from remediator.core.plugins import EffectClass, Params
from remediator.core.spans import Span
from remediator.policy.declared.values import MatcherSource


class SilenceParams(Params):
    """Parameters of ``silence``."""

    span: Span = Field(alias="for", description="How long; it ends with the attempt in any case.")
    match: list[MatcherSource] = Field(
        default_factory=list,
        max_length=50,
        description="Matchers of what is silenced. Default: the alerts of the incident.",
    )


class Silence:
    """Silence alerts in Alertmanager while something is done about them."""

    name: ClassVar[str] = "silence"
    params: ClassVar[type[Params]] = SilenceParams
    effect: ClassVar[EffectClass] = EffectClass.IDEMPOTENT
    example: ClassVar[str] = "silence: {for: 15m}"
