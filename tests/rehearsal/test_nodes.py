"""Rehearsals of rules whose alerts name a node."""

from __future__ import annotations

import pytest

from remediator.core.policies import Policy
from tests.rehearsal.scenes import one, policy, read, told

RULES = """  - name: anything-down
"""
NODE_RULES = """  - name: node-sick
    match: [alertname="NodeSick"]
    severity: SEV-2
    target: {node: '{{ labels.node }}'}
    mode: auto
    runbooks: [for-nodes]
"""
BOOKS = "  take-pod:\n"
NODE_BOOK = """  for-nodes:
    steps: [STEPS]
    verify: [{VERIFY}]
UNDO"""
FIRES = "- {at: 0s, fire: {alertname: NodeSick, node: worker-1}}"


def known(steps: str = "{cordon: {}}", *, verify: str = "ready: {}", undo: bool = False) -> Policy:
    """The policy of the scenes, with a rule for nodes and its runbook."""
    book = NODE_BOOK.replace("STEPS", steps).replace("VERIFY", verify)
    book = book.replace("UNDO", "    undo: on_failure\n" if undo else "")
    return policy((RULES, NODE_RULES + RULES), (BOOKS, book + BOOKS))


def test_a_node_that_nothing_is_said_of_is_cordoned() -> None:
    played = one(
        FIRES,
        """
        - {at: 1s, service: unknown, changes: [cordon node/worker-1]}
        - {at: 1s, timeline: ['node worker-1 is there']}
        - {at: 1m, attempts: [{runbook: for-nodes, outcome: verified}]}
        """,
        known=known(),
    )
    assert played.passed, told(played)


def test_what_is_to_be_uncordoned_is_cordoned_by_us_unless_it_is_said_otherwise() -> None:
    played = one(FIRES, "- {at: 1s, changes: [uncordon node/worker-1]}", known=known("{uncordon: {}}"))
    assert played.passed, told(played)


@pytest.mark.parametrize(
    ("facts", "steps", "guard"),
    [
        ("last: true", "{cordon: {}}", "population"),
        ("control_plane: true", "{cordon: {}}", "target"),
        ("forbidden: true", "{cordon: {}}", "dry_run"),
        ("cordoned: somebody", "{uncordon: {}}", "plan"),
        ("ready: true", "{restart: {}}", "target"),
    ],
)
def test_what_is_said_of_a_node_keeps_it_from_being_changed(facts: str, steps: str, guard: str) -> None:
    played = one(
        FIRES,
        f"- {{at: 1s, changes: [], blocked_by: [{guard}], pages: {{oncall: 1}}}}",
        more=f"nodes: [{{node: worker-1, {facts}}}]",
        known=known(steps),
    )
    assert played.passed, told(played)


def test_a_drain_evicts_pod_by_pod_as_there_is_room() -> None:
    """Of three pods 40% leave room for one at a time: the second has its turn when the first is replaced."""
    played = one(
        FIRES,
        """
        - {at: 1m, timeline: ['drain: begun: cordon node/worker-1', 'drain: done: node/worker-1 is drained']}
        - {at: 1m, attempts: [{runbook: for-nodes, outcome: verified}]}
        - {at: 1m, changes: [CORDON, EVICT shop/web-1 FROM, EVICT shop/web-2 FROM]}
        """.replace("CORDON", "cordon node/worker-1")
        .replace("EVICT", "evict pod")
        .replace("FROM", "from node/worker-1"),
        more="nodes: {node: worker-1, pods: [shop/web-1, shop/web-2]}",
        known=known("{drain: {}}"),
    )
    assert played.passed, told(played)


@pytest.mark.parametrize(
    ("pods", "more", "guard"),
    [
        ("bank/web-1", "cluster: {workload: deployment/web, namespace: bank}", "target"),
        ("shop/stranger-1", "", "plan"),
        ("shop/web-1", "cluster: {workload: deployment/web, replicas: 1, ready: 1}", "population"),
        ("shop/web-1", "cluster: {workload: deployment/web, ignored: true}", "target"),
    ],
)
def test_a_drain_that_would_take_what_it_must_not_does_not_begin(pods: str, more: str, guard: str) -> None:
    """Another namespace, a pod that nobody makes anew, a workload that can spare none, or opted out."""
    played = one(
        FIRES,
        f"- {{at: 1m, changes: [], blocked_by: [{guard}], pages: {{oncall: 1}}}}",
        more=f"nodes: {{node: worker-1, pods: [{pods}]}}\n{more}",
        known=known("{drain: {}}"),
    )
    assert played.passed, told(played)


def test_a_drain_that_is_held_up_for_too_long_has_failed() -> None:
    """A workload that is down already can spare nobody; people hear why."""
    played = one(
        FIRES,
        """
        - {at: 4m, changes: [cordon node/worker-1], attempts: [{runbook: for-nodes, outcome: running}]}
        - {at: 11m, attempts: [{runbook: for-nodes, outcome: failed}], pages: {oncall: 1}}
        """,
        more="""nodes: {node: worker-1, pods: [shop/web-1]}
        cluster: {workload: deployment/web, replicas: 3, ready: 1}""",
        known=known("{drain: {}}"),
    )
    assert played.passed, told(played)


def test_a_node_that_is_missing_or_has_opted_out_leads_nowhere() -> None:
    for facts, reason in (("missing: true", "does not exist"), ("ignored: true", "opted out")):
        played = one(
            FIRES,
            f"- {{at: 1s, changes: [], pages: {{oncall: 1}}, timeline: ['{reason}']}}",
            more=f"nodes: {{node: worker-1, {facts}}}",
            known=known(),
        )
        assert played.passed, told(played)


def test_three_silent_nodes_are_taken_for_trouble_of_the_observer() -> None:
    nodes = ", ".join(f"{{node: worker-{number}, ready: false}}" for number in (1, 2, 3))
    played = one(
        FIRES, "- {at: 1s, changes: [], blocked_by: [observer]}", more=f"nodes: [{nodes}]", known=known()
    )
    assert played.passed, told(played)


def test_a_cordon_that_did_not_help_is_undone() -> None:
    played = one(
        FIRES,
        "- {at: 20m, changes: [cordon node/worker-1, uncordon node/worker-1]}",
        more="nodes: {node: worker-1, ready: false}",
        known=known(undo=True),
    )
    assert played.passed, told(played)


def test_a_node_can_change_in_the_middle_of_a_test() -> None:
    played = one(
        f"{FIRES}\n- {{at: 1m, nodes: {{node: worker-1, ready: true}}}}",
        "- {at: 2m, attempts: [{runbook: for-nodes, outcome: verified}]}",
        more="nodes: {node: worker-1, ready: false}",
        known=known(),
    )
    assert played.passed, told(played)


def test_the_name_of_a_node_must_be_one() -> None:
    found = read(
        "tests: [{name: t, nodes: [{node: Worker_1}], expect: [{at: 1s, incidents: 0}]}]\n", known()
    ).findings
    assert ["a node: lower-case letters" in str(each) for each in found] == [True]
