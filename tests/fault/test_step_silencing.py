"""P7 for silences: there is one, whenever the daemon dies and whatever gets lost. On a real pair."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest

from remediator.adapters.alertmanager import AlertmanagerSet
from remediator.adapters.silences import SilencerSet, Silences
from remediator.core.alertmanagers import Member
from remediator.core.alerts import Fingerprint
from remediator.core.errors import Unknown
from remediator.core.incident import IncidentId, Phase
from remediator.core.journal import Acted, ActResult, EffectLost, EndSilences, Fired
from remediator.core.policies import Step
from remediator.core.store import Members
from remediator.core.times import Instant, stamp_instant
from remediator.http.payload import read_alert
from remediator.workers.lookout import Lookout
from remediator.workers.means import Means
from remediator.workers.quieting import Quieter
from tests.alertmanagers import RealAlertmanager, alertmanagers, moment
from tests.contract.stores import system_clock
from tests.core.builders import fired, stamp
from tests.core.test_decide import Life
from tests.fault.step_stage import LEASE, Fuse, Killed, StepStage, staged
from tests.integration.daemon import until
from tests.servers import free_port

AROUND = ("intend", "create", "stands")
LABELS = {"alertname": "ServiceDown", "service": "web", "path": "a|.+$(id){{7*7}}"}
MINUTES_15 = 900_000


def fire(one: RealAlertmanager) -> None:
    """What Prometheus tells it."""
    one.fire("ServiceDown", service=LABELS["service"], path=LABELS["path"])


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[RealAlertmanager]]:
    """Two that tell each other of silences, and list the alert."""
    with alertmanagers(tmp_path_factory.mktemp("alertmanager"), free_port(), 2) as found:
        for one in found:
            fire(one)
        yield found


@dataclass
class OneMember:
    """``core.store.ListingStore`` of an incident with one alert."""

    stage: StepStage
    fingerprint: Fingerprint

    async def remember(self, alerts: Any) -> None:
        """Nobody polls here."""

    async def members(self, incident: IncidentId | None) -> Members:
        """The alert."""
        one = Member(fingerprint=self.fingerprint, starts_at=stamp(1))
        return Members(at=self.stage.life.at, firing=(one,))


@dataclass(kw_only=True)
class Silencing:
    """A step that silences, and those whom it asks to."""

    stage: StepStage
    pair: list[RealAlertmanager]

    def standing(self, place: int = 0) -> list[dict[str, Any]]:
        """The silences that one of them has, without those that are over."""
        found = self.pair[place].call("GET", "/api/v2/silences")
        return [one for one in found if one["status"]["state"] != "expired"]

    async def everywhere(self) -> list[dict[str, Any]]:
        """Those that both of them have, once they agree."""

        async def agree() -> bool:
            both = [sorted(one["id"] for one in self.standing(place)) for place in (0, 1)]
            return both[0] == both[1]

        await until(agree, "they tell each other")
        return self.standing()


def forget(pair: list[RealAlertmanager]) -> None:
    """Every silence is over, in both."""
    for one in pair:
        for silence in one.call("GET", "/api/v2/silences"):
            if silence["status"]["state"] != "expired":
                one.expire(silence["id"])


@asynccontextmanager
async def silencing(
    directory: Path, pair: list[RealAlertmanager], inner: bool = False, **params: Any
) -> AsyncIterator[Silencing]:
    """The incident waits for the step. ``inner``: the fuse is in each request, not around the whole."""
    forget(pair)
    step = Step(action="silence", params={"for": "15m", **params})
    async with AsyncExitStack() as stack:
        connecting = AlertmanagerSet.connected(
            [one.url for one in pair], receiver="remediator", read=read_alert
        )
        asked = await stack.enter_async_context(connecting)
        stage = await stack.enter_async_context(staged(directory, step))
        [listed] = (await asked.each[0].ask({LABELS["alertname"]})).alerts
        life = Life(stage.life.policy, at=Instant(system_clock()))
        event = fired(life.policy)
        alert = replace(event.alert, labels=listed.alert.labels, fingerprint=listed.alert.fingerprint)
        life.tell(Fired(alert=alert, match=event.match))
        stage.life = life
        store = OneMember(stage, alert.fingerprint)

        def equip(means: Means, fuse: Fuse) -> Means:
            each = [cast(Silences, fuse.wrap(one.silences)) for one in asked.each]
            silencer = SilencerSet(each) if inner else fuse.wrap(asked.silencer)
            return replace(means, lookout=lambda incident: Lookout(incident, store, asked), silencer=silencer)

        stage.equip = equip
        yield Silencing(stage=stage, pair=pair)


async def test_the_alert_is_silenced_by_its_labels_once_in_the_pair(
    tmp_path: Path, pair: list[RealAlertmanager]
) -> None:
    """Whatever the labels hold; with an end, an author, and a comment that says which step it was."""
    async with silencing(tmp_path, pair) as scene:
        stage = scene.stage
        effect, started = stage.effect(), stage.attempt.phase_at
        outcome = await stage.perform()
        assert outcome is not None
        assert outcome.result is ActResult.DONE, outcome.reason
        [silence] = await scene.everywhere()
        told = {each["name"]: each["value"] for each in silence["matchers"]}
        assert told == LABELS
        assert all(not each["isRegex"] and each["isEqual"] for each in silence["matchers"])
        assert silence["createdBy"] == "remediator"
        [alert] = pair[0].call("GET", "/api/v2/alerts")
        mark = alert["fingerprint"]
        assert silence["comment"] == f"remediator: {effect.step_id}, alert {mark}, runbook restart"
        assert abs(stamp_instant(silence["endsAt"]) - started - MINUTES_15) < 1000
        assert alert["status"]["silencedBy"] == [silence["id"]]
        [change] = outcome.changes
        assert change.startswith('silence {alertname="ServiceDown", path="a|.+$(id)')
        assert change.endswith(" for 15m")
        assert stage.effects == 0


async def test_our_own_silence_does_not_stop_the_steps_that_follow(
    tmp_path: Path, pair: list[RealAlertmanager]
) -> None:
    """Nor the same step again, nor its last looks; a person's does."""
    async with silencing(tmp_path, pair) as scene:
        stage = scene.stage
        assert (await stage.finish()).result is ActResult.DONE
        means = stage.means(Fuse())
        lookout = means.lookout(stage.life.now)
        assert lookout is not None
        found = await lookout.suppression()
        assert (found.silenced, found.loud, found.own) == ((), 1, 1)
        theirs = pair[0].silence(LABELS["alertname"])
        found = await lookout.suppression()
        assert [text[:16] for text in found.silenced] == ["silenced by jane"]
        pair[0].expire(theirs)


