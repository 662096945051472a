"""The promises hold in simulated storms, and the checker finds bugs that are planted on purpose.

P1 P3 P4 P5 P6 P7 P8 P10 P11 P12 P13 P14 P18, from one seed each: replicas crash at any call, freeze, lose
answers; webhooks come twice and in any order; every action is performed and every guard is met.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from remediator.actions import ACTIONS
from remediator.checks import CHECKS
from remediator.diagnoses import DIAGNOSES
from remediator.guards import GUARDS
from remediator.testing.simulation.bugs import BUGS
from remediator.testing.simulation.coverage import EXEMPT, never_met

SEEDS = 200


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "remediator.testing.simulation", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )


def test_200_seeds_keep_every_promise() -> None:
    """No seed of the first two hundred breaks a promise, and the storms were real ones."""
    done = run("--seeds", str(SEEDS), "--seed", "1")
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    summary = done.stdout.splitlines()[-1]
    assert f"{SEEDS} seeds" in summary
    deaths = int(summary.split(" deaths")[0].rsplit(" ", 1)[1])
    assert deaths > SEEDS, summary
    # every action, every guard that allows and that blocks, every check and diagnosis of the registries
    assert "never met: nothing" in done.stdout.splitlines(), done.stdout


@pytest.mark.full
def test_2000_more_seeds_keep_every_promise() -> None:
    """The long run of `make test-full`."""
    done = run("--seeds", "2000", "--seed", "100001")
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug: str) -> None:
    """A checker that finds no bug proves nothing: each is found within the same seeds, as what it breaks."""
    done = run("--bug", bug, "--seeds", str(SEEDS), "--seed", "1")
    assert done.returncode == 0, f"{bug} was not found: {done.stdout}{done.stderr[-2000:]}"
    assert any(f": {BUGS[bug]}" in line for line in done.stdout.splitlines()), done.stdout


@pytest.mark.parametrize("promise", ["P3", "P7", "P8", "P10", "P11", "P13", "P14"])
def test_a_bug_is_planted_for_each_promise_about_changes(promise: str) -> None:
    """What nobody tries to break is not known to be kept."""
    assert promise in BUGS.values()


def test_whatever_is_in_the_registries_has_to_be_met() -> None:
    """Nothing met: all of it is named, in words that say which registry it is from."""
    missing = never_met({})
    for registry, names in (("action", ACTIONS), ("check", CHECKS), ("diagnosis", DIAGNOSES)):
        for name in names:
            assert f"{registry} {name}" in EXEMPT or any(
                each.split()[:2] == [registry, name] for each in missing
            )
    for guard in GUARDS:
        assert {f"guard {guard.name} allows", f"guard {guard.name} blocks"} <= {*missing, *EXEMPT}
    assert never_met(dict.fromkeys(missing, 1)) == []


def test_a_seed_is_a_whole_history() -> None:
    """The same seed gives the same history in another process; another seed gives another."""
    program = (
        "import logging; logging.disable(logging.CRITICAL)\n"
        "from remediator.testing.simulation.run import simulate\n"
        "print(simulate(3).digest, simulate(4).digest)"
    )
    told = [
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": "0"},
        ).stdout.split()
        for _ in range(2)
    ]
    assert told[0] == told[1]
    assert told[0][0] != told[0][1]
