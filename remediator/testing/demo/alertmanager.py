"""A small stand-in for Prometheus and Alertmanager: looks at the cluster, sends what Alertmanager would."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from remediator.core.times import Instant, format_instant
from remediator.testing.demo.stage import Stage
from remediator.testing.demo.town import NAMESPACE

EVERY = 0.2
"""Seconds between two evaluations."""
FOR = 0.8
"""Seconds that a service must be down before its alert fires, as ``for`` of a Prometheus rule."""
KEEP_FIRING_FOR = 0.8
"""Seconds that it must be up before its alert resolves."""
NEVER = "0001-01-01T00:00:00Z"
"""How Go writes a time that is not set."""
KINDS = ("deployments", "statefulsets")

Sent = Callable[[str, str, str], None]
"""Told of each notification that arrived: the service, firing or resolved, and what the daemon answered."""


@dataclass(kw_only=True)
class Watched:
    """One service. ``since``: when it was last seen to turn up or down, by ``time.monotonic()``."""

    down: bool
    since: float
    fired_at: str | None = None
    """When its alert began, while it fires."""


class Alertmanager:
    """One rule: ``ServiceDown`` fires when no pod of a service is ready. ``sent`` hears of notifications."""

    def __init__(self, stage: Stage, sent: Sent) -> None:
        self._stage, self._sent = stage, sent
        self._watched: dict[str, Watched] = {}

    async def run(self) -> None:
        """For ever."""
        while True:
            now = time.monotonic()
            for name, down in await self._look():
                await self._evaluate(name, down, now)
            await asyncio.sleep(EVERY)

    async def _look(self) -> list[tuple[str, bool]]:
        """Every service and whether it is down, as kube-state-metrics would have it.

        What the API server does not answer is not known this time, as with a scrape that failed.
        """
        found = []
        headers = {"Authorization": f"Bearer {self._stage.keys.cluster_you}"}
        for kind in KINDS:
            url = f"{self._stage.cluster.url}/apis/apps/v1/namespaces/{NAMESPACE}/{kind}"
            try:
                async with self._stage.http.get(url, headers=headers) as answer:
                    answer.raise_for_status()
                    items: list[dict[str, Any]] = (await answer.json())["items"]
            except (aiohttp.ClientError, TimeoutError):
                continue
            found += [(item["metadata"]["name"], _is_down(item)) for item in items]
        return found

    async def _evaluate(self, name: str, down: bool, now: float) -> None:
        seen = self._watched.setdefault(name, Watched(down=False, since=now))
        if seen.down is not down:
            seen.down, seen.since = down, now
        if down and seen.fired_at is None and now - seen.since >= FOR:
            began = _now()
            if await self._send(name, began, ended=None):
                seen.fired_at = began
        elif not down and seen.fired_at is not None and now - seen.since >= KEEP_FIRING_FOR:
            taken = await self._send(name, seen.fired_at, ended=_now())
            seen.fired_at = None if taken else seen.fired_at

    async def _send(self, name: str, began: str, ended: str | None) -> bool:
        """Whether the daemon took it. What it did not take is sent again at the next evaluation."""
        token = self._stage.keys.webhook
        url = f"{self._stage.daemon.addresses.receiver}/v1/alertmanager"
        body = notification(name, began, ended)
        try:
            async with self._stage.http.post(
                url, json=body, headers={"Authorization": f"Bearer {token}"}
            ) as answer:
                said = " ".join((await answer.text()).split())
                self._sent(name, body["status"], f"{answer.status} {said}")
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError) as error:
            self._sent(name, body["status"], f"not delivered: {type(error).__name__}")
            return False


def notification(service: str, began: str, ended: str | None) -> dict[str, Any]:
    """The webhook body (version 4) of one alert; times as RFC 3339. ``ended`` None: it fires."""
    labels = {
        "alertname": "ServiceDown",
        "namespace": NAMESPACE,
        "service": service,
        "severity": "critical",
    }
    annotations = {"summary": f"no pod of {service} is ready"}
    grouped = {name: labels[name] for name in ("alertname", "service")}
    status = "firing" if ended is None else "resolved"
    return {
        "version": "4",
        "groupKey": f'{{}}:{{alertname="ServiceDown", service="{service}"}}',
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "remediator",
        "groupLabels": grouped,
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": "",
        "alerts": [
            {
                "status": status,
                "labels": labels,
                "annotations": annotations,
                "startsAt": began,
                "endsAt": ended or NEVER,
                "generatorURL": "",
                "fingerprint": fingerprint(labels),
            }
        ],
    }


def fingerprint(labels: dict[str, str]) -> str:
    """16 hexadecimal digits that depend on the labels alone, as Alertmanager's do."""
    text = "\n".join(f"{name}={value}" for name, value in sorted(labels.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _is_down(item: dict[str, Any]) -> bool:
    """Whether none of the pods that it wants is ready."""
    return item["spec"]["replicas"] > 0 and not item.get("status", {}).get("readyReplicas")


def _now() -> str:
    return format_instant(Instant(int(time.time() * 1000)))
