"""``remediator backtest`` on a month of recorded alerts, of which one in ten is new.

The record is the same every time: outages of one service and one alert name, one to eight pods each, which
Alertmanager repeats every five minutes until they resolve. The command runs as a process of its own, on one
core, with the default policies.
"""

from __future__ import annotations

import heapq
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from benchmarks.stage import ROOT
from remediator.core.times import MINUTE, SECOND, format_instant

ALERTS = 1_000_000
BEGINS = 1_764_000_000_000
OUTAGES_EVERY = 100 * SECOND
REPEATED_EVERY = 5 * MINUTE
REPEATS = 8
SERVICES = (
    "auth-service", "account-service", "notification-service", "analytics-service", "postgres",
    *(f"service-{number}" for number in range(59)),
)  # fmt: skip
NAMES = (
    ("ServiceDown", "critical"), ("HighErrorRate", "critical"), ("HighLatency", "warning"),
    ("KubePodCrashLooping", "warning"), ("HighMemoryUsage", "warning"), ("DiskFilling", "info"),
    ("PostgresDown", "critical"), ("SomethingOdd", "none-of-ours"),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Replayed:
    """``seconds`` by the clock, ``busy`` of the processor; ``resident``: bytes at the worst moment."""

    alerts: int
    new: int
    incidents: int
    seconds: float
    busy: float
    resident: int


@dataclass(order=True)
class _Outage:
    at: int
    number: int
    alerts: list[dict[str, object]] = field(compare=False)
    left: int = field(compare=False, default=REPEATS)


def write_record(path: Path, alerts: int = ALERTS) -> int:
    """A record of about so many alerts, as the archive writes it; how many there are."""
    written = 0
    with path.open("w") as out:
        for at, some in _notifications():
            body = {
                "version": "4", "groupKey": f'{{}}:{{alertname="{_name(some[0])}"}}', "truncatedAlerts": 0,
                "status": some[0]["status"], "receiver": "remediator",
                "externalURL": "http://alertmanager.example:9093", "alerts": some,
            }  # fmt: skip
            line = {"v": 1, "received_at": format_instant(at), "notification": body}
            out.write(json.dumps(line, separators=(",", ":")) + "\n")
            written += len(some)
            if written >= alerts:
                return written
    raise AssertionError("outages never end")


def _name(alert: dict[str, object]) -> str:
    labels = alert["labels"]
    assert isinstance(labels, dict)
    return str(labels["alertname"])


def _notifications() -> Iterator[tuple[int, list[dict[str, object]]]]:
    chance, number = Random(42), 0
    begins = BEGINS
    waiting: list[_Outage] = []
    while True:
        while not waiting or begins <= waiting[0].at:
            number += 1
            heapq.heappush(waiting, _Outage(begins, number, _alerts(chance, number, begins)))
            begins += int(chance.expovariate(1 / OUTAGES_EVERY))
        outage = heapq.heappop(waiting)
        if outage.left:
            yield outage.at, outage.alerts
            heapq.heappush(
                waiting, _Outage(outage.at + REPEATED_EVERY, outage.number, outage.alerts, outage.left - 1)
            )
        else:
            ended = format_instant(outage.at - 20 * SECOND)
            yield outage.at, [{**each, "status": "resolved", "endsAt": ended} for each in outage.alerts]


def _alerts(chance: Random, number: int, at: int) -> list[dict[str, object]]:
    service, (name, severity) = chance.choice(SERVICES), chance.choice(NAMES)
    return [
        {
            "status": "firing",
            "labels": {
                "alertname": name, "cluster": "prod-eu", "container": service, "endpoint": "http",
                "instance": f"10.1.{pod}.7:8080", "job": "kubernetes-pods", "namespace": "fintech-services",
                "pod": f"{service}-{number:x}-{pod}", "prometheus": "monitoring/k8s", "service": service,
                "severity": severity,
            },
            "annotations": {
                "description": f"{name}: pod {service}-{number:x}-{pod} has been so for more than 5 minutes.",
                "runbook_url": f"https://runbooks.example/{name}", "summary": f"{name} on {service}",
            },
            "startsAt": format_instant(at - 30 * SECOND),
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.example:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1",
            "fingerprint": f"{number * 16 + pod:016x}",
        }
        for pod in range(chance.randint(1, 8))
    ]  # fmt: skip


def measure_backtest(folder: Path, alerts: int = ALERTS) -> Replayed:
    """Write the record and replay it."""
    folder.mkdir(parents=True, exist_ok=True)
    record = folder / "record.jsonl"
    count = write_record(record, alerts)
    program = str(Path(sys.executable).with_name("remediator"))
    command = [program, "backtest", str(ROOT / "policies"), "--alerts", str(record), "--json"]
    one = min(os.sched_getaffinity(0))
    answer, began = folder / "report.json", time.monotonic()
    with answer.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, cwd=ROOT, preexec_fn=lambda: os.sched_setaffinity(0, {one})
        )
        _, status, usage = os.wait4(process.pid, 0)  # of this very process, and of no other
    process.returncode = os.waitstatus_to_exitcode(status)
    took = time.monotonic() - began
    assert process.returncode == 0
    report = json.loads(answer.read_text())
    dispositions = report["current"]["dispositions"]
    assert report["read"]["alerts"] == count
    return Replayed(
        alerts=count,
        new=dispositions["new"] + dispositions["unmatched"],
        incidents=sum(report["current"]["incidents"].values()),
        seconds=took,
        busy=usage.ru_utime + usage.ru_stime,
        resident=usage.ru_maxrss * 1024,
    )
