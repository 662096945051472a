"""How long the daemon takes to be ready, and how much memory it holds when nothing happens."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.cluster import ApiServer
from benchmarks.stage import Daemon, redis_server

STARTS = 7
IDLE = 3.0
"""Seconds after which its memory is looked at."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """``seconds`` until ready and ``bytes`` resident: medians, with a cluster configured and without."""

    seconds: float
    seconds_alone: float
    resident: float
    resident_alone: float


def measure_start(folder: Path) -> Start:
    """Start it again and again on a Redis that runs, with the default policies."""
    with ExitStack() as stack:
        store = redis_server(stack, "redis-7.0", folder / "start-redis", "always")
        cluster = ApiServer(folder)
        stack.callback(cluster.stop)
        seconds: dict[bool, list[float]] = {True: [], False: []}
        resident: dict[bool, list[float]] = {True: [], False: []}
        for number in range(STARTS):
            for with_cluster in (True, False):
                env = {"REMEDIATOR_KUBECONFIG": str(cluster.kubeconfig)} if with_cluster else {}
                daemon = Daemon("daemon-start", folder, store.url, env)
                try:
                    seconds[with_cluster].append(daemon.ready_after)
                    if number >= STARTS - 2:
                        time.sleep(IDLE)
                        resident[with_cluster].append(float(daemon.resident()))
                finally:
                    daemon.stop()
    return Start(
        seconds=median(seconds[True]),
        seconds_alone=median(seconds[False]),
        resident=median(resident[True]),
        resident_alone=median(resident[False]),
    )
