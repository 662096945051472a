"""A busy hour in half a minute: incidents of every kind, which a real Prometheus watches all the while.

Real are the daemon, Redis, Alertmanager, and Prometheus with the shipped rules; the API server and PagerDuty
are the shipped fakes.
"""

from __future__ import annotations

import asyncio
import time
import urllib.parse
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

from remediator.testing.apiserver import FakeApiServer
from remediator.testing.apiserver.striking import server_context
from remediator.testing.demo.daemon import Daemon
from remediator.testing.pagerduty import FakePagerDuty
from tests.alertmanagers import RealAlertmanager
from tests.e2e.peers import Process, program
from tests.e2e.stage import write_certificates
from tests.servers import RedisServer, free_port

T = TypeVar("T")
Json = dict[str, Any]
PATIENCE = 120.0
"""Seconds; a busy machine may take long for what an idle one does in one."""
RULES = Path(__file__).parents[2] / "chart" / "files" / "rules"
FLEET = [f"fleet-{number}" for number in range(10)]
STUCK = ["stuck-a", "stuck-b", "stuck-c"]
LEAVES = ["leaf-a", "leaf-b"]
WORKLOADS = ["web", "api", *STUCK, *FLEET, *LEAVES]
KEYS = {"ONCALL_KEY": "0" * 31 + "1", "MANAGER_KEY": "0" * 31 + "2", "BROKEN_KEY": "0" * 31 + "3"}
SERVICES = "".join(
    f"  {name}: {{namespace: shop, workload: deployment/{name}}}\n"
    for name in WORKLOADS
    if name not in LEAVES
)
POLICIES = f"""
severities:
  SEV-1: {{page: now, escalation: people, respond_within: 1s, resolve_within: 2s}}
  SEV-2: {{page: {{unless_verified_within: 1m}}, escalation: people, respond_within: 1s, resolve_within: 2s}}
  SEV-3: {{page: never, respond_within: 5m, resolve_within: 1h}}
  SEV-4: {{page: never}}
services:
{SERVICES}
  vault: {{namespace: bank, workload: deployment/vault}}
  leaf-a: {{namespace: shop, workload: deployment/leaf-a, depends_on: [stuck-a]}}
  leaf-b: {{namespace: shop, workload: deployment/leaf-b, depends_on: [stuck-a]}}
rules:
  - {{name: web-down, match: ['alertname="WebDown"'], severity: SEV-2, mode: auto, runbooks: [restart]}}
  - {{name: stuck, match: ['alertname="Stuck"'], severity: SEV-2, mode: auto, runbooks: [fewer-pods]}}
  - {{name: stuck-badly, match: ['alertname="StuckBadly"'], severity: SEV-1}}
  - {{name: vault-down, match: ['alertname="VaultDown"'], severity: SEV-2, mode: auto, runbooks: [restart]}}
  - {{name: fleet-slow, match: ['alertname="FleetSlow"'], severity: SEV-3, mode: observe, runbooks: [nudge]}}
  - {{name: api-down, match: ['alertname="ApiDown"'], severity: SEV-3, mode: approve, runbooks: [restart]}}
  - {{name: leaf-down, match: ['alertname="LeafDown"'], severity: SEV-3, mode: suggest, runbooks: [restart]}}
  - name: pod-stuck
    match: ['alertname="PodStuck"']
    severity: SEV-4
    target: {{deployment: 'shop/{{{{ labels.deployment }}}}'}}
    runbooks: [nudge]
  - {{name: never-seen, match: ['alertname="NeverSeen"'], severity: SEV-4}}
runbooks:
  restart:
    steps: [{{restart: {{}}}}]
    verify: [{{ready: {{for: 1s, within: 20s}}}}]
    limits: {{attempts: 9, cooldown: 1s}}
  nudge: {{steps: [{{restart: {{}}}}], verify: [{{ready: {{within: 1s}}}}]}}
  fewer-pods:
    steps: [{{scale: {{to: 1}}}}]
    verify: [{{alert: {{state: resolved, within: 1s}}}}]
    undo: on_failure
guards:
  namespaces: [shop]
  rate: {{cluster: 100/1h, service: 9/1h, target: 99/10m}}
  breaker: {{failures: 3, within: 1h}}
escalations:
  people:
    - {{level: 1, channels: [broken, oncall], acknowledge_within: 2s}}
    - {{level: 2, channels: [manager]}}
channels:
  oncall: {{pagerduty: {{routing_key: {{env: ONCALL_KEY}}}}}}
  manager: {{pagerduty: {{routing_key: {{env: MANAGER_KEY}}}}}}
  broken: {{pagerduty: {{routing_key: {{env: BROKEN_KEY}}}}}}
operator: {{channels: [oncall]}}
"""
PROMETHEUS = """
global: {{scrape_interval: 300ms, scrape_timeout: 300ms, evaluation_interval: 500ms}}
rule_files: ['{rules}/*.yaml']
scrape_configs:
  - job_name: remediator
    honor_labels: true
    static_configs: [{{targets: ['127.0.0.1:{port}'], labels: {{namespace: ops}}}}]
"""


