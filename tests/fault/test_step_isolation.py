"""P7, P13: an isolation ends once, when its time is over, and not while everything stands still."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from remediator.adapters.kubernetes import Call
from remediator.core.alerts import Fingerprint
from remediator.core.isolation import ISOLATED_REPLICAS, ISOLATED_UNTIL
from remediator.core.journal import Acted, ActResult, Checked, CheckResult, EndIsolation, Resolved
from remediator.core.pauses import EVERYTHING
from remediator.core.policies import Mode
from remediator.core.times import MINUTE, Instant
from remediator.testing.apiserver import Fault, FaultKind
from remediator.workers.isolation import IsolationKeeper
from tests.core.builders import WEB
from tests.fault.step_stage import LEASE, STEPS, Fuse, Killed, StepStage, staged

TIMER = "isolation/1.0"
DEPLOYMENT = "/apis/apps/v1/namespaces/shop/deployments/web"
AROUND = ("intend", "claim", "apply")
"""The calls between which a crash matters most: they are tried always, all others in `make test-full`."""


@dataclass
class Ending:
    """A stage on which ``web`` is isolated, its incident over, and its time too."""

    stage: StepStage

    @property
    def effect(self) -> EndIsolation:
        effects = [effect for decision in self.stage.life.decisions for effect in decision.effects]
        found = effects[-1]
        assert isinstance(found, EndIsolation)
        return found

    async def perform(self, fuse: Fuse | None = None) -> Acted | None:
        """Once, by a replica of its own; None when it was killed."""
        life = self.stage.life
        try:
            keeper = IsolationKeeper(self.stage.means(fuse or Fuse()))
            outcome = await keeper.end(self.effect, life.now)
        except Killed:
            life.at = Instant(life.at + LEASE)
            return None
        assert outcome is not None
        self.stage.outcomes.append(outcome)
        life.tell(outcome)
        return outcome

    async def finish(self) -> Acted:
        """Again and again, as it is put off, until that is over."""
        for _ in range(20):
            if TIMER in self.stage.life.timers:
                self.stage.life.ring(TIMER)
            outcome = await self.perform()
            if outcome is not None and outcome.result is not ActResult.RETRY:
                await self.stage.server.settled()
                return outcome
        raise AssertionError(f"it is put off for ever: {self.stage.outcomes}")

    async def stands(self) -> tuple[int, dict[str, str]]:
        """How many pods it asks for, and what its isolation wrote."""
        seen = await self.stage.cluster.reader.workload(WEB)
        kept = {k: v for k, v in seen.annotations.items() if k in (ISOLATED_REPLICAS, ISOLATED_UNTIL)}
        return seen.desired, kept


@asynccontextmanager
async def over(directory: Path) -> AsyncIterator[Ending]:
    async with staged(directory, STEPS["isolate"]) as stage:
        outcome = await stage.perform()
        assert outcome is not None
        assert outcome.result is ActResult.DONE, outcome
        await stage.server.settled()
        stage.life.tell(Resolved(fingerprint=Fingerprint("aa")), over=("aa",))
        pending = stage.attempt.pending
        assert pending is not None
        held = CheckResult(holds=True, observed="it holds")
        stage.life.tell(Checked(effect=pending, results=(held,)))
        if stage.life.now.active is not None:  # it must hold for a while
            stage.life.ring("poll")
            pending = stage.attempt.pending
            assert pending is not None
            stage.life.tell(Checked(effect=pending, results=(held,)), after=20_000)
        assert stage.life.now.resolved
        stage.server.ledger.clear()
        ending = Ending(stage)
        assert (await ending.stands())[0] == 0
        stage.life.ring(TIMER)
        yield ending


async def boundaries(directory: Path) -> list[tuple[int, str]]:
    """Every boundary of a call in an undisturbed run, with the call's name."""
    async with over(directory) as ending:
        fuse = Fuse()
        outcome = await ending.perform(fuse)
        assert outcome is not None
        assert outcome.result is ActResult.DONE, outcome
        assert outcome.changes == ("restore deployment/web: scale it from 0 to 4",)
        return [(2 * n + side, name) for n, name in enumerate(fuse.calls) for side in (0, 1)]


async def killed_at(directory: Path, at: int) -> str:
    async with over(directory) as ending:
        fuse = Fuse(at=at)
        assert await ending.perform(fuse) is None
        await ending.stage.server.settled()
        outcome = await ending.finish()
        assert outcome.result is ActResult.DONE, ending.stage.outcomes
        assert outcome.changes, "it was brought back, and that is told"
        assert ending.stage.effects == 1, (fuse.calls, ending.stage.outcomes)
        assert await ending.stands() == (4, {})
        assert ending.stage.life.now.isolations == ()
        assert not ending.stage.life.pages
        return fuse.calls[-1]


