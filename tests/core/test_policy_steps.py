"""Steps and shares as policy files write them, and every mistake in them told at its place."""

from __future__ import annotations

import pytest

from remediator.core.policies import Check, Policy, Share, Step
from remediator.core.times import MINUTE, SECOND, Millis
from remediator.policy.load import load_policy, read_policies

POLICY = """\
severities: {SEV-2: {page: {unless_verified_within: 15m}, escalation: e}}
escalations: {e: [{level: 1, channels: [c]}]}
channels: {c: {pagerduty: {routing_key: {env: K}}}}
operator: {channels: [c]}
services: {s: {namespace: n, workload: deployment/s}}
rules: [{name: r, match: ['a="b"'], severity: SEV-2, service: s, runbooks: [fix]}]
runbooks:
  fix:
    steps:
      - STEP
    verify: [alert: {within: 10m}]
guards:
  namespaces: [n]
  max_unavailable: SHARE
"""


def text(step: str = "restart: {}", share: str = "40%") -> str:
    return POLICY.replace("STEP", step).replace("SHARE", share)


def step_of(step: str) -> Step:
    policy: Policy = load_policy({"p.yaml": text(step)})
    return policy.runbooks["fix"].steps[0]


def findings(file: str) -> list[str]:
    return [str(each) for each in read_policies({"p.yaml": file}).findings]


@pytest.mark.parametrize(
    ("written", "share", "of_seven"),
    [
        ("40%", Share(value=40, percent=True), 2),
        ("0%", Share(value=0, percent=True), 0),
        ("100%", Share(value=100, percent=True), 7),
        ("'40%'", Share(value=40, percent=True), 2),
        ("2", Share(value=2, percent=False), 2),
        ("0", Share(value=0, percent=False), 0),
        ("9", Share(value=9, percent=False), 9),
    ],
)
def test_a_share_is_a_percentage_or_a_number(written: str, share: Share, of_seven: int) -> None:
    """And says itself as it was written."""
    found = load_policy({"p.yaml": text(share=written)}).guards.max_unavailable
    assert found == share
    assert found is not None
    assert found.of(7) == of_seven
    assert str(found) == written.strip("'")


def test_without_a_share_nothing_is_bound() -> None:
    kept = "\n".join(line for line in text().splitlines() if "max_unavailable" not in line)
    assert load_policy({"p.yaml": kept}).guards.max_unavailable is None


@pytest.mark.parametrize(
    "written",
    ["101%", "-1%", "-1", "4.5", "40 %", "many", "'2'", "true", "100001", "４０%", "null1", "''"],
)
def test_what_is_no_share_is_told_at_its_place(written: str) -> None:
    [told] = findings(text(share=written))
    assert told.startswith("p.yaml:14:20: ")
    assert "40% or 2" in told


@pytest.mark.parametrize(
    ("written", "step"),
    [
        ("scale: {to: 3, only: up}", Step(action="scale", params={"to": 3, "only": "up"})),
        ("rollback:", Step(action="rollback", params={})),
        ("rollback: {revision: 4}", Step(action="rollback", params={"revision": 4})),
        ("delete_pod:", Step(action="delete_pod", params={"which": "not_ready", "at_most": 1})),
        (
            "evict_pod: {which: oldest, at_most: 2}",
            Step(action="evict_pod", params={"which": "oldest", "at_most": 2}),
        ),
    ],
)
def test_actions_are_read_with_their_parameters(written: str, step: Step) -> None:
    assert step_of(written) == step


@pytest.mark.parametrize(
    ("written", "column"),
    [
        ("scale:", 9),
        ("scale: {to: two}", 21),
        ("scale: {to: 2, only: maybe}", 30),
        ("rollback: {revision: 0}", 30),
        ("delete_pod: {which: web-1}", 29),
        ("delete_pod: {at_most: 51}", 31),
        ("evict_pod: {force: true}", 21),
    ],
)
def test_parameters_that_cannot_be_meant_are_told_at_their_place(written: str, column: int) -> None:
    [told] = findings(text(written))
    assert told.startswith(f"p.yaml:10:{column}: "), told


def ready(stable: int = 0, within: int = 5 * MINUTE) -> Check:
    return Check(check="ready", stable=Millis(stable), within=Millis(within))


@pytest.mark.parametrize(
    ("written", "check"),
    [
        ("wait: {for: ready}", ready()),
        ("wait: {for: ready, timeout: 2m}", ready(within=2 * MINUTE)),
        ("wait: {for: {ready: {}}}", ready()),
        ("wait: {for: {ready: {for: 30s}}, timeout: 1m}", ready(30 * SECOND, MINUTE)),
        ("wait: {for: rollout}", Check(check="rollout", within=Millis(5 * MINUTE))),
    ],
)
def test_a_wait_names_a_check_by_its_word_or_with_its_parameters(written: str, check: Check) -> None:
    """The time-out is how long it is waited for: five minutes unless it is said."""
    step = step_of(written)
    assert step.action == "wait"
    assert step.wait == check


@pytest.mark.parametrize(
    ("written", "column", "told"),
    [
        ("wait:", 9, "for"),
        ("wait: {timeout: 1m}", 9, "for"),
        ("wait: {for: redy}", 16, "redy"),
        ("wait: {for: {redy: {}}}", 22, "redy"),
        ("wait: {for: {ready: {}, rollout: {}}}", 16, "exactly one check"),
        ("wait: {for: [ready]}", 16, "ready"),
        ("wait: {for: ready, timeout: soon}", 37, "soon"),
        ("wait: {for: ready, timeout: 0s}", 37, "0"),
        ("wait: {for: ready, within: 1m}", 28, "within"),
        ("wait: {for: {ready: {within: 1m}}}", 9, "timeout"),
        (
            "wait: {for: {ready: {for: 5m}}}",
            15,
            "must hold for 5m but is waited for only 5m; make timeout longer",
        ),
        ("wait: {for: {ready: {for: 3m}}, timeout: 2m}", 15, "make timeout longer than for"),
    ],
)
def test_a_wait_that_cannot_be_meant_is_told_at_its_place(written: str, column: int, told: str) -> None:
    """An unknown check, a time that is none, two ends, and a stability that no time-out leaves room for."""
    found = findings(text(written))
    assert len(found) == 1, found
    assert found[0].startswith(f"p.yaml:10:{column}: "), found
    assert told in found[0]


def test_a_runbook_may_begin_and_end_with_a_wait() -> None:
    """And hold nothing else between than what it names."""
    steps = "wait: {for: ready}\n      - delete_pod:\n      - wait: {for: rollout, timeout: 1m}"
    loaded = load_policy({"p.yaml": text(steps)})
    assert [step.action for step in loaded.runbooks["fix"].steps] == ["wait", "delete_pod", "wait"]
