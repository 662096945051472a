"""The daemon's peers as processes: real Prometheus and Alertmanager, the fake API server and PagerDuty.

Everything listens on free loopback ports, keeps its data in the test's folder and is ended by the test, by
the pid it was started under. A program that is not installed is an error, never a skip.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.servers import free_port

STARTS_WITHIN = 30.0
ROUTING_KEY = "e2e0routing0key0of0the0tests0000"


def program(name: str) -> str:
    """Its path. Raises RuntimeError when it is not installed."""
    found = shutil.which(name)
    if found is None:
        raise RuntimeError(f"{name} is missing; apt-get install {name}")
    return found


def until(what: str, ask: Callable[[], Any], within: float = STARTS_WITHIN) -> Any:
    """The first true answer. Asks again every 50 ms; raises AssertionError when time is up."""
    deadline, last = time.monotonic() + within, None
    while time.monotonic() < deadline:
        try:
            last = ask()
            if last:
                return last
        except (OSError, urllib.error.URLError, ValueError) as error:
            last = error
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come about within {within:.0f} s; last: {last!r}")


def fetch(url: str, body: object = None, method: str | None = None) -> Any:
    """JSON from there; None for an empty answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        text = answer.read()
    return json.loads(text) if text else None


class Process:
    """A peer that was started here and is ended here."""

    def __init__(self, name: str, command: Sequence[str], folder: Path, env: Mapping[str, str] = {}) -> None:
        self.name, self._command, self._folder = name, list(command), folder
        self._env = {**os.environ, **env}
        self.log = folder / f"{name}.log"
        self.started: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self, env: Mapping[str, str] = {}) -> None:
        """Start it, or start it again."""
        if self.started is not None and self.started.stdout is not None:
            self.started.stdout.close()
        with self.log.open("ab") as log:
            self.started = subprocess.Popen(
                self._command,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=Path(__file__).parents[2],
                env={**self._env, **env},
            )

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """As started last."""
        assert self.started is not None
        return self.started

    def first_line(self) -> str:
        """What it says when it listens."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode().strip()
        assert line, f"{self.name} did not start:\n{self.log.read_text()[-3000:]}"
        return line

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """SIGTERM, then SIGKILL when that is not heard."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()
        if self.process.stdout is not None:
            self.process.stdout.close()


def python(*arguments: str) -> list[str]:
    """The command of a module."""
    return [sys.executable, "-m", *arguments]


class Cluster(Process):
    """The fake API server with one Deployment, ``shop/web``."""

    def __init__(self, folder: Path) -> None:
        self.kubeconfig = folder / "kubeconfig"
        super().__init__(
            "apiserver",
            python(
                "remediator.testing.apiserver", "--kubeconfig", str(self.kubeconfig), "--ready-after", "0.3"
            ),
            folder,
        )
        self.url = self.first_line()
        self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        self.create(_deployment())
        until("a ready deployment", lambda: self.ready() == 2)

    def create(self, manifest: object) -> None:
        """An object."""
        fetch(f"{self.url}/-/fake/objects", manifest)

    def behave(self, behaviour: str) -> None:
        """How the pods of ``web`` do from now on."""
        fetch(f"{self.url}/-/fake/behave", {"namespace": "shop", "name": "web", "behaviour": behaviour})

    def web(self) -> dict[str, Any]:
        """The deployment, by the control surface's own user."""
        token = _token(self.kubeconfig)
        url = f"{self.url}/apis/apps/v1/namespaces/shop/deployments/web"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=5) as answer:
            found: dict[str, Any] = json.loads(answer.read())
        return found

    def patch(self, body: object) -> None:
        """What a person does with the deployment."""
        url = f"{self.url}/apis/apps/v1/namespaces/shop/deployments/web"
        headers = {
            "Authorization": f"Bearer {_token(self.kubeconfig)}",
            "Content-Type": "application/strategic-merge-patch+json",
            "User-Agent": "kubectl/v1.32.0",
        }
        request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="PATCH")
        with urllib.request.urlopen(request, timeout=5) as answer:
            assert answer.status == 200

    def removed(self) -> list[str]:
        """The names of the pods that were asked away, one for each time."""
        ledger = fetch(f"{self.url}/-/fake/ledger")
        return [effect["name"] for effect in ledger if effect["resource"] == "pods"]

    def marks(self) -> int:
        """How often a change of the deployment left our mark on it."""
        ledger = fetch(f"{self.url}/-/fake/ledger")
        return sum("remediator~1effect" in json.dumps(effect["body"]) for effect in ledger)

    def ready(self) -> int:
        """Ready pods."""
        return int(self.web()["status"].get("readyReplicas", 0))

    def restarts(self) -> int:
        """How often the template changed: what the promise counts."""
        return sum(1 for effect in fetch(f"{self.url}/-/fake/ledger") if effect["template_changed"])


