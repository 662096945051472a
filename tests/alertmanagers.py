"""Real Alertmanagers for tests, alone or as a highly available pair, and what Prometheus would tell them."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.servers import free_port

STARTS_WITHIN = 30.0
CONFIG = """
route:
  receiver: nobody
  group_by: [alertname]
  group_wait: 100ms
  group_interval: 1s
  repeat_interval: 1h
  routes: [{{receiver: remediator, matchers: ['team=""']}}]
receivers:
  - name: nobody
  - name: remediator
    webhook_configs: [{{url: "http://127.0.0.1:{port}/v1/alertmanager", send_resolved: true}}]
inhibit_rules:
  - {{source_matchers: [alertname="Cause"], target_matchers: [alertname="WebDown"], equal: [service]}}
"""


def moment(seconds: float = 0) -> str:
    """So many seconds from now."""
    at = datetime.now(UTC) + timedelta(seconds=seconds)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class RealAlertmanager:
    """One process. ``receiver``: the port it sends webhooks to. ``peers``: cluster ports of the others."""

    def __init__(
        self, folder: Path, receiver: int, *, cluster: int | None = None, peers: Sequence[int] = ()
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port, self._folder = free_port(), folder
        (folder / "alertmanager.yml").write_text(CONFIG.format(port=receiver))
        found = shutil.which("prometheus-alertmanager")
        if found is None:
            raise RuntimeError("prometheus-alertmanager is missing; apt-get install prometheus-alertmanager")
        self._command = [
            found,
            f"--config.file={folder / 'alertmanager.yml'}",
            f"--storage.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            f"--cluster.listen-address={f'127.0.0.1:{cluster}' if cluster else ''}",
            "--cluster.settle-timeout=1s",
            *(f"--cluster.peer=127.0.0.1:{peer}" for peer in peers),
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        """Where it is asked."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, or start it again: alerts it had are forgotten, silences are not."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        deadline = time.monotonic() + STARTS_WITHIN
        while time.monotonic() < deadline:
            try:
                self.call("GET", "/api/v2/status")
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError((self._folder / "log").read_text()[-3000:])

    def stop(self) -> None:
        """End it."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(20)

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Ask its API."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def reroute(self, old: str, new: str) -> None:
        """Another configuration, and reload it."""
        path = self._folder / "alertmanager.yml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        self.call("POST", "/-/reload")

    def fire(self, name: str, since: float = 120, starts_at: str = "", **labels: str) -> None:
        """What Prometheus sends of an alert that fires, since so many seconds ago or since that moment."""
        alert = {
            "labels": {"alertname": name, **labels},
            "annotations": {"summary": "it is down"},
            "startsAt": starts_at or moment(-since),
            "endsAt": moment(600),
            "generatorURL": "http://prometheus.example/graph",
        }
        self.call("POST", "/api/v2/alerts", [alert])

    def end(self, name: str, **labels: str) -> None:
        """What Prometheus sends once it fires no longer."""
        alert = {"labels": {"alertname": name, **labels}, "endsAt": moment(-0.001)}
        self.call("POST", "/api/v2/alerts", [alert])

    def silence(self, name: str, by: str = "jane", comment: str = "at work on it") -> str:
        """What a person does. The id of the silence."""
        body = {
            "matchers": [{"name": "alertname", "value": name, "isRegex": False, "isEqual": True}],
            "startsAt": moment(-1),
            "endsAt": moment(600),
            "createdBy": by,
            "comment": comment,
        }
        return str(self.call("POST", "/api/v2/silences", body)["silenceID"])

    def expire(self, silence: str) -> None:
        """The end of a silence."""
        self.call("DELETE", f"/api/v2/silence/{silence}")

    def listed(self) -> dict[str, str]:
        """Names and states of what it lists."""
        return {
            one["labels"]["alertname"]: one["status"]["state"] for one in self.call("GET", "/api/v2/alerts")
        }


@contextmanager
def alertmanagers(folder: Path, receiver: int, count: int = 1) -> Iterator[list[RealAlertmanager]]:
    """That many of them, which know each other if there are several."""
    ports = [free_port() for _ in range(count)] if count > 1 else []
    running: list[RealAlertmanager] = []
    try:
        for number in range(count):
            cluster = ports[number] if ports else None
            others = [port for port in ports if port != cluster]
            running.append(RealAlertmanager(folder / f"am{number}", receiver, cluster=cluster, peers=others))
        yield running
    finally:
        for each in running:
            each.stop()
