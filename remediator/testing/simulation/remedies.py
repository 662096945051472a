"""Every runbook that a scenario can draw: each action in one at least, checks and diagnoses of all kinds."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from random import Random

from remediator.core.policies import ApprovalTerms, AttemptLimits, Check, Diagnosis, Runbook, Step
from remediator.core.times import MINUTE, SECOND, Millis
from remediator.testing.simulation.jobs import SOURCE
from remediator.testing.simulation.machines import IMAGE, MAIN

APPROVE_WITHIN = Millis(50 * SECOND)
"""Shorter than some people think."""
BROKEN = 'broken{service="{{ service.name }}"}'
HOURS = "hours"
"""The time interval of runbooks that are not for any time."""

READY = Check(check="ready", stable=Millis(2 * SECOND), within=Millis(30 * SECOND))
STEPS: dict[str, tuple[Step, ...]] = {
    "restart-it": (Step(action="restart"),),
    "restart-what-is-broken": (
        Step(action="restart", when=Check(check="promql", params={"query": BROKEN, "above": 0.5})),
    ),
    "delete-pods": (
        Step(action="delete_pod", params={"which": "not_ready", "at_most": 2}),
        Step(action="wait", params={"for": "ready"}, wait=READY),
    ),
    "evict-pods": (
        Step(action="evict_pod", params={"which": "not_ready", "at_most": 2}),
        Step(action="wait", params={"for": "ready"}, wait=READY),
    ),
    "evict-the-oldest": (Step(action="evict_pod", params={"which": "oldest"}),),
    "delete-the-hungriest": (Step(action="delete_pod", params={"which": "most_memory"}),),
    "scale-up": (Step(action="scale", params={"to": 3, "only": "up"}),),
    "scale-down-and-up": (Step(action="scale", params={"to": 1}), Step(action="scale", params={"to": 2})),
    "roll-back": (Step(action="rollback"),),
    "roll-back-or-restart": (
        Step(action="rollback", when=Check(check="recent_rollout", params={"before": "5m"})),
        Step(action="restart", when=Check(check="recent_rollout", params={"expect": "none"})),
    ),
    "silence-and-restart": (Step(action="silence", params={"for": "3m"}), Step(action="restart")),
    "set-image": (Step(action="set_image", params={"container": MAIN, "image": f"{IMAGE}:stable"}),),
    "set-resources": (Step(action="set_resources", params={"limits": {"memory": "2Gi"}}),),
    "isolate-for-a-while": (
        Step(action="isolate", params={"for": "10m"}),
        Step(action="pause", params={"for": "5s"}, pause=Millis(5 * SECOND)),
        Step(action="restore"),
    ),
    "isolate-only": (Step(action="isolate", params={"for": "45s"}),),
    "set-bounds": (Step(action="hpa", params={"min": 3, "max": 6}),),
    "run-program": (Step(action="exec", params={"command": ["/bin/reset"], "timeout": "5s"}),),
    "ask-service": (Step(action="http", params={"path": "/reset", "timeout": "5s"}),),
    "run-job": (Step(action="job", params={"from": SOURCE, "timeout": "30s"}),),
    "ask-and-restart": (
        Step(action="http", params={"path": "/drain", "expect": ["2xx"]}),
        Step(action="pause", params={"for": "45s"}, pause=Millis(45 * SECOND)),
        Step(action="restart"),
    ),
}
"""By the name of the runbook."""
NEEDS_A_READY_POD = frozenset(("run-program", "evict-the-oldest"))
SCALED = frozenset(("set-bounds",))
"""For services that an autoscaler scales."""
FREQUENT = frozenset(("restart-it", "delete-pods"))
QUIETED = frozenset(("silence-and-restart",))
ISOLATED = frozenset(("isolate-only", "isolate-for-a-while"))
LONG = frozenset(("ask-and-restart", "isolate-for-a-while", "scale-down-and-up", "delete-pods"))
"""Of more than one step: what comes up meanwhile stops them half way."""
UNDONE = frozenset(("set-image", "set-resources", "roll-back", "scale-up"))
"""What can be taken back."""
KEPT = frozenset(("set-image", "set-resources", "roll-back", "scale-up", "isolate-for-a-while"))
"""What a GitOps controller would set back."""
ONCE = frozenset(("run-program", "ask-service", "ask-and-restart"))
"""What nothing can fence, and is never repeated."""
NOT_SCALED = frozenset(("scale-up", "scale-down-and-up"))

CHECKS = (
    Check(check="alert", within=Millis(60 * SECOND)),
    Check(check="alert", within=Millis(60 * SECOND)),
    Check(check="no_recurrence", stable=Millis(20 * SECOND), within=Millis(90 * SECOND)),
    Check(check="promql", params={"query": BROKEN, "below": 0.5}, within=Millis(60 * SECOND)),
    Check(check="dependencies", within=Millis(60 * SECOND)),
    Check(check="endpoints", within=Millis(60 * SECOND)),
    Check(check="http", within=Millis(60 * SECOND)),
    Check(check="logs", params={"match": "ERROR"}, within=Millis(60 * SECOND)),
    Check(check="exec", params={"command": ["/bin/check"]}, within=Millis(60 * SECOND)),
)
"""Beside ``rollout`` and ``ready``."""
WITHOUT_PARAMETERS = ("workload", "pods", "events", "rollout_history", "pvcs", "http", "dependencies")
DIAGNOSES = (
    *(Diagnosis(diagnosis=name) for name in WITHOUT_PARAMETERS),
    Diagnosis(diagnosis="promql", params={"query": BROKEN}),
    Diagnosis(diagnosis="logs", params={"match": "ERROR"}),
    Diagnosis(diagnosis="top", params={"by": "memory"}),
    Diagnosis(diagnosis="traces"),
    Diagnosis(diagnosis="exec", params={"command": ["/bin/status"]}),
)


def draw_runbooks(features: Collection[str], rng: Random) -> dict[str, Runbook]:
    """All of them, each with what it looks at and what proves it.

    ``window``: most are not for any time. ``undo``: what does not help is taken back. ``approval``: some ask
    for it where it is most severe. ``dependency``: some look at what they depend on, too.
    """
    during = (HOURS,) if "window" in features else ()
    asked_for = ("SEV-1",) if "approval" in features else ()
    drawn = [_draw(name, rng, during, asked_for) for name in STEPS]
    if "dependency" in features:
        drawn = [_looking_below(each) if rng.random() < 0.5 else each for each in drawn]
    return {each.name: _undoing(each) if "undo" in features else each for each in drawn}


def _looking_below(runbook: Runbook) -> Runbook:
    """It is no proof without what it depends on."""
    below = Check(check="dependencies", within=Millis(40 * SECOND))
    return replace(runbook, verify=(*runbook.verify, below))


def _undoing(runbook: Runbook) -> Runbook:
    """What does not help soon is taken back."""
    verify = tuple(replace(check, within=Millis(25 * SECOND)) for check in runbook.verify)
    return replace(runbook, undo=True, verify=verify)


def _draw(name: str, rng: Random, during: tuple[str, ...], asked_for: Sequence[str]) -> Runbook:
    steps = STEPS[name]
    looked = tuple(rng.sample(DIAGNOSES, rng.choice([0, 0, 1, 2])))
    proofs = tuple(rng.sample(CHECKS, rng.choice([0, 1, 1, 2])))
    if name in ONCE:  # which leave the pods as they are
        looked = (*looked, *DIAGNOSES[-1:]) if rng.random() < 0.5 else looked
        proofs = (*proofs, rng.choice(CHECKS[-2:]))
    asks = rng.random() < 0.5
    return Runbook(
        name=name,
        diagnose=looked,
        steps=steps,
        verify=(
            Check(check="rollout", within=Millis(60 * SECOND)),
            Check(check="ready", stable=Millis(5 * SECOND), within=Millis(60 * SECOND)),
            *proofs,
        ),
        limits=AttemptLimits(attempts=3, per=Millis(10 * MINUTE), cooldown=Millis(30 * SECOND)),
        evidence=rng.random() < 0.3,
        during=during if rng.random() < 0.8 else (),
        approval=ApprovalTerms(asked_for=tuple(asked_for) if asks else (), within=APPROVE_WITHIN),
    )


def actions_of(runbook: Runbook) -> tuple[str, ...]:
    """Of its steps, in their order."""
    return tuple(step.action for step in runbook.steps)


def weaker(runbook: Runbook, rng: Random) -> Runbook:
    """What another author made of it, under the same name."""
    verify = tuple(replace(check, within=Millis(20 * SECOND)) for check in runbook.verify[:2])
    return replace(runbook, steps=STEPS[rng.choice([*STEPS])], verify=verify)
