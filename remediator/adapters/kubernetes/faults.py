"""From what the API server answers, or fails to answer, to our own errors.

What matters for a write is whether it may have happened. It surely did not when the server refused it before
storing anything (4xx, 429, an admission webhook that failed), when it asks to come again (503 with
Retry-After), or when nothing was ever sent. Everything else is unknown.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from remediator.core.errors import NotFound, Refused, RemediatorError, Retryable, Unknown
from remediator.core.text import plain

SHOWN = 400
LONGEST_RETRY_AFTER = 3600
TWO_BUDGETS = "This pod has more than one PodDisruptionBudget"
"""How every API server refuses, with a 500, to evict a pod that two budgets select."""
REJECTED_PATCH = "the server rejected our request due to an error in our request"
"""How every API server answers a json-patch that does not apply, a failed ``test`` included."""


class Conflict(Retryable):
    """Somebody else wrote at the same time: read again and decide again."""


class Rejected(Refused):
    """A json-patch did not apply: most likely one of its tests failed. Nothing was changed."""


class Expired(Retryable):
    """A list was read too slowly: its next page is gone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One request. ``doing`` and ``needs`` are for people: what it does, and the permission it takes.

    ``repeatable``: it changes nothing, so that it may be sent again whatever became of it.
    ``text``: what it answers is text (``Api.text``), not an object.
    """

    method: str
    path: str
    doing: str
    needs: str = ""
    query: tuple[tuple[str, str], ...] = ()
    body: Any = None
    media: str = "application/json"
    repeatable: bool = False
    text: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What came back. ``body`` is parsed JSON, or text where it was none; ``retry_after`` in seconds."""

    status: int
    body: Any
    retry_after: int | None = None

    @property
    def message(self) -> str:
        """The server's own words, safe to show."""
        text = self.body.get("message") if isinstance(self.body, dict) else self.body
        return plain(str(text or ""), SHOWN) or f"HTTP {self.status} without a reason"


@contextmanager
def understood(what: str) -> Iterator[None]:
    """Raises Refused where an answer is an object, but not of the shape that Kubernetes promises."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Refused(
            f"could not read {what}: the answer has not the shape of Kubernetes' own "
            f"({type(error).__name__}: {plain(str(error), 100)}); is it an API server?"
        ) from error


def parse_retry_after(text: str | None) -> int | None:
    """Seconds of a Retry-After header; None for a date, nonsense or none."""
    if text is None or not (text.isascii() and text.isdigit()):
        return None
    return min(int(text[:9]), LONGEST_RETRY_AFTER)


def refusal(call: Call, answer: Answer) -> RemediatorError:
    """What an answer other than 2xx means."""
    text = f"could not {call.doing}: {answer.message}"
    match answer.status:
        case 404:
            return NotFound(text)
        case 409:
            return Conflict(text)
        case 410:
            return Expired(text)
        case 422 if answer.message == REJECTED_PATCH:
            return Rejected(text)
        case 401:
            return Refused(f"{text}; the API server does not accept our credentials: renew the token")
        case 403 if " cannot " in answer.message:
            return Refused(f"{text}; grant it: {call.needs}" if call.needs else text)
        case 429:
            return _later(text, answer)
        case status if status >= 500:
            return _server_error(call, answer, text)
        case _:
            return Refused(text)


def refused_upgrade(call: Call, status: int) -> RemediatorError:
    """What an answer other than 101 to the opening of a WebSocket means; its words are lost."""
    text = f"could not {call.doing}: the API server answered {status} in place of a WebSocket"
    match status:
        case 404:
            return NotFound(text)
        case 429:
            return Retryable(text)
        case 403:
            return Refused(f"{text}; grant it: {call.needs}")
        case _ if status >= 500:
            return Unknown(f"{text}: it may have happened all the same")
        case _:
            return Refused(text)


def _later(text: str, answer: Answer) -> Retryable:
    return Retryable(text, delay=None if answer.retry_after is None else answer.retry_after * 1000)


def _server_error(call: Call, answer: Answer, text: str) -> RemediatorError:
    if answer.status == 500 and answer.message.startswith(TWO_BUDGETS):
        return Refused(f"{text} Leave one budget over it")
    came_to_nothing = (answer.status == 503 and answer.retry_after is not None) or (
        answer.status == 500 and "failed calling webhook" in answer.message  # admission comes before storing
    )
    if call.repeatable or came_to_nothing:
        return _later(text, answer)
    return Unknown(f"{text} (HTTP {answer.status}): it may have happened all the same")


def lost(call: Call, error: Exception) -> RemediatorError:
    """What a call without an answer means."""
    why = plain(str(error), SHOWN) or type(error).__name__
    text = f"could not {call.doing}: {why}"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return Refused(f"{text}; the API server's certificate is not one that the kubeconfig trusts")
    unsent = isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
    if call.repeatable or unsent:
        return Retryable(text)
    return Unknown(f"{text}; the answer is lost and it may have happened")