class Prometheus(Process):
    """Scrapes the daemon and evaluates the shipped rules."""

    def __init__(self, folder: Path, operations: int) -> None:
        self.port = free_port()
        config = folder / "prometheus.yml"
        config.write_text(PROMETHEUS.format(rules=RULES, port=operations))
        command = [
            program("prometheus"),
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]
        super().__init__("prometheus", command, folder)


@dataclass(kw_only=True)
class Watched:
    """A daemon, its world, and the Prometheus that watches it."""

    folder: Path
    settings: dict[str, str]
    daemon: Daemon
    http: aiohttp.ClientSession
    prometheus: Prometheus
    cluster: FakeApiServer
    redis: RedisServer
    alertmanager: RealAlertmanager

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """JSON of the daemon's API; anything but a success is the test's end."""
        url = f"{self.daemon.addresses.operations}{path}"
        async with self.http.request(method, url, json=body) as answer:
            said = await answer.json()
            assert answer.status in (200, 202), said
            return said

    async def webhook(self, body: bytes) -> int:
        """The status of a webhook."""
        url = f"{self.daemon.addresses.receiver}/v1/alertmanager"
        headers = {"Content-Type": "application/json"}
        async with self.http.post(url, data=body, headers=headers) as answer:
            return answer.status

    async def query(self, expression: str) -> list[Json]:
        """What Prometheus says to it now."""
        found: list[Json] = await self._prometheus("query", query=expression)
        return found

    async def graph(self, expression: str, since: float) -> list[Json]:
        """The same over time, a point a second. ``since``: when that begins, in seconds since 1970."""
        span = {"start": str(since), "end": str(time.time()), "step": "1"}
        found: list[Json] = await self._prometheus("query_range", query=expression, **span)
        return found

    async def values(self, metric: str, label: str) -> list[str]:
        """What a variable of that query offers."""
        path = f"label/{label}/values"
        found = await self._prometheus(path, **{"match[]": metric})
        return [str(each) for each in found]

    async def _prometheus(self, path: str, **parameters: str) -> Any:
        url = f"http://127.0.0.1:{self.prometheus.port}/api/v1/{path}"
        async with self.http.get(url, params=parameters) as answer:
            said = await answer.json()
            assert answer.status == 200, f"{urllib.parse.unquote(str(answer.url))}\n{said}"
            data = said["data"]
            return data["result"] if isinstance(data, dict) else data

    async def incident(self, service: str, holds: Callable[[Json], bool], what: str) -> Json:
        """The incident of a service, once it is so."""

        async def look() -> Json | None:
            found = (await self.ask("GET", f"/v1/incidents?service={service}"))["items"]
            return found[0] if found and holds(found[0]) else None

        return await self.until(look, f"{service}: {what}")

    async def outcome(self, service: str, outcome: str, attempt: int = 1) -> Json:
        """The incident of a service, once that attempt has ended so."""
        return await self.incident(
            service,
            lambda one: (
                len(one["attempts"]) >= attempt and one["attempts"][attempt - 1]["outcome"] == outcome
            ),
            f"attempt {attempt} ends {outcome}",
        )

    async def seen(self, expression: str) -> list[Json]:
        """What Prometheus says to it, once it says anything."""
        return await self.until(lambda: self.query(expression), expression)

    async def until(self, look: Callable[[], Awaitable[T | None]], what: str) -> T:
        """What it finds, once it finds something."""
        end = time.monotonic() + PATIENCE
        while not (found := await look()):
            if time.monotonic() > end:
                incidents = (await self.ask("GET", "/v1/incidents?limit=100"))["items"]
                story = "\n".join(f"{i['service']} {i['status']} {i['attempts']}" for i in incidents)
                log = self.daemon.log.read_text()[-3000:]
                raise AssertionError(f"{what} did not come about in {PATIENCE} s\n{story}\n{log}")
            await asyncio.sleep(0.1)  # another process gets there; nothing tells us when
        return found

    async def restart(self) -> None:
        """Stop the daemon and start it again on the same store: it looks at every rule's record then."""
        await self.daemon.stop()
        self.daemon = await Daemon.launch(self.folder, self.settings)
        await self.daemon.started()
        await self.seen("remediator_ready == 1")


