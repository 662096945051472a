"""A policy on its way from the process that read it to the daemon: bytes, and back in small steps.

Reading ten thousand rules is many seconds of Python, and a thread that runs Python keeps the event loop
waiting; see docs/decisions/0009-policies-are-read-by-another-process.md. What is handed over is pickled: the
daemon started the process itself, from its own program, and nobody else can write into the pipe.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfoNotFoundError

from remediator.core.errors import PolicyError
from remediator.core.policies import Policy, Rule
from remediator.core.steps import Steps

RULES_AT_ONCE = 50
"""Rules in one piece: taking it over lasts a millisecond or so."""
_LENGTH = 4
"""Bytes that say how long a piece is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Head:
    """The first piece: everything but the rules, or why there is no policy."""

    policy: Policy | None
    errors: tuple[str, ...] = ()
    pieces: int = 0


def hand_over(outcome: Policy | PolicyError) -> Iterator[bytes]:
    """What to write, piece by piece."""
    if isinstance(outcome, PolicyError):
        yield _piece(_Head(policy=None, errors=outcome.findings))
        return
    parts = [
        outcome.rules[start : start + RULES_AT_ONCE] for start in range(0, len(outcome.rules), RULES_AT_ONCE)
    ]
    yield _piece(_Head(policy=replace(outcome, rules=()), pieces=len(parts)))
    for part in parts:
        yield _piece(part)


def take_over(said: bytes) -> Steps[Policy]:
    """The policy. Raises PolicyError as it was met there, and ValueError when something is missing."""
    pieces = _cut(said)
    first = next(pieces, None)
    if first is None:
        raise ValueError("nothing was handed over")
    head = _unpickled(first)
    yield
    if not isinstance(head, _Head) or head.policy is None:
        raise PolicyError(head.errors) if isinstance(head, _Head) else ValueError("this is no policy")
    rules: list[Rule] = []
    for count, piece in enumerate(pieces, 1):
        part: Sequence[Rule] = _unpickled(piece)
        rules += part
        if count == head.pieces:
            return replace(head.policy, rules=tuple(rules))
        yield
    if head.pieces:
        raise ValueError(f"{head.pieces} pieces were announced, and not all of them came")
    return head.policy


def _unpickled(piece: bytes) -> Any:
    try:
        return pickle.loads(piece)  # noqa: S301  # written by our own program, see above
    except ZoneInfoNotFoundError as error:  # zones travel by name, and are read again here
        text = f"{error.args[0]} in the daemon's process; install the package tzdata"
        raise ValueError(text) from error


def _piece(value: object) -> bytes:
    data = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    return len(data).to_bytes(_LENGTH, "big") + data


def _cut(said: bytes) -> Iterator[bytes]:
    at = 0
    while at + _LENGTH <= len(said):
        length = int.from_bytes(said[at : at + _LENGTH], "big")
        at += _LENGTH
        if at + length > len(said):
            return
        yield said[at : at + length]
        at += length
