"""P7 for what is done once: a program runs at most once, whenever its daemon dies and whatever gets lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from remediator.adapters.kubernetes import Call
from remediator.core.errors import Unknown
from remediator.core.incident import Outcome, Phase
from remediator.core.journal import ActResult, Kind
from remediator.core.policies import Mode, Step
from remediator.core.times import Instant
from remediator.testing.apiserver import Output
from tests.fault.step_stage import LEASE, STEPS, Fuse, StepStage, staged

WORDS = ["/app/breakers", "reset"]
RESET = Step(action="exec", params={"command": WORDS})


def prepared(stage: StepStage, answer: Output | None = None) -> StepStage:
    """The program is there."""
    stage.server.set_command("shop", "web", tuple(WORDS), answer or Output(stdout="reset\n"))
    return stage


def ran(stage: StepStage) -> int:
    """How often it ran, as the fake counts it."""
    return len(stage.server.commands.calls)


async def boundaries(directory: Path) -> list[tuple[int, str]]:
    """Each place before and after a call of the step, with that call."""
    async with staged(directory, RESET) as stage:
        fuse = Fuse()
        outcome = await prepared(stage).perform(fuse)
        assert outcome is not None
        assert (outcome.result, ran(stage)) == (ActResult.DONE, 1)
        return [(2 * number + side, name) for number, name in enumerate(fuse.calls) for side in (0, 1)]


async def killed_at(directory: Path, at: int, *, intended: bool) -> None:
    """Die there and be succeeded: done once when it was not intended yet, else unknown and a page."""
    async with staged(directory, RESET) as stage:
        fuse = Fuse(at=at)
        if await prepared(stage).perform(fuse) is not None:
            raise AssertionError("it was not killed")
        before = ran(stage)
        outcome = await stage.finish()
        if not intended:
            assert (outcome.result, before, ran(stage)) == (ActResult.DONE, 0, 1), stage.outcomes
            return
        assert outcome.result is ActResult.UNKNOWN, stage.outcomes
        assert "never done twice" in outcome.reason
        assert ran(stage) == before <= 1
        assert stage.attempt.outcome is Outcome.UNKNOWN
        assert len(stage.life.pages) == 1


async def tried(directory: Path) -> None:
    places = await boundaries(directory)
    calls = [name for _, name in places]
    after = calls.index("intend") + 1
    assert len(places) >= 4
    for number, (at, _) in enumerate(places):
        await killed_at(directory, at, intended=number >= after)


@pytest.mark.full
async def test_P7_a_program_killed_at_every_call_runs_once_at_most(tmp_path: Path) -> None:
    """Reads included."""
    await tried(tmp_path)


async def test_P7_a_lost_answer_is_unknown_at_once_and_people_are_asked(tmp_path: Path) -> None:
    """It is not sent again, not looked for, and no other runbook follows."""
    async with staged(tmp_path, RESET) as stage:

        async def lose() -> None:
            raise Unknown("the answer is lost")

        outcome = await prepared(stage).perform(Fuse(before={"run": lose}))
        assert outcome is not None
        assert (outcome.result, outcome.reason) == (ActResult.UNKNOWN, "the answer is lost")
        assert stage.attempt.outcome is Outcome.UNKNOWN
        assert len(stage.life.pages) == 1
        assert "act" not in stage.life.timers


async def test_P7_what_surely_did_not_begin_is_done_later_and_once(tmp_path: Path) -> None:
    """Its pod was replaced between plan and run: another is chosen, and every guard asked again."""
    async with staged(tmp_path, RESET) as stage:
        first = min(stage.uids)

        async def replace_it() -> None:
            path = f"/api/v1/namespaces/shop/pods/{first}"
            await stage.cluster.api.call(Call(method="DELETE", path=path, doing="delete it"))
            await stage.server.settled()

        outcome = await prepared(stage).perform(Fuse(before={"run": replace_it}))
        assert outcome is not None
        assert (outcome.result, outcome.in_doubt, ran(stage)) == (ActResult.RETRY, False, 0)
        done = await stage.finish()
        assert (done.result, ran(stage)) == (ActResult.DONE, 1)
        assert stage.server.commands.calls[0].pod != first
        [change] = done.changes
        assert change.startswith("run /app/breakers reset in web-")
        assert done.verdicts


async def test_P8_an_owner_that_slept_is_told_of_as_unknown_and_the_program_runs_once(tmp_path: Path) -> None:
    """Nothing can fence it. So whoever comes after it does not run it, and says that it is not known."""
    async with staged(tmp_path, RESET) as stage:
        effect, incident, attempt = stage.effect(), stage.life.now, stage.attempt

        async def sleep() -> None:
            stage.life.at = Instant(stage.life.at + 4 * LEASE)
            outcome = await stage.finish()
            assert outcome.result is ActResult.UNKNOWN

        performer = prepared(stage).performer(Fuse(before={"run": sleep}))
        late = await performer.act(effect, incident, attempt)
        assert late.result is ActResult.DONE
        assert ran(stage) == 1
        assert stage.attempt.outcome is Outcome.UNKNOWN
        stage.life.tell(late)
        assert stage.life.decisions[-1].timeline[0].text.startswith("reported late: run /app/breakers reset")


@pytest.mark.parametrize("where", ["intend", "holds"])
async def test_P13_a_pause_thrown_just_before_it_runs_forbids_it(tmp_path: Path, where: str) -> None:
    """Whatever the guards said a moment ago; and it may be done when the pause is over."""
    async with staged(tmp_path, RESET) as stage:

        async def throw() -> None:
            await stage.store.pause("deploying", "ada", None)

        outcome = await prepared(stage).perform(Fuse(before={where: throw}))
        assert outcome is not None
        assert (outcome.result, ran(stage)) == (ActResult.BLOCKED, 0)
        assert "kill_switch: paused by ada" in outcome.reason


async def test_a_program_that_fails_has_run_and_tells_what_it_wrote(tmp_path: Path) -> None:
    """Both streams stand on the timeline, secrets hidden and no line forged."""
    said = Output(stdout="half\n", stderr="no: \x1b[31mtoken=abc123\r\nforged\n", exit_code=7)
    async with staged(tmp_path, RESET) as stage:
        outcome = await prepared(stage, said).perform()
        assert outcome is not None
        assert outcome.result is ActResult.FAILED
        assert outcome.reason.endswith("ended with 7; stdout: half; stderr: no: token=[redacted] forged")
        assert len(outcome.changes) == 1
        told = [e.text for e in stage.life.decisions[-1].timeline if e.kind is Kind.OUTPUT]
        assert told == ["exec: stdout: half", "exec: stderr: no: token=[redacted]", "exec: stderr: forged"]
        assert stage.attempt.outcome is Outcome.FAILED


async def test_a_program_that_is_not_there_is_no_reason_to_doubt(tmp_path: Path) -> None:
    """The runtime says that it never began."""
    async with staged(tmp_path, RESET) as stage:
        outcome = await stage.perform()
        assert outcome is not None
        assert outcome.result is ActResult.FAILED
        assert "no such file" in outcome.reason
        assert outcome.changes == ()


@pytest.mark.parametrize("mode", [Mode.OBSERVE, Mode.SUGGEST])
async def test_a_rule_that_may_not_act_tells_what_it_would_run(tmp_path: Path, mode: Mode) -> None:
    async with staged(tmp_path, RESET) as stage:
        of = prepared(stage).life.policy
        stage.life.policy = replace(of, rules=tuple(replace(rule, mode=mode) for rule in of.rules))
        outcome = await stage.perform()
        assert outcome is not None
        assert (outcome.result, ran(stage)) == (ActResult.WITHHELD, 0)
        assert f"otherwise: run /app/breakers reset in {min(stage.uids)}/web" in outcome.reason


async def test_P8_the_lease_outlasts_the_program(tmp_path: Path) -> None:
    """While it runs nobody else changes the target, however long it may take."""
    slow = Step(action="exec", params={"command": WORDS, "timeout": "2m"})
    async with staged(tmp_path, slow) as stage:
        held: list[object] = []

        async def wait() -> None:
            stage.life.at = Instant(stage.life.at + 4 * LEASE)
            held.append(await stage.store.acquire("shop/deployment/web", "other", LEASE))

        outcome = await prepared(stage).perform(Fuse(before={"run": wait}))
        assert outcome is not None
        assert outcome.result is ActResult.DONE
        assert held == [f"replica-1/{stage.outcomes[0].effect}"]
        assert stage.attempt.phase is Phase.VERIFYING


async def test_what_is_run_is_what_was_planned(tmp_path: Path) -> None:
    """Words are words: no shell reads them."""
    hostile = Step(action="exec", params={"command": [*WORDS, "$(id)", "; rm -rf /", "{{ 7*7 }}", "a\nb"]})
    async with staged(tmp_path, hostile) as stage:
        outcome = await prepared(stage).perform()
        assert outcome is not None
        assert outcome.result is ActResult.DONE
        [call] = stage.server.commands.calls
        assert call.arguments == tuple(hostile.params["command"])  # type: ignore[arg-type]
        assert call.stdin == b""
        assert "\n" not in outcome.reason


# --- what its author says of repeating it ---


@pytest.mark.parametrize("effect", ["idempotent", "fenced"])
async def test_a_program_that_may_be_repeated_is_run_again_after_a_crash(tmp_path: Path, effect: str) -> None:
    """Its author says so, and nobody else could."""
    async with staged(tmp_path, replace(RESET, effect=effect)) as stage:
        assert await prepared(stage).perform(Fuse(after=("run", 1))) is None
        outcome = await stage.finish()
        assert (outcome.result, ran(stage)) == (ActResult.DONE, 2)
        assert outcome.verdicts


async def test_a_program_that_may_be_repeated_is_in_doubt_until_it_comes_to_an_end(tmp_path: Path) -> None:
    """Lost answers put it off; what was lost for too long is unknown, not blocked."""
    async with staged(tmp_path, replace(RESET, effect="idempotent")) as stage:

        async def lose() -> None:
            raise Unknown("the answer is lost")

        prepared(stage)
        for _ in range(200):
            outcome = await stage.perform(Fuse(before={"run": lose}))
            assert outcome is not None
            assert (outcome.result, outcome.in_doubt) == (ActResult.RETRY, True)
            if "act" not in stage.life.timers:
                break
            stage.life.ring("act")
        assert stage.attempt.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("where", ["intend", "apply"])
@pytest.mark.parametrize("action", ["restart", "scale", "delete_pod"])
async def test_P7_any_step_can_be_one_that_is_never_repeated(tmp_path: Path, action: str, where: str) -> None:
    """Whatever could be found out about it: its author does not want it touched again."""
    async with staged(tmp_path, replace(STEPS[action], effect="once")) as stage:
        assert await stage.perform(Fuse(after=(where, 1))) is None
        before = stage.effects
        outcome = await stage.finish()
        assert outcome.result is ActResult.UNKNOWN
        assert stage.effects == before <= 1
        assert len(stage.life.pages) == 1


@pytest.mark.parametrize(("calls", "result"), [(1, ActResult.DONE), (2, ActResult.UNKNOWN)])
async def test_P7_a_job_that_is_never_repeated_is_known_by_its_waking(
    tmp_path: Path, calls: int, result: ActResult
) -> None:
    """Killed before its job is there, nothing has run; once it was about to be woken, nobody can tell."""
    async with staged(tmp_path, replace(STEPS["job"], effect="once")) as stage:
        assert await stage.perform(Fuse(after=("intend", calls))) is None
        outcome = await stage.finish()
        assert outcome.result is result
        assert stage.made_jobs == 1
        assert stage.effects == (result is ActResult.DONE)
        assert len(stage.life.pages) == (result is ActResult.UNKNOWN)
