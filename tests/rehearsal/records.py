"""Recorded notifications, for tests of ``remediator backtest``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from remediator.core.times import HOUR, MINUTE, SECOND, Instant, format_instant
from remediator.policy.load import load_policy
from remediator.rehearsal.backtest.lines import Line
from remediator.rehearsal.backtest.report import Report
from remediator.rehearsal.backtest.run import BEYOND, Backtest, Played

NOON = 1_764_072_000_000
"""2025-11-25T12:00:00Z."""
M, S, H = int(MINUTE), int(SECOND), int(HOUR)

POLICIES = """
severities:
  SEV-1: {summary: down, page: now, escalation: standard}
  SEV-2: {summary: degraded, page: {unless_verified_within: 15m}, resolve_within: 1h, escalation: standard}
  SEV-3: {summary: slow, page: never}
services:
  web: {namespace: shop, workload: deployment/web}
  api: {namespace: shop, workload: deployment/api}
  db: {namespace: shop, workload: deployment/db}
rules:
  - {name: down, match: ['alertname="Down"'], severity: SEV-2, mode: auto, runbooks: [restart]}
  - {name: slow, match: ['alertname="Slow"'], severity: SEV-3}
  - {name: flaky, match: ['alertname="Flaky"'], severity: SEV-2, hold: 2m}
runbooks:
  restart:
    summary: Restart it
    steps: [{restart: {}}]
    limits: {attempts: 5, per: 1h, cooldown: 1m}
    verify: [{rollout: {within: 1m}}, {alert: {state: resolved, within: 5m}}]
guards: {namespaces: [shop], rate: {cluster: 10/1h, service: 2/1h, target: 2/10m}}
escalations:
  standard:
    - {level: 1, channels: [oncall], acknowledge_within: 10m}
    - {level: 2, channels: [manager]}
channels:
  oncall: {pagerduty: {routing_key: {env: A}}}
  manager: {pagerduty: {routing_key: {env: B}}}
"""


def policy(folder: Path, name: str, text: str = POLICIES) -> Played:
    """A policy that is called ``name`` in the report."""
    path = folder / name
    path.mkdir(parents=True, exist_ok=True)
    (path / "all.yaml").write_text(text)
    return Played(path=name, policy=load_policy(path))


def alert(
    name: str, service: str = "web", *, since: int = NOON, until: int | None = None, **labels: str
) -> Any:
    """An alert; the same labels are the same alert."""
    named = {"alertname": name, "service": service, **labels}
    return {
        "status": "firing" if until is None else "resolved",
        "labels": named,
        "annotations": {"summary": f"{name} on {service}"},
        "startsAt": format_instant(since),
        "endsAt": "0001-01-01T00:00:00Z" if until is None else format_instant(until),
        "generatorURL": "http://prometheus.example/graph",
        "fingerprint": sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()[:16],
    }


def body(*alerts: Any) -> dict[str, Any]:
    """A webhook body."""
    return {
        "version": "4", "groupKey": "{}:{}", "truncatedAlerts": 0, "status": "firing",
        "receiver": "remediator", "externalURL": "http://alertmanager.example", "alerts": list(alerts),
    }  # fmt: skip


def archived(at: int, *alerts: Any, **more: Any) -> bytes:
    """A line of the archive."""
    line = {"v": 1, "received_at": format_instant(at), "notification": body(*alerts), **more}
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"


def outage(name: str, service: str, begins: int, lasts: int, **labels: Any) -> list[tuple[int, Any]]:
    """An alert that fires, is repeated every five minutes, and resolves."""
    fires = alert(name, service, since=begins, **labels)
    told = [(begins + n, fires) for n in range(0, lasts, 5 * M)]
    return [*told, (begins + lasts, alert(name, service, since=begins, until=begins + lasts, **labels))]


def lines_of(*outages: Iterable[tuple[int, Any]]) -> list[bytes]:
    """Their lines, in order of time."""
    told = sorted((each for outage in outages for each in outage), key=lambda each: each[0])
    return [archived(at, one) for at, one in told]


def replay(raws: Iterable[bytes], *policies: Played, shortcuts: bool = True, beyond: int = BEYOND) -> Report:
    """Lines played to one policy or to two."""
    run = Backtest(policies, record="record.jsonl", shortcuts=shortcuts)
    run.play(Line(where=f"record.jsonl:{number}", raw=raw) for number, raw in enumerate(raws, 1))
    return run.finish(Instant(beyond))  # type: ignore[arg-type]  # milliseconds are milliseconds


def write_lines(path: Path, raws: Sequence[bytes]) -> Path:
    """A file of lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(raws))
    return path
