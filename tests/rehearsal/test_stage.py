"""The stage: the daemon itself on a virtual clock."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace

import pytest

from remediator.core.incident import Incident, Outcome, Status
from remediator.core.journal import Acknowledged, Entry, Kind
from remediator.core.times import DAY, HOUR, MINUTE, SECOND, Instant, Millis
from remediator.rehearsal.script import (
    ChannelOutcome,
    CheckOutcome,
    DiagnosisOutcome,
    Hearing,
    Result,
    StepOutcome,
    WorkloadFacts,
)
from remediator.rehearsal.stage import START, Stage
from remediator.rehearsal.world import World
from tests.rehearsal.scenes import DATABASE, WEB, alert, policy

POSTGRES = "shop/statefulset/postgres"
WEBSITE = "shop/deployment/web"


def at(span: int) -> Instant:
    """A moment of a rehearsal."""
    return Instant(START + span)


def texts(entries: Iterable[Entry], kind: Kind) -> list[str]:
    """What the timeline says of one kind."""
    return [entry.text for entry in entries if entry.kind is kind]


def outage(world: World | None = None, *, resolved: int | None = 2 * MINUTE, until: int = HOUR) -> Stage:
    """The database is down, and comes back."""
    stage = Stage(policy(), world)
    stage.deliver([alert(DATABASE, 0)], at(0))
    if resolved is not None:
        stage.deliver([alert(DATABASE, resolved, since=0)], at(resolved))
    stage.run_until(at(until))
    return stage


def test_an_outage_is_held_repaired_verified_and_over() -> None:
    """By default everything works at once, and the virtual times are those of the policies."""
    with outage() as stage:
        (incident,) = stage.incidents
        assert incident.status is Status.RESOLVED
        assert incident.opened_at == at(30 * SECOND)
        assert incident.attempts[0].outcome is Outcome.VERIFIED
        assert incident.attempts[0].changes == ("scale statefulset/postgres from 0 to 1",)
        assert incident.resolved_at == at(30 * SECOND + 5 * MINUTE)
        assert [page.channel for page in stage.pages] == ["oncall", "manager"]
        assert stage.watch.troubles == []


def test_a_step_takes_its_time_and_other_incidents_go_on_meanwhile() -> None:
    """A step that takes 3m ends then; an incident that opens in between is not held up."""
    world = World([StepOutcome(step="scale", takes=Millis(3 * MINUTE))])
    with Stage(policy(), world) as stage:
        stage.deliver([alert(DATABASE, 0)], at(0))
        stage.deliver([alert(WEB, 60_000)], at(MINUTE))
        stage.run_until(at(2 * MINUTE))
        database, web = stage.incidents
        assert database.active is not None
        assert database.active.changes == ()
        assert web.active is not None
        assert web.active.changes == ("restart deployment/web",)
        stage.run_until(at(30 * SECOND + 3 * MINUTE))
        assert stage.incidents[0].attempts[0].changes != ()


@pytest.mark.parametrize(("result", "outcome"), [("failed", Outcome.FAILED), ("unknown", Outcome.UNKNOWN)])
@pytest.mark.parametrize("labels", [DATABASE, WEB], ids=["workload", "pod"])
def test_a_step_that_fails_or_is_unknown_ends_as_the_daemon_ends_it(
    result: str, outcome: Outcome, labels: dict[str, str]
) -> None:
    """Whether the change is one of a workload or of a pod."""
    said = [StepOutcome(step=step, result=Result(result)) for step in ("scale", "delete_pod")]
    first = [StepOutcome(step="restart", result=Result.FAILED)]
    with Stage(policy(), World([*said, *first])) as stage:
        stage.deliver([alert(labels, 0)], at(0))
        stage.run_until(at(HOUR))
        assert stage.incidents[0].attempts[-1].outcome is outcome
        assert [page.level for page in stage.pages][:2] == [1, 1]


def test_a_check_changes_its_answer_when_it_is_said_to() -> None:
    """``after`` counts from when the attempt first asks."""
    said = CheckOutcome(check="promql", runbook="restart-web", result=Result.OK, after=Millis(2 * MINUTE))
    with Stage(policy(), World([said])) as stage:
        stage.deliver([alert(WEB, 0)], at(0))
        stage.deliver([alert(WEB, 1000, since=0)], at(1000))
        stage.run_until(at(HOUR))
        (incident,) = stage.incidents
        assert incident.resolved_at == at(2 * MINUTE)


def test_facts_of_a_workload_are_what_guards_see() -> None:
    """Too many pods are down already: the change is blocked, and says so."""
    said = CheckOutcome(check="promql", result=Result.FAILED)
    facts = WorkloadFacts(path=WEBSITE, replicas=5, ready=5)
    with Stage(
        policy(("delete_pod: {which: crash_looping, at_most: 2}", "scale: {to: 1, only: down}")),
        World([said], workloads=[facts]),
    ) as stage:
        stage.deliver([alert(WEB, 0)], at(0))
        stage.run_until(at(HOUR))
        (incident,) = stage.incidents
        assert incident.attempts[1].outcome is Outcome.BLOCKED
        assert incident.attempts[1].reason == "population: 4 of 5 unavailable, at most 2 allowed (40%)"


@pytest.mark.parametrize(
    ("facts", "guard"),
    [
        (WorkloadFacts(path=POSTGRES, missing=True), "target"),
        (WorkloadFacts(path=POSTGRES, ignored=True, replicas=0), "target"),
        (WorkloadFacts(path=POSTGRES, forbidden=True, replicas=0), "dry_run"),
    ],
)
def test_facts_that_forbid_a_change(facts: WorkloadFacts, guard: str) -> None:
    """Each by the guard that is for it."""
    with outage(World(workloads=[facts]), resolved=None, until=5 * MINUTE) as stage:
        blocked = [judged.verdict.guard for judged in stage.verdicts if not judged.verdict.allowed]
        assert blocked == [guard]
        assert stage.incidents[0].attempts[0].outcome is Outcome.BLOCKED


def test_a_budget_that_is_spent_blocks_until_it_is_not() -> None:
    """A rolling restart of a DaemonSet would not ask it; taking away a healthy pod does."""
    changed = policy(("{which: crash_looping, at_most: 2}", "{which: oldest}"))
    world = World(
        [CheckOutcome(check="promql", result=Result.FAILED)],
        workloads=[WorkloadFacts(path=WEBSITE, replicas=4, ready=4, budget=0)],
    )
    with Stage(changed, world) as stage:
        stage.deliver([alert(WEB, 0)], at(0))
        stage.run_until(at(HOUR))
        blocked = {judged.verdict.guard for judged in stage.verdicts if not judged.verdict.allowed}
        assert blocked == {"disruption_budget"}


def test_pods_to_be_taken_away_are_there() -> None:
    """As many as the runbook may take, and no healthy one."""
    with Stage(policy(), World([StepOutcome(step="restart", result=Result.FAILED)])) as stage:
        stage.deliver([alert(WEB, 0)], at(0))
        stage.run_until(at(MINUTE))
        assert len(stage.incidents[0].attempts[1].changes) == 2


def test_what_a_diagnosis_finds_stands_on_the_timeline() -> None:
    """As it was said; the others look at the rehearsal's own cluster."""
    world = World([DiagnosisOutcome(diagnosis="logs", finds=("FATAL: out of disk",))])
    with outage(world) as stage:
        found = texts(stage.timeline(stage.incidents[0].id), Kind.DIAGNOSED)
        assert "FATAL: out of disk" in found
        assert "0 pods, 0 not ready" in found


