"""Everything on stage: the daemon's replicas and all of their peers."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trustme

from tests.e2e.peers import (
    ROUTING_KEY,
    Alertmanager,
    Cluster,
    Exporter,
    Pager,
    Process,
    Prometheus,
    python,
    until,
)
from tests.servers import RedisServer, free_port

TOKEN = "e2e-webhook-token"
POLICIES = """
severities:
  SEV-2:
    summary: One service is down
    page: {unless_verified_within: PAGE_WITHIN}
    escalation: people
services:
  web: {namespace: shop, workload: deployment/web}
rules:
  - name: service-down
    match: [alertname="ServiceDown"]
    severity: SEV-2
    mode: auto
    runbooks: [restart-service]
runbooks:
  restart-service:
    summary: Restart it and prove that it answers
    diagnose: [workload: {}, pods: {}]
    steps: [STEPS]
    verify:
      - rollout: {within: VERIFY_WITHIN}
      - ready: {for: 1s, within: VERIFY_WITHIN}
      - alert: {state: resolved, within: VERIFY_WITHIN}
    limits: {attempts: 5, per: 1h, cooldown: 1s}
guards:
  namespaces: [shop]
  rate: {cluster: 10/1h, service: 5/1h, target: 5/1h}
escalations:
  people: [{level: 1, channels: [oncall]}]
channels:
  oncall: {pagerduty: {routing_key: {env: PAGERDUTY_ROUTING_KEY}}}
operator: {channels: [oncall]}
"""


class Daemon(Process):
    """One replica on ports that stay the same when it is started again."""

    def __init__(self, number: int, folder: Path, env: dict[str, str]) -> None:
        self.receiver, self.operations = free_port(), free_port()
        ports = {
            "REMEDIATOR_LISTEN": f"127.0.0.1:{self.receiver}",
            "REMEDIATOR_OPS_LISTEN": f"127.0.0.1:{self.operations}",
            "REMEDIATOR_DATA_DIR": str(folder / f"data-{number}"),
        }
        super().__init__(f"daemon-{number}", python("tests.e2e.killable"), folder, {**env, **ports})

    def incidents(self) -> list[dict[str, Any]]:
        """As its API lists them."""
        url = f"http://127.0.0.1:{self.operations}/v1/incidents"
        with urllib.request.urlopen(url, timeout=10) as answer:
            items: list[dict[str, Any]] = json.loads(answer.read())["items"]
        return items

    def timeline(self, incident: str) -> list[dict[str, Any]]:
        """As its API tells it."""
        url = f"http://127.0.0.1:{self.operations}/v1/incidents/{incident}/timeline"
        with urllib.request.urlopen(url, timeout=10) as answer:
            entries: list[dict[str, Any]] = json.loads(answer.read())["items"]
        return entries

    def metrics(self) -> str:
        """As Prometheus scrapes them."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.operations}/metrics", timeout=10) as answer:
            text: str = answer.read().decode()
        return text


@dataclass(kw_only=True)
class Stage:
    """A test's whole world. ``daemons`` are the replicas, ``redis`` their store."""

    redis: RedisServer
    cluster: Cluster
    pager: Pager
    daemons: list[Daemon]
    prometheus: Prometheus
    alertmanager: Alertmanager

    def incident(self) -> dict[str, Any] | None:
        """The one incident, asked of whichever replica answers; None while there is none."""
        for daemon in self.daemons:
            try:
                items = daemon.incidents()
            except (OSError, urllib.error.URLError):
                continue
            assert len(items) <= 1, items
            return items[0] if items else None
        return None

    def wait_for_status(self, status: str, within: float = 90.0) -> dict[str, Any]:
        """The incident, when it has that status."""

        def asked() -> dict[str, Any] | None:
            incident = self.incident()
            return incident if incident is not None and incident["status"] == status else None

        try:
            found: dict[str, Any] = until(f"an incident that is {status}", asked, within)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.story()}") from error
        return found

    def story(self) -> str:
        """What the replicas say happened, for a test that failed."""
        incident = self.incident()
        lines = [json.dumps(incident)]
        if incident is not None:
            for daemon in self.daemons:
                try:
                    lines += [f"{e['at']} {e['kind']} {e['text']}" for e in daemon.timeline(incident["id"])]
                    break
                except (OSError, urllib.error.URLError):
                    continue
        lines += [d.log.read_text()[-2500:] for d in self.daemons]
        return "\n".join(lines)


def write_certificates(folder: Path) -> tuple[Path, Path, Path]:
    """Certificate, key and authority of a server on 127.0.0.1."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "localhost")
    cert, key, ca = folder / "server.pem", folder / "server.key", folder / "ca.pem"
    issued.private_key_pem.write_to_path(str(key))
    for blob in issued.cert_chain_pems:
        blob.write_to_path(str(cert), append=True)
    authority.cert_pem.write_to_path(str(ca))
    ssl.create_default_context(cafile=str(ca))  # readable, or the test ends here
    return cert, key, ca


@contextmanager
def set_stage(
    folder: Path,
    *,
    replicas: int = 1,
    page_within: str = "60s",
    verify_within: str = "40s",
    steps: str = "restart: {}",
    fuse: str = "",
) -> Iterator[Stage]:
    """Everything started and ready; ended in the reverse order whatever happens."""
    with ExitStack() as stack:
        redis = RedisServer("redis-7.0", _make(folder / "redis"))
        stack.callback(redis.stop)
        cluster = Cluster(folder)
        stack.callback(cluster.stop)
        pager = Pager(folder, *write_certificates(folder))
        stack.callback(pager.stop)
        policies = _make(folder / "policies")
        (policies / "policy.yaml").write_text(
            POLICIES.replace("PAGE_WITHIN", page_within)
            .replace("VERIFY_WITHIN", verify_within)
            .replace("STEPS", steps)
        )
        env = {
            "REMEDIATOR_REDIS_URL": redis.url,
            "REMEDIATOR_POLICIES": str(policies),
            "REMEDIATOR_KUBECONFIG": str(cluster.kubeconfig),
            "REMEDIATOR_WEBHOOK_TOKEN": TOKEN,
            "REMEDIATOR_PAGERDUTY_URL": pager.url,
            "PAGERDUTY_ROUTING_KEY": ROUTING_KEY,
            "SSL_CERT_FILE": str(folder / "ca.pem"),
            "REMEDIATOR_TEST_FUSE": fuse,
            "REMEDIATOR_TEST_ONCE": str(folder / "burnt") if replicas > 1 else "",
        }
        daemons = []
        for number in range(replicas):
            daemon = Daemon(number, folder, env)
            stack.callback(daemon.stop)
            daemons.append(daemon)
        for daemon in daemons:
            daemon.first_line()
        exporter = Exporter(cluster)
        stack.callback(exporter.stop)
        alertmanager = Alertmanager(folder, [daemon.receiver for daemon in daemons], TOKEN)
        stack.callback(alertmanager.stop)
        prometheus = Prometheus(folder, exporter.port, alertmanager.port)
        stack.callback(prometheus.stop)
        alertmanager.wait_until_ready()
        prometheus.wait_until_ready()
        yield Stage(
            redis=redis,
            cluster=cluster,
            pager=pager,
            daemons=daemons,
            prometheus=prometheus,
            alertmanager=alertmanager,
        )


def _make(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
