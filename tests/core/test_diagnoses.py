"""What diagnoses tell people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from remediator.core.cluster import ClusterEvent, Revision
from remediator.core.errors import RemediatorError, Retryable
from remediator.core.plugins import Sight
from remediator.core.times import HOUR, MINUTE, SECOND, Instant
from remediator.diagnoses import DIAGNOSES
from tests.core.looking import CRASHING, NOW, READY, WEB, Cluster


async def look(
    name: str, cluster: Cluster | None, *, opened: int | None = None, **params: object
) -> list[str]:
    """What a diagnosis finds, within the bound of every diagnosis."""
    plugin = DIAGNOSES[name]
    opened_at = None if opened is None else Instant(opened)
    sight = Sight(cluster=cluster, target=WEB, firing=1, at=NOW, opened_at=opened_at)
    found = await plugin.look(plugin.params.model_validate(params), sight)
    assert len(found) <= 20
    assert all(len(line) < 500 and line.isprintable() for line in found)
    return list(found)


OF_TARGET = [name for name, plugin in DIAGNOSES.items() if any(not each.below for each in plugin.permissions)]
"""Diagnoses of the target, not of what is below it."""


@pytest.mark.parametrize("name", OF_TARGET)
async def test_without_a_cluster_a_diagnosis_says_so(name: str) -> None:
    """It never guesses."""
    needed: dict[str, Any] = {"command": ["a"]} if name == "exec" else {}
    [line] = await look(name, None, **needed)
    assert line == f"{name}: nothing to look at: no cluster, or no workload in the catalog"


# --- pods ---------------------------------------------------------------------------------------------


async def test_pods_tell_the_unready_first_and_who_was_killed_before() -> None:
    """A pod that is well now, and was not an hour ago, is told too."""
    killed = replace(READY, name="web-c", restarts=2, last_end="OOMKilled (exit 137)")
    assert await look("pods", Cluster(found=(READY, killed, CRASHING))) == [
        "3 pods, 1 not ready",
        "web-b: CrashLoopBackOff (OOMKilled), 4 restarts, last ended OOMKilled (exit 137), on node1",
        "web-c: ready, 2 restarts, last ended OOMKilled (exit 137), on node1",
    ]


async def test_of_many_pods_ten_are_told() -> None:
    """And how many more there are."""
    many = tuple(replace(CRASHING, name=f"web-{n:02}") for n in range(30))
    lines = await look("pods", Cluster(found=many))
    assert len(lines) == 12
    assert lines[-1] == "and 20 more"


# --- events -------------------------------------------------------------------------------------------


def event(
    reason: str, message: str, *, about: str = "pod/web-b", ago: int = MINUTE, count: int = 1
) -> ClusterEvent:
    """A warning."""
    at = Instant(NOW - ago)
    return ClusterEvent(at=at, warning=True, reason=reason, about=about, message=message, count=count)


async def test_events_tell_warnings_first_and_the_same_thing_once() -> None:
    """What several pods' events say is one line: how often in all, how long ago, one as an example."""
    uid = "0a3b864b-a275-4b5c-9750-428cb1537269"
    message = "Back-off restarting failed container web in pod {}_shop({})"
    told = (
        replace(event("Scheduled", "assigned", ago=10 * SECOND), warning=False),
        event("BackOff", message.format("web-b", uid), count=8),
        event(
            "BackOff",
            message.format("web-a", uid[::-1].replace("-", "")[:8] + uid[8:]),
            about="pod/web-a",
            ago=HOUR,
        ),
        event("FailedCreate", "exceeded quota", about="replicaset/web-1", ago=90 * SECOND),
    )
    backing_off = "Back-off restarting failed container web in pod web-b_shop"
    assert await look("events", Cluster(told=told)) == [
        f"Warning BackOff, 2 pods, 9 times, last 1m ago: {backing_off}",
        "Warning FailedCreate, replicaset/web-1, once 1m30s ago: exceeded quota",
        "Scheduled, pod/web-b, once 10s ago: assigned",
    ]


