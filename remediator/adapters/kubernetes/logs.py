"""The last lines of a container's log."""

from __future__ import annotations

from dataclasses import dataclass, replace

from remediator.adapters.kubernetes.api import Api, Deadline
from remediator.adapters.kubernetes.faults import Call
from remediator.adapters.kubernetes.paths import checked_name, core_path
from remediator.core.errors import NotFound, Refused
from remediator.core.times import SECOND, Millis

LIMIT = 2**20
"""Bytes of a log that are read at once."""
_SHORTER = 8
_LOST = ("unable to retrieve container logs for ", "failed to try resolving symlinks in path ")
"""What a kubelet answers, with status 200, in place of a log that its runtime no longer has."""
_ABSENT = (" is waiting to start: ", " is not valid for pod ", "previous terminated container ")
"""What the server's 400 says where there is nothing to read: no run yet, no such container, no run before."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which part of a container's log: the last ``tail`` lines; ``previous``: of the run before this one.

    ``since``: written so long ago or later, in milliseconds; the server counts whole seconds.
    """

    tail: int
    previous: bool = False
    since: Millis | None = None

    @property
    def query(self) -> tuple[tuple[str, str], ...]:
        """As the server is asked."""
        asked = {
            "tailLines": str(self.tail),
            "previous": "true" if self.previous else "",
            "sinceSeconds": "" if self.since is None else str(max(-(-self.since // SECOND), 1)),
        }
        return tuple((name, value) for name, value in asked.items() if value)


async def read_logs(
    api: Api, namespace: str, pod: str, container: str, wanted: Wanted, deadline: Deadline
) -> tuple[str, ...]:
    """The last ``tail`` lines, oldest first. Raises NotFound where there is no log, Refused, Retryable.

    A limit in bytes cuts off the newest lines, not the oldest. So when the lines are longer than the limit,
    fewer are asked for; but all that was written since a time, or nothing.
    """
    while True:
        text = await _read(api, _call(namespace, pod, container, wanted), deadline)
        if len(text.encode()) < LIMIT or wanted.tail <= 1:
            return _lines(text, f"{pod}/{container}")
        if wanted.since is not None:  # whoever asks for a time wants all of it
            raise Refused(f"the log of {pod}/{container} in that time is longer than {LIMIT >> 20} MiB")
        wanted = replace(wanted, tail=max(wanted.tail // _SHORTER, 1))


def _call(namespace: str, pod: str, container: str, wanted: Wanted) -> Call:
    query = {"container": checked_name(container), "limitBytes": str(LIMIT)}
    return Call(
        method="GET",
        path=core_path(namespace, "pods", pod, "log"),
        doing=f"read the log of {pod}/{container} in namespace {namespace}",
        needs=f"get pods/log in namespace {namespace}",
        query=(*query.items(), *wanted.query),
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
