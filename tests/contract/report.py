"""How much of the recorded API the fake answers alike: ``python -m tests.contract.report``.

It counts what the contract tests claim and hold the fake to (``supported.json``), and says of how many the
state was put there as it was recorded (``given.json``). With ``--names`` it lists every exchange.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass

from tests.contract.recordings.replay import GIVEN, RECORDINGS, SUPPORTED, load
from tests.contract.test_apiserver_watches import NODES, SCENES

RECORDED = {
    "meta": 55,
    "workloads": 157,
    "pods": 179,
    "policy": 51,
    "nodes": 37,
    "access": 35,
    "leases": 25,
    "events": 28,
    "jobs": 38,
}
"""Exchanges with the real server, by file."""
WATCHED = {
    *("daemonset-rollout-restart", "deployment-create-3-replicas", "deployment-delete-background"),
    *("deployment-delete-one-pod", "deployment-rollback-from-image-pull-failure"),
    *("deployment-rollout-image-pull-failure", "deployment-rollout-never-ready"),
    *("deployment-rollout-restart", "deployment-scale-0-to-3", "deployment-scale-3-to-0", "eviction"),
    *("job-failure", "job-success", "node-not-ready", "node-ready-again", "pod-crash-loop"),
    *("pod-liveness-restart", "pod-oom-kill", "statefulset-rollout-restart", "statefulset-scale-0-to-1"),
    *("statefulset-scale-1-to-3", "watch-410-gone", "watch-parameters"),
}
"""Watches of the real server, by file."""
UNSUPPORTED: dict[str, dict[str, str]] = json.loads((RECORDINGS / "unsupported.json").read_text())
"""What is answered otherwise, and why, by file."""
LEAST = 0.85
"""The part of the exchanges that has to be supported."""


@dataclass(frozen=True, kw_only=True)
class Count:
    """One file: its exchanges, those supported, and of these the ones that read a given state."""

    file: str
    names: tuple[str, ...]
    supported: frozenset[str]
    given: frozenset[str]

    @property
    def missing(self) -> list[str]:
        """What is answered otherwise, in the order of the recording."""
        return [name for name in self.names if name not in self.supported]


def counts() -> list[Count]:
    """Every file of exchanges."""
    found = []
    for file in RECORDED:
        names = tuple(entry["name"] for entry in load(file))
        supported = frozenset(SUPPORTED.get(file, ()))
        given = frozenset(GIVEN.get(file, ())) & supported
        found.append(Count(file=file, names=names, supported=supported, given=given))
    return found


def replayed() -> set[str]:
    """The watches that the fake is held to; the second file holds cases, each a watch of its own."""
    return {*SCENES, *NODES, "watch-410-gone", "watch-parameters"}


def _reasons(one: Count) -> list[str]:
    why = UNSUPPORTED.get(one.file, {})
    return [f"  {name}: {why.get(name, 'nobody says why')}" for name in one.missing]


def text(*, names: bool = False) -> str:
    """The report, as a person reads it."""
    found = counts()
    lines = [f"{'file':<12}{'supported':>10}{'recorded':>10}{'part':>7}{'given':>7}"]
    for one in found:
        total = len(one.names)
        part = len(one.supported) / total
        lines.append(f"{one.file:<12}{len(one.supported):>10}{total:>10}{part:>7.0%}{len(one.given):>7}")
    supported, total = sum(len(one.supported) for one in found), sum(RECORDED.values())
    given = sum(len(one.given) for one in found)
    lines.append(f"{'all':<12}{supported:>10}{total:>10}{supported / total:>7.1%}{given:>7}")
    watched = sorted(WATCHED & replayed())
    lines += ["", f"watches: {len(watched)} of {len(WATCHED)} replayed: {', '.join(watched)}"]
    lines += [f"watches, not replayed: {', '.join(sorted(WATCHED - replayed()) or ['none'])}"]
    for one in found:
        if names:
            lines += ["", f"{one.file}, supported:", *(f"  {name}" for name in sorted(one.supported))]
        if one.missing:
            lines += ["", f"{one.file}, not supported:", *_reasons(one)]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(text(names="--names" in sys.argv[1:]) + "\n")
