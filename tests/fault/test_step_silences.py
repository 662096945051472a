"""P13: a silence that is set just before a change is made forbids it, whatever the guards said before."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from remediator.core.alertmanagers import Answers, Listed, Listing, Member, State, Unanswered
from remediator.core.alerts import Alert, Fingerprint
from remediator.core.incident import IncidentId
from remediator.core.journal import Acted, ActResult
from remediator.core.store import Members
from remediator.core.times import Millis
from remediator.workers.lookout import Lookout
from remediator.workers.step import StepPerformer
from tests.core.builders import alert, stamp
from tests.fault.step_stage import EFFECTS, STEPS, Fuse, StepStage, call_of, staged

SILENCED = Listing(
    who="am:9093",
    up_for=Millis(0),
    alerts=(Listed(alert=alert("aa"), state=State.SUPPRESSED, silenced_by=("of-jane",)),),
)
LOUD = replace(SILENCED, alerts=(Listed(alert=alert("aa"), state=State.ACTIVE),))
SILENT = Unanswered(who="am:9093", why="it cannot be reached")


@dataclass
class Said:
    """``core.alertmanagers.Alertmanagers``."""

    answers: Answers

    async def poll(self) -> Answers:
        """What was said."""
        return self.answers

    async def ask(self, names: Collection[str]) -> Answers:
        """What was said, of alerts of that name."""
        assert names == {"ServiceDown"}
        return self.answers

    async def silence(self) -> None:
        """Somebody silences the alert."""
        self.answers = (SILENCED,)

    async def vanish(self) -> None:
        """It does not answer any more."""
        self.answers = (LOUD, SILENT)


@dataclass
class OneMember:
    """``core.store.ListingStore`` of an incident with one alert."""

    stage: StepStage

    async def remember(self, alerts: Sequence[Alert]) -> None:
        """Nobody polls here."""

    async def members(self, incident: IncidentId | None) -> Members:
        """The alert of every ``Life``."""
        one = Member(fingerprint=Fingerprint("aa"), starts_at=stamp(1))
        return Members(at=self.stage.life.at, firing=(one,))


async def perform(stage: StepStage, said: Said, fuse: Fuse) -> Acted:
    """The step, by a replica that asks these Alertmanagers."""
    means = replace(stage.means(fuse), lookout=lambda incident: Lookout(incident, OneMember(stage), said))
    outcome = await StepPerformer(means).act(stage.effect(), stage.life.now, stage.attempt)
    stage.life.tell(outcome)
    return outcome


@pytest.mark.parametrize("action", STEPS)
@pytest.mark.parametrize("where", ["intend", "claim"])
async def test_P13_a_silence_set_just_before_the_change_forbids_it(
    tmp_path: Path, action: str, where: str
) -> None:
    """Whatever the guards said a moment ago."""
    async with staged(tmp_path, STEPS[action]) as stage:
        said = Said((LOUD,))
        outcome = await perform(stage, said, Fuse(before={call_of(action, where): said.silence}))
        assert outcome.result is ActResult.BLOCKED
        assert outcome.reason == (
            "stopped at the last look: suppressed: an alert of the incident is silenced by of-jane"
        )
        assert stage.effects == 0


async def test_an_alertmanager_that_falls_silent_just_before_the_change_puts_it_off(tmp_path: Path) -> None:
    """It is made once all of them answer."""
    async with staged(tmp_path, STEPS["restart"]) as stage:
        said = Said((LOUD, LOUD))
        outcome = await perform(stage, said, Fuse(before={"claim": said.vanish}))
        assert outcome.result is ActResult.RETRY
        assert "suppressed: could not find out: Alertmanager am:9093: it cannot be reached" in outcome.reason
        assert stage.effects == 0
        said.answers = (LOUD, LOUD)
        stage.life.ring("act")
        assert (await perform(stage, said, Fuse())).result is ActResult.DONE
        assert stage.effects == EFFECTS["restart"]
