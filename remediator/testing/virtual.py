"""An event loop on which hours pass in milliseconds: when nobody is ready, time jumps to the next timer."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Mapping
from typing import Any


class _NoTraffic(selectors.BaseSelector):
    """Never reports traffic. Waiting for a while moves the virtual clock by that while."""

    def __init__(self) -> None:
        self.now = 0.0
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Kept for form's sake: the loop registers its own wake-up pipe."""
        key = selectors.SelectorKey(fileobj, fileobj, events, data)  # the loop registers plain descriptors
        self._keys[fileobj] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """Reverse of ``register``."""
        return self._keys.pop(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Move the clock. Raises RuntimeError when nothing will ever happen again."""
        if timeout is None:
            raise RuntimeError("everybody waits and no timer is armed: the simulation is deadlocked")
        if timeout > 0:
            self.now += timeout
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        """What is registered."""
        return self._keys


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio loop whose ``time()`` starts at zero and is moved by waiting alone."""

    def __init__(self) -> None:
        self._virtual = _NoTraffic()
        super().__init__(self._virtual)

    def time(self) -> float:
        """Virtual seconds."""
        return self._virtual.now

    def jump(self, to: float) -> None:
        """Move the clock there at once. Only for who knows that nothing is due before."""
        self._virtual.now = max(to, self._virtual.now)
