"""Outages, and how Alertmanagers tell of them: late, twice, in any order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from remediator.core.alerts import Alert, AlertStatus, Notification
from remediator.testing.simulation.history import Answered
from remediator.testing.simulation.policies import workload_of
from remediator.testing.simulation.replica import Replica
from remediator.testing.simulation.scenario import Outage, make_alert

if TYPE_CHECKING:
    from remediator.testing.simulation.world import World

ASKS_AGAIN = 2.0
"""Seconds after which an Alertmanager sends a notification again that was not answered 2xx."""
SENDER_WAITS = 10.0
"""Seconds an Alertmanager waits for an answer."""


class Telling:
    """Breaks what is to break, and tells the replicas."""

    def __init__(self, world: World) -> None:
        self._world = world

    def begin(self) -> None:
        """All outages, each at its time."""
        for outage in self._world.scenario.outages:
            self._world.beside(self._outage(outage))

    async def _outage(self, outage: Outage) -> None:
        world = self._world
        await asyncio.sleep(outage.breaks_at)
        machine = world.cluster.machines[workload_of(outage.service).path]
        healed = world.healed(outage.service)
        healed.clear()
        machine.strike(heals=outage.heals, at=world.history.now(), sick=outage.sick)
        for number in range(outage.alertmanagers):
            world.beside(self._alertmanager(outage, outage.shifts[number], healed))
        try:
            async with asyncio.timeout(outage.repaired_at - outage.breaks_at):
                await healed.wait()
        except TimeoutError:
            machine.repair(world.history.now())
            healed.set()

    async def _alertmanager(self, outage: Outage, shift: int, healed: asyncio.Event) -> None:
        world = self._world
        await asyncio.sleep(world.rng.uniform(1.0, 6.0))
        firing = make_alert(outage, AlertStatus.FIRING, shift, 0)
        world.alertmanagers.firing[firing.fingerprint] = firing
        world.beside(self._deliver(firing))
        if world.rng.random() < 0.5:
            world.beside(self._deliver(firing, delay=world.rng.uniform(0, 90)))
        await healed.wait()
        await asyncio.sleep(world.rng.uniform(9.0, 25.0))
        resolved = make_alert(outage, AlertStatus.RESOLVED, shift, world.history.now())
        for _ in range(world.rng.choice([1, 1, 2])):
            world.beside(self._deliver(resolved, delay=world.rng.uniform(0, 5)))

    async def _deliver(self, alert: Alert, delay: float = 0.0) -> None:
        """Until it is answered 2xx, as Alertmanager does."""
        world = self._world
        await asyncio.sleep(delay)
        notification = Notification(
            receiver="sim", group_key="{}", external_url="", truncated=0, alerts=(alert,)
        )
        while True:
            alive = world.staff.alive()
            if alive:
                replica = world.rng.choice(alive)
                if await self._post(replica, notification):
                    break
            await asyncio.sleep(ASKS_AGAIN * (0.5 + world.rng.random()))
        firing = alert.status is AlertStatus.FIRING
        world.history.add(Answered(fingerprint=alert.fingerprint, firing=firing, at=world.history.now()))

    async def _post(self, replica: Replica, notification: Notification) -> bool:
        """Whether it was answered 2xx. A process that dies in between answers nothing."""
        handling = asyncio.ensure_future(self._world.staff.journeys[replica.name].receive(notification))
        died = asyncio.ensure_future(replica.dead.wait())
        await asyncio.wait({handling, died}, timeout=SENDER_WAITS, return_when=asyncio.FIRST_COMPLETED)
        died.cancel()
        answered = handling.done() and not replica.dead.is_set() and handling.exception() is None
        if not handling.done():
            handling.add_done_callback(lambda done: done.cancelled() or done.exception())
        return answered
