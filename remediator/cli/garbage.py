"""How often Python looks for garbage in cycles, while a command holds much and makes little of it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

COLLECT_AFTER = (20_000, 20, 50)
"""Thresholds of the garbage collector. A storm holds thousands of alerts until they are durable, none of them
in a cycle; at Python's own thresholds, going through them again and again takes a tenth of the time."""


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """At these thresholds, and then at those of before."""
    before = gc.get_threshold()
    gc.set_threshold(*COLLECT_AFTER)
    try:
        yield
    finally:
        gc.set_threshold(*before)
