"""A plan as a diff: what becomes other on the object, and nothing else."""

from __future__ import annotations

import pytest

from remediator.core.changes import (
    Change,
    IsolateWorkload,
    RestoreWorkload,
    RunProgram,
    SendRequest,
    SetAutoscalerBounds,
    SetContainerImage,
    SetContainerResources,
)
from remediator.core.cluster import Snapshot
from remediator.core.policies import SecretRef, Step
from remediator.core.programs import Program
from remediator.core.requests import HttpRequest
from remediator.core.times import MINUTE, Instant, Millis
from remediator.policy.diffs import CONTAINERS, diff_changes, diff_step
from remediator.policy.plans import say_step
from tests.core.builders import NOW, WEB
from tests.core.test_actions import workload

LEFT = "metadata.annotations.remediator/isolated"
END = "2026-11-23T04:00:00.000Z"
RESOURCES = {"limits": {"memory": "1Gi", "cpu": "1"}}


def bounds(least: int, most: int) -> SetAutoscalerBounds:
    return SetAutoscalerBounds(
        target=WEB, uid="h", name="web-hpa", seen_least=2, seen_most=9, least=least, most=most
    )


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (
            SetContainerImage(target=WEB, uid="w", container="web", index=1, seen="a:1", image="a:2"),
            [f"{CONTAINERS}[1].image: a:1 -> a:2"],
        ),
        (
            SetContainerImage(target=WEB, uid="w", container="web", index=0, seen="", image="a:2"),
            [f"{CONTAINERS}[0].image: none -> a:2"],
        ),
        (
            SetContainerResources(
                target=WEB,
                uid="w",
                container="web",
                index=0,
                seen=RESOURCES,
                resources={"requests": {"cpu": "1"}, "limits": {"memory": "2Gi", "cpu": "1"}},
            ),
            [
                f"{CONTAINERS}[0].resources.requests.cpu: none -> 1",
                f"{CONTAINERS}[0].resources.limits.memory: 1Gi -> 2Gi",
            ],
        ),
        (
            IsolateWorkload(target=WEB, uid="w", seen=4, until=Instant(NOW + MINUTE)),
            [
                "spec.replicas: 4 -> 0",
                f"{LEFT}-replicas: + 4",
                f"{LEFT}-until: + 2026-11-23T02:14:20.000Z",
            ],
        ),
        (
            IsolateWorkload(target=WEB, uid="w", seen=4, until=NOW, memory="7"),
            [
                "spec.replicas: 4 -> 0",
                f"{LEFT}-replicas: 7 -> 4",
                f"{LEFT}-until: + 2026-11-23T02:13:20.000Z",
            ],
        ),
        (
            RestoreWorkload(target=WEB, uid="w", seen=0, replicas=4, memory="4", until=END),
            ["spec.replicas: 0 -> 4", f"{LEFT}-replicas: - 4", f"{LEFT}-until: - {END}"],
        ),
        (
            RestoreWorkload(target=WEB, uid="w", seen=2, replicas=2, memory="4"),
            [f"{LEFT}-replicas: - 4"],
        ),
        (bounds(3, 9), ["hpa/web-hpa spec.minReplicas: 2 -> 3"]),
        (bounds(3, 8), ["hpa/web-hpa spec.minReplicas: 2 -> 3", "hpa/web-hpa spec.maxReplicas: 9 -> 8"]),
    ],
)
def test_a_change_is_told_by_the_fields_that_it_changes(change: Change, lines: list[str]) -> None:
    assert list(diff_changes([change], Snapshot(workload=workload()))) == lines


PROGRAM = Program(
    of=WEB,
    pod="web-0",
    uid="u",
    container="web",
    command=("reset", "all of it", "--password", "hunter2"),
    within=Millis(MINUTE),
)
REQUEST = HttpRequest(
    method="PUT",
    url="http://web.shop:8080/x?token=hunter2",
    body='{"password": "hunter2", "a": 1}',
    token=SecretRef(env="T"),
    within=Millis(MINUTE),
)


def test_a_program_and_a_request_are_told_without_their_secrets() -> None:
    """As the target is now, and as far as the policy says."""
    seen = Snapshot(workload=workload())
    run = RunProgram(target=WEB, uid="w", program=PROGRAM)
    send = SendRequest(target=WEB, uid="w", request=REQUEST, expect=("2xx",))
    assert diff_changes([run], seen) == ("+ run reset 'all of it' --password [redacted] in web-0/web",)
    assert diff_changes([send], seen) == (
        "+ PUT http://web.shop:8080/x?token=[redacted]",
        '+ {"password": [redacted], "a": 1}',
    )
    command = {"command": list(PROGRAM.command)}
    steps = {
        "+ run reset 'all of it' --password [redacted] in a ready pod/its first": Step(
            action="exec", params=command
        ),
        "+ POST (the health URL)": Step(action="http"),
        "+ PUT /x": Step(action="http", params={"method": "PUT", "path": "/x"}),
    }
    for line, step in steps.items():
        assert diff_step(step) == (line,)
    for step in (*steps.values(), Step(action="http", params={"body": REQUEST.body})):
        assert "hunter2" not in say_step(step, None)
