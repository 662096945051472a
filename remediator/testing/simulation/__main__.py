"""``python -m remediator.testing.simulation --seeds 200 --seed 1``: which seeds broke a promise."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from remediator.testing.simulation.bugs import BUGS
from remediator.testing.simulation.coverage import describe, never_met
from remediator.testing.simulation.run import Report, simulate


def main() -> int:
    """Exit code 0 when every promise was kept, 1 when one was broken."""
    parser = argparse.ArgumentParser(prog="simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many seeds to run")
    parser.add_argument("--seed", type=int, default=1, help="the first of them")
    parser.add_argument("--bug", choices=BUGS, help="plant a bug; then finding a violation is the success")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at a time")
    asked = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":  # the order of sets is chance too: the seed must decide it
        os.execve(  # this very program, again
            sys.executable,
            [sys.executable, "-m", "remediator.testing.simulation", *sys.argv[1:]],
            {**os.environ, "PYTHONHASHSEED": "0"},
        )
    return _search(asked.bug, asked) if asked.bug else _prove(asked)


def _prove(asked: argparse.Namespace) -> int:
    started, broken = time.monotonic(), []
    totals = dict.fromkeys(("deaths", "commits", "changes", "pages"), 0)
    met: Counter[str] = Counter()
    seeds = range(asked.seed, asked.seed + asked.seeds)
    with ProcessPoolExecutor(asked.jobs) as pool:
        for done, report in enumerate(pool.map(simulate, seeds, chunksize=4), 1):
            for name in totals:
                totals[name] += getattr(report, name)
            met.update(report.met)
            if report.violations:
                broken.append(report)
                _tell(report)
            if done % 50 == 0 or done == asked.seeds:
                _say(f"{done} of {asked.seeds} seeds, {len(broken)} broke a promise")
    for line in (*describe(met), f"never met: {', '.join(never_met(met)) or 'nothing'}"):
        _say(line)
    counts = ", ".join(f"{count} {name}" for name, count in totals.items())
    _say(
        f"{asked.seeds} seeds in {time.monotonic() - started:.0f} s: {counts}; {len(broken)} broke a promise"
    )
    return 1 if broken else 0


def _search(bug: str, asked: argparse.Namespace) -> int:
    seeds = range(asked.seed, asked.seed + asked.seeds)
    with ProcessPoolExecutor(asked.jobs) as pool:
        for report in pool.map(partial(simulate, bug=bug), seeds):
            if any(text.startswith(BUGS[bug]) for text in report.violations):
                pool.shutdown(wait=False, cancel_futures=True)
                _say(f"bug {bug} was found at seed {report.seed}")
                _tell(report)
                return 0
    _say(f"bug {bug} was not found in {asked.seeds} seeds")
    return 1


def _tell(report: Report) -> None:
    for text in report.violations:
        _say(f"seed {report.seed}: {text}")
    _say(f"  again: make simulate SEEDS=1 SEED={report.seed}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
