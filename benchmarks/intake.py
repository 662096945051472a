"""How many webhooks a second are taken in, compared with what no receiver can do without.

The variants take turns, a second or two each, so that whatever else the machine does meets all of them; what
counts is the median of each round's ratio.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.bodies import settled, templates
from benchmarks.load import Load, awake, put_load
from benchmarks.stage import Daemon, Process, Reference, redis_server
from tests.servers import RedisServer

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """Who takes webhooks. ``store`` is emptied after every run; ``daemon`` then has nothing left to do."""

    name: str
    process: Process
    port: int
    daemon: Daemon | None = None
    store: RedisServer | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """What is sent, and what is expected: ``targets`` are the least ratios, by variant and baseline.

    ``busy``: the baseline keeps the load generator busy all the time, and what is compared with it does not.
    So that nobody pays for waking it, the processors are kept awake; see ``benchmarks.load.awake``.
    """

    name: str
    alerts: int
    new: bool
    seconds: int
    rounds: int
    targets: dict[tuple[str, str], float]
    busy: bool = False

    def bodies(self) -> Sequence[str]:
        """What wrk posts in turn."""
        return templates(self.alerts) if self.new else [settled(self.alerts)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One variant's turn. ``busy``: seconds of processor time; ``waiting``: alerts not worked on yet."""

    load: Load
    busy: float
    waiting: float


BARE, PARSE, ALWAYS = "bare aiohttp", "parse and validate", "daemon, fsync always"
EVERYSEC, WAITAOF = "daemon, everysec (weak)", "daemon, everysec and WAITAOF"
CASES = (
    Case(
        name="1 alert a webhook", alerts=1, new=True, seconds=2, rounds=8, busy=True,
        targets={(PARSE, BARE): 0.6},
    ),
    Case(
        name="1 new alert a webhook", alerts=1, new=True, seconds=2, rounds=6,
        targets={(ALWAYS, PARSE): 0.5, (EVERYSEC, PARSE): 0.0, (WAITAOF, PARSE): 0.0},
    ),
    Case(
        # a second only: in two, the 100,000 alerts that may wait are there, and the rest is answered 503
        name="50 new alerts a webhook", alerts=50, new=True, seconds=1, rounds=8,
        targets={(ALWAYS, PARSE): 0.35, (EVERYSEC, PARSE): 0.0},
    ),
    Case(
        name="1 duplicate a webhook", alerts=1, new=False, seconds=2, rounds=6,
        targets={(ALWAYS, PARSE): 0.6, (EVERYSEC, PARSE): 0.0},
    ),
    Case(
        name="50 duplicates a webhook", alerts=50, new=False, seconds=2, rounds=3,
        targets={(ALWAYS, PARSE): 0.6, (EVERYSEC, PARSE): 0.0},
    ),
)  # fmt: skip


def open_variants(stack: ExitStack, folder: Path) -> dict[str, Variant]:
    """Everyone, started and ready; ended with the stack."""
    variants = {}
    for name, kind in ((BARE, "bare"), (PARSE, "parse")):
        reference = Reference(kind, folder)
        stack.callback(reference.stop)
        variants[name] = Variant(name=name, process=reference, port=reference.port)
    for name, server, fsync, durability in (
        (ALWAYS, "redis-7.0", "always", "strict"),
        (EVERYSEC, "redis-7.0", "everysec", "weak"),
        (WAITAOF, "valkey-9", "everysec", "strict"),
    ):
        label = f"{server}-{fsync}"
        store = redis_server(stack, server, folder / label, fsync)
        daemon = Daemon(f"daemon-{label}", folder, store.url, {"REMEDIATOR_REDIS_DURABILITY": durability})
        stack.callback(daemon.stop)
        variants[name] = Variant(name=name, process=daemon, port=daemon.port, daemon=daemon, store=store)
    return variants


def take_turns(case: Case, variants: dict[str, Variant], say: Say) -> dict[str, list[Run]]:
    """Every variant that the case compares, round after round."""
    with awake() if case.busy else nullcontext():
        return _rounds(case, variants, say)


def _rounds(case: Case, variants: dict[str, Variant], say: Say) -> dict[str, list[Run]]:
    names = list(dict.fromkeys(name for pair in case.targets for name in reversed(pair)))
    bodies = case.bodies()
    runs: dict[str, list[Run]] = {name: [] for name in names}
    for number in range(case.rounds + 1):
        for name in names:
            run = _turn(variants[name], bodies, case.seconds if number else 1)
            if number:  # the first round only warms up
                runs[name].append(run)
        say(f"{case.name}: round {number} of {case.rounds}")
    return runs


def _turn(variant: Variant, bodies: Sequence[str], seconds: int) -> Run:
    busy = variant.process.busy()
    load = put_load(variant.port, bodies, seconds)
    busy, waiting = variant.process.busy() - busy, 0.0
    if variant.daemon is not None and variant.store is not None:
        waiting = variant.daemon.metric("remediator_backlog")
        variant.store.client().flushall()
        _rest(variant.daemon)
    return Run(load=load, busy=busy, waiting=waiting)


def _rest(daemon: Daemon) -> None:
    """Return when what the daemon had in hand no longer keeps it busy."""
    before = daemon.busy()
    for _ in range(40):
        time.sleep(0.25)
        now = daemon.busy()
        if now - before < 0.03:
            return
        before = now


def ratio(runs: dict[str, list[Run]], name: str, baseline: str) -> float:
    """The median, over the rounds, of the one's answers a second by the other's."""
    return median(a.load.rate / b.load.rate for a, b in zip(runs[name], runs[baseline], strict=True))


def cost_ratio(runs: dict[str, list[Run]], name: str, baseline: str) -> float:
    """As ``ratio``, of answers per second of the process's own processor time: others' load counts less."""
    return median(
        (a.load.rate / a.busy) / (b.load.rate / b.busy)
        for a, b in zip(runs[name], runs[baseline], strict=True)
    )