async def test_events_are_asked_of_the_worst_pods() -> None:
    """Five of them; what is wrong with one is wrong with its siblings."""
    many = tuple(replace(READY, name=f"web-{n:02}") for n in range(30))
    cluster = Cluster(found=(*many, CRASHING))
    [line] = await look("events", cluster)
    assert line.startswith("no events about deployment/web")
    assert cluster.asked == ["web-b", "web-00", "web-01", "web-02", "web-03"]


async def test_many_events_are_bounded_and_without_secrets() -> None:
    """What a mount or a probe quotes may hold a password."""
    told = tuple(event(f"Reason{n}", f"GET http://u:hunter2@web/{n}\x1b[31m failed") for n in range(50))
    lines = await look("events", Cluster(told=told))
    assert lines[-1] == "and 31 more"
    assert not any("hunter2" in line for line in lines)


# --- logs ---------------------------------------------------------------------------------------------


async def test_logs_tell_what_matches_of_the_run_that_crashed() -> None:
    """Newest last; equal lines once; of the pod in trouble alone."""
    written = ["start", "error: no route", "ok", "error: no route", "Exception in thread main"]
    cluster = Cluster(written={"web-b/web/previous": written})
    assert await look("logs", cluster, match="error|Exception") == [
        "web-b/web, the run before: 3 of 5 lines match",
        "  error: no route (2 times)",
        "  Exception in thread main",
    ]
    assert cluster.asked == ["web-b/web/previous:100"]


async def test_the_other_run_is_looked_into_where_one_tells_nothing() -> None:
    """In a crash loop this one after the one before, after any other restart the other way round."""
    cluster = Cluster(written={"web-b/web": ["fine", "boom"], "web-b/web/previous": ["fine"]})
    assert await look("logs", cluster, match="boom") == ["web-b/web: 1 of 2 lines match", "  boom"]
    restarted = replace(CRASHING, state="ContainersNotReady")
    written = {"web-b/web": ["fine"], "web-b/web/previous": ["boom"]}
    cluster = Cluster(found=(restarted,), written=written)
    assert (await look("logs", cluster, match="boom"))[0] == "web-b/web, the run before: 1 of 1 lines match"
    assert cluster.asked == ["web-b/web:100", "web-b/web/previous:100"]
    assert await look("logs", Cluster(found=(restarted,), written=written), match="none") == [
        "web-b/web: 0 of 1 lines match"
    ]


async def test_logs_of_a_first_run_are_read_where_there_is_none_before() -> None:
    """``auto`` looks for the run before, and takes this one instead."""
    cluster = Cluster(written={"web-b/web": ["boom"]})
    assert await look("logs", cluster, tail=7) == ["web-b/web: 1 lines", "  boom"]
    assert cluster.asked == ["web-b/web/previous:7", "web-b/web:7"]


@pytest.mark.parametrize(("previous", "asked"), [(True, "web-b/web/previous:100"), (False, "web-b/web:100")])
async def test_which_run_can_be_said(previous: bool, asked: str) -> None:
    """And then no other is read; that there is none is told."""
    cluster = Cluster()
    [line] = await look("logs", cluster, previous=previous)
    assert "has no log" in line
    assert cluster.asked == [asked]


async def test_logs_name_the_container_in_trouble() -> None:
    """An init container too, unless another is asked for."""
    pod = replace(CRASHING, state="Init:CrashLoopBackOff", suspect="init", containers=("web", "side"))
    cluster = Cluster(found=(pod,), written={"web-b/init/previous": ["no database"], "web-b/side": ["fine"]})
    assert "  no database" in await look("logs", cluster)
    assert "  fine" in await look("logs", cluster, container="side", previous=False)


async def test_one_pod_that_cannot_be_read_does_not_hide_the_others() -> None:
    """Its node is dead; that is told in its place."""
    dead = replace(CRASHING, name="web-dead", restarts=9, state="NodeLost")
    written: dict[str, Sequence[str] | RemediatorError] = {
        "web-dead/web/previous": Retryable("could not read the log: connection refused"),
        "web-b/web/previous": ["boom"],
    }
    lines = await look("logs", Cluster(found=(READY, CRASHING, dead), written=written))
    assert lines == [
        "web-dead/web, the run before: could not read the log: connection refused",
        "web-b/web, the run before: 1 lines",
        "  boom",
    ]


