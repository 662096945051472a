"""Ten thousand rules: what an alert costs, what compiling and checking take, whom loading keeps waiting.

Whoever waits is measured in a process of its own (``python -m benchmarks.policies FOLDER HOW``).
"""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from statistics import median

import uvloop

from benchmarks.rules import new_alerts, write_rules
from benchmarks.stage import ROOT
from remediator.adapters.helper import run_helper
from remediator.adapters.runtime import AsyncioRuntime
from remediator.cli.garbage import COLLECT_AFTER
from remediator.core.classify import Classifier
from remediator.core.matchers import MatchOp, compile_regex
from remediator.core.policies import Policy
from remediator.policy.load import load_policy
from remediator.rulebook import Rulebook
from remediator.telemetry.metrics import Metrics

FEW, MANY = 100, 10_000
ROUNDS = 15
ALERTS = 2_000
KNOWN = 1_000
LOADS = 3
TICK = 0.001
"""Seconds after which another task wants its turn."""
HOW = ("another process", "a thread")


@dataclass(frozen=True, kw_only=True, slots=True)
class Classifying:
    """Seconds for one alert, by round: with few rules, with many, and by a loop over the many."""

    few: tuple[float, ...]
    many: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios."""
        return median(many / few for few, many in zip(self.few, self.many, strict=True))


@dataclass(frozen=True, kw_only=True, slots=True)
class Wait:
    """How long another task waited for its turn while the rules were loaded, in seconds."""

    most: float
    p99: float
    took: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Policies:
    """Everything that is measured. Times are in seconds; ``share``: of matchers that are expressions."""

    share: float
    new: Classifying
    remembered: Classifying
    loop: float
    compile: float
    check: float
    waits: dict[str, tuple[Wait, ...]]


def measure_policies(folder: Path) -> Policies:
    """With the same machine under both sides of every ratio."""
    source, small = write_rules(folder / "many", MANY), write_rules(folder / "few", FEW)
    many, few = load_policy(source), load_policy(small)
    compiled = median(_compile(many) for _ in range(LOADS))
    rng = Random(3)
    pair = (Classifier(few), Classifier(many))
    alike = [new_alerts(rng, rules, KNOWN) for rules in (FEW, MANY)]
    return Policies(
        share=_share(many),
        new=_classify(pair, [[new_alerts(rng, n, ALERTS) for n in (FEW, MANY)] for _ in range(ROUNDS)]),
        remembered=_classify(pair, [alike] * ROUNDS),
        loop=_loop(many, alike[1][:20]),
        compile=compiled,
        check=_check(source),
        waits={how: tuple(_wait(source, how) for _ in range(LOADS)) for how in HOW},
    )


def _share(policy: Policy) -> float:
    ops = [matcher.op for rule in policy.rules for matcher in rule.matchers]
    return sum(op in (MatchOp.MATCHES, MatchOp.NOT_MATCHES) for op in ops) / len(ops)


def _compile(policy: Policy) -> float:
    """As the daemon does it: no expression was compiled before."""
    compile_regex.cache_clear()
    started = time.perf_counter()
    Classifier(policy)
    return time.perf_counter() - started


def _classify(
    pair: tuple[Classifier, Classifier], rounds: Sequence[Sequence[Sequence[dict[str, str]]]]
) -> Classifying:
    times: tuple[list[float], list[float]] = ([], [])
    for each in rounds:
        for classifier, alerts, found in zip(pair, each, times, strict=True):
            started = time.perf_counter()
            for labels in alerts:
                classifier.rule(labels)
            found.append((time.perf_counter() - started) / len(alerts))
    few, many = times
    return Classifying(few=tuple(few[1:]), many=tuple(many[1:]))  # the first warms up


def _loop(policy: Policy, alerts: Sequence[dict[str, str]]) -> float:
    """What it would be without an index."""
    started = time.perf_counter()
    for labels in alerts:
        next((rule for rule in policy.rules if all(m.matches(labels) for m in rule.matchers)), None)
    return (time.perf_counter() - started) / len(alerts)


def _check(source: Path) -> float:
    """The command, from its start to its end."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "remediator", "check", str(source)], cwd=ROOT, capture_output=True, check=False
    )
    assert done.returncode in (0, 1), done.stderr.decode()
    return time.perf_counter() - started


def _wait(source: Path, how: str) -> Wait:
    command = [sys.executable, "-m", "benchmarks.policies", str(source), how]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=600, cwd=ROOT)
    return Wait(**json.loads(told.stdout.splitlines()[-1]))


# --- the process that loads -----------------------------------------------------------------------------


async def _tick(waited: list[float]) -> None:
    """Another task, which wants a turn every millisecond."""
    while True:
        before = time.perf_counter()
        await asyncio.sleep(TICK)
        waited.append(time.perf_counter() - before - TICK)


async def _load(source: Path, how: str) -> Wait:
    runtime = AsyncioRuntime()
    rulebook = Rulebook(source, runtime, Metrics(), run_helper)
    waited: list[float] = []
    other = asyncio.ensure_future(_tick(waited))
    await asyncio.sleep(0.1)
    waited.clear()
    started = time.perf_counter()
    if how == HOW[0]:
        await rulebook.load()  # so many files are never read within the daemon
    else:
        await runtime.in_thread(lambda: Classifier(load_policy(source)))
    took = time.perf_counter() - started
    await asyncio.sleep(2 * TICK)
    other.cancel()
    runtime.close()
    return Wait(most=max(waited), p99=sorted(waited)[int(len(waited) * 0.99)], took=took)


def middle(waits: Sequence[Wait]) -> Wait:
    """The medians."""
    return replace(
        waits[0],
        most=median(each.most for each in waits),
        p99=median(each.p99 for each in waits),
        took=median(each.took for each in waits),
    )


if __name__ == "__main__":
    gc.set_threshold(*COLLECT_AFTER)  # as the daemon
    import structlog

    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as running:
        print(json.dumps(asdict(running.run(_load(Path(sys.argv[1]), sys.argv[2])))))
