"""Who makes which change: the one place where that is said.

A change of objects of the cluster is made by its executor, which fences it. What must be made ready before it
can be fenced, such as a job, and what nothing can fence, such as a program, have performers of their own; an
action of the latter is ``once``, unless what it did can be found again by a name, as a silence can. A new
kind of change is a member of ``core.changes.Change``, a performer here, and a case in ``Performers.of``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from remediator.core.changes import (
    Change,
    ClusterChange,
    CreateSilence,
    EndSilence,
    Fence,
    RunJob,
    RunProgram,
    SendRequest,
)
from remediator.core.cluster import EFFECT_ANNOTATION, Executor
from remediator.core.disruption import pod_changes
from remediator.core.errors import Failed, Refused
from remediator.core.objects import Anchor
from remediator.core.probing import catalog_hosts, expected
from remediator.core.programs import ProgramRunner
from remediator.core.redact import redact
from remediator.core.requests import HttpSender
from remediator.core.silencing import NO_ALERTMANAGER, Silencer
from remediator.core.text import plain
from remediator.workers.means import Means

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Claimed:
    """Older owners are kept off what is to be changed.

    ``made``: what is there shows that this very change has been made. ``on``: what was made ready for it, and
    is known only now: that this very object is about to be changed is journalled before it is.
    """

    made: bool = False
    on: Anchor | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """A change was made. ``said``: how it went, where there is more to say; ``output``: lines it wrote."""

    said: str = ""
    output: tuple[str, ...] = ()


class FailedWith(Failed):
    """It was done and failed, and wrote these lines."""

    def __init__(self, message: str, output: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.output = output


class Performer(Protocol):
    """One change, and who makes it. All of it raises NotFound, Refused, Fenced and Retryable."""

    async def dry_run(self) -> None:
        """Find out, as far as that is possible without making it, whether it would be taken from us."""

    async def claim(self, fence: Fence) -> Claimed:
        """Keep older owners off what it changes."""

    async def apply(self, fence: Fence) -> Made:
        """Make it, once. Raises Failed too (it was made, to no good end) and Unknown (it may have been)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _OnCluster:
    """Objects of the cluster: fenced by an epoch on the object, or taken away by their identity."""

    change: ClusterChange
    executor: Executor

    async def dry_run(self) -> None:
        await self.executor.dry_run(self.change)

    async def claim(self, fence: Fence) -> Claimed:
        claimed = await self.executor.claim(self.change.fenced_on, self.change.uid, fence)
        marked = claimed.annotations.get(EFFECT_ANNOTATION) == fence.effect
        return Claimed(made=marked and not pod_changes([self.change]))

    async def apply(self, fence: Fence) -> Made:
        await self.executor.apply(self.change, fence)
        return Made()


@dataclass(kw_only=True, slots=True)
class _ByWaking:
    """A job: it is made asleep, as often as that may be, and the very one that was made is woken."""

    change: RunJob
    executor: Executor

    async def dry_run(self) -> None:
        await self.executor.dry_run(self.change)

    async def claim(self, fence: Fence) -> Claimed:
        job = await self.executor.prepare(self.change, fence)
        self.change = replace(self.change, job_uid=job.uid)
        return Claimed(made=True) if job.begun else Claimed(on=Anchor(ref=job.ref, uid=job.uid))

    async def apply(self, fence: Fence) -> Made:
        await self.executor.apply(self.change, fence)
        return Made()


@dataclass(frozen=True, kw_only=True, slots=True)
class _ByRunning:
    """A program: nothing fences it, and nothing shows that it ran."""

    change: RunProgram
    runner: ProgramRunner

    async def dry_run(self) -> None:
        """The permissions are all that can be asked for."""
        await self.runner.permit(self.change.program)

    async def claim(self, fence: Fence) -> Claimed:
        return Claimed()

    async def apply(self, fence: Fence) -> Made:
        ended = await self.runner.run(self.change.program)
        if ended.exit_code:
            raise FailedWith(f"{self.change}: {ended}", ended.lines())
        return Made(said=str(ended), output=ended.lines())


@dataclass(frozen=True, kw_only=True, slots=True)
class _BySending:
    """A request to a service: it can tell that it knows the step, by its key; we cannot."""

    change: SendRequest
    sender: HttpSender
    hosts: frozenset[str]

    async def dry_run(self) -> None:
        """Whether the newest catalog has its host, and its token can be read."""
        await self.sender.permit(self.change.request, hosts=self.hosts)

    async def claim(self, fence: Fence) -> Claimed:
        return Claimed()

    async def apply(self, fence: Fence) -> Made:
        reply = await self.sender.send(self.change.request, hosts=self.hosts, key=fence.effect)
        said = f"answered {reply.status}, idempotency key {fence.effect}"
        output = tuple(filter(None, [plain(redact(reply.text), 300)]))
        if not expected(reply.status, self.change.expect):
            wanted = " or ".join(self.change.expect)
            raise FailedWith(f"{self.change}: {said}, wanted {wanted}", output)
        return Made(said=said, output=output)


@dataclass(frozen=True, kw_only=True, slots=True)
class _BySilencing:
    """A silence: nothing fences it, and its comment shows that it was created."""

    change: CreateSilence
    silencer: Silencer

    async def dry_run(self) -> None:
        await self.silencer.permit()

    async def claim(self, fence: Fence) -> Claimed:
        return Claimed(made=await self.silencer.stands(self.change.silence))

    async def apply(self, fence: Fence) -> Made:
        await self.silencer.create(self.change.silence)
        return Made()


@dataclass(frozen=True, kw_only=True, slots=True)
class _ByEnding:
    """The end of a silence: doing it again changes nothing."""

    change: EndSilence
    silencer: Silencer

    async def dry_run(self) -> None:
        await self.silencer.permit()

    async def claim(self, fence: Fence) -> Claimed:
        return Claimed(made=await self.silencer.is_over(self.change.silence))

    async def apply(self, fence: Fence) -> Made:
        await self.silencer.end(self.change.silence)
        return Made()


class Performers:
    """Knows who makes a change."""

    def __init__(self, means: Means) -> None:
        self._means = means

    def of(self, change: Change) -> Performer:
        """Who makes it. Raises Refused where nobody can."""
        match change:
            case RunJob():
                return _ByWaking(change=change, executor=_there(self._means.executor))
            case RunProgram():
                return _ByRunning(change=change, runner=_there(self._means.programs))
            case SendRequest():
                hosts = catalog_hosts(self._means.policy().services.values())
                return _BySending(change=change, sender=_there(self._means.sender, "sender"), hosts=hosts)
            case CreateSilence():
                return _BySilencing(change=change, silencer=self._silencer)
            case EndSilence():
                return _ByEnding(change=change, silencer=self._silencer)
            case _:
                return _OnCluster(change=change, executor=_there(self._means.executor))

    @property
    def _silencer(self) -> Silencer:
        if self._means.silencer is None:
            raise Refused(NO_ALERTMANAGER)
        return self._means.silencer


def _there(port: T | None, what: str = "cluster") -> T:
    if port is None:
        raise Refused(f"no {what} is configured")
    return port