async def test_logs_of_healthy_pods_are_those_of_one() -> None:
    """An alert about what all pods do needs no more."""
    cluster = Cluster(found=(READY, replace(READY, name="web-z")), written={"web-a/web": ["slow"]})
    assert await look("logs", cluster) == ["web-a/web: 1 lines", "  slow"]
    assert await look("logs", Cluster(found=())) == ["logs: it has no pods"]


async def test_logs_are_bounded_plain_and_without_secrets() -> None:
    """Three pods of many, few lines of each, no key and no password, whatever was written."""
    key = ["-----BEGIN PRIVATE KEY-----", "MIIEvQIBADANBgkqhkiG9w0B", "-----END PRIVATE KEY-----"]
    written = [f"{n} password=hunter2 {'x' * 5000}\x1b[2J" for n in range(400)] + key + ["a\u202eb\rc"]
    many = tuple(replace(CRASHING, name=f"web-{n}") for n in range(9))
    cluster = Cluster(found=many, written={f"web-{n}/web/previous": written for n in range(9)})
    lines = await look("logs", cluster, tail=500)
    assert sum(not line.startswith("  ") for line in lines) == 3
    assert len(lines) == 18
    assert not any("hunter2" in line or "MIIEvQ" in line for line in lines)
    assert lines[0].endswith("404 lines, 397 not shown")


# --- rollout history ----------------------------------------------------------------------------------


def revision(number: int, ago: int, *, current: bool = False, pods: int = 0) -> Revision:
    """A revision that was made so long ago."""
    return Revision(
        number=number,
        name=f"web-{number}",
        uid=f"r{number}",
        current=current,
        images=(f"web:v{number}",),
        created_at=Instant(NOW - ago),
        pods=pods,
        ready=0,
    )


NEW, OLD = revision(5, 9 * MINUTE, current=True, pods=1), revision(4, 49 * HOUR)


@pytest.mark.parametrize(
    ("opened", "history", "told"),
    [
        (
            5 * MINUTE,
            (NEW, OLD),
            "revision 5 was rolled out 4m before the incident opened: it may be the cause",
        ),
        (15 * MINUTE, (NEW, OLD), "revision 5 was rolled out 6m after the incident opened"),
        (
            1 * MINUTE,
            (replace(NEW, created_at=Instant(NOW - 48 * HOUR)), OLD),
            "no rollout in the 30m before the incident opened",
        ),
        (
            1 * MINUTE,
            (replace(NEW, created_at=Instant(NOW - 60 * HOUR)), OLD),
            "revision 5 is older than 4: somebody rolled back to it",
        ),
    ],
)
async def test_the_history_says_whether_a_rollout_may_be_the_cause(
    opened: int, history: tuple[Revision, ...], told: str
) -> None:
    """By when the revision that runs now was made."""
    assert (await look("rollout_history", Cluster(history=history), opened=NOW - opened))[0] == told


async def test_the_history_tells_images_age_and_what_runs() -> None:
    """Newest first; without the incident's time there is no verdict. A cause may quote a password."""
    caused = replace(OLD, cause="kubectl set env DB_PASSWORD=hunter2")
    assert await look("rollout_history", Cluster(history=(NEW, caused))) == [
        "revision 5 (now), made 9m ago, 0 of 1 pods ready: web:v5",
        "revision 4, made 2d1h ago: web:v4 (kubectl set env DB_PASSWORD=[redacted])",
    ]


async def test_a_long_history_is_bounded() -> None:
    """And says how much is left out; a first revision alone accuses nobody."""
    history = (NEW, *(revision(n, n * HOUR) for n in range(1, 30)))
    lines = await look("rollout_history", Cluster(history=history), opened=NOW)
    assert len(lines) == 8
    assert lines[-1] == "and 24 more"
    assert len(await look("rollout_history", Cluster(history=(NEW,)), opened=NOW)) == 1
    assert "no revisions" in (await look("rollout_history", Cluster()))[0]
