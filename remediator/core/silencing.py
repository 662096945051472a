"""Silences that a step creates in Alertmanager: by what they are found again, and who creates them.

Alertmanager takes no precondition and no identity from whoever creates a silence. So its comment is the
identity: it names incident, attempt, step and alert, is the same however often the step is performed, and is
looked for before anything is created.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from remediator.core.alertmanagers import OURS
from remediator.core.alerts import Fingerprint
from remediator.core.incident import EffectId
from remediator.core.matchers import Matcher
from remediator.core.times import SECOND, Instant, Millis

SILENCE_WITHIN = Millis(20 * SECOND)
"""For all that is asked of all Alertmanagers at once: to look for a silence, or to create or end it."""
NO_ALERTMANAGER = "no Alertmanager is configured; set REMEDIATOR_ALERTMANAGER_URLS"


@dataclass(frozen=True, kw_only=True, slots=True)
class Author:
    """Which step asks for something, for what other systems are to say of it."""

    step: EffectId
    runbook: str

    def comment(self, alert: Fingerprint | None = None) -> str:
        """What the silence of that alert says; None: the one silence of the step."""
        which = "" if alert is None else f" alert {alert},"
        return f"{OURS}: {self.step},{which} runbook {self.runbook}"


@dataclass(frozen=True, kw_only=True, slots=True)
class WantedSilence:
    """A silence as a step wants it. ``alert``: which it is for; None: what the policy's matchers mean."""

    comment: str
    matchers: tuple[Matcher, ...]
    starts_at: Instant
    ends_at: Instant
    alert: Fingerprint | None = None

    @property
    def told(self) -> str:
        """Its matchers, as Alertmanager writes them."""
        return "{" + ", ".join(map(str, self.matchers)) + "}"


class Silencer(Protocol):
    """All Alertmanagers that are configured. Those that know each other, such as a pair, count as one.

    All of it raises Refused and Retryable where one of them does not answer: what it knows is not guessed.
    """

    async def permit(self) -> None:
        """Find out, without creating anything, whether all of them answer."""

    async def stands(self, wanted: WantedSilence) -> bool:
        """Whether each of them has it, by its comment, and it is not over."""

    async def create(self, wanted: WantedSilence) -> None:
        """Create it where it is not there yet. Raises Unknown when one of them may have done so."""

    async def is_over(self, wanted: WantedSilence) -> bool:
        """Whether none of them has it, or it is over."""

    async def end(self, wanted: WantedSilence) -> None:
        """It ends now. Raises Refused when somebody has changed it since, and Unknown as ``create``."""
