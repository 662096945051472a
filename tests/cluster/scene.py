"""A recovery from end to end: a real Alertmanager, the real daemon, a real store, and whoever is paged.

Only the cluster is the test world's own. Alerts are handed to Alertmanager as Prometheus does, or by a real
one.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
import trustme

from remediator.testing.demo.daemon import Daemon
from remediator.testing.pagerduty import FakePagerDuty
from tests.alertmanagers import RealAlertmanager, alertmanagers
from tests.cluster.doctor import Doctor, at_work
from tests.cluster.shipped import Times, write_shipped
from tests.cluster.town import Town, town
from tests.cluster.world import PATIENCE, Json, World
from tests.e2e.peers import Process, program
from tests.servers import RedisServer, free_port

API_TOKEN = "playbook-api-token"
KEYS = {name: f"{number:032x}" for number, name in enumerate(("oncall", "manager", "vp"), start=1)}
VARIABLES = {
    "oncall": "PAGERDUTY_ROUTING_KEY",
    "manager": "PAGERDUTY_MANAGER_ROUTING_KEY",
    "vp": "PAGERDUTY_VP_ROUTING_KEY",
}
RULES = """
groups:
  - name: shipped
    interval: 200ms
    rules:
      - alert: HighErrorRate
        expr: >-
          sum by (service) (rate(http_requests_total{status=~"5.."}[3s]))
          / sum by (service) (rate(http_requests_total[3s])) > 0.05
        labels: {cause: external, severity: critical}
"""
PROMETHEUS = """
global: {{scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms}}
rule_files: [{rules}]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{alertmanager}']}}]}}]}}
scrape_configs: [{{job_name: town, honor_labels: true, static_configs: [{{targets: ['{town}']}}]}}]
"""


BRIEFLY = Times(within="3s", isolated="4s")
"""For what must fail: how long it is waited for."""
Stage: TypeAlias = Callable[..., AbstractAsyncContextManager["Scene"]]
"""Sets the scene on the test's cluster, with what else ``set_scene`` takes."""


@dataclass(kw_only=True)
class Scene:
    """Everything that plays a part."""

    world: World
    town: Town
    doctor: Doctor
    pager: FakePagerDuty
    alertmanager: RealAlertmanager
    daemon: Daemon
    http: aiohttp.ClientSession

    async def ask(self, path: str) -> Any:
        """JSON of the daemon's API."""
        headers = {"Authorization": f"Bearer {API_TOKEN}"}
        async with self.http.get(f"{self.daemon.addresses.operations}{path}", headers=headers) as answer:
            said = await answer.json()
            assert answer.status == 200, said
            return said

    async def timeline(self, incident: Json) -> list[Json]:
        """What happened, in order."""
        items: list[Json] = (await self.ask(f"/v1/incidents/{incident['id']}/timeline"))["items"]
        return items

    async def evidence(self, incident: Json) -> set[str]:
        """What was kept before anything was changed."""
        kept = await self.ask(f"/v1/incidents/{incident['id']}/evidence")
        return {piece["source"] for one in kept["items"] for piece in one["pieces"]}

    async def incident(self, service: str, holds: Callable[[Json], bool], what: str) -> Json:
        """The incident of a service, once it is so."""
        end = time.monotonic() + PATIENCE
        while True:
            found = (await self.ask(f"/v1/incidents?service={service}"))["items"]
            if found and holds(found[0]):
                assert len(found) == 1, found
                return dict(found[0])
            if time.monotonic() > end:
                raise AssertionError(f"{what} did not come about in {PATIENCE} s\n{await self._story(found)}")
            await asyncio.sleep(0.05)  # another process changes it; nothing tells us when

    async def _story(self, found: list[Json]) -> str:
        lines = [str(found)]
        for each in found:
            lines += [f"{one['at']} {one['kind']}: {one['text']}" for one in await self.timeline(each)]
        return "\n".join([*lines, self.daemon.log.read_text()[-2000:]])

    async def verifying(self, service: str) -> Json:
        """Once everything was done and is looked at."""
        return await self.incident(
            service, lambda one: one["status"] == "verifying", f"{service} is verified"
        )

    async def ended(self, service: str, outcome: str) -> Json:
        """Once its last attempt has ended; as the test wants it, or the story is told."""
        over = lambda one: bool(one["attempts"] and one["attempts"][-1]["outcome"])  # noqa: E731  # said twice
        found = await self.incident(service, over, f"the attempt for {service} ends")
        assert found["attempts"][-1]["outcome"] == outcome, await self._story([found])
        return found

    async def resolved(self, service: str) -> Json:
        """Once it is over, and the runbook is what ended it."""
        found = await self.incident(
            service, lambda one: one["status"] == "resolved", f"{service} is resolved"
        )
        assert [one["outcome"] for one in found["attempts"]] == ["verified"], await self._story([found])
        return found

    async def paged(self, *channels: str) -> list[str]:
        """What was said to people, once exactly these channels were paged."""
        end = time.monotonic() + PATIENCE
        wanted = sorted(KEYS[name] for name in channels)
        while sorted(event.routing_key for event in self.pager.triggers()) != wanted:
            assert time.monotonic() < end, self.pager.triggers()
            await asyncio.sleep(0.05)  # another process pages; nothing tells us when
        return [event.body["payload"]["summary"] for event in self.pager.triggers()]