async def boundaries(directory: Path, pair: list[RealAlertmanager], *, inner: bool) -> list[tuple[int, str]]:
    """Each place before and after a call of the step, with that call."""
    async with silencing(directory, pair, inner) as scene:
        fuse = Fuse()
        outcome = await scene.stage.perform(fuse)
        assert outcome is not None
        assert outcome.result is ActResult.DONE
        return [(2 * number + side, name) for number, name in enumerate(fuse.calls) for side in (0, 1)]


async def tried(directory: Path, pair: list[RealAlertmanager], *names: str, inner: bool = False) -> None:
    places = await boundaries(directory, pair, inner=inner)
    found = [at for at, name in places if not names or name in names]
    assert len(found) >= 2
    for at in found:
        async with silencing(directory, pair, inner) as scene:
            assert await scene.stage.perform(Fuse(at=at)) is None
            outcome = await scene.stage.finish()
            assert outcome.result is ActResult.DONE, (at, scene.stage.outcomes)
            assert len(await scene.everywhere()) == 1, at
            assert scene.stage.attempt.phase is Phase.VERIFYING


async def test_P7_a_step_killed_around_its_intent_and_its_silence_makes_one(
    tmp_path: Path, pair: list[RealAlertmanager]
) -> None:
    """It is done by whoever comes next, or found done."""
    await tried(tmp_path, pair, *AROUND)


async def test_P7_a_step_killed_around_the_request_that_creates_makes_one(
    tmp_path: Path, pair: list[RealAlertmanager]
) -> None:
    """Also where the one that was asked has not told the other yet."""
    await tried(tmp_path, pair, "create", inner=True)


