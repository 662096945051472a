"""Actions on a node that are declared and not performed yet."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from remediator.core.plugins import EffectClass, Params
from remediator.core.spans import Span
from remediator.core.times import MINUTE


class DrainParams(Params):
    """Parameters of ``drain``."""

    timeout: Span = Field(
        default=10 * MINUTE, description="How long disruption budgets may hold it up before it has failed."
    )
    grace: Span | None = Field(
        default=None, description="How long a pod may take to end. Default: what the pod itself says."
    )


class Drain:
    """Cordon the node and evict its pods, as ``kubectl drain``; never by deleting them."""

    name: ClassVar[str] = "drain"
    params: ClassVar[type[Params]] = DrainParams
    effect: ClassVar[EffectClass] = EffectClass.FENCED
    example: ClassVar[str] = "drain: {timeout: 10m}"