def in_order(timeline: list[Json], *wanted: tuple[str, str]) -> None:
    """Entries of these kinds, whose texts contain these words, stand there in this order."""
    left = iter(timeline)
    for kind, words in wanted:
        found = next((one for one in left if one["kind"] == kind and words in one["text"]), None)
        story = "\n".join(f"{one['kind']}: {one['text']}" for one in timeline)
        assert found is not None, f"no {kind} with {words!r} in its place:\n{story}"


@asynccontextmanager
async def set_scene(
    world: World,
    folder: Path,
    redis: RedisServer,
    kubeconfig: Path,
    *,
    times: Times | None = None,
    prometheus: bool = False,
) -> AsyncIterator[Scene]:
    """All of them, started and ready; ended in the reverse order."""
    async with AsyncExitStack() as stack:
        place = await stack.enter_async_context(town())
        tls = _certificates(folder)
        pager = await stack.enter_async_context(FakePagerDuty(tls=tls, routing_keys=tuple(KEYS.values())))
        receiver = free_port()
        policies = write_shipped(folder / "policies", world.namespace, place.where, times or Times())
        settings = {
            "REMEDIATOR_POLICIES": str(policies),
            "REMEDIATOR_LISTEN": f"127.0.0.1:{receiver}",
            "REMEDIATOR_OPS_LISTEN": "127.0.0.1:0",
            "REMEDIATOR_API_TOKEN": API_TOKEN,
            "REMEDIATOR_REDIS_URL": redis.url,
            "REMEDIATOR_REDIS_PREFIX": world.namespace,
            "REMEDIATOR_KUBECONFIG": str(kubeconfig),
            "REMEDIATOR_PAGERDUTY_URL": pager.url,
            "SSL_CERT_FILE": str(folder / "ca.pem"),
            **{VARIABLES[name]: key for name, key in KEYS.items()},
        }
        [alertmanager] = stack.enter_context(alertmanagers(folder, receiver))
        if prometheus:
            port = free_port()
            stack.callback(_prometheus(folder, port, alertmanager.port, place.scraped_at).stop)
            settings["REMEDIATOR_PROMETHEUS_URL"] = f"http://127.0.0.1:{port}"
        daemon = await Daemon.launch(folder, settings)
        stack.push_async_callback(daemon.stop)
        await daemon.started()
        doctor = await stack.enter_async_context(at_work(world))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        yield Scene(
            world=world,
            town=place,
            doctor=doctor,
            pager=pager,
            alertmanager=alertmanager,
            daemon=daemon,
            http=http,
        )


def _certificates(folder: Path) -> ssl.SSLContext:
    """Of PagerDuty. ``ca.pem`` trusts it and what the system trusts, for a cluster's sake."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    system = ssl.get_default_verify_paths().cafile
    trusted = Path(system).read_bytes() if system else b""
    (folder / "ca.pem").write_bytes(trusted + b"\n" + authority.cert_pem.bytes())
    return context


def _prometheus(folder: Path, port: int, alertmanager: int, scraped: str) -> Process:
    """One that scrapes the town and evaluates one rule, five times a second."""
    rules, config = folder / "rules.yml", folder / "prometheus.yml"
    rules.write_text(RULES)
    config.write_text(PROMETHEUS.format(rules=rules, alertmanager=alertmanager, town=scraped))
    command = [
        program("prometheus"),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--rules.alert.resend-delay=1s",
    ]
    return Process("prometheus", command, folder)
