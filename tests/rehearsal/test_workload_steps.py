"""Steps on images, resources, isolation and autoscalers in a rehearsal: what is found, done and told."""

from __future__ import annotations

import pytest

from remediator.core.classify import Classifier
from remediator.rehearsal.mutating import try_mutants
from remediator.rehearsal.places import Places
from remediator.rehearsal.running import run_cases
from tests.rehearsal.scenes import POLICY, cases, one, policy, read, told

DOWN = "- {at: 0s, fire: {alertname: WebDown}}\n- {at: 10s, resolve: {alertname: WebDown}}"
IMAGE = "set_image: {container: web, image: 'shop/web:1.4.2'}"


def played(steps: str, expect: str, more: str = "") -> str:
    """What an attempt with these steps does not fulfil; the alert is over as soon as they are done."""
    return told(one(DOWN, expect, more=more, known=policy(("restart: {}", steps))))


DONE = [
    (
        IMAGE,
        ["set the image of web in deployment/web from registry.invalid/what/ran:before to shop/web:1.4.2"],
    ),
    (
        "set_image: {image: 'shop/web:2'}",
        ["set the image of main in deployment/web from registry.invalid/what/ran:before to shop/web:2"],
    ),
    (
        "set_resources: {limits: {memory: 2Gi}}",
        ["set the resources of main in deployment/web: limits.memory: none -> 2Gi"],
    ),
    ("isolate: {for: 30m}", ["isolate deployment/web: scale it from 3 to 0, for 30m at most"]),
    ("restore: {}", ["restore deployment/web: scale it from 0 to 3"]),
    (
        "isolate: {for: 30m}}, {restore: {}",
        [
            "isolate deployment/web: scale it from 3 to 0, for 30m at most",
            "restore deployment/web: scale it from 0 to 3",
        ],
    ),
    ("hpa: {min: 4}", ["set the bounds of hpa/web of deployment/web from 3 to 10 pods to 4 to 10"]),
    ("hpa: {min: 1}", ["set the bounds of hpa/web of deployment/web from 2 to 10 pods to 1 to 10"]),
    ("hpa: {max: 9}", ["set the bounds of hpa/web of deployment/web from 1 to 8 pods to 1 to 9"]),
    ("hpa: {max: 1}", ["set the bounds of hpa/web of deployment/web from 1 to 2 pods to 1 to 1"]),
    ("hpa: {min: 6, max: 9}", ["set the bounds of hpa/web of deployment/web from 6 to 8 pods to 6 to 9"]),
]


@pytest.mark.parametrize(("steps", "changes"), DONE, ids=[steps for steps, _ in DONE])
def test_a_step_finds_something_to_do_and_may_do_it(steps: str, changes: list[str]) -> None:
    """As the runbook expects it, whatever `max_unavailable` is; and it is told as in the daemon."""
    expect = f"- {{at: 5m, attempts: [{{runbook: restart-web, outcome: verified}}], changes: {changes!r}}}"
    assert played(steps, expect) == ""


FACTS = [
    (IMAGE, "images: {web: 'shop/web:1'}", "from shop/web:1 to shop/web:1.4.2"),
    ("hpa: {max: 9}", "autoscaler: {min: 2, max: 5}", "from 2 to 5 pods to 2 to 9"),
    ("restore: {}", "isolated: 7", "scale it from 0 to 7"),
    ("restore: {}", "isolated: 7, replicas: 2", "asks for 2 already"),
]


@pytest.mark.parametrize(("steps", "facts", "says"), FACTS)
def test_facts_of_the_cluster_are_what_steps_find(steps: str, facts: str, says: str) -> None:
    """The world of a test says what runs, what scales it and what was isolated."""
    more = f"cluster: {{workload: deployment/web, ready: 0, {facts}}}"
    assert played(steps, f"- {{at: 5m, timeline: '{says}'}}", more) == ""


@pytest.mark.parametrize(
    ("steps", "facts", "guard"),
    [
        ("isolate: {for: 30m}", "replicas: 4, ready: 4", "population"),
        ("isolate: {for: 30m}", "replicas: 4, ready: 1, budget: 0", "population"),
        ("hpa: {max: 2}", "replicas: 4, ready: 4, autoscaler: {min: 1, max: 9}", "population"),
        (IMAGE, "forbidden: true", "dry_run"),
        ("hpa: {min: 4}", "forbidden: true", "dry_run"),
        ("scale: {to: 5}", "autoscaler: {max: 9}", "plan"),
        (IMAGE, "images: {a: 'shop/a:1', b: 'shop/b:1'}", "plan"),
        ("set_image: {image: 'a:2'}", "images: {a: 'shop/a:1', b: 'shop/b:1'}", "plan"),
        ("restore: {}", "replicas: 0", "plan"),
    ],
)
def test_facts_that_forbid_a_step(steps: str, facts: str, guard: str) -> None:
    """Each by the guard that is for it; an action that makes no sense says so itself."""
    more = f"cluster: {{workload: deployment/web, {facts}}}"
    assert played(steps, f"- {{at: 1m, blocked_by: {guard}}}", more) == ""


@pytest.mark.parametrize("result", ["failed", "unknown"])
@pytest.mark.parametrize("steps", [steps for steps, changes in DONE if len(changes) == 1])
def test_a_step_goes_as_it_is_said_to(steps: str, result: str) -> None:
    """Also where it is not the workload that carries the mark."""
    action = steps.partition(":")[0]
    more = f"outcomes: {{step: {action}, result: {result}}}"
    next_one = {"failed": ", {runbook: take-pod}", "unknown": ""}[result]
    taken = [f"delete pod web-5d9c7-{number} of deployment/web" for number in (0, 1)]
    changes = taken if result == "failed" else []
    attempts = f"[{{runbook: restart-web, outcome: {result}}}{next_one}]"
    assert played(steps, f"- {{at: 1s, attempts: {attempts}, changes: {changes}}}", more) == ""


def test_an_autoscaler_that_cannot_be_is_refused() -> None:
    text = """
    tests:
      - name: bounds
        cluster: {workload: deployment/web, autoscaler: {min: 5, max: 2}}
        alerts: [{at: 0s, fire: {alertname: WebDown}}]
        expect: [{at: 1s, severity: SEV-2}]
    """
    [finding] = read(text).findings
    assert "min 5 is more than max 2; swap them" in str(finding)


def test_a_threshold_of_a_step_is_broken_by_a_mutant_and_noticed_by_its_words() -> None:
    """How long it stays isolated, and the bounds of an autoscaler."""
    steps = "isolate: {for: 30m}}, {restore: {}}, {hpa: {min: 4, max: 9}"
    rules = policy(("restart: {}", steps))
    text = POLICY.replace("restart: {}", steps)
    test = """
    tests:
      - name: it is restarted
        alerts: [{at: 0s, fire: {alertname: WebDown}}]
        expect: [{at: 1s, changes: CHANGES}]
    """
    changes = [
        "isolate deployment/web: scale it from 3 to 0, for 30m at most",
        "restore deployment/web: scale it from 0 to 3",
        "set the bounds of hpa/web of deployment/web from 4 to 8 pods to 4 to 9",
    ]
    strict = run_cases(cases(test.replace("CHANGES", repr(changes)), rules), Classifier(rules))
    assert not strict.failed
    found = try_mutants(rules, Places.read({"policies.yaml": text}), strict)
    left = {each.change for each in found.survivors if each.subject == "runbook restart-web"}
    assert not {change for change in left if change.startswith(("isolate", "restore", "hpa"))}