def test_a_channel_that_refuses_sends_people_to_the_next_level() -> None:
    """A page that nobody takes is none: only those that were taken count."""
    world = World([ChannelOutcome(channel=name, result=Hearing.REFUSED) for name in ("oncall", "manager")])
    with outage(world, resolved=None, until=10 * MINUTE) as stage:
        assert [(page.channel, page.level) for page in stage.pages] == [("vp", 3)]


def test_a_channel_that_asks_for_patience_is_tried_again() -> None:
    """And takes the page when it is well again."""
    world = World([ChannelOutcome(channel="oncall", result=Hearing.RETRY)])
    with Stage(policy(), world) as stage:
        stage.deliver([alert(DATABASE, 0)], at(0))
        stage.call(at(5 * MINUTE), lambda stage: stage.world.tell(ChannelOutcome(channel="oncall")))
        stage.run_until(at(10 * MINUTE))
        taken = [page.at for page in stage.pages if page.channel == "oncall"]
        assert len(taken) == 1
        assert at(5 * MINUTE) <= taken[0] <= at(6 * MINUTE)


def test_people_acknowledge_and_the_kill_switch_is_thrown() -> None:
    """Both reach the daemon as they do in life."""
    with Stage(policy()) as stage:
        stage.call(at(0), lambda stage: stage.store.pause("deploying", "alice", None))
        stage.deliver([alert(DATABASE, 0)], at(0))
        stage.call(
            at(MINUTE), lambda stage: stage.tell_incident(stage.incidents[0].id, Acknowledged(by="bob"))
        )
        stage.run_until(at(DAY))
        (incident,) = stage.incidents
        assert incident.acknowledged_by == "bob"
        assert incident.level == 1
        assert incident.attempts[0].reason == "kill_switch: paused by alice: deploying"