@asynccontextmanager
async def watched(folder: Path) -> AsyncIterator[Watched]:
    """All of them, started, ready and scraped."""
    receiver, operations = free_port(), free_port()
    async with AsyncExitStack() as stack:
        redis = RedisServer("redis-7.0", _made(folder / "redis"))
        stack.callback(redis.stop)
        cluster = await stack.enter_async_context(FakeApiServer())
        for name in WORKLOADS:
            cluster.deployment("shop", name)
        cluster.namespace("bank")
        cluster.deployment("bank", "vault")
        await cluster.settled()
        pager = await stack.enter_async_context(_pager(folder))
        prometheus = Prometheus(folder, operations)
        stack.callback(prometheus.stop)
        alertmanager = RealAlertmanager(folder / "am", receiver)
        stack.callback(alertmanager.stop)
        (_made(folder / "policies") / "policy.yaml").write_text(POLICIES)
        settings = {
            **KEYS,
            "REMEDIATOR_POLICIES": str(folder / "policies"),
            "REMEDIATOR_LISTEN": f"127.0.0.1:{receiver}",
            "REMEDIATOR_OPS_LISTEN": f"127.0.0.1:{operations}",
            "REMEDIATOR_REDIS_URL": redis.url,
            "REMEDIATOR_KUBECONFIG": str(cluster.kubeconfig(folder / "kubeconfig")),
            "REMEDIATOR_PAGERDUTY_URL": pager.url,
            "REMEDIATOR_ALERTMANAGER_URLS": alertmanager.url,
            "SSL_CERT_FILE": str(folder / "ca.pem"),
        }
        http = await stack.enter_async_context(aiohttp.ClientSession())
        made = Watched(
            folder=folder,
            settings=settings,
            daemon=await Daemon.launch(folder, settings),
            http=http,
            prometheus=prometheus,
            cluster=cluster,
            redis=redis,
            alertmanager=alertmanager,
        )
        stack.push_async_callback(lambda: made.daemon.stop())
        await made.daemon.started()
        await made.seen("count_over_time(remediator_ready[1m]) > 2")
        yield made


def _pager(folder: Path) -> FakePagerDuty:
    """Who knows every key but that of the channel ``broken``."""
    cert, key, _ = write_certificates(folder)
    known = tuple(key for name, key in KEYS.items() if name != "BROKEN_KEY")
    return FakePagerDuty(tls=server_context(cert, key), routing_keys=known)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