@pytest.mark.full
@pytest.mark.parametrize("inner", [False, True])
async def test_P7_a_step_killed_at_every_call_makes_one(
    tmp_path: Path, pair: list[RealAlertmanager], inner: bool
) -> None:
    """Reads included."""
    await tried(tmp_path, pair, inner=inner)


async def test_P8_an_owner_that_slept_leaves_one_silence(
    tmp_path: Path, pair: list[RealAlertmanager]
) -> None:
    """It created a second one, saw both, and ended one."""
    async with silencing(tmp_path, pair, inner=True) as scene:
        stage = scene.stage
        effect, incident, attempt = stage.effect(), stage.life.now, stage.attempt

        async def sleep() -> None:
            stage.life.at = Instant(stage.life.at + 4 * LEASE)
            assert (await stage.finish()).result is ActResult.DONE
            assert len(await scene.everywhere()) == 1

        late = await stage.performer(Fuse(before={"create": sleep})).act(effect, incident, attempt)
        assert late.result is ActResult.DONE, late.reason
        assert len(await scene.everywhere()) == 1


async def test_P13_a_pause_thrown_just_before_forbids_it(
    tmp_path: Path, pair: list[RealAlertmanager]
) -> None:
    async with silencing(tmp_path, pair) as scene:

        async def throw() -> None:
            await scene.stage.store.pause("deploying", "ada", None)

        outcome = await scene.stage.perform(Fuse(before={"stands": throw}))
        assert outcome is not None
        assert (outcome.result, scene.standing()) == (ActResult.BLOCKED, [])


async def test_P17_an_answer_that_gets_lost_is_looked_for_and_found(
    tmp_path: Path, pair: list[RealAlertmanager]
) -> None:
    """It was created; nobody said so."""
    async with silencing(tmp_path, pair) as scene:
        stage, asks = scene.stage, scene.stage.equip
        stage.equip = lambda means, fuse: replace(asks(means, fuse), silencer=_Mute(asks(means, fuse)))
        outcome = await stage.perform()
        assert outcome is not None
        assert (outcome.result, outcome.in_doubt) == (ActResult.RETRY, True)
        stage.equip = asks
        assert (await stage.finish()).result is ActResult.DONE
        assert len(await scene.everywhere()) == 1


async def test_what_the_policy_says_is_silenced_by_one_silence(
    tmp_path: Path, pair: list[RealAlertmanager]
) -> None:
    async with silencing(tmp_path, pair, match=['alertname=~"Service.*"', "service!=db"]) as scene:
        assert (await scene.stage.finish()).result is ActResult.DONE
        [silence] = await scene.everywhere()
        told = {(one["name"], one["value"], one["isRegex"], one["isEqual"]) for one in silence["matchers"]}
        assert told == {("alertname", "Service.*", True, True), ("service", "db", False, False)}
        assert silence["comment"].endswith("/1/0, runbook restart")


async def test_where_no_alertmanager_is_configured_the_step_is_blocked(
    tmp_path: Path, pair: list[RealAlertmanager]
) -> None:
    """Whether the policy says what to silence or not."""
    said: tuple[dict[str, Any], ...] = ({}, {"match": ["alertname=ServiceDown"]})
    for params in said:
        async with silencing(tmp_path, pair, **params) as scene:
            scene.stage.equip = lambda means, fuse: means
            outcome = await scene.stage.perform()
            assert outcome is not None
            assert outcome.result is ActResult.BLOCKED
            assert "no Alertmanager is configured; set REMEDIATOR_ALERTMANAGER_URLS" in outcome.reason
            assert scene.standing() == []