def _token(kubeconfig: Path) -> str:
    from ruamel.yaml import YAML

    document = YAML(typ="safe", pure=True).load(kubeconfig.read_text())
    return str(document["users"][0]["user"]["token"])


def _deployment() -> dict[str, Any]:
    labels = {"app": "web"}
    container = {"name": "web", "image": "web:1", "ports": [{"containerPort": 8080}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


class Exporter:
    """What Prometheus scrapes: whether ``web`` has all its pods, as a blackbox probe would see it."""

    def __init__(self, cluster: Cluster) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                try:
                    up = int(cluster.ready() >= 2)
                except OSError:
                    up = 0
                body = f'service_up{{service="web"}} {up}\n'.encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's name
                """Scrapes are not worth a line."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """No more scrapes."""
        self._server.shutdown()
        self._server.server_close()


class Prometheus(Process):
    """Scrapes the exporter and evaluates one rule, five times a second. ``more``: further lines of it."""

    def __init__(
        self, folder: Path, exporter: int, alertmanager: int, *, rule: str = "ServiceDown", more: str = ""
    ) -> None:
        self.port = free_port()
        rules = folder / "rules.yml"
        rules.write_text(
            f"groups:\n- name: web\n  interval: 200ms\n  rules:\n  - alert: {rule}\n{more}"
            "    expr: service_up == 0\n    labels: {severity: critical}\n"
            "    annotations: {summary: web is down, runbook_url: https://runbooks.example/web}\n"
        )
        config = folder / "prometheus.yml"
        config.write_text(
            "global: {scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms}\n"
            f"rule_files: [{rules}]\n"
            "alerting: {alertmanagers: [{static_configs: "
            f"[{{targets: ['127.0.0.1:{alertmanager}']}}]}}]}}\n"
            f"scrape_configs: [{{job_name: web, static_configs: [{{targets: ['127.0.0.1:{exporter}']}}]}}]\n"
        )
        super().__init__(
            "prometheus",
            [
                program("prometheus"),
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--rules.alert.resend-delay=1s",
            ],
            folder,
        )

    def wait_until_ready(self) -> None:
        """It answers."""
        until("Prometheus", lambda: _ready(f"http://127.0.0.1:{self.port}/-/ready"))


class Alertmanager(Process):
    """Sends to every receiver that it is given, a second after a change."""

    def __init__(self, folder: Path, receivers: Sequence[int], token: str) -> None:
        self.port = free_port()
        hooks = "".join(
            f"  - url: http://127.0.0.1:{port}/v1/alertmanager\n    send_resolved: true\n"
            f"    http_config: {{authorization: {{credentials: {token}}}}}\n"
            for port in receivers
        )
        config = folder / "alertmanager.yml"
        config.write_text(
            "route: {receiver: remediator, group_by: [alertname, service], group_wait: 100ms, "
            "group_interval: 1s, repeat_interval: 1h}\n"
            f"receivers:\n- name: remediator\n  webhook_configs:\n{hooks}"
        )
        super().__init__(
            "alertmanager",
            [
                program("prometheus-alertmanager"),
                f"--config.file={config}",
                f"--storage.path={folder / 'alertmanager'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--cluster.listen-address=",
            ],
            folder,
        )

    def wait_until_ready(self) -> None:
        """It answers."""
        until("Alertmanager", lambda: _ready(f"http://127.0.0.1:{self.port}/-/ready"))


def _ready(url: str) -> bool:
    with urllib.request.urlopen(url, timeout=2) as answer:
        return int(answer.status) == 200


class Pager(Process):
    """The fake PagerDuty over TLS."""

    def __init__(self, folder: Path, cert: Path, key: Path, ca: Path) -> None:
        self._ca = ca
        super().__init__(
            "pagerduty",
            python(
                "remediator.testing.pagerduty", "--cert", str(cert), "--key", str(key),
                "--routing-key", ROUTING_KEY,
            ),
            folder,
        )  # fmt: skip
        self.url = self.first_line()

    def events(self, action: str = "trigger") -> list[dict[str, Any]]:
        """What arrived and was taken."""
        context = ssl.create_default_context(cafile=str(self._ca))
        with urllib.request.urlopen(f"{self.url}/-/fake/events", timeout=10, context=context) as answer:
            events: list[dict[str, Any]] = json.loads(answer.read())
        return [event for event in events if event["action"] == action]
