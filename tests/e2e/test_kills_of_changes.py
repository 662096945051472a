"""P7 P8: kills and pauses around scaling, a rollback, another image, isolation and pods that are deleted.

The cluster counts how often each took effect. A few cases run always, all of them in `make test-full`.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.killable import KillableApp
from tests.e2e.peers import Cluster, until
from tests.e2e.stage import Stage, set_stage
from tests.e2e.test_kills import wait_for_death_and_start_again
from tests.e2e.test_pauses import stopped
from tests.fault.step_stage import cron_job

WHERE = (
    "before:intend:1",
    "after:intend:1",
    "before:claim:1",
    "after:claim:1",
    "before:apply:1",
    "after:apply:1",
    "before:settle:2",
    "after:settle:2",
)
IMAGE = {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "web:2"}]}}}}


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """What breaks ``web``, the steps that mend it, and how often they change something."""

    steps: str
    marks: int = 0
    pods: int = 0

    def strike(self, cluster: Cluster) -> None:
        """It breaks."""
        if self.steps.startswith("scale"):
            cluster.patch({"spec": {"replicas": 1}})
        elif self.steps.startswith("rollback"):
            cluster.patch(IMAGE)
            until("the release", lambda: released(cluster.web()["status"]))
            cluster.behave("heals_on_rollout")
        elif self.steps.startswith("job"):
            cluster.create(cron_job("tidy"))
            cluster.behave("heals_on_rollout")
        elif self.steps.startswith("set_image"):
            cluster.behave("heals_on_rollout")
        else:
            cluster.behave("heals_on_replacement")

    def check(self, stage: Stage) -> None:
        """Each effect happened once."""
        incident = stage.wait_for_status("resolved")
        assert stage.cluster.marks() == self.marks, stage.story()
        removed = stage.cluster.removed()
        assert len(removed) == len(set(removed)) == self.pods, stage.story()
        assert [attempt["outcome"] for attempt in incident["attempts"]] == ["verified"], stage.story()
        assert stage.pager.events() == [], stage.story()
        web = stage.cluster.web()
        assert web["spec"]["replicas"] == 2, "what was isolated is restored"
        assert not [key for key in web["metadata"]["annotations"] if "isolated" in key]


def released(status: dict[str, int]) -> bool:
    """Whether the newest template runs everywhere and nothing else does."""
    counts = ("replicas", "updatedReplicas", "availableReplicas")
    return status["observedGeneration"] >= 2 and [status.get(count) for count in counts] == [2, 2, 2]


TROUBLES = {
    "scale": Trouble(steps="scale: {to: 2, only: up}, wait: {for: ready, timeout: 30s}", marks=1),
    "rollback": Trouble(steps="rollback: {}, wait: {for: rollout, timeout: 30s}", marks=1),
    "set_image": Trouble(steps="set_image: {image: 'web:3'}, wait: {for: rollout, timeout: 30s}", marks=1),
    "isolate": Trouble(steps="isolate: {for: 30m}, restore: {}, wait: {for: ready, timeout: 30s}", marks=2),
    "job": Trouble(
        steps="job: {from: tidy, timeout: 30s}, restart: {}, wait: {for: rollout, timeout: 30s}", marks=2
    ),
    "delete_pod": Trouble(
        steps="delete_pod: {which: not_ready, at_most: 2}, wait: {for: ready, timeout: 30s}", pods=2
    ),
}


def cases() -> list[object]:
    always = {("delete_pod", "after:apply:1"), ("isolate", "after:apply:1")}
    every = [(name, where) for name in TROUBLES for where in WHERE]
    every += [("job", "before:prepare:1"), ("job", "after:prepare:1"), ("job", "after:intend:2")]
    every += [("delete_pod", "before:apply:2"), ("isolate", "before:apply:2"), ("isolate", "after:apply:2")]
    return [case if case in always else pytest.param(*case, marks=pytest.mark.full) for case in every]


@pytest.mark.parametrize(("name", "where"), cases())
def test_P7_killed_around_a_change_it_takes_effect_once(tmp_path: Path, name: str, where: str) -> None:
    """Pods that are meant and left are taken by the successor, and no others."""
    trouble = TROUBLES[name]
    with set_stage(tmp_path, steps=trouble.steps, fuse=f"kill:{where}") as stage:
        trouble.strike(stage.cluster)
        wait_for_death_and_start_again(stage)
        trouble.check(stage)


@pytest.mark.full
@pytest.mark.parametrize("where", ["before:claim:1", "before:apply:1", "before:apply:2"])
@pytest.mark.parametrize("name", TROUBLES)
def test_P8_a_paused_owner_of_a_change_cannot_make_it_again(tmp_path: Path, name: str, where: str) -> None:
    """It stands still for twice its lease while another does the step, and wakes."""
    trouble = TROUBLES[name]
    if where == "before:apply:2" and trouble.pods < 2:
        where = "after:intend:1"
    with set_stage(tmp_path, replicas=3, steps=trouble.steps, fuse=f"stop:{where}") as stage:
        trouble.strike(stage.cluster)
        [victim] = until("a stopped replica", lambda: [d for d in stage.daemons if stopped(d)], 60)
        since, every = time.monotonic(), list(stage.daemons)
        stage.daemons = [daemon for daemon in every if daemon is not victim]
        try:
            changed = trouble.marks + trouble.pods
            until(
                "another replica to act",
                lambda: stage.cluster.marks() + len(stage.cluster.removed()) == changed,
                60,
            )
            twice = 2 * KillableApp.pace.lease / 1000
            until("twice the lease", lambda: time.monotonic() - since > twice, twice + 5)
        finally:
            os.kill(victim.process.pid, signal.SIGCONT)
        until("the woken replica", lambda: victim.incidents(), 30)
        trouble.check(stage)
