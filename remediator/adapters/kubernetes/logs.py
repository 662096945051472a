"""The last lines of a container's log."""

from __future__ import annotations

from remediator.adapters.kubernetes.api import Api, Deadline
from remediator.adapters.kubernetes.faults import Call
from remediator.adapters.kubernetes.paths import checked_name, core_path
from remediator.core.errors import NotFound, Refused

LIMIT = 2**20
"""Bytes of a log that are read at once."""
_SHORTER = 8
_LOST = ("unable to retrieve container logs for ", "failed to try resolving symlinks in path ")
"""What a kubelet answers, with status 200, in place of a log that its runtime no longer has."""
_ABSENT = (" is waiting to start: ", " is not valid for pod ", "previous terminated container ")
"""What the server's 400 says where there is nothing to read: no run yet, no such container, no run before."""


async def read_logs(
    api: Api, namespace: str, pod: str, container: str, *, tail: int, previous: bool, deadline: Deadline
) -> tuple[str, ...]:
    """The last ``tail`` lines, oldest first. Raises NotFound where there is no log, Refused, Retryable.

    A limit in bytes cuts off the newest lines, not the oldest. So when the lines are longer than the limit,
    fewer are asked for.
    """
    while True:
        text = await _read(api, _call(namespace, pod, container, tail=tail, previous=previous), deadline)
        if len(text.encode()) < LIMIT or tail <= 1:
            return _lines(text, f"{pod}/{container}")
        tail = max(tail // _SHORTER, 1)


def _call(namespace: str, pod: str, container: str, *, tail: int, previous: bool) -> Call:
    query = {"container": checked_name(container), "tailLines": str(tail), "limitBytes": str(LIMIT)}
    return Call(
        method="GET",
        path=core_path(namespace, "pods", pod, "log"),
        doing=f"read the log of {pod}/{container} in namespace {namespace}",
        needs=f"get pods/log in namespace {namespace}",
        query=(*query.items(), *((("previous", "true"),) if previous else ())),
        repeatable=True,
        text=True,
    )


async def _read(api: Api, call: Call, deadline: Deadline) -> str:
    try:
        return await api.text(call, deadline)
    except Refused as error:
        if any(words in str(error) for words in _ABSENT):
            raise NotFound(str(error)) from error
        raise


def _lines(text: str, whose: str) -> tuple[str, ...]:
    """Split at line feeds alone: anything else that looks like a line's end was written into a line."""
    if text.startswith(_LOST) and text.count("\n") <= 1:
        raise NotFound(f"the log of {whose} is no longer on its node")
    lines = text.removesuffix("\n").split("\n") if text else []
    return tuple(line.removesuffix("\r") for line in lines)
