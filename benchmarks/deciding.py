"""How long ten thousand incidents take from their alerts to a change that every guard agreed to."""

from __future__ import annotations

import gc
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from remediator.cli.garbage import collecting_seldom
from remediator.core import codec
from remediator.core.alerts import Alert, AlertStatus, Fingerprint
from remediator.core.classify import Classifier
from remediator.core.policies import Policy
from remediator.core.times import SECOND, Instant, Millis, Stamp
from remediator.policy.load import load_policy
from remediator.rehearsal.script import StepOutcome
from remediator.rehearsal.stage import START, Stage
from remediator.rehearsal.world import World

INCIDENTS = 10_000
_HOUR = Millis(3600 * SECOND)
_POLICY = """
severities: {SEV-2: {summary: down, page: {unless_verified_within: 15m}, escalation: people}}
rules: [{name: down, match: ['alertname="Down"'], severity: SEV-2, mode: auto, runbooks: [restart]}]
runbooks:
  restart:
    steps: [restart: {}]
    verify: [rollout: {within: 5m}, ready: {for: 30s, within: 5m}, alert: {state: resolved, within: 10m}]
guards: {namespaces: [shop], max_unavailable: 40%, rate: {cluster: 100000/1h, service: 5/1h, target: 5/1h}}
escalations: {people: [{level: 1, channels: [oncall], acknowledge_within: 15m}]}
channels: {oncall: {pagerduty: {routing_key: {env: KEY}}}}
operator: {channels: [oncall]}
services:
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Deciding:
    """``busy``: seconds of processor time from the alerts to ``changes`` that are planned, guarded, noted
    and claimed; ``verdicts``: how many the guards gave before the last look.

    ``written``: bytes of an open incident as the store keeps it; ``held``: bytes of memory that it takes in
    one process with everything, the in-memory store, journal and timeline included.
    """

    incidents: int
    busy: float
    changes: int
    verdicts: int
    written: float
    held: float


def measure_deciding() -> Deciding:
    """Alerts of as many services come at once; every step is under way when the clock is stopped."""
    rules = Classifier(_policy())
    gc.collect()
    with collecting_seldom(), _stage(rules) as stage:
        began = time.process_time()
        stage.run_until(Instant(START + SECOND))
        busy = time.process_time() - began
        opened = stage.incidents
        written = sum(len(codec.incident_json(one)) for one in opened) / len(opened)
        changes = sum(one.active is not None and bool(one.active.pending) for one in opened)
        verdicts = len(stage.verdicts)
    assert len(opened) == INCIDENTS, len(opened)
    assert changes == INCIDENTS, changes
    return Deciding(
        incidents=len(opened),
        busy=busy,
        changes=changes,
        verdicts=verdicts,
        written=written,
        held=_memory(rules),
    )


def _memory(rules: Classifier) -> float:
    tracemalloc.start()
    try:
        with _stage(rules) as stage:
            before, _ = tracemalloc.get_traced_memory()
            stage.run_until(Instant(START + SECOND))
            gc.collect()
            return (tracemalloc.get_traced_memory()[0] - before) / len(stage.incidents)
    finally:
        tracemalloc.stop()


def _stage(rules: Classifier) -> Stage:
    stage = Stage(rules, World([StepOutcome(step="restart", takes=_HOUR)]))
    stage.deliver(list(_alerts()), START)
    return stage


def _alerts() -> Iterator[Alert]:
    for number in range(INCIDENTS):
        yield Alert(
            fingerprint=Fingerprint(f"{number:016x}"),
            status=AlertStatus.FIRING,
            labels={"alertname": "Down", "service": f"svc-{number}"},
            annotations={"summary": "it does not answer"},
            starts_at=Stamp("2026-01-05T08:00:00.000000000Z"),
            ends_at=None,
            generator_url="",
        )


def _policy() -> Policy:
    with tempfile.TemporaryDirectory() as folder:
        lines = (f"  svc-{n}: {{namespace: shop, workload: deployment/svc-{n}}}\n" for n in range(INCIDENTS))
        (Path(folder) / "all.yaml").write_text(_POLICY + "".join(lines), encoding="utf-8")
        return load_policy(Path(folder))
