"""Runs seeds and tells what they found."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from remediator.core.store import IncidentFilter
from remediator.testing.simulation.checker import violations
from remediator.testing.simulation.coverage import met_on_timelines, met_outside
from remediator.testing.simulation.history import Changed, Committed, Died, PagerGot
from remediator.testing.simulation.world import World
from remediator.testing.virtual import VirtualLoop


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What one seed came to."""

    seed: int
    violations: tuple[str, ...]
    deaths: int
    commits: int
    changes: int
    pages: int
    troubles: tuple[str, ...]
    met: Mapping[str, int]
    """How often what was met; see ``coverage``."""
    digest: int
    """A number that two runs of the same seed share."""


def simulate(seed: int, bug: str | None = None) -> Report:
    """One simulation. The same seed gives the same report, in this and in any other process."""
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # killed tasks are the point
    try:
        return loop.run_until_complete(_simulate(seed, bug))
    finally:
        asyncio.set_event_loop(None)
        loop.close()
        gc.collect()


async def _simulate(seed: int, bug: str | None) -> Report:
    world = World(seed, bug)
    history = await world.run()
    page = await world.store.incidents(IncidentFilter(), 1000, None)
    timelines = {str(each.id): await world.store.timeline(each.id) for each in page.items}
    found = violations(
        history,
        world.scenario,
        page.items,
        timelines,
        await world.store.gauges(),
        await world.store.dead_letters(100),
    )
    found += [f"the program stumbled: {text}" for text in world.observer.troubles]
    report = Report(
        seed=seed,
        violations=tuple(found),
        deaths=sum(1 for _ in history.of(Died)),
        commits=sum(1 for _ in history.of(Committed)),
        changes=sum(1 for _ in history.of(Changed)),
        pages=sum(1 for _ in history.of(PagerGot)),
        troubles=tuple(world.observer.troubles),
        met=world.met + met_outside(history) + met_on_timelines(timelines.values()),
        digest=hash(tuple(repr(record) for record in history.records)),
    )
    await world.end()
    return report
