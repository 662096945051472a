"""What each action of the registry needs to be killed around its call: ``SCENES``.

What breaks, by which call the step takes effect, and how the world itself counts that.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from remediator.adapters.kubernetes import Limits
from remediator.adapters.sender import Sender
from remediator.core.errors import Refused
from remediator.core.policies import SecretRef, Step
from remediator.testing.apiserver import Command, Fault, FaultKind, Output
from tests.core.test_decide import opened
from tests.fault.step_stage import EFFECTS, PLACES, STEPS, StepStage, staged
from tests.rude_server import rude_server, say

WORDS = ("/app/breakers", "reset")


@dataclass(kw_only=True)
class Struck:
    """One action's world. ``count``: how often the step took effect, as the world itself counts it.

    ``faults``: makes the next request by which it takes effect fail so. ``lost``: the answers that are still
    to be lost by others than the API server.
    """

    stage: StepStage
    count: Callable[[], int]
    faults: Callable[[Fault], None]
    lost: list[Fault] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    """What a service was sent, as it arrived."""


Opening = Callable[[Path, Step, Limits], AbstractAsyncContextManager[Struck]]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What one action needs to be killed around its call.

    ``call``: of its port, by which it takes effect; ``request``: method and path of that on the API server.
    ``times``: how often it takes effect when all goes well. ``mends``: whether the service is well after it.
    """

    step: Step
    call: str
    request: tuple[str, str] = ("", "")
    times: int = 1
    mends: bool = False
    opening: Opening


@asynccontextmanager
async def _on_cluster(directory: Path, step: Step, limits: Limits) -> AsyncIterator[Struck]:
    async with staged(directory, step, limits=limits) as stage:
        yield Struck(stage=stage, count=lambda: stage.effects, faults=stage.server.faults.add)


@asynccontextmanager
async def _in_pods(directory: Path, step: Step, limits: Limits) -> AsyncIterator[Struck]:
    """The program is there and is counted; its answer can be lost."""
    lost: list[Fault] = []

    def fails(fault: Fault) -> None:
        if fault.kind is FaultKind.DROP_AFTER_EFFECT:  # the server's own would come after the program's end
            lost.append(fault)
        else:
            stage.server.faults.add(fault)

    def ends(command: Command) -> Output:
        if lost:
            raise ConnectionResetError(str(lost.pop().kind))
        return Output(stdout="reset\n")

    async with staged(directory, step, limits=limits) as stage:
        stage.server.set_command("shop", "web", WORDS, ends)
        calls = stage.server.commands.calls
        yield Struck(stage=stage, count=lambda: len(calls), faults=fails, lost=lost)


@asynccontextmanager
async def _at_service(directory: Path, step: Step, limits: Limits) -> AsyncIterator[Struck]:
    """The service counts; where it is to fail, it reads the request and closes the connection."""
    lost: list[Fault] = []

    async def answer(writer: asyncio.StreamWriter) -> None:
        if lost:
            lost.pop()
        else:
            await say("200 OK", b"closed")(writer)

    def no_secret(ref: SecretRef) -> str:
        raise Refused(f"{ref} is not set")

    async with (
        rude_server(answer) as service,
        Sender.opened(no_secret) as sender,
        staged(directory, step, limits=limits) as stage,
    ):
        of = stage.life.policy
        entry = replace(of.services["web"], health=f"http://{service.host}/health")
        stage.life, stage.sender = opened(replace(of, services={"web": entry})), sender
        yield Struck(
            stage=stage, count=lambda: len(service.heads), faults=lost.append, lost=lost, heads=service.heads
        )


REQUESTS = {"delete_pod": ("DELETE", "/pods/"), "evict_pod": ("POST", "/eviction")}
SCENES: dict[str, Scene] = {
    **{
        name: Scene(
            step=step,
            call="apply",
            request=REQUESTS.get(name, ("PATCH", PLACES.get(name, "/deployments/web"))),
            times=EFFECTS[name],
            opening=_on_cluster,
        )
        for name, step in STEPS.items()
    },
    "exec": Scene(
        step=Step(action="exec", params={"command": list(WORDS)}),
        call="run",
        request=("GET", "/exec"),
        mends=True,
        opening=_in_pods,
    ),
    "http": Scene(
        step=Step(action="http", params={"path": "/breakers/reset", "timeout": "5s"}),
        call="send",
        mends=True,
        opening=_at_service,
    ),
}
