"""Evidence before change: what is read of a target before an attempt may take pods of it away.

It never keeps an attempt from going on: a pod whose log cannot be read needs its restart all the same. What
could not be read is kept as that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from pydantic import ValidationError

from remediator.actions import ACTIONS
from remediator.actions.picking import PickParams, pick
from remediator.core.cluster import ClusterReader, Need, Pod, Snapshot, Workload
from remediator.core.errors import NotFound, RemediatorError, StoreUnavailable
from remediator.core.evidence import LINES, LOGS, PREVIOUS, Evidence, Piece, bounded, log_lines
from remediator.core.holdings import PodUsage
from remediator.core.incident import Attempt
from remediator.core.plugins import Action, DiagnosisPlugin, NoParams, Params, Sight
from remediator.core.policies import Step
from remediator.core.text import plain
from remediator.diagnoses.keeping import TOLD
from remediator.diagnoses.telling import worst_first

WITHIN = 20.0
"""Seconds for all of it."""
PODS = 5
CONTAINERS = 4
AT_ONCE = 4
"""Logs that are read at once."""


async def collect(attempt: Attempt, sight: Sight) -> Evidence | None:
    """What there is, within 20 s. None: no cluster, or no workload to look at. Raises StoreUnavailable."""
    if sight.cluster is None or sight.target is None or sight.at is None:
        return None
    ends = asyncio.get_running_loop().time() + WITHIN
    told, logs = await asyncio.gather(
        asyncio.gather(*(_told(plugin, sight, ends) for plugin in TOLD)),
        _logs(attempt, sight, sight.cluster, ends),
    )
    return Evidence(attempt=attempt.number, at=sight.at, pieces=bounded((*told, *logs)))


async def _told(plugin: DiagnosisPlugin, sight: Sight, ends: float) -> Piece:
    params = NoParams() if plugin.params is NoParams else plugin.params()

    async def look() -> Piece:
        return Piece(source=plugin.name, lines=tuple(await plugin.look(params, sight)))

    return await _within(ends, Piece(source=plugin.name), look())


async def _within(ends: float, what: Piece, reading: Awaitable[Piece]) -> Piece:
    """What was read, or why it was not."""
    try:
        async with asyncio.timeout_at(ends):
            return await reading
    except TimeoutError:
        trouble = f"no answer within {WITHIN:.0f}s"
    except StoreUnavailable:
        raise
    except RemediatorError as error:
        trouble = plain(str(error), 300)
    return Piece(source=what.source, about=what.about, trouble=trouble)


async def _logs(attempt: Attempt, sight: Sight, cluster: ClusterReader, ends: float) -> list[Piece]:
    """Of up to five pods, this run and, where a container restarted, the one before."""
    assert sight.target is not None
    try:
        async with asyncio.timeout_at(ends):
            workload = await cluster.workload(sight.target)
            pods = await cluster.pods(workload)
    except TimeoutError:
        return [Piece(source=LOGS, trouble=f"its pods were not told within {WITHIN:.0f}s")]
    except StoreUnavailable:
        raise
    except RemediatorError as error:
        return [Piece(source=LOGS, trouble=plain(str(error), 300))]
    places = asyncio.Semaphore(AT_ONCE)
    namespace = sight.target.namespace
    usage = await _usage(cluster, workload, attempt.runbook.steps, ends)
    seen = Snapshot(workload=workload, pods=pods, usage=usage)
    chosen = chosen_pods(attempt.runbook.steps, seen)

    async def one(pod: Pod, container: str, *, previous: bool) -> Piece:
        piece = Piece(source=PREVIOUS if previous else LOGS, about=f"{pod.name}/{container}")

        async def read() -> Piece:
            async with places:
                try:
                    lines = await cluster.logs(namespace, pod.name, container, tail=LINES, previous=previous)
                except NotFound:
                    if previous:  # another container of the pod restarted, not this one
                        return piece
                    raise
            return replace(piece, lines=log_lines(lines))

        try:
            return await _within(ends, piece, read())
        finally:
            await asyncio.sleep(0)  # hiding secrets takes time: let others work between two logs

    found = await asyncio.gather(
        *(
            one(pod, container, previous=previous)
            for pod in chosen
            for container in _containers(pod)
            for previous in ((True, False) if pod.restarts else (False,))
        )
    )
    return [piece for piece in found if piece.lines or piece.trouble]


def _containers(pod: Pod) -> Sequence[str]:
    """The one in trouble first, an init container too."""
    return list(dict.fromkeys((*filter(None, (pod.suspect,)), *pod.containers)))[:CONTAINERS]


async def _usage(
    cluster: ClusterReader, workload: Workload, steps: Iterable[Step], ends: float
) -> tuple[PodUsage, ...]:
    """What its pods use, where a step picks by that; nothing where it is not known: it picks none then."""
    if not any(Need.USAGE in params.needs for _, params in _actions(steps)):
        return ()
    try:
        async with asyncio.timeout_at(ends):
            return await cluster.usage(workload)
    except StoreUnavailable:
        raise
    except (RemediatorError, TimeoutError):  # told by the piece ``top``
        return ()


def _actions(steps: Iterable[Step]) -> Iterator[tuple[Action, Params]]:
    """The steps that can be understood; any other says so itself when its turn comes."""
    for step in steps:
        action = ACTIONS.get(step.action)
        if action is None or step.wait is not None:
            continue
        try:
            yield action, action.params.model_validate(dict(step.params))
        except ValidationError:
            continue


def chosen_pods(steps: Iterable[Step], seen: Snapshot) -> list[Pod]:
    """Whose logs are kept: those that a step would pick, then the unready ones, then the rest that goes.

    A step that rolls out anew takes all of them away, the well ones as well.
    """
    picked: list[Pod] = []
    takes_all = False
    for action, params in _actions(steps):
        if isinstance(params, PickParams):
            picked += _picked(params, seen)
        elif action.disrupts(params):
            takes_all = True
    ordered = worst_first(seen.pods)
    others = ordered if takes_all else [pod for pod in ordered if not pod.ready]
    by_uid: Mapping[str, Pod] = {pod.uid: pod for pod in (*picked, *others)}
    return list(by_uid.values())[:PODS]


def _picked(params: PickParams, seen: Snapshot) -> Sequence[Pod]:
    try:
        return pick(params, seen)
    except RemediatorError:  # there is none, or it cannot be told which
        return ()
