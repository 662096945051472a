"""Long work in small steps: whoever does it can let others go on between two of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import TypeVar

T = TypeVar("T")

Steps = Generator[None, None, T]
"""Yields after every step, of a few milliseconds at most, and returns what came of it."""


def at_once(steps: Steps[T]) -> T:
    """All steps without a break."""
    while True:
        try:
            next(steps)
        except StopIteration as ended:
            result: T = ended.value
            return result


async def with_breaks(steps: Steps[T], give_way: Callable[[], Awaitable[None]]) -> T:
    """All steps. ``give_way`` lets others go on, after each of them."""
    while True:
        try:
            next(steps)
        except StopIteration as ended:
            result: T = ended.value
            return result
        await give_way()
