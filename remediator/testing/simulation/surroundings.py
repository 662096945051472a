"""What people and the weather do while replicas are at work: pauses, reloads, silences, clocks that jump.

Whatever forbids a change is written into the history by who does it, so that the checker need not know how
the program finds out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from remediator.core.classify import Classifier
from remediator.core.cluster import IGNORE_ANNOTATION
from remediator.core.intervals import holds
from remediator.core.pauses import PauseScope
from remediator.core.policies import Policy
from remediator.testing.simulation.clock import BASE, instant
from remediator.testing.simulation.history import LOOKING, PREPARING, Blinded, Forbade, Jumped, Reloaded
from remediator.testing.simulation.policies import FROZEN, workload_of
from remediator.testing.simulation.reloads import forbidden_targets
from remediator.testing.simulation.scenario import Spell

if TYPE_CHECKING:
    from remediator.testing.simulation.world import World

SUSPECT = 3
"""So many dead workloads at once are not believed."""


class Surroundings:
    """``other_rules``: of the policy that is not the newest now."""

    def __init__(self, world: World, other_rules: Classifier) -> None:
        self._world, self._other_rules = world, other_rules
        self._second = False

    def begin(self) -> None:
        """All of it, each at its time."""
        world, scenario = self._world, self._world.scenario
        self._load(scenario.policy)
        for at in scenario.swaps:
            world.beside(self._swap_policies(at))
        for start, end, scope in scenario.pauses:
            world.beside(self._throw_switch(start, end, scope))
        for spell in scenario.spells:
            world.beside(self._spell(spell))
        for at, seconds in scenario.jumps:
            world.beside(self._jump(at, seconds))
        if scenario.policy.guards.freeze:
            world.beside(self._tell_freeze())
        if "observer" in scenario.features:
            world.beside(self._watch_the_dead())
        always = {name for name, traits in scenario.traits.items() if traits.foreign}
        self._forbid("guards: accept", "foreign", always, on=True)
        always = {name for name, traits in scenario.traits.items() if traits.refuses}
        self._forbid("guards: dry_run", "refused", always, on=True)

    def _forbid(
        self, promise: str, why: str, services: Iterable[str], *, on: bool, within: float = PREPARING
    ) -> None:
        targets = frozenset(workload_of(name).path for name in services)
        now = self._world.history.now()
        self._world.history.add(
            Forbade(promise=promise, why=why, targets=targets, on=on, at=now, within=within)
        )

    async def _throw_switch(self, start: float, end: float, scope: PauseScope) -> None:
        store = self._world.store
        await asyncio.sleep(start)
        await store.pause("simulated", "somebody", None, scope)
        await asyncio.sleep(end - start)
        await store.resume(scope)

    async def _swap_policies(self, at: float) -> None:
        """Every replica finds the new files, and goes by them."""
        await asyncio.sleep(at)
        staff = self._world.staff
        staff.rules, self._other_rules = self._other_rules, staff.rules
        self._second = not self._second
        self._load(self._world.scenario.variant if self._second else self._world.scenario.policy)

    def _load(self, policy: Policy) -> None:
        """It is the newest: what it forbids stays forbidden from when the first that did was loaded."""
        history = self._world.history
        history.add(Reloaded(second=self._second, at=history.now()))
        now, forbidden = history.now(), forbidden_targets(policy)
        allowed = frozenset(self._world.cluster.machines) - forbidden
        for targets, on in ((allowed, False), (forbidden, True)):
            for target in sorted(targets):
                history.add(
                    Forbade(
                        promise="P13",
                        why=f"the newest policy, of {target}",
                        targets=frozenset((target,)),
                        on=on,
                        at=now,
                    )
                )

    async def _spell(self, spell: Spell) -> None:
        world = self._world
        await asyncio.sleep(spell.begins)
        begun = world.history.now()
        if not spell.service:
            world.cluster.blind.add(spell.what)
            world.history.add(Blinded(what=spell.what, seconds=spell.ends - spell.begins, at=begun))
            await asyncio.sleep(spell.ends - spell.begins)
            world.cluster.blind.discard(spell.what)
            return
        promise = "guards: target" if spell.what == "ignored" else "P3"
        within = PREPARING if spell.what == "ignored" else LOOKING
        why = f"{spell.service} is {spell.what}, from {spell.begins:.1f} on"
        self._set(spell, on=True)
        self._forbid(promise, why, [spell.service], on=True, within=within)
        await asyncio.sleep(spell.ends - spell.begins)
        self._set(spell, on=False)
        self._forbid(promise, why, [spell.service], on=False, within=within)

    def _set(self, spell: Spell, *, on: bool) -> None:
        alertmanagers, machines = self._world.alertmanagers, self._world.cluster.machines
        marks = machines[workload_of(spell.service).path].annotations
        match spell.what, on:
            case "ignored", True:
                marks[IGNORE_ANNOTATION] = "true"
            case "ignored", False:
                marks.pop(IGNORE_ANNOTATION, None)
            case "silenced", _:
                (alertmanagers.silenced.add if on else alertmanagers.silenced.discard)(spell.service)
            case _:
                (alertmanagers.inhibited.add if on else alertmanagers.inhibited.discard)(spell.service)

    async def _jump(self, at: float, seconds: float) -> None:
        await asyncio.sleep(at)
        self._world.jump(seconds)
        self._world.history.add(Jumped(seconds=seconds, at=self._world.history.now()))

    async def _tell_freeze(self) -> None:
        """From the calendar, by the store's clock."""
        world = self._world
        interval, services = world.scenario.policy.time_intervals[FROZEN], world.scenario.traits
        was = False
        while True:
            now = world.store.clock()
            frozen = holds(interval, instant(now / 1000 - BASE))
            if frozen is not was:
                self._forbid("guards: freeze", "frozen", services, on=frozen, within=LOOKING)
                was = frozen
            await asyncio.sleep(0.5)

    async def _watch_the_dead(self) -> None:
        """Whether so many workloads look dead that nobody is to believe it."""
        world, was = self._world, False
        while True:
            suspect = world.cluster.dead() >= SUSPECT
            if suspect is not was:
                self._forbid("guards: observer", "suspect", world.scenario.traits, on=suspect)
                was = suspect
            await asyncio.sleep(0.5)
