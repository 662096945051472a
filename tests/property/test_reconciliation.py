"""P3: whatever Alertmanagers answer, what one of them lists never ends; in the end, what is known is so.

Two Alertmanagers that are restarted, cut off from Prometheus and down; no webhook arrives, ever. The
reconciler is the real one, its door is the real journey on the store in memory, time is an argument.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remediator.core.alertmanagers import Answers, Listed, Listing, State, Unanswered
from remediator.core.alerts import Alert, AlertStatus, Disposition, Fingerprint
from remediator.core.classify import Classifier
from remediator.core.store import Queue
from remediator.core.times import MINUTE, SECOND, Instant, Millis, format_instant, parse_stamp
from remediator.journey import Journey
from remediator.testing.memory import MemoryStore
from remediator.testing.simulation.world import Silent
from remediator.workers.clerk import Clerk
from remediator.workers.reconciler import ReconcilePace, Reconciler
from tests.core.builders import NOW, policy
from tests.core.test_clerk import Slept

NAMES = ("aa", "bb", "cc")
ROUND = 30 * SECOND


@dataclass
class Peer:
    """One Alertmanager. ``lists``: what it lists; ``cut_off``: Prometheus does not reach it."""

    up_since: int
    lists: dict[str, Alert] = field(default_factory=dict)
    silenced: set[str] = field(default_factory=set)
    down: bool = False
    cut_off: bool = False


@dataclass
class Scene:
    """Two Alertmanagers, what truly fires, and everything that the daemon was told."""

    clock: int = NOW
    peers: tuple[Peer, Peer] = field(default_factory=lambda: (Peer(up_since=0), Peer(up_since=0)))
    truth: dict[str, int] = field(default_factory=dict)
    ended: list[tuple[str, bool]] = field(default_factory=list)
    """Each end that was handed in, and whether anybody spoke against it."""

    def answers(self, names: Collection[str]) -> Answers:
        return tuple(self._answer(peer) for peer in self.peers)

    def _answer(self, peer: Peer) -> Listing | Unanswered:
        if peer.down:
            return Unanswered(who="am", why="down")
        entries = (
            Listed(
                alert=alert,
                state=State.SUPPRESSED if name in peer.silenced else State.ACTIVE,
                silenced_by=("s",) if name in peer.silenced else (),
            )
            for name, alert in peer.lists.items()
        )
        return Listing(who="am", up_for=Millis(self.clock - peer.up_since), alerts=tuple(entries))

    async def poll(self) -> Answers:
        """As the Protocol says."""
        return self.answers(())

    async def ask(self, names: Collection[str]) -> Answers:
        """As the Protocol says."""
        return self.answers(names)

    def prometheus(self) -> None:
        """Tells everybody that it reaches what fires and what does not."""
        for peer in self.peers:
            if not (peer.down or peer.cut_off):
                peer.lists = {name: alert(name, since) for name, since in self.truth.items()}

    def against(self, name: str) -> bool:
        """Whether some Alertmanager lists it, or could for all that is known."""
        return any(peer.down or name in peer.lists for peer in self.peers)

    # --- what the reconciler tells of ---

    def polled(self, alertmanager: str, trouble: str | None) -> None:
        """Not kept."""

    def recovered(self, dispositions: Mapping[Disposition, int]) -> None:
        """Not kept."""

    def trouble(self, where: str, error: BaseException) -> None:
        """There is none here."""
        raise AssertionError(where) from error


def alert(name: str, since: int) -> Alert:
    """An alert that fires since then."""
    return Alert(
        fingerprint=Fingerprint(name),
        status=AlertStatus.FIRING,
        labels={"alertname": "ServiceDown", "service": f"s-{name}"},
        annotations={},
        starts_at=parse_stamp(format_instant(since)),
        ends_at=None,
    )


class Door(Journey):
    """The journey, whose door is watched."""

    scene: Scene

    async def receive(self, notification):  # type: ignore[no-untyped-def]  # as the base class says
        for each in notification.alerts:
            if each.status is AlertStatus.RESOLVED:
                self.scene.ended.append((each.fingerprint, self.scene.against(each.fingerprint)))
        return await super().receive(notification)


@dataclass
class Daemon:
    """What of the daemon is needed."""

    scene: Scene
    store: MemoryStore
    journey: Door
    clerk: Clerk
    reconciler: Reconciler

    @classmethod
    def of(cls, scene: Scene) -> Daemon:
        store = MemoryStore(lambda: scene.clock)
        rules = Classifier(policy(runbooks=()))
        journey = Door(
            intake=store, queues=store, incidents=store, rules=lambda: rules, observer=Silent(), consumer="c"
        )
        journey.scene = scene
        reconciler = Reconciler(
            alertmanagers=scene,
            store=store,
            receive=journey.receive,
            clock_trouble=lambda: None,
            runtime=Slept(),
            observer=scene,
            pace=ReconcilePace(),
        )
        return cls(scene, store, journey, Clerk(journey, Slept()), reconciler)

    async def round(self) -> None:
        """Half a minute passes, all is asked, and what follows is decided."""
        self.scene.clock += ROUND
        await self.reconciler.round()
        while entries := await self.store.take([Queue.URGENT, Queue.NORMAL], "c", 100, Millis(0)):
            assert await self.clerk.handle(entries) == []

    async def firing(self) -> set[str]:
        """What it takes to fire."""
        return {one.fingerprint for one in (await self.store.members(None)).firing}


DEEDS = st.one_of(
    st.tuples(st.sampled_from(["fire", "end"]), st.sampled_from(NAMES)),
    st.tuples(
        st.sampled_from(["down", "up", "restart", "lose", "join", "silence", "loud"]),
        st.sampled_from([0, 1]),
    ),
    st.tuples(st.just("wait"), st.sampled_from([1, 3, 8, 15])),
)


async def do(scene: Scene, daemon: Daemon, deed: str, what: int | str) -> None:
    """One thing happens in the world."""
    match deed, what:
        case "fire", str(name):
            scene.truth.setdefault(name, scene.clock - 2 * MINUTE)
        case "end", str(name):
            scene.truth.pop(name, None)
        case "wait", int(rounds):
            for _ in range(rounds):
                await daemon.round()
        case _, int(number):
            befall(scene, scene.peers[number], deed)
    scene.prometheus()


def befall(scene: Scene, peer: Peer, deed: str) -> None:
    """Something happens to one of them."""
    match deed:
        case "down":
            peer.down = True
        case "up" | "restart":
            if peer.down or deed == "restart":
                peer.up_since, peer.lists, peer.down = scene.clock, {}, False
        case "join":
            peer.cut_off = False
        case "silence":
            peer.silenced = set(NAMES[:2])
        case "loud":
            peer.silenced = set()
        case "lose":  # what Prometheus repeats no more is dropped after a while
            peer.cut_off, peer.lists = True, {}
        case _:
            raise AssertionError(deed)


async def play(deeds: Sequence[tuple[str, int | str]]) -> None:
    """A history, then half an hour of fine weather."""
    scene = Scene()
    daemon = Daemon.of(scene)
    for deed, what in deeds:
        await do(scene, daemon, deed, what)
        await daemon.round()
    for peer in scene.peers:
        peer.down = peer.cut_off = False
        peer.silenced = set()
    for _ in range(60):
        scene.prometheus()
        await daemon.round()
    assert await daemon.firing() == set(scene.truth)
    assert not [name for name, against in scene.ended if against]


@settings(max_examples=100, deadline=None)
@given(st.lists(DEEDS, max_size=25))
def test_P3_what_is_listed_never_ends_and_in_the_end_all_is_known(
    deeds: list[tuple[str, int | str]],
) -> None:
    asyncio.run(play(deeds))


BEFALLS = [(deed, number) for deed in ("down", "up", "restart", "lose", "silence") for number in (0, 1)]


@pytest.mark.parametrize("first", BEFALLS)
async def test_P3_no_two_misfortunes_end_what_fires(first: tuple[str, int]) -> None:
    """All pairs of them, with time enough after each for everything that anybody waits for but the uptime."""
    for second in BEFALLS:
        await play([("fire", "aa"), ("wait", 3), first, ("wait", 15), second, ("wait", 15)])


async def test_P3_a_lone_restart_of_both_ends_nothing_that_fires() -> None:
    """The very history that the uptime is asked for."""
    scene = Scene(truth={"aa": NOW - 5 * MINUTE})
    daemon = Daemon.of(scene)
    scene.prometheus()
    await daemon.round()
    assert await daemon.firing() == {"aa"}
    for peer in scene.peers:
        peer.up_since, peer.lists, peer.cut_off = scene.clock, {}, True
    for _ in range(19):
        await daemon.round()
    assert await daemon.firing() == {"aa"}
    assert scene.ended == []
    await daemon.round()  # ten minutes: they have heard of everything that fires
    await daemon.round()
    assert await daemon.firing() == set()


async def test_P3_while_the_clock_is_in_doubt_nothing_ends() -> None:
    """How long nobody has listed it is measured by that clock."""
    scene = Scene(truth={"aa": NOW - 5 * MINUTE})
    daemon = Daemon.of(scene)
    scene.prometheus()
    await daemon.round()
    doubtful = Reconciler(
        alertmanagers=scene,
        store=daemon.store,
        receive=daemon.journey.receive,
        clock_trouble=lambda: "it jumped",
        runtime=Slept(),
        observer=scene,
        pace=ReconcilePace(),
    )
    scene.truth.clear()
    scene.prometheus()
    scene.clock = Instant(scene.clock + 60 * MINUTE)
    await doubtful.round()
    assert scene.ended == []
    await daemon.reconciler.round()
    assert scene.ended == [("aa", False)]
