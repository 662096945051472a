"""Every action, killed at five points around its call: it takes effect once, and people know (P7 to P17).

The whole journey is walked by replicas that share nothing but the store and the world. Three actions are
tried in every run, all of them in `make test-full`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import pytest

from remediator.actions import ACTIONS
from remediator.core.alerts import AlertStatus
from remediator.core.incident import Outcome
from remediator.core.journal import Kind
from remediator.core.nodes import NODE_ACTIONS
from remediator.core.plugins import EffectClass
from remediator.testing.apiserver import FaultKind
from tests.fault.effect_scenes import REQUESTS, SCENES, Scene
from tests.fault.effects import PATIENT, Home, at_home
from tests.fault.kubernetes_scene import QUICK
from tests.fault.step_stage import Fuse

ALWAYS = ("delete_pod", "exec", "scale")
"""One that is known by what is gone, one that is never repeated, one that is fenced."""


ELSEWHERE = {"silence": "test_step_silencing.py"} | dict.fromkeys(NODE_ACTIONS, "test_step_nodes.py")
"""What takes effect elsewhere than on a service's own workload, and is killed there: on a real pair of
Alertmanagers, and on nodes."""


def each(names: Iterable[str] = SCENES) -> list[object]:
    """The actions, most of them in `make test-full` alone."""
    return [name if name in ALWAYS else pytest.param(name, marks=pytest.mark.full) for name in names]


def is_once(name: str) -> bool:
    return ACTIONS[name].effect is EffectClass.ONCE


def test_every_action_has_a_scene() -> None:
    """A new one is not done before it has been killed."""
    missing = ACTIONS.keys() - SCENES.keys() - ELSEWHERE.keys()
    assert all((Path(__file__).parent / file).exists() for file in ELSEWHERE.values())
    assert not missing, (
        f"{', '.join(sorted(missing))}: no scene in tests/fault/effect_scenes.py; add what breaks, by which "
        "call it takes effect and how the world counts that, so that it is killed around that call"
    )
    assert not SCENES.keys() - ACTIONS.keys(), "a scene is left of an action that is gone"


# --- P7, P10, P14: killed at five points ---

POINTS: dict[str, Callable[[str, int], Fuse]] = {
    "before_intent": lambda call, count: Fuse(ahead=("intend", count)),
    "before_call": lambda call, count: Fuse(ahead=(call, count)),
    "during_call": lambda call, count: Fuse(after=(call, count)),
    "after_call": lambda call, count: Fuse(after=(call, count)),
    "after_outcome": lambda call, count: Fuse(after=("settle", count)),
}
"""Of the call of that count. In the last one the outcome is durable, and nothing has followed from it yet."""


async def ended_well(home: Home, name: str, *, unknown: bool) -> None:
    """It is told what was changed; and it was verified, or people are asked."""
    attempt = await home.attempt()
    steps = await home.told(Kind.STEP)
    if unknown:
        assert attempt.outcome is Outcome.UNKNOWN
        assert "never done twice" in attempt.reason
    else:
        assert attempt.changes, "something was changed, and that is told"
        assert all(any(change in step for step in steps) for change in attempt.changes), steps
        assert attempt.outcome is (Outcome.VERIFIED if home.scene.mends else Outcome.FAILED)
        assert "ready" in attempt.reason, "it was looked whether that helped"
    assert any(step.startswith(f"{name}: ") for step in steps)
    assert bool(home.asked) is (attempt.outcome is not Outcome.VERIFIED), "verified, or a person is asked"


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("name", each())
async def test_P7_P10_P14_killed_around_its_call_it_takes_effect_once_and_people_know(
    tmp_path: Path, name: str, point: str
) -> None:
    """Its successor does what is left to do, counts it once, tells of it and verifies it."""
    scene = SCENES[name]
    async with at_home(tmp_path, scene) as home:
        if point == "during_call":
            home.strike(FaultKind.DROP_AFTER_EFFECT)
        assert not await home.live(POINTS[point](scene.call, 1)), "it was not killed"
        before = home.count
        match point:
            case "before_intent" | "before_call":
                assert before == 0
            case "during_call" | "after_call":
                assert before == 1
            case _:
                assert before == scene.times
        assert await home.live()
        unknown = is_once(name) and point in ("before_call", "during_call", "after_call")
        assert home.count == (before if unknown else scene.times)
        assert await home.used() == 1
        await ended_well(home, name, unknown=unknown)


# --- and what takes it back ---

UNDONE = [name for name in SCENES if ACTIONS[name].invertible]


async def undisturbed(directory: Path, scene: Scene) -> list[str]:
    """The calls of a step that did not help and of what takes it back."""
    async with at_home(directory, scene, undo=True) as home:
        fuse = Fuse()
        assert await home.live(fuse)
        assert home.count == 2 * scene.times
        return fuse.calls


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("name", each(UNDONE))
async def test_P7_P14_killed_around_its_undo_it_is_taken_back_once_and_people_know(
    tmp_path: Path, name: str, point: str
) -> None:
    """It is a change like any other: whoever comes next does what is left to do, and tells of it."""
    scene = SCENES[name]
    calls = await undisturbed(tmp_path, scene)
    undo = [at for at, call in enumerate(calls) if call == scene.call][1]
    count = calls[:undo].count("settle") + 1 if point == "after_outcome" else 2
    async with at_home(tmp_path, scene, undo=True) as home:

        async def lose() -> None:
            home.strike(FaultKind.DROP_AFTER_EFFECT)

        fuse = POINTS[point](scene.call, count)
        if point == "during_call":
            fuse.before = {f"{scene.call}#2": lose}
        assert not await home.live(fuse), "it was not killed"
        assert home.count == 1 + (point not in ("before_intent", "before_call"))
        assert await home.live()
        assert home.count == 2
        attempt = await home.attempt()
        assert attempt.outcome is Outcome.FAILED
        assert "; undone: " in attempt.reason
        assert len(home.asked) == 1
        assert await home.used() == 1


# --- P8: an owner that slept ---


@pytest.mark.parametrize("asleep", ["intent", "call"])
@pytest.mark.parametrize("name", each())
async def test_P8_an_owner_that_wakes_after_its_successor_changes_nothing(
    tmp_path: Path, name: str, asleep: str
) -> None:
    """It slept between its last look and its request, or before; the request is refused, or was the only one.

    What nothing can fence is not done by the successor, who says that it is unknown.
    """
    scene = SCENES[name]
    async with at_home(tmp_path, scene) as home:
        first: list[int] = []

        async def sleep() -> None:
            home.pass_by()
            assert await home.live()
            first.append(home.count)

        assert await home.live(Fuse(before={scene.call if asleep == "call" else "intend": sleep}))
        unknown = is_once(name) and asleep == "call"
        assert first == [0 if unknown else scene.times]
        assert home.count == scene.times
        assert await home.used() == 1
        await ended_well(home, name, unknown=unknown)


@pytest.mark.parametrize("name", each(name for name in SCENES if not is_once(name)))
async def test_P8_the_request_of_an_older_owner_is_refused_though_nothing_was_changed_since(
    tmp_path: Path, name: str
) -> None:
    """Its successor has written its epoch and died before its own request: that alone keeps the older off.

    Pods are not fenced so: an older request takes away one of the very pods that are meant, and no other.
    """
    scene = SCENES[name]
    pods = scene.request in REQUESTS.values()
    async with at_home(tmp_path, scene) as home:

        async def sleep() -> None:
            home.pass_by()
            assert not await home.live(Fuse(ahead=(scene.call, 1))), "the successor was not killed"
            assert home.count == 0

        assert not await home.live(Fuse(before={scene.call: sleep}, after=(scene.call, 1)))
        assert home.count == pods
        assert await home.live()
        assert home.count == scene.times
        assert await home.used() == 1
        await ended_well(home, name, unknown=False)


# --- P13: what is said at the last moment counts ---


async def paused(home: Home) -> None:
    await home.struck.stage.store.pause("deploying", "ada", None)


async def resolved(home: Home) -> None:
    """And another replica has understood it."""
    await home.alert(AlertStatus.RESOLVED)
    assert await home.live(ends=False)


@pytest.mark.parametrize("flip", [paused, resolved])
@pytest.mark.parametrize("name", each())
async def test_P13_what_stops_it_between_intent_and_call_stops_it(
    tmp_path: Path, name: str, flip: Callable[[Home], Awaitable[None]]
) -> None:
    async with at_home(tmp_path, SCENES[name]) as home:

        async def stop() -> None:
            await flip(home)

        assert await home.live(Fuse(before={"intend": stop}))
        assert home.count == 0
        attempt = await home.attempt()
        assert (attempt.changes, attempt.outcome) == (
            (),
            Outcome.BLOCKED if flip is paused else Outcome.ABANDONED,
        )
        assert len(home.asked) == (flip is paused), "a person is asked, unless there is nothing left to ask"


@pytest.mark.parametrize("name", each())
async def test_P13_nothing_is_changed_after_a_pause_that_came_while_nobody_lived(
    tmp_path: Path, name: str
) -> None:
    """It may have been done or not: that is found out without a change, or people are told it is unknown."""
    scene = SCENES[name]
    async with at_home(tmp_path, scene) as home:
        assert not await home.live(Fuse(ahead=(scene.call, 1)))
        await paused(home)
        written = len(home.struck.stage.server.ledger)
        assert await home.live()
        assert home.count == 0
        assert len(home.struck.stage.server.ledger) == written, "not even an epoch is written"
        assert (await home.attempt()).outcome in (Outcome.UNKNOWN, Outcome.BLOCKED)
        assert len(home.asked) == 1


# --- P17: a slow, rude or lost answer ---

RUDE: dict[str, dict[str, int]] = {
    "drop_before_effect": {},
    "drop_after_effect": {},
    "hang": {},
    "409": {"status": 409},
    "429": {"status": 429, "retry_after": 1},
    "500": {"status": 500},
    "503": {"status": 503},
}


def rudely() -> list[object]:
    """Each action and what befalls its call. A service has answers of its own, which are its authors'."""
    found = [(name, how) for name in SCENES for how in RUDE if name != "http" or how == "drop_after_effect"]
    return [
        case if case[0] in ALWAYS and case[1] != "hang" else pytest.param(*case, marks=pytest.mark.full)
        for case in found
    ]


@pytest.mark.parametrize(("name", "how"), rudely())
async def test_P17_what_its_call_is_answered_makes_it_take_effect_once(
    tmp_path: Path, name: str, how: str
) -> None:
    """What may have happened is found out, not sent again; for what did not, the guards are asked anew."""
    scene = SCENES[name]
    async with at_home(tmp_path, scene, limits=QUICK if how == "hang" else PATIENT) as home:

        async def strike() -> None:
            home.strike(FaultKind.STATUS if how.isdigit() else FaultKind(how), **RUDE[how])

        assert await home.live(Fuse(before={scene.call: strike}))
        assert not home.pending, "the fault never struck"
        attempt = await home.attempt()
        if is_once(name) and attempt.outcome is not Outcome.VERIFIED:  # refused, or nobody knows
            assert attempt.outcome is (Outcome.FAILED if how == "409" else Outcome.UNKNOWN)
            assert home.count == (how == "drop_after_effect")
            assert len(home.asked) == 1
            return
        assert home.count == scene.times
        if how == "409":
            asked = [text for text in await home.told(Kind.GUARD) if text.startswith("kill_switch: ")]
            assert len(asked) >= 2, "the guards were asked again"
        await ended_well(home, name, unknown=False)
