"""P1 P6 P7 P12: the daemon dies (-9) between any two stages, is started again, and nothing is lost or twice.

Each case lets one call happen, or not, and kills the process right there. A few run always, all of them in
`make test-full`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.peers import until
from tests.e2e.stage import Stage, set_stage

ALWAYS = ("after:admit:1", "before:intend:1", "after:apply:1")
STAGES = (
    "before:admit:1",
    "before:commit:1",
    "after:commit:1",
    "before:dry_run:1",
    "after:acquire:1",
    "after:use_limits:1",
    "after:intend:1",
    "before:claim:1",
    "after:claim:1",
    "before:apply:1",
    "before:settle:1",
    "after:settle:1",
    "after:settle:2",
    "before:commit:3",
    "before:fire_due:2",
    "after:commit:5",
)
PAGES = ("before:send:1", "after:send:1")


def cases(always: tuple[str, ...], sometimes: tuple[str, ...]) -> list[object]:
    return [*always, *(pytest.param(stage, marks=pytest.mark.full) for stage in sometimes)]


def wait_for_death_and_start_again(stage: Stage) -> None:
    victim = stage.daemons[0]
    until("the kill", lambda: victim.process.poll() is not None, 60)
    assert victim.process.returncode == -9
    victim.start({"REMEDIATOR_TEST_FUSE": ""})
    victim.first_line()


@pytest.mark.parametrize("where", cases(ALWAYS, STAGES))
def test_P7_killed_between_two_stages_the_fix_happens_once(tmp_path: Path, where: str) -> None:
    with set_stage(tmp_path, fuse=f"kill:{where}") as stage:
        stage.cluster.behave("heals_on_rollout")
        wait_for_death_and_start_again(stage)
        incident = stage.wait_for_status("resolved")
        assert stage.cluster.restarts() == 1, stage.story()
        assert [attempt["outcome"] for attempt in incident["attempts"]] == ["verified"], stage.story()
        assert stage.pager.events() == [], stage.story()


@pytest.mark.parametrize("where", cases(PAGES[:1], PAGES[1:]))
def test_P11_killed_around_a_page_people_are_paged_once(tmp_path: Path, where: str) -> None:
    """The same deduplication key again is swallowed by PagerDuty: one incident there, whatever was sent."""
    with set_stage(tmp_path, page_within="4s", verify_within="60s", fuse=f"kill:{where}") as stage:
        stage.cluster.behave("stays_broken")
        wait_for_death_and_start_again(stage)
        until("a page", lambda: stage.pager.events(), 60)
        assert len({page["dedup_key"] for page in stage.pager.events()}) == 1
        assert stage.cluster.restarts() == 1, stage.story()