def test_a_query_raises_the_severity() -> None:
    """From the moment on at which its value is beyond the bound, and not before."""
    slow = {"alertname": "WebSlow"}
    with Stage(policy()) as stage:
        stage.deliver([alert(slow, 0)], at(0))
        stage.call(at(HOUR), lambda stage: stage.world.tell_query("sum( rate(errors[5m]) )", (0.1, 0.5)))
        stage.run_until(at(HOUR - 1))
        assert stage.incidents[0].severity == "SEV-3"
        stage.run_until(at(HOUR + MINUTE))
        assert stage.incidents[0].severity == "SEV-1"
        assert [page.channel for page in stage.pages] == ["oncall", "manager"]


def test_more_alerts_than_one_script_takes() -> None:
    """A notification of thousands is taken in, chunk by chunk."""
    with Stage(policy()) as stage:
        stage.deliver([alert({**WEB, "instance": str(n)}, 0) for n in range(1200)], at(0))
        stage.run_until(at(SECOND))
        assert stage.incidents[0].alerts == 1200


# --- jumping over what would be answered as before ---


def played(
    world: World, *, jumps: bool, resolved: int | None, raises: bool
) -> tuple[list[Incident], list[tuple[Entry, ...]]]:
    """Everything that there is to be seen of two incidents, after a day."""
    own = policy() if raises else policy(("raise: {to: SEV-1, when:", "raise: {to: SEV-1, after: 40h} #"))
    with Stage(own, world, jumps=jumps) as stage:
        stage.deliver([alert(DATABASE, 0)], at(0))
        stage.deliver([alert({"alertname": "WebSlow"}, 400)], at(400))
        stage.deliver([alert(WEB, 7300)], at(7300))
        if resolved is not None:
            stage.deliver(
                [alert(WEB, resolved, since=7300), alert(DATABASE, resolved, since=0)], at(resolved)
            )
        stage.run_until(at(DAY // 6))
        return (
            [replace(one, version=0) for one in stage.incidents],
            [stage.timeline(one.id) for one in stage.incidents],
        )


@pytest.mark.parametrize("resolved", [None, 2 * MINUTE, 400_123])
@pytest.mark.parametrize("raises", [True, False], ids=["raise asked", "no raise"])
@pytest.mark.parametrize(
    "said",
    [
        (),
        (CheckOutcome(check="ready", result=Result.FAILED),),
        (CheckOutcome(check="ready", result=Result.OK, after=Millis(61_500)),),
        (CheckOutcome(check="ready", result=Result.FAILED, after=Millis(33_000)),),
        (
            StepOutcome(step="scale", takes=Millis(47_000)),
            CheckOutcome(check="promql", result=Result.UNKNOWN),
        ),
    ],
    ids=["well", "failing", "late", "breaking", "slow"],
)
def test_jumping_changes_nothing(said: tuple[CheckOutcome, ...], resolved: int | None, raises: bool) -> None:
    """Whatever happens: incidents and timelines are those of a rehearsal that asks every question.

    Versions are left out: two questions at one moment are one commit or two.
    """
    jumped = played(World(said), jumps=True, resolved=resolved, raises=raises)
    assert jumped == played(World(said), jumps=False, resolved=resolved, raises=raises)


def test_months_cost_nothing() -> None:
    """An incident that is open for months, with a condition that is asked every half minute."""
    began = time.process_time()
    with Stage(policy()) as stage:
        stage.deliver([alert({"alertname": "WebSlow"}, 0)], at(0))
        stage.run_until(at(90 * DAY))
        assert stage.incidents[0].weighed == 90 * 24 * 60 * 2 + 1
    assert time.process_time() - began < 1
