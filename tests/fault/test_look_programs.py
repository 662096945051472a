"""Checks and diagnoses that run programs: every guard of a change is asked first, on every run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from remediator.core.incident import Phase
from remediator.core.journal import Checked, Diagnose, Diagnosed, Verify
from remediator.core.matchers import Matcher, MatchOp
from remediator.core.pauses import PauseScope, ScopeKind
from remediator.core.policies import Check, Diagnosis, Mode, Policy, Rate, RateLimits, Step
from remediator.core.standing import Lowering
from remediator.core.store import Lease, Limit
from remediator.core.times import HOUR
from remediator.testing.apiserver import Behaviour, Fault, FaultKind, Output
from remediator.workers.runner import Runner
from tests.core.builders import WEB, policy
from tests.core.test_decide import opened
from tests.fault.step_stage import LEASE, Fuse, StepStage, staged

COUNT = {"command": ["psql", "-c", "SELECT 1"], "contains": "1 row"}
PROGRAM = {"command": COUNT["command"]}
ROWS = Output(stdout="n\n1 row\npassword: hunter2\n")
Change = Callable[[Policy], Policy]


def _runbook(of: Policy, *, diagnose: bool) -> Policy:
    book = of.runbooks["restart"]
    if diagnose:
        book = replace(book, diagnose=(Diagnosis(diagnosis="exec", params=PROGRAM),))
    else:
        wait = Check(check="exec", params=COUNT)
        book = replace(book, steps=(Step(action="wait", wait=wait), *book.steps))
    return replace(of, runbooks={"restart": book})


@asynccontextmanager
async def looking(directory: Path, *, diagnose: bool, mode: Mode = Mode.AUTO) -> AsyncIterator[StepStage]:
    """An incident that waits for a look which runs a program."""
    async with staged(directory, Step(action="exec", params=PROGRAM)) as stage:
        stage.server.set_command("shop", "web", ("psql",), ROWS)
        stage.life = opened(_runbook(policy(mode=mode), diagnose=diagnose))
        yield stage


async def look(stage: StepStage, fuse: Fuse | None = None) -> Diagnosed | Checked:
    """What the effect that is waited for comes to."""
    [effect] = stage.life.decisions[-1].effects
    assert isinstance(effect, Diagnose | Verify)
    outcome = await Runner(stage.means(fuse or Fuse())).perform(effect)
    assert isinstance(outcome, Diagnosed | Checked)
    return outcome


def said(outcome: Diagnosed | Checked) -> str:
    """In words, whichever it is; a check that says no must not know."""
    if isinstance(outcome, Diagnosed):
        return "\n".join(outcome.findings)
    [result] = outcome.results
    assert result.holds is None
    return result.observed


async def test_a_diagnosis_tells_what_a_program_writes(tmp_path: Path) -> None:
    """Secrets hidden, the exit code first."""
    async with looking(tmp_path, diagnose=True) as stage:
        found = await look(stage)
        assert isinstance(found, Diagnosed)
        assert found.findings == (
            "exec: ended with 0",
            "  stdout: n",
            "  stdout: 1 row",
            "  stdout: password: [redacted]",
        )
        [call] = stage.server.commands.calls
        assert (call.pod, call.container) == (min(stage.uids), "web")


@pytest.mark.parametrize(
    ("output", "holds", "says"),
    [
        (ROWS, True, "wanted 0, with '1 row'"),
        (Output(stdout="0 rows"), False, "wanted 0, but without '1 row'"),
        (Output(stdout="1 row", exit_code=2), False, "ended with 2; stdout: 1 row; wanted 0, with '1 row'"),
    ],
)
async def test_a_check_holds_by_exit_code_and_text(
    tmp_path: Path, output: Output, holds: bool, says: str
) -> None:
    async with looking(tmp_path, diagnose=False) as stage:
        stage.server.set_command("shop", "web", ("psql",), output)
        found = await look(stage)
        assert isinstance(found, Checked)
        [result] = found.results
        assert result.holds is holds
        assert result.observed.endswith(says)


EU = Matcher(name="cluster", op=MatchOp.EQUAL, value="eu")
OBJECTIONS: list[tuple[Change, str]] = [
    (
        lambda of: replace(of, guards=replace(of.guards, namespaces=())),
        "target: namespace shop is not allowed",
    ),
    (
        lambda of: replace(of, guards=replace(of.guards, protect=("deployment/web",))),
        "target: deployment/web is protected",
    ),
    (lambda of: replace(of, guards=replace(of.guards, lacks=("storm",))), "supported: "),
    (lambda of: replace(of, guards=replace(of.guards, freeze=("gone",))), "freeze: time interval gone"),
    (lambda of: replace(of, guards=replace(of.guards, accept=(EU,))), "still_firing: guards.accept asks for"),
    (lambda of: replace(of, rules=()), "mode: rule service-down is gone"),
    (
        lambda of: replace(of, rules=tuple(replace(rule, mode=Mode.SUGGEST) for rule in of.rules)),
        "mode: rule service-down is in mode suggest",
    ),
]


@pytest.mark.parametrize("diagnose", [True, False])
@pytest.mark.parametrize(("change", "why"), OBJECTIONS, ids=[why for _, why in OBJECTIONS])
async def test_guards_hold_a_look_back_as_they_do_a_change(
    tmp_path: Path, change: Change, why: str, diagnose: bool
) -> None:
    """By the newest policy. Unknown, never a no: what was not asked says nothing."""
    async with looking(tmp_path, diagnose=diagnose) as stage:
        stage.life.policy = change(stage.life.policy)
        assert f"nothing was run: {why}" in said(await look(stage))
        assert stage.server.commands.calls == []


@pytest.mark.parametrize("diagnose", [True, False])
async def test_P13_a_rule_that_its_failures_lowered_runs_nothing_unasked(
    tmp_path: Path, diagnose: bool
) -> None:
    """Its program waits for a person as its changes do."""
    async with looking(tmp_path, diagnose=diagnose) as stage:
        why = Lowering(rule="service-down", why="3 attempts in a row failed", at=stage.life.at)
        stage.store._lowered["service-down"] = why
        assert "nothing was run: mode: rule service-down is in mode auto, held to" in said(await look(stage))
        assert stage.server.commands.calls == []


@pytest.mark.parametrize("diagnose", [True, False])
@pytest.mark.parametrize("kind", ScopeKind)
async def test_P13_a_pause_of_any_scope_holds_a_look_back(
    tmp_path: Path, kind: ScopeKind, diagnose: bool
) -> None:
    """Read from the store on every run."""
    names = {
        ScopeKind.ALL: "",
        ScopeKind.NAMESPACE: "shop",
        ScopeKind.SERVICE: "web",
        ScopeKind.RULE: "service-down",
        ScopeKind.RUNBOOK: "restart",
    }
    async with looking(tmp_path, diagnose=diagnose) as stage:
        await stage.store.pause("deploying", "ada", None, PauseScope(kind=kind, name=names[kind]))
        assert "paused by ada" in said(await look(stage))
        assert stage.server.commands.calls == []


async def test_a_look_waits_for_whoever_works_on_the_target(tmp_path: Path) -> None:
    """And holds the lease itself no longer than it needs it."""
    async with looking(tmp_path, diagnose=False) as stage:
        lease = await stage.store.acquire(WEB.path, "somebody", LEASE)
        assert isinstance(lease, Lease)
        assert "is being worked on by somebody" in said(await look(stage))
        await stage.store.release(lease)
        assert (await look(stage)) is not None
        assert len(stage.server.commands.calls) == 1
        assert isinstance(await stage.store.acquire(WEB.path, "somebody", LEASE), Lease)


async def test_P10_an_attempt_counts_once_however_often_its_checks_run(tmp_path: Path) -> None:
    """A runbook that only waits for a program counts as an attempt; the next attempt is one too many."""
    once = Rate(count=1, per=HOUR)
    async with looking(tmp_path, diagnose=False) as stage:
        of = stage.life.policy
        rate = RateLimits(cluster=once, service=once, target=once)
        stage.life.policy = replace(of, guards=replace(of.guards, rate=rate))
        for _ in range(3):
            await look(stage)
        assert len(stage.server.commands.calls) == 3
        stage.life = opened(stage.life.policy)
        incident = replace(stage.life.now, id=f"{stage.life.now.id}-2")  # type: ignore[arg-type]
        stage.life.incident = incident
        assert "limits: changes in the cluster: 1 in the last 1h" in said(await look(stage))


async def test_a_check_runs_when_the_alert_is_over_and_a_diagnosis_does_not(tmp_path: Path) -> None:
    """A check proves that it is over; a diagnosis only prepares what will not be done any more."""
    for diagnose, runs in ((False, 1), (True, 0)):
        async with looking(tmp_path, diagnose=diagnose) as stage:
            stage.life.members.clear()
            await look(stage)
            assert len(stage.server.commands.calls) == runs


async def test_P17_what_cannot_be_run_is_unknown(tmp_path: Path) -> None:
    """No pod that is ready, a server that is not there."""
    async with looking(tmp_path, diagnose=False) as stage:
        stage.server.behave("shop", "web", Behaviour.stays_broken())
        await stage.server.settled()
        assert "no pod of deployment/web is ready" in said(await look(stage))
        stage.server.faults.add(Fault(kind=FaultKind.STATUS, status=503, times=None))
        assert "could not be found out" in said(await look(stage))


@pytest.mark.parametrize("kind", [FaultKind.HANG, FaultKind.DROP_BEFORE_EFFECT])
async def test_P17_a_stream_that_hangs_or_breaks_is_unknown_in_time(tmp_path: Path, kind: FaultKind) -> None:
    async with looking(tmp_path, diagnose=False) as stage:
        stage.server.faults.add(Fault(kind=kind, path_regex="/exec$"))
        assert "may have happened" in said(await look(stage))


async def test_two_programs_of_one_look_follow_each_other_under_one_lease(tmp_path: Path) -> None:
    """The second is asked for as the first was."""
    async with looking(tmp_path, diagnose=True) as stage:
        attempt = stage.attempt
        twice = (*attempt.runbook.diagnose, *attempt.runbook.diagnose)
        changed = replace(attempt, runbook=replace(attempt.runbook, diagnose=twice))
        stage.life.incident = stage.life.now.with_attempt(changed)
        fuse = Fuse()
        found = said(await look(stage, fuse))
        assert found.count("ended with 0") == 2
        assert fuse.calls.count("acquire") == 2
        assert fuse.calls.count("run") == 2
        assert stage.attempt.phase is Phase.DIAGNOSING


async def test_a_step_that_is_refused_after_a_program_was_run_gives_no_limits_back(tmp_path: Path) -> None:
    """A program ran: that is what they count."""
    once = Rate(count=1, per=HOUR)
    async with looking(tmp_path, diagnose=True) as stage:
        of = stage.life.policy
        rate = RateLimits(cluster=once, service=once, target=once)
        stage.life.policy = replace(of, guards=replace(of.guards, rate=rate))
        stage.life.tell(await look(stage))
        assert stage.attempt.phase is Phase.ACTING
        stage.server.faults.add(Fault(kind=FaultKind.STATUS, status=403, method="PATCH", times=None))
        outcome = await stage.perform()
        assert outcome is not None
        assert outcome.verdicts[-1].guard == "dry_run"
        limit = Limit(name="rate/cluster", rate=once, text="changes")
        [use] = await stage.store.use_limits([limit], "somebody", take=False)
        assert use.used == 1


@asynccontextmanager
async def deciding(directory: Path, rate: RateLimits) -> AsyncIterator[StepStage]:
    """An incident whose step depends on what a program tells, and that waits for that."""
    async with staged(directory, Step(action="exec", params=PROGRAM)) as stage:
        stage.server.set_command("shop", "web", ("psql",), ROWS)
        of = policy(mode=Mode.AUTO)
        book = of.runbooks["restart"]
        first, *others = book.steps
        steps = (replace(first, when=Check(check="exec", params=COUNT)), *others)
        runbooks = {"restart": replace(book, diagnose=(), steps=steps)}
        stage.life = opened(replace(of, runbooks=runbooks, guards=replace(of.guards, rate=rate)))
        assert stage.attempt.phase is Phase.DECIDING
        yield stage


@pytest.mark.parametrize("fires", [True, False])
async def test_P13_what_a_step_depends_on_is_run_only_while_the_alert_fires(
    tmp_path: Path, fires: bool
) -> None:
    """It is asked for the sake of a change, which would not be made any more."""
    async with deciding(tmp_path, RateLimits()) as stage:
        if not fires:
            stage.life.members.clear()
        found = await look(stage)
        assert isinstance(found, Checked)
        assert (found.results[0].holds is True) is fires
        assert len(stage.server.commands.calls) == fires
        if not fires:
            assert "nothing was run: still_firing: " in said(found)


async def test_a_step_that_is_refused_after_what_it_depends_on_ran_gives_no_limits_back(
    tmp_path: Path,
) -> None:
    """A program ran: that is what they count, whichever look ran it."""
    once = Rate(count=1, per=HOUR)
    async with deciding(tmp_path, RateLimits(cluster=once, service=once, target=once)) as stage:
        stage.life.tell(await look(stage))
        assert stage.attempt.phase is Phase.ACTING
        stage.server.faults.add(Fault(kind=FaultKind.STATUS, status=403, method="PATCH", times=None))
        outcome = await stage.perform()
        assert outcome is not None
        assert outcome.verdicts[-1].guard == "dry_run"
        limit = Limit(name="rate/cluster", rate=once, text="changes")
        [use] = await stage.store.use_limits([limit], "somebody", take=False)
        assert use.used == 1
