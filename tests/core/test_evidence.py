"""What is kept of a target before anything of it is taken away: what is chosen, how much, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from remediator.core.cluster import Pod, Snapshot, Workload
from remediator.core.codec import evidence_from, evidence_text, pack, unpack
from remediator.core.decision import Facts
from remediator.core.errors import NotFound, Permanent, Refused, RemediatorError, Retryable, StoreUnavailable
from remediator.core.evidence import ALL_BYTES, LINES, LOG_BYTES, Evidence, Piece, bounded, log_lines
from remediator.core.incident import EffectId, IncidentId, Phase
from remediator.core.journal import Act, Diagnose, Diagnosed, Kind
from remediator.core.plugins import Sight
from remediator.core.policies import Mode, Policy, Step
from remediator.core.ports import Observer
from remediator.core.store import GuardStore, IncidentStore, Loaded
from remediator.core.times import Instant, Millis
from remediator.policy.load import read_policies
from remediator.workers.evidence import PODS, WITHIN, chosen_pods, collect
from remediator.workers.means import Means
from remediator.workers.runner import Runner
from tests.core.builders import NOW, fired, policy
from tests.core.looking import CRASHING, READY, WEB, WORKLOAD, Cluster
from tests.core.test_decide import Life
from tests.core.test_policy_rbac import policy as written

EVICT = Step(action="evict_pod", params={"which": "crash_looping"})
RESTART = Step(action="restart")
MADE = "replicaset/web-5d9c7"


def careful(steps: Sequence[Step] = (RESTART,)) -> Policy:
    """A policy whose runbook keeps evidence."""
    of = policy()
    book = replace(of.runbooks["restart"], evidence=True, steps=tuple(steps))
    return replace(of, runbooks={"restart": book})


def begun(steps: Sequence[Step] = (RESTART,)) -> Life:
    """An attempt of it that diagnoses."""
    life = Life(careful(steps))
    life.tell(fired(life.policy))
    return life


async def kept(cluster: Cluster, steps: Sequence[Step] = (RESTART,)) -> dict[str, Piece]:
    """What is kept, by source and whose it is."""
    sight = Sight(cluster=cluster, target=WEB, firing=1, at=NOW)
    found = await collect(begun(steps).now.attempts[-1], sight)
    assert found is not None
    return {f"{piece.source} {piece.about}".strip(): piece for piece in found.pieces}


# --- when ---------------------------------------------------------------------------------------------


def test_a_runbook_that_may_take_pods_away_looks_before_it_acts_whatever_it_diagnoses() -> None:
    """Nothing is done before what was kept is part of a decision."""
    life = begun()
    [look] = life.decisions[-1].effects
    assert isinstance(look, Diagnose)
    evidence = Evidence(attempt=1, at=NOW, pieces=(Piece(source="logs", about="web-a/web", lines=("x",)),))
    decision = life.tell(Diagnosed(effect=look.id, findings=(), evidence=evidence))
    assert decision.evidence == (evidence,)
    assert [type(effect) for effect in decision.effects] == [Act]
    [told] = [entry for entry in decision.timeline if entry.kind is Kind.DIAGNOSED]
    assert (told.text, told.data["evidence"]) == ("evidence kept: 1 log", True)
    again = life.tell(Diagnosed(effect=look.id, findings=(), evidence=evidence))
    assert (again.evidence, again.effects) == ((), ())  # a second delivery keeps nothing twice


def test_files_say_it_of_steps_that_may_take_pods_away_and_of_no_others() -> None:
    of = written()
    assert {name: book.evidence for name, book in of.runbooks.items()} == {
        "look-and-restart": True, "move": True, "up": False, "own": True,
    }  # fmt: skip
    text = "{set_image: {image: 'web:{{ incident.id }}'}}"
    loaded = read_policies({"p.yaml": f"runbooks: {{r: {{steps: [{text}], verify: [{{ready: {{}}}}]}}}}\n"})
    assert loaded.policy is None or loaded.policy.runbooks["r"].evidence


def test_what_was_kept_is_told_briefly_and_what_was_not_as_well() -> None:
    pieces = (
        Piece(source="pods", lines=("2 pods",)),
        Piece(source="logs", about="a/web", lines=("x",)),
        Piece(source="logs", about="b/web", trouble="no answer within 20s"),
        Piece(source="logs of the run before", about="a/web", lines=("y",)),
        Piece(source="top", trouble="may not"),
    )
    assert str(Evidence(attempt=1, at=NOW, pieces=pieces)) == (
        "evidence kept: pods, 1 log, 1 log of the run before; 2 could not be read, such as logs b/web: "
        "no answer within 20s"
    )
    assert str(Evidence(attempt=1, at=NOW, pieces=())) == "evidence kept: none"


# --- what ---------------------------------------------------------------------------------------------


def pod(number: int, *, ready: bool = True, **more: object) -> Pod:
    """A pod that the workload made."""
    own = READY if ready else CRASHING
    made = replace(own, name=f"web-{number}", uid=f"u{number}", controller=MADE)
    return replace(made, **more)  # type: ignore[arg-type]  # by the dataclass


@pytest.mark.parametrize(
    ("steps", "names"),
    [
        ((RESTART,), ["web-3", "web-0", "web-1", "web-2", "web-4"]),  # all of them go, well or not
        ((Step(action="evict_pod", params={"which": "oldest"}),), ["web-0", "web-3"]),
        ((Step(action="delete_pod", params={"which": "crash_looping"}),), ["web-3"]),
        ((Step(action="scale", params={"to": 9, "only": "up"}),), ["web-3"]),
        ((Step(action="evict_pod", params={"which": "nonsense"}),), ["web-3"]),
        ((Step(action="no such"),), ["web-3"]),
    ],
)
def test_logs_are_kept_of_pods_that_would_be_picked_and_of_those_in_trouble(
    steps: tuple[Step, ...], names: list[str]
) -> None:
    """At most five, and whoever would be taken away first."""
    pods = [pod(n, ready=n != 3, created_at=Instant(n)) for n in range(8)]
    assert len(names) <= PODS
    assert [one.name for one in chosen_pods(steps, Snapshot(workload=WORKLOAD, pods=tuple(pods)))] == names


async def test_all_that_there_is_is_kept_with_both_runs_of_a_log() -> None:
    """States, events, usage and revisions, too; of containers the one in trouble first."""
    cluster = Cluster(
        found=(pod(1, ready=False, containers=("proxy", "web")), pod(2)),
        written={
            "web-1/web": ["\tat main()", "panic"],
            "web-1/web/previous": ["out of memory"],
            "web-1/proxy": ["quiet"],
            "web-2/web": ["well"],
        },
    )
    found = await kept(cluster)
    assert found["logs web-1/web"].lines == (" at main()", "panic")
    assert found["logs of the run before web-1/web"].lines == ("out of memory",)
    assert "logs of the run before web-1/proxy" not in found  # that container has not restarted
    assert found["logs web-2/web"].lines == ("well",)
    assert found["pods"].lines[0] == "2 pods, 1 not ready"
    assert found["top"].lines == ("top: no metrics API here (metrics.k8s.io): install metrics-server",)
    assert {"workload", "events", "rollout_history"} <= found.keys()
    assert f"web-1/web:{LINES}" in cluster.asked


async def test_what_cannot_be_read_is_told_and_the_rest_is_kept() -> None:
    """Nothing of it keeps the attempt from going on."""
    written_: dict[str, Sequence[str] | RemediatorError] = {
        "web-1/web": Refused("grant it: get pods/log"),
        "web-2/web": ["fine"],
    }
    found = await kept(Cluster(found=(pod(1), pod(2)), written=written_))
    assert found["logs web-1/web"] == Piece(
        source="logs", about="web-1/web", trouble="grant it: get pods/log"
    )
    assert found["logs web-2/web"].lines == ("fine",)
    gone = await kept(Gone())
    assert gone["logs"].trouble == "deployment/web does not exist"
    assert all(piece.trouble and not piece.lines for piece in gone.values())
    with pytest.raises(StoreUnavailable):
        await kept(Gone(trouble=StoreUnavailable("away")))
    assert await collect(begun().now.attempts[-1], Sight(cluster=None, target=WEB, firing=1, at=NOW)) is None


@dataclass(kw_only=True)
class Gone(Cluster):
    """A cluster in which the workload cannot be read."""

    trouble: Exception = field(default_factory=lambda: NotFound("deployment/web does not exist"))

    async def workload(self, ref: object) -> Workload:
        """Never there."""
        raise self.trouble


@dataclass(kw_only=True)
class Stuck(Cluster):
    """A cluster that never answers for a log, and is let go at once by a clock that jumps."""

    async def logs(self, *_: object, **__: object) -> tuple[str, ...]:
        """Never."""
        await asyncio.get_running_loop().create_future()
        raise AssertionError("unreachable")


def test_a_cluster_that_never_answers_costs_twenty_seconds_and_no_remediation() -> None:
    """On a virtual clock: the states are kept, and of the logs that they did not come."""
    from remediator.testing.virtual import VirtualLoop

    loop = VirtualLoop()
    try:
        begin = loop.time()
        found = loop.run_until_complete(kept(Stuck(found=(pod(1), pod(2)))))
        assert loop.time() - begin == pytest.approx(WITHIN)
    finally:
        loop.close()
    assert found["logs web-1/web"].trouble == found["logs web-2/web"].trouble == "no answer within 20s"
    assert found["pods"].lines == ("2 pods, 0 not ready",)


# --- how much -----------------------------------------------------------------------------------------


def test_of_a_log_the_newest_is_kept_plain_and_without_secrets() -> None:
    """Whatever somebody wrote: control characters, keys, megabytes in one line."""
    hostile = [
        "old" * 10,
        *(f"line {n}" for n in range(LINES - 6)),
        "\x1b[2Jforged\rnews\u202e\x00",
        "DB_PASSWORD=hunter2 at postgres://app:hunter2@db/x",
        "-----BEGIN RSA PRIVATE KEY-----",
        "MIIEpAIBAAKCAQEAverysecretverysecret",
        "-----END RSA PRIVATE KEY-----",
        "x" * 5_000_000,
    ]
    found = log_lines(hostile)
    assert len(found) <= LINES
    assert found[0] == "line 0"
    assert all(line.isprintable() for line in found)
    text = "\n".join(found)
    assert "hunter2" not in text
    assert "verysecret" not in text
    assert len(found[-1]) == 2_000
    assert found[-6] == "forged news"
    fat = log_lines(["ü" * 1_999] * LINES)
    assert 0 < sum(len(line.encode()) + 1 for line in fat) <= LOG_BYTES


def test_all_together_is_bounded_and_what_did_not_fit_is_told() -> None:
    """Small things still fit behind a large one that did not."""
    large = tuple("x" * 1_000 for _ in range(64))
    pieces = [Piece(source="logs", about=str(n), lines=large) for n in range(9)]
    found = bounded((*pieces, Piece(source="top", lines=("small",))))
    assert sum(piece.size for piece in found) <= ALL_BYTES
    assert [bool(piece.lines) for piece in found] == [True] * 4 + [False] * 5 + [True]
    assert "256 KiB" in found[4].trouble


def test_evidence_travels_and_is_kept_small() -> None:
    """With the event as it is, in the store compressed; what is no evidence is told as that."""
    logs = tuple(f"2026-11-23 error number {n}: connection refused" for n in range(LINES))
    evidence = Evidence(attempt=1, at=NOW, pieces=(Piece(source="logs", about="a/b", lines=logs),))
    text = evidence_text(evidence)
    assert evidence_from(text) == evidence_from(text.encode()) == evidence
    assert len(text) < evidence.pieces[0].size / 3
    event = Diagnosed(effect=EffectId("e"), findings=("f",), evidence=evidence)
    assert unpack(*pack(event)) == event
    assert unpack("Diagnosed", '{"effect": "e", "findings": []}').evidence is None  # an older replica's
    for nonsense in ("", "!", "AAAA", evidence_text(evidence)[:40]):
        with pytest.raises(Permanent):
            evidence_from(nonsense)


# --- who ----------------------------------------------------------------------------------------------


@dataclass
class _Waits:
    """The incident, which waits for the effect."""

    life: Life

    async def load(self, incident: IncidentId, fingerprints: object) -> Loaded:
        return Loaded(at=self.life.at, incident=self.life.incident, facts=Facts(firing=1))


async def performed(of: Policy, *, ceiling: Mode = Mode.AUTO, cluster: Cluster | None = None) -> Diagnosed:
    """What the runner answers to the first effect of an attempt."""
    life = Life(of)
    life.tell(fired(of))
    [look] = life.decisions[-1].effects
    means = Means(
        incidents=cast(IncidentStore, _Waits(life)),
        guards=cast(GuardStore, None),
        reader=cluster or Cluster(written={"web-b/web": Retryable("busy")}),
        executor=None,
        policy=lambda: of,
        ceiling=ceiling,
        clock_trouble=lambda: None,
        observer=cast(Observer, None),
        replica="r",
        lease=Millis(1),
    )
    outcome = await Runner(means).perform(look)
    assert isinstance(outcome, Diagnosed)
    return outcome


async def test_who_may_not_change_anything_keeps_nothing() -> None:
    """Nothing is lost by looking; and a rule that only observes needs no permission to read logs."""
    acting = await performed(careful())
    assert acting.evidence is not None
    assert any(piece.trouble == "busy" for piece in acting.evidence.pieces)
    for of, ceiling in (
        (careful(), Mode.SUGGEST),
        (replace(careful(), guards=replace(careful().guards, namespaces=())), Mode.AUTO),
        (replace(careful(), guards=replace(careful().guards, lacks=("storm",))), Mode.AUTO),
        (replace(careful(), services={}), Mode.AUTO),
    ):
        assert (await performed(of, ceiling=ceiling)).evidence is None


def test_an_attempt_goes_on_to_its_step_when_nothing_could_be_kept() -> None:
    life = begun()
    [look] = life.decisions[-1].effects
    life.tell(Diagnosed(effect=look.id, findings=()))
    assert life.now.attempts[-1].phase is Phase.ACTING
