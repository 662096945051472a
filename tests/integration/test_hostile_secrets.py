"""Secrets appear nowhere: not in a log, an answer, the store or a page, whatever goes wrong.

One journey that succeeds and one that fails, with wrong credentials, a Redis that is away, and a PagerDuty
and an API server that quote the credentials they were sent.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.e2e.peers import ROUTING_KEY, Pager, Process, fetch, until
from tests.e2e.stage import write_certificates
from tests.e2e.test_hostile import Answer, Serve, alert, notification, start_cluster, workload
from tests.servers import RedisServer

WEBHOOK_TOKEN = "Wq7-webhook-4f1c9ab2d8e6"
ADMIN_TOKEN = "Xz3-admin-77b0c2f19d4ae5"
VIEWER_TOKEN = "Yk8-viewer-0a6e5d4c3b2f91"
REDIS_PASSWORD = "Rp5/pass+9c8b7a6f5e4d3c"  # what has to be percent-encoded is in it
KUBE_TOKEN = "Kt2-token-e1d2c3b4a5968778"
WRONG = "Wr0-guess-5544332211ffeedd"
SECRETS = (WEBHOOK_TOKEN, ADMIN_TOKEN, VIEWER_TOKEN, REDIS_PASSWORD, KUBE_TOKEN, ROUTING_KEY, WRONG)
POLICIES = """
severities:
  SEV-2: {summary: one service is down, page: {unless_verified_within: 2m}, escalation: people}
services:
  web: {namespace: shop, workload: deployment/web}
  api: {namespace: shop, workload: deployment/api}
rules:
  - {name: down, match: ['alertname="Down"'], severity: SEV-2, mode: auto, runbooks: [restart]}
runbooks:
  restart:
    summary: Restart it and prove that it answers
    diagnose: [workload: {}, pods: {}]
    steps: [restart: {}]
    verify:
      - rollout: {within: 5s}
      - alert: {state: resolved, within: 5s}
guards: {namespaces: [shop], rate: {cluster: 10/1h, service: 5/1h, target: 5/1h}}
escalations:
  people:
    - {level: 1, channels: [oncall], acknowledge_within: 15m}
    - {level: 2, channels: [manager]}
channels:
  oncall: {pagerduty: {routing_key: {env: PAGERDUTY_ROUTING_KEY}}}
  manager: {pagerduty: {routing_key: {env: PAGERDUTY_ROUTING_KEY}}}
operator: {channels: [oncall]}
"""
AUTHOR = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
SENDER = {"Authorization": f"Bearer {WEBHOOK_TOKEN}"}
SHOWN = (
    "/metrics", "/openapi.json", "/-/ready", "/-/healthy", "/v1/incidents", "/v1/pause", "/v1/dead-letters",
    "/v1/unmatched", "/v1/nothing", "/nothing",
)  # fmt: skip


def forms(secret: str) -> set[str]:
    """A secret and what it is written as: whole, its ends, encoded."""
    raw = {secret, secret[:12], secret[-12:], quote(secret, safe=""), json.dumps(secret)[1:-1]}
    return raw | {base64.b64encode(f"{user}{secret}".encode()).decode() for user in ("", ":", "u:")}


def leaks(places: dict[str, str]) -> list[tuple[str, str, str]]:
    """Where which secret is to be found, with what stands around it."""
    found = []
    for place, text in places.items():
        for secret in SECRETS:
            for form in forms(secret):
                if (at := text.find(form)) >= 0:
                    found.append((place, secret, text[max(at - 120, 0) : at + 60]))
    return found


def environment(folder: Path, redis: str, kubeconfig: Path, pager: str) -> dict[str, str]:
    """The daemon's settings, every secret among them."""
    return {
        "REMEDIATOR_POLICIES": str(folder / "policies"),
        "REMEDIATOR_REDIS_URL": redis,
        "REMEDIATOR_KUBECONFIG": str(kubeconfig),
        "REMEDIATOR_WEBHOOK_TOKEN": WEBHOOK_TOKEN,
        "REMEDIATOR_API_TOKEN": f"ada admin {ADMIN_TOKEN}\nvera viewer {VIEWER_TOKEN}",
        "REMEDIATOR_PAGERDUTY_ROUTING_KEY": ROUTING_KEY,
        "REMEDIATOR_PAGERDUTY_URL": pager,
        "REMEDIATOR_LOG_LEVEL": "debug",
        "SSL_CERT_FILE": str(folder / "ca.pem"),
    }


def redis_contents(redis: RedisServer) -> str:
    """Every key and value, and who is connected."""
    found: list[Any] = []
    with redis.client() as client:
        for key in client.scan_iter(count=1000):
            kind = client.type(key)
            read = {
                "string": lambda key=key: client.get(key),
                "hash": lambda key=key: client.hgetall(key),
                "list": lambda key=key: client.lrange(key, 0, -1),
                "set": lambda key=key: sorted(client.smembers(key)),
                "zset": lambda key=key: client.zrange(key, 0, -1, withscores=True),
                "stream": lambda key=key: client.xrange(key),
            }
            found.append((key, read[str(kind)]()))
        found.append(client.client_list())
    return repr(found)


class Journey:
    """The world, and what became of two alerts in it."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.places: dict[str, str] = {}
        self._folder = folder
        for name in ("redis", "policies"):
            (folder / name).mkdir()
        (folder / "policies" / "all.yaml").write_text(POLICIES)
        acl = {"user": f"daemon on >{REDIS_PASSWORD} ~* &* +@all"}
        self.redis = RedisServer("redis-7.0", folder / "redis", acl)
        stack.callback(self.redis.stop)
        manifests = [workload("shop", "web"), workload("shop", "api")]
        self.cluster, self.api, self.kubeconfig = start_cluster(folder, manifests, "--token", KUBE_TOKEN)
        stack.callback(self.cluster.stop)
        self.pager = Pager(folder, *write_certificates(folder))
        stack.callback(self.pager.stop)
        self.stack = stack

    def url(self, password: str) -> str:
        """Of Redis."""
        return f"redis://daemon:{quote(password, safe='')}@127.0.0.1:{self.redis.port}/0"

    def serve(self, name: str, **changed: str) -> Serve:
        """A daemon, stopped at the end whatever happens."""
        env = environment(self._folder, self.url(REDIS_PASSWORD), self.kubeconfig, self.pager.url)
        daemon = Serve(self._folder, {**env, **changed}, name)
        self.stack.callback(daemon.stop)
        return daemon

    def end(self, daemon: Serve) -> None:
        """Stop it; what it said and answered is kept."""
        daemon.process.terminate()
        out, _ = daemon.process.communicate(timeout=20)
        self.places[f"{daemon.name}: stdout"] = out.decode()
        self.places[f"{daemon.name}: stderr"] = daemon.log.read_text()
        for number, answer in enumerate(daemon.answers):
            self.places[f"{daemon.name}: answer {number}"] = f"{answer.status} {answer.headers} {answer.body}"

    def fault_pager(self, **fault: object) -> None:
        """Once, PagerDuty answers so."""
        import ssl
        import urllib.request

        body = json.dumps({"kind": "status", "times": 1, **fault}).encode()
        context = ssl.create_default_context(cafile=str(self._folder / "ca.pem"))
        request = urllib.request.Request(f"{self.pager.url}/-/fake/faults", body, method="POST")
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:
            assert answer.status == 200