async def test_where_one_of_them_does_not_answer_nothing_is_created(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    """It waits, and is done once that one is back: what it knows of is not guessed."""
    with alertmanagers(tmp_path_factory.mktemp("alone"), free_port(), 2) as both:
        for one in both:
            fire(one)
        async with silencing(tmp_path, both) as scene:
            both[1].stop()
            outcome = await scene.stage.perform()
            assert outcome is not None
            assert outcome.result is ActResult.RETRY
            assert "cannot be reached" in outcome.reason
            assert scene.standing() == []
            both[1].start()
            fire(both[1])
            assert (await scene.stage.finish()).result is ActResult.DONE
            assert len(await scene.everywhere()) == 1


async def ended_by(scene: Silencing, fuse: Fuse | None = None) -> Acted:
    """The silence is created and the attempt fails: what becomes of the end that follows."""
    stage = scene.stage
    assert (await stage.finish()).result is ActResult.DONE
    assert len(await scene.everywhere()) == 1
    attempt = stage.attempt
    assert attempt.pending is not None
    stage.life.tell(EffectLost(effect=attempt.pending, reason="the verification got lost"))
    return await again(scene, fuse)


def asked(stage: StepStage) -> EndSilences:
    """The end that the incident waits for."""
    [quiet] = stage.life.now.quiets
    effects = [effect for decision in stage.life.decisions for effect in decision.effects]
    found = next(effect for effect in effects if effect.id == quiet.pending)
    assert isinstance(found, EndSilences)
    return found


async def again(scene: Silencing, fuse: Fuse | None = None) -> Acted:
    """It is tried, by a replica of its own."""
    means = scene.stage.means(fuse or Fuse())
    outcome = await Quieter(means).end(asked(scene.stage), scene.stage.life.now)
    assert outcome is not None
    return outcome


async def test_the_silence_ends_with_its_attempt_in_both(
    tmp_path: Path, pair: list[RealAlertmanager]
) -> None:
    """However often that is done."""
    async with silencing(tmp_path, pair) as scene:
        outcome = await ended_by(scene)
        assert (outcome.result, outcome.changes) == (ActResult.DONE, ())
        assert outcome.reason.startswith('end the silence of {alertname="ServiceDown"')
        assert await scene.everywhere() == []
        assert (await again(scene)).reason == "it was over"
        scene.stage.life.tell(outcome)
        assert scene.stage.life.now.quiets == ()


async def test_P7_an_end_that_is_killed_around_its_request_is_made_by_the_next(
    tmp_path: Path, pair: list[RealAlertmanager]
) -> None:
    """Before the request that expires it, and after."""
    for fuse in (Fuse(after=("find", 2)), Fuse(after=("expire", 1))):
        async with silencing(tmp_path, pair, inner=True) as scene:
            with pytest.raises(Killed):
                await ended_by(scene, fuse)
            assert (await again(scene)).result is ActResult.DONE
            assert await scene.everywhere() == []


async def test_a_silence_that_somebody_changed_is_theirs(
    tmp_path: Path, pair: list[RealAlertmanager]
) -> None:
    """A person wants it to be longer: neither the attempt's end nor an undo takes it back."""
    async with silencing(tmp_path, pair) as scene:
        stage = scene.stage
        assert (await stage.finish()).result is ActResult.DONE
        [silence] = await scene.everywhere()
        known = {key: silence[key] for key in ("id", "matchers", "startsAt", "createdBy", "comment")}
        pair[0].call("POST", "/api/v2/silences", {**known, "endsAt": moment(7200)})
        assert stage.attempt.pending is not None
        stage.life.tell(EffectLost(effect=stage.attempt.pending, reason="lost"))
        [changed] = [one["id"] for one in await scene.everywhere()]
        outcome = await again(scene)
        assert outcome.result is ActResult.DONE
        assert f"silence {changed} was changed by somebody since: it is left as it is" in outcome.reason
        assert [one["id"] for one in scene.standing()] == [changed]


async def test_while_changes_are_paused_it_is_not_ended(tmp_path: Path, pair: list[RealAlertmanager]) -> None:
    """It ends by itself, or once the pause is over."""
    async with silencing(tmp_path, pair) as scene:
        assert (await scene.stage.finish()).result is ActResult.DONE
        await scene.stage.store.pause("deploying", "ada", None)
        assert scene.stage.attempt.pending is not None
        scene.stage.life.tell(EffectLost(effect=scene.stage.attempt.pending, reason="lost"))
        outcome = await again(scene)
        assert (outcome.result, "deploying" in outcome.reason) == (ActResult.BLOCKED, True)
        assert len(await scene.everywhere()) == 1


class _Mute:
    """A silencer whose answer gets lost once it has created."""

    def __init__(self, means: Means) -> None:
        assert means.silencer is not None
        self._silencer = means.silencer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._silencer, name)

    async def create(self, wanted: Any) -> None:
        """It does, and nobody hears of it."""
        await self._silencer.create(wanted)
        raise Unknown("it may have been done: the connection broke")