async def test_P7_killed_around_intent_claim_and_change_of_an_end(tmp_path: Path) -> None:
    """Before and after each of them: it is brought back once, though its incident is over."""
    tried = [at for at, name in await boundaries(tmp_path) if name in AROUND]
    assert len(tried) >= 6
    for at in tried:
        assert await killed_at(tmp_path, at) in AROUND


@pytest.mark.full
async def test_P7_killed_at_every_call_of_an_end(tmp_path: Path) -> None:
    """Before and after each call, reads included."""
    for at, name in await boundaries(tmp_path):
        assert await killed_at(tmp_path, at) == name


@pytest.mark.parametrize("kind", [FaultKind.DROP_AFTER_EFFECT, FaultKind.DROP_BEFORE_EFFECT])
async def test_P7_an_end_whose_answer_is_lost_takes_effect_once(tmp_path: Path, kind: FaultKind) -> None:
    """Whether it had happened or not."""
    async with over(tmp_path) as ending:

        async def strike() -> None:
            ending.stage.server.faults.add(Fault(kind=kind, method="PATCH", path_regex=DEPLOYMENT))

        await ending.perform(Fuse(before={"apply": strike}))
        assert not ending.stage.server.faults.pending(), "the fault never struck"
        if ending.stage.life.now.isolations:
            await ending.finish()
        assert ending.stage.effects == 1
        assert await ending.stands() == (4, {})


@pytest.mark.parametrize("where", ["paused", "intend", "claim"])
async def test_P13_a_pause_keeps_it_isolated_and_people_are_told_until_it_is_lifted(
    tmp_path: Path, where: str
) -> None:
    """Thrown before, or between any two calls up to the last look. Then it ends by itself."""
    async with over(tmp_path) as ending:

        async def throw() -> None:
            await ending.stage.store.pause("deploying", "ada", None, EVERYTHING)

        outcome = await ending.perform(Fuse(before={where if where != "paused" else "intended": throw}))
        assert outcome is not None
        assert outcome.result in (ActResult.BLOCKED, ActResult.RETRY)
        assert (await ending.stands())[0] == 0
        assert ending.stage.effects == 0
        assert [page.channel for page in ending.stage.life.pages] == ["operator"]
        assert "stays isolated beyond its time" in ending.stage.life.now.pages[-1].reason
        await ending.stage.store.resume(EVERYTHING)
        await ending.finish()
        assert await ending.stands() == (4, {})


async def test_what_somebody_brought_back_keeps_its_number_and_forgets(tmp_path: Path) -> None:
    """Whoever scaled it up ended the isolation; what it remembers is taken off."""
    async with over(tmp_path) as ending:
        await patch(ending.stage, {"spec": {"replicas": 7}})
        await ending.finish()
        assert await ending.stands() == (7, {})


@pytest.mark.parametrize("how", ["forgotten", "later", "gone"])
async def test_what_is_not_ours_to_end_is_left_alone_and_takes_no_limit(tmp_path: Path, how: str) -> None:
    """Nothing is written there, a later isolation ends by itself, and nobody is told."""
    async with over(tmp_path) as ending:
        if how == "gone":
            call = Call(method="DELETE", path=DEPLOYMENT, doing="delete it")
            await ending.stage.cluster.api.call(call)
        else:
            value = None if how == "forgotten" else "2126-11-23T05:00:00.000Z"
            keys = (ISOLATED_REPLICAS, ISOLATED_UNTIL) if how == "forgotten" else (ISOLATED_UNTIL,)
            await patch(ending.stage, {"metadata": {"annotations": dict.fromkeys(keys, value)}})
        await ending.stage.server.settled()
        ending.stage.server.requests.clear()
        fuse = Fuse()
        outcome = await ending.perform(fuse)
        assert outcome is not None
        assert (outcome.result, outcome.changes) == (ActResult.DONE, ())
        assert {request.method for request in ending.stage.server.requests} == {"GET"}
        assert "use_limits" not in fuse.calls
        assert not ending.stage.life.pages
        assert ending.stage.life.now.isolations == ()


async def test_a_rule_that_may_only_observe_by_now_ends_nothing_and_people_are_told(tmp_path: Path) -> None:
    """Bringing back is a change as any other."""
    async with over(tmp_path) as ending:
        of = ending.stage.life.policy
        rules = tuple(replace(rule, mode=Mode.OBSERVE) for rule in of.rules)
        ending.stage.life.policy = replace(of, rules=rules)
        outcome = await ending.perform()
        assert outcome is not None
        assert outcome.result is ActResult.WITHHELD
        assert ending.stage.effects == 0
        assert len(ending.stage.life.pages) == 1
        assert ending.stage.life.timers[TIMER] == ending.stage.life.at + 5 * MINUTE


async def patch(stage: StepStage, body: dict[str, object]) -> None:
    media = "application/merge-patch+json"
    call = Call(method="PATCH", path=DEPLOYMENT, doing="change it", body=body, media=media)
    await stage.cluster.api.call(call)
