"""Listing 5,000 pods: what it costs in memory, and for how long nobody else gets a turn.

Each sample is a process of its own (``python -m benchmarks.listing KUBECONFIG PAGE``), so that nothing of an
earlier one is in its memory. It is Linux that says what the most was (``VmHWM``).
"""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import uvloop

from benchmarks.pods_server import NAME, NAMESPACE, PODS
from benchmarks.stage import ROOT, Process, answers
from remediator.adapters.kubernetes import Limits, connect
from remediator.adapters.runtime import AsyncioRuntime
from remediator.cli.garbage import COLLECT_AFTER
from remediator.core.policies import WorkloadRef
from tests.servers import free_port

ROUNDS = 7
TICK = 0.001
"""Seconds after which another task wants its turn."""
_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One list. ``grown``: bytes of memory at the worst moment beyond those before.

    ``blocked``: the longest time, in seconds, for which another task waited for its turn; ``busy``: of the
    same, what was our own processor time. ``took``: seconds until the list was there.
    """

    grown: float
    blocked: float
    busy: float
    took: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """Page by page as the daemon does it, and everything in one answer."""

    paged: tuple[Sample, ...]
    whole: tuple[Sample, ...]


def middle(samples: tuple[Sample, ...], part: Callable[[Sample], float]) -> float:
    """The median of a part."""
    return median(map(part, samples))


def measure_listing(folder: Path) -> Listing:
    """Both in turn, round after round."""
    with ExitStack() as stack:
        port = free_port()
        command = [sys.executable, "-m", "benchmarks.pods_server", str(port)]
        server = Process("pods-server", command, folder)
        stack.callback(server.stop)
        server.wait(lambda: answers(f"http://127.0.0.1:{port}/") == 404)
        kubeconfig = folder / "pods-kubeconfig"
        kubeconfig.write_text(json.dumps(_login(port)))
        found: dict[int, list[Sample]] = {Limits().page: [], PODS: []}
        for _ in range(ROUNDS):
            for page, samples in found.items():
                samples.append(_sample(kubeconfig, page))
        paged, whole = found.values()
        return Listing(paged=tuple(paged), whole=tuple(whole))


def _login(port: int) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "u", "user": {}}],
    }


def _sample(kubeconfig: Path, page: int) -> Sample:
    command = [sys.executable, "-m", "benchmarks.listing", str(kubeconfig), str(page)]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60, cwd=ROOT)
    return Sample(**json.loads(told.stdout))


# --- the process that lists ---------------------------------------------------------------------------


class Turns:
    """Another task, which wants a turn every millisecond."""

    def __init__(self) -> None:
        self.blocked = self.busy = 0.0

    async def take(self) -> None:
        """For ever."""
        while True:
            wall, mine = time.perf_counter(), time.thread_time()
            await asyncio.sleep(TICK)
            self.blocked = max(self.blocked, time.perf_counter() - wall - TICK)
            self.busy = max(self.busy, time.thread_time() - mine)


def _memory(name: str) -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024


def _reset() -> None:
    """From here on Linux notes the most that is ever held."""
    _RESET.write_text("5")


async def _list(kubeconfig: str, page: int) -> Sample:
    runtime = AsyncioRuntime()
    cluster = await connect(kubeconfig, runtime=runtime, limits=Limits(page=page))
    ref = WorkloadRef(kind="deployment", namespace=NAMESPACE, name=NAME)
    workload = await cluster.reader.workload(ref)
    gc.collect()
    turns = Turns()
    other = asyncio.ensure_future(turns.take())
    await asyncio.sleep(0.05)
    turns.blocked = turns.busy = 0.0
    before = _memory("VmRSS")
    _reset()
    started = time.perf_counter()
    pods = await cluster.reader.pods(workload)
    took = time.perf_counter() - started
    await asyncio.sleep(2 * TICK)  # the other task's last turn
    other.cancel()
    assert len({pod.uid for pod in pods}) == PODS
    await cluster.close()
    runtime.close()
    return Sample(grown=_memory("VmHWM") - before, blocked=turns.blocked, busy=turns.busy, took=took)


if __name__ == "__main__":
    gc.set_threshold(*COLLECT_AFTER)  # as the daemon
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as running:
        print(json.dumps(asdict(running.run(_list(sys.argv[1], int(sys.argv[2]))))))
