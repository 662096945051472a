"""Faults on demand: the ways in which an API server, or the network before it, fails its clients."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count

from remediator.testing.apiserver.objects import Json
from remediator.testing.apiserver.statuses import ApiError

_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


class FaultKind(StrEnum):
    """What goes wrong."""

    LATENCY = "latency"
    """The request waits, then goes its way."""
    STATUS = "status"
    """Answered with ``status``; nothing happens."""
    HANG = "hang"
    """Nothing happens and nothing is answered, until the client gives up."""
    HANG_AFTER_EFFECT = "hang_after_effect"
    """It happens, and nothing is answered."""
    DROP_BEFORE_EFFECT = "drop_before_effect"
    """The connection closes; nothing happens."""
    DROP_AFTER_EFFECT = "drop_after_effect"
    """It happens, and the connection closes before the answer."""
    TRUNCATED = "truncated"
    """It happens, and the connection closes in the middle of the answer; a watch ends after its headers."""
    HALF_OPEN = "half_open"
    """It happens, the answer begins, and then nothing comes any more and nothing is closed; the same for a
    watch, from its headers on."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault for the requests it matches.

    ``path_regex`` is searched in the path (without the query). ``times``: how many requests it strikes, None
    for all. ``seconds``: the delay of a latency. ``retry_after``: seconds in the Retry-After of a status.
    """

    kind: FaultKind
    method: str | None = None
    path_regex: str = ""
    times: int | None = 1
    seconds: float = 0.0
    status: int = 503
    retry_after: int | None = None
    message: str = "this was asked of the fake API server"

    def matches(self, method: str, path: str) -> bool:
        """Whether it strikes this request."""
        return (self.method is None or self.method == method) and re.search(self.path_regex, path) is not None

    def error(self) -> ApiError:
        """What a status fault answers."""
        details: Json = {} if self.retry_after is None else {"retryAfterSeconds": self.retry_after}
        reason = _REASONS.get(self.status, "")
        return ApiError(self.status, reason, self.message, details=details, retry_after=self.retry_after)

    @classmethod
    def parse(cls, document: Mapping[str, object]) -> Fault:
        """From JSON with the same names. Raises ValueError or TypeError."""
        return cls(**{**document, "kind": FaultKind(str(document["kind"]))})  # type: ignore[arg-type]  # JSON


@dataclass(kw_only=True)
class Faults:
    """Faults that wait for a request to strike, in the order in which they were added."""

    _waiting: dict[int, tuple[Fault, int | None]] = field(default_factory=dict)
    _numbers: count[int] = field(default_factory=count)

    def add(self, fault: Fault) -> None:
        """From now on, strike the requests it matches."""
        self._waiting[next(self._numbers)] = (fault, fault.times)

    def clear(self) -> None:
        """No more faults."""
        self._waiting.clear()

    def pending(self) -> list[Fault]:
        """Those that have not struck as often as they may."""
        return [fault for fault, _ in self._waiting.values()]

    def strike(self, method: str, path: str) -> Fault | None:
        """The first fault for this request, used up once."""
        for number, (fault, left) in self._waiting.items():
            if fault.matches(method, path):
                if left is None:
                    return fault
                if left <= 1:
                    del self._waiting[number]
                else:
                    self._waiting[number] = (fault, left - 1)
                return fault
        return None
