"""What action, check and diagnosis ``exec`` have in common: their parameters, and where programs run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import Field

from remediator.core.cluster import Pod
from remediator.core.errors import Refused
from remediator.core.plugins import Params, Permission, Sight, on_target
from remediator.core.policies import Runbook, WorkloadRef
from remediator.core.programs import Ended, Program
from remediator.core.spans import Span
from remediator.core.templated import PlainTemplate
from remediator.core.times import MINUTE, SECOND, Millis
from remediator.core.values import ObjectName

EXEC = "exec"
LONGEST_RUN = 5 * MINUTE

Argument = Annotated[PlainTemplate, Field(max_length=2_000)]
Command = Annotated[list[Argument], Field(min_length=1, max_length=64)]
"""A program and its arguments, one by one: no shell reads them."""

RUNNING = (
    on_target("get", "know which pods are its own"),
    Permission(group="", resource="pods", verbs=("list",), why="find a pod that is ready"),
    Permission(
        group="", resource="pods", verbs=("get",), acting=True, why="see that it is still the same pod"
    ),
    # A WebSocket begins with a GET, and so is `get` to older API servers; since 1.35 they ask for both.
    Permission(
        group="", resource="pods/exec", verbs=("create", "get"), acting=True, why="run the program in it"
    ),
)
"""What running a program takes: looking at a rule that may not act ends before the last two."""


class ExecParams(Params):
    """Parameters of ``exec``."""

    container: ObjectName = Field(default="", description="The container. Default: the pod's first.")
    command: Command = Field(
        description="The program and its arguments, one by one; no shell reads them. They may hold templates."
    )
    timeout: Annotated[Span, Field(le=LONGEST_RUN)] = Field(
        default=30 * SECOND,
        description="How long it may take, at most 5m; what it did is unknown after that.",
    )


def program_for(params: ExecParams, of: WorkloadRef, pods: Sequence[Pod]) -> Program:
    """The program, in the first of the ready pods by name. Raises Refused where there is none."""
    ready = sorted((pod for pod in pods if pod.ready and not pod.terminating), key=lambda pod: pod.name)
    if not ready:
        raise Refused(f"no pod of {of} is ready: there is nowhere to run a program")
    pod = ready[0]
    if params.container and params.container not in pod.containers:
        there = ", ".join(pod.containers) or "none"
        raise Refused(f"pod {pod.name} has no container {params.container}, only {there}")
    return Program(
        of=of,
        pod=pod.name,
        uid=pod.uid,
        container=params.container or next(iter(pod.containers), ""),
        command=tuple(params.command),
        within=Millis(params.timeout),
    )


async def run_for(params: ExecParams, sight: Sight) -> Ended:
    """Run it for a check or a diagnosis. Raises what the reader and the runner raise; Refused."""
    if sight.cluster is None or sight.programs is None:
        raise Refused("no cluster is configured")
    if sight.target is None:
        raise Refused("the service has no workload in the catalog")
    workload = await sight.cluster.workload(sight.target)
    program = program_for(params, sight.target, await sight.cluster.pods(workload))
    return await sight.programs.run(program)


def looks_that_run(runbook: Runbook) -> list[Mapping[str, object]]:
    """The parameters of its diagnoses and checks that run a program."""
    asked = (check for step in runbook.steps for check in (step.when, step.wait) if check is not None)
    found = [each.params for each in runbook.diagnose if each.diagnosis == EXEC]
    return found + [check.params for check in (*asked, *runbook.verify) if check.check == EXEC]
