"""P8: a replica that was stopped (SIGSTOP) between its read and its write cannot act when it wakes."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.e2e.killable import KillableApp
from tests.e2e.peers import until
from tests.e2e.stage import Daemon, set_stage


def stopped(daemon: Daemon) -> bool:
    """Whether the kernel holds the process in state T."""
    return Path(f"/proc/{daemon.process.pid}/stat").read_text().rsplit(") ", 1)[1].startswith("T")


@pytest.mark.parametrize("where", ["before:apply:1", pytest.param("before:claim:1", marks=pytest.mark.full)])
def test_P8_a_paused_owner_cannot_act_when_it_wakes(tmp_path: Path, where: str) -> None:
    """Three replicas; the one that acts stands still for twice its lease while another takes over."""
    with set_stage(tmp_path, replicas=3, fuse=f"stop:{where}") as stage:
        stage.cluster.behave("heals_on_rollout")
        [victim] = until("a stopped replica", lambda: [d for d in stage.daemons if stopped(d)], 60)
        since = time.monotonic()
        others = [daemon for daemon in stage.daemons if daemon is not victim]
        try:
            until("another replica to act", lambda: stage.cluster.restarts() == 1, 60)
            twice = 2 * KillableApp.pace.lease / 1000
            until("twice the lease", lambda: time.monotonic() - since > twice, twice + 5)
        finally:
            os.kill(victim.process.pid, signal.SIGCONT)
        stage.daemons = others
        incident = stage.wait_for_status("resolved")
        until("the woken replica", lambda: victim.incidents(), 30)
        assert stage.cluster.restarts() == 1, stage.story()
        assert [attempt["outcome"] for attempt in incident["attempts"]] == ["verified"], stage.story()
        assert stage.pager.events() == []
