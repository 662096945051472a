"""Secrets appear nowhere: not in a log, an answer, the store or a page, whatever goes wrong.

One journey that succeeds and one that fails, with wrong credentials, a Redis that is away, and a PagerDuty
and an API server that quote the credentials they were sent.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import ssl
import sys
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.e2e.peers import ROUTING_KEY, STARTS_WITHIN, Pager, fetch, until
from tests.e2e.stage import write_certificates
from tests.e2e.test_hostile import Json, Serve, alert, notification, start_cluster, workload
from tests.secured import Authority, add_user, tls_settings, tls_url
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
  - {name: web, match: ['alertname="WebDown"'], severity: SEV-2, mode: auto, runbooks: [patient]}
  - {name: api, match: ['alertname="ApiDown"'], severity: SEV-2, mode: auto, runbooks: [hasty]}
runbooks:
  patient:
    diagnose: [workload: {}, pods: {}]
    steps: [restart: {}]
    verify: [rollout: {within: 1m}, alert: {state: resolved, within: 1m}]
  hasty:
    diagnose: [workload: {}, pods: {}]
    steps: [restart: {}]
    verify: [rollout: {within: 1s}]
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


def key_lines(key: Path) -> tuple[str, ...]:
    """What a PEM file of a key holds, but for what all such keys begin with."""
    lines = [line for line in key.read_text().splitlines() if not line.startswith("-----")]
    return (lines[0][24:], *(line for line in lines[1:] if len(line) > 12))


def leaks(places: dict[str, str], *more: str) -> list[tuple[str, str, str]]:
    """Where which secret, or which of ``more``, is to be found, with what stands around it."""
    found = []
    for place, text in places.items():
        for secret in (*SECRETS, *more):
            for form in forms(secret):
                if (at := text.find(form)) >= 0:
                    found.append((place, secret, text[max(at - 120, 0) : at + 60]))
    return found


READING: dict[str, tuple[str, tuple[str, ...]]] = {
    "string": ("GET", ()),
    "hash": ("HGETALL", ()),
    "list": ("LRANGE", ("0", "-1")),
    "set": ("SMEMBERS", ()),
    "zset": ("ZRANGE", ("0", "-1", "WITHSCORES")),
    "stream": ("XRANGE", ("-", "+")),
}
"""How a value of each type is read whole."""


def redis_contents(redis: RedisServer) -> str:
    """Every key and value, and who is connected."""
    found: list[Any] = []
    with redis.client() as client:
        for key in client.scan_iter(count=1000):
            command, more = READING[str(client.type(key))]
            found.append((key, client.execute_command(command, key, *more)))
        found.append(client.client_list())
    return repr(found)


class World:
    """A daemon's peers, and everything that came out of it, by place."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.places: dict[str, str] = {}
        self._folder, self._stack = folder, stack
        self.policies, self._kubeconfig = folder / "policies" / "all.yaml", folder / "kubeconfig"
        for name in ("redis", "policies"):
            (folder / name).mkdir()
        (folder / "users.acl").touch()
        self.policies.write_text(POLICIES)
        authority = Authority(folder / "certificates", "redis")
        self.ca, self.ours = authority.ca, authority.issue("client")
        self.redis = RedisServer(
            "redis-7.0",
            folder / "redis",
            {**tls_settings(authority, authority.issue("127.0.0.1")), "aclfile": str(folder / "users.acl")},
        )
        stack.callback(self.redis.stop)
        add_user(self.redis, "daemon", "remediator", password=REDIS_PASSWORD)
        with self.redis.client() as client:
            client.execute_command("ACL", "SAVE")  # it is started again
        manifests = [workload("shop", "web"), workload("shop", "api")]
        cluster, self.api, _ = start_cluster(folder, manifests, "--token", KUBE_TOKEN)
        stack.callback(cluster.stop)
        self.pager = Pager(folder, *write_certificates(folder))
        stack.callback(self.pager.stop)

    def serve(self, name: str, *, password: str = REDIS_PASSWORD, token: str = KUBE_TOKEN) -> Serve:
        """A daemon with these credentials; stopped at the end whatever happens."""
        kubeconfig = self._folder / f"kubeconfig-{name}"
        kubeconfig.write_text(self._kubeconfig.read_text().replace(KUBE_TOKEN, token))
        env = {
            "REMEDIATOR_POLICIES": str(self.policies.parent),
            **self.redis_login(password),
            "REMEDIATOR_REDIS_CA": str(self.ca),
            "REMEDIATOR_REDIS_CERT": str(self.ours.cert),
            "REMEDIATOR_REDIS_KEY": str(self.ours.key),
            "REMEDIATOR_KUBECONFIG": str(kubeconfig),
            "REMEDIATOR_WEBHOOK_TOKEN": WEBHOOK_TOKEN,
            "REMEDIATOR_API_TOKEN": f"ada admin {ADMIN_TOKEN}\nvera viewer {VIEWER_TOKEN}",
            "REMEDIATOR_PAGERDUTY_ROUTING_KEY": ROUTING_KEY,
            "REMEDIATOR_PAGERDUTY_URL": self.pager.url,
            "REMEDIATOR_LOG_LEVEL": "debug",
            "SSL_CERT_FILE": str(self._folder / "ca.pem"),
        }
        daemon = Serve(self._folder, env, name)
        self._stack.callback(daemon.stop)
        return daemon

    def redis_login(self, password: str) -> dict[str, str]:
        """The right password beside the URL, a wrong one in it: either place is watched."""
        if password == REDIS_PASSWORD:
            beside = {"REMEDIATOR_REDIS_USERNAME": "daemon", "REMEDIATOR_REDIS_PASSWORD": password}
            return {"REMEDIATOR_REDIS_URL": tls_url(self.redis), **beside}
        return {"REMEDIATOR_REDIS_URL": tls_url(self.redis, f"daemon:{quote(password, safe='')}@")}

    def end(self, daemon: Serve) -> None:
        """Stop it; what it said and answered is kept."""
        command = Path(f"/proc/{daemon.process.pid}/cmdline").read_text()
        daemon.process.terminate()
        out, _ = daemon.process.communicate(timeout=20)
        self.places[f"{daemon.name}: command"] = command
        self.places[f"{daemon.name}: stdout"] = out.decode()
        self.places[f"{daemon.name}: stderr"] = daemon.log.read_text()
        for number, answer in enumerate(daemon.answers):
            self.places[f"{daemon.name}: answer {number}"] = f"{answer.status} {answer.headers} {answer.body}"

    def fault_pager(self, status: int, message: str) -> None:
        """Once, PagerDuty answers so."""
        body = json.dumps({"kind": "status", "times": 1, "status": status, "message": message}).encode()
        context = ssl.create_default_context(cafile=str(self._folder / "ca.pem"))
        request = urllib.request.Request(f"{self.pager.url}/-/fake/faults", body, method="POST")
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:
            assert answer.status == 200

    def behave(self, name: str, behaviour: str) -> None:
        """How the pods of a workload do from now on."""
        fetch(f"{self.api}/-/fake/behave", {"namespace": "shop", "name": name, "behaviour": behaviour})

    def restarts(self, name: str) -> int:
        """How often it was restarted."""
        ledger = fetch(f"{self.api}/-/fake/ledger")
        return sum(effect["template_changed"] for effect in ledger if effect["name"] == name)


def told(name: str, service: str, *, over: bool = False) -> Json:
    """A notification of one alert that fires, or has resolved."""
    one = alert(len(service) + len(name), {"alertname": name, "service": service})
    one["fingerprint"] = f"{sum(name.encode()):016x}"
    if over:
        one |= {"status": "resolved", "endsAt": "2026-11-23T05:24:11.09Z"}
    return notification([one])


def status_of(daemon: Serve, service: str) -> str:
    """Of the service's one incident; empty while there is none."""
    items = daemon.get(f"/v1/incidents?service={service}", **AUTHOR)["items"]
    return str(items[0]["status"]) if items else ""


def guess(world: World) -> None:
    """A daemon that was given wrong credentials everywhere."""
    daemon = world.serve("guessing", password=WRONG, token=WRONG)
    until("an answer", lambda: "REDIS_URL" in daemon.ask("GET", "/-/ready").body)
    # It may listen for alerts a moment after it listens for people.
    until("a refusal", lambda: daemon.post(told("WebDown", "web"), **SENDER).status == 503)
    assert daemon.ask("GET", "/v1/incidents", **AUTHOR).status == 503
    world.end(daemon)


def try_wrong_credentials(daemon: Serve) -> None:
    """Senders and callers that do not know the tokens."""
    basic = base64.b64encode(f"u:{WRONG}".encode()).decode()
    for headers in ({"Authorization": f"Bearer {WRONG}"}, {"Authorization": f"Basic {basic}"}):
        assert daemon.post(told("WebDown", "web"), **headers).status == 403
        assert daemon.ask("GET", "/v1/incidents", **headers).status == 403
    for headers in ({}, {"Authorization": WRONG}):
        assert daemon.post(told("WebDown", "web"), **headers).status == 401
        assert daemon.ask("POST", "/-/reload", **headers).status == 401
    viewer = {"Authorization": f"Bearer {VIEWER_TOKEN}"}
    assert daemon.ask("PUT", "/v1/pause", {"reason": "x"}, **viewer).status == 403


def succeed(world: World, daemon: Serve) -> None:
    """Broken, restarted, verified."""
    world.behave("web", "heals_on_rollout")
    assert daemon.post(told("WebDown", "web"), **SENDER).status == 200
    until("a restart", lambda: world.restarts("web") == 1)
    assert daemon.post(told("WebDown", "web", over=True), **SENDER).status == 200
    until("the end", lambda: status_of(daemon, "web") == "resolved")


def fail(world: World, daemon: Serve) -> None:
    """Broken, restarted, still broken; PagerDuty refuses the first page, and says what key it was given."""
    world.behave("api", "stays_broken")
    world.fault_pager(500, f"no service for {ROUTING_KEY}")
    world.fault_pager(400, f"routing_key {ROUTING_KEY} is disabled")
    assert daemon.post(told("ApiDown", "api"), **SENDER).status == 200
    until("a page", lambda: world.pager.events())
    until("its answer", lambda: '"outcome": "accepted"' in timeline(daemon, "api"))


def timeline(daemon: Serve, service: str) -> str:
    """Of the service's incident, as it is answered."""
    [item] = daemon.get(f"/v1/incidents?service={service}", **AUTHOR)["items"]
    return daemon.ask("GET", f"/v1/incidents/{item['id']}/timeline", **AUTHOR).body


def lose_redis(world: World, daemon: Serve) -> None:
    """It is away for a while."""
    world.redis.kill()
    until("trouble", lambda: daemon.ask("GET", "/-/ready").status == 503)
    assert daemon.post(told("ApiDown", "api", over=True), **SENDER).status == 503
    for path in SHOWN:
        daemon.ask("GET", path, **AUTHOR)
    world.redis.start()
    daemon.wait_until_ready()


def write_a_secret_into_a_policy(world: World, daemon: Serve) -> None:
    """It is refused without being repeated."""
    world.policies.write_text(POLICIES.replace("{env: PAGERDUTY_ROUTING_KEY}", ROUTING_KEY))
    refused = daemon.ask("POST", "/-/reload", **AUTHOR)
    assert refused.status == 422
    assert "must not stand in a policy file" in refused.body
    world.policies.write_text(POLICIES)
    assert daemon.ask("POST", "/-/reload", **AUTHOR).status == 200


def look_everywhere(world: World, daemon: Serve) -> None:
    """With and without credentials; into the store, its files, and what PagerDuty got."""
    for path in SHOWN:
        daemon.ask("GET", path)
        daemon.ask("GET", path, **AUTHOR)
    for service in ("web", "api"):
        world.places[f"timeline of {service}"] = timeline(daemon, service)
    world.places["redis"] = redis_contents(world.redis)
    files = [path for path in (world.redis.folder).rglob("*.aof") if path.is_file()]
    assert files
    world.places |= {path.name: path.read_bytes().decode("utf-8", "replace") for path in files}
    events = world.pager.events() + world.pager.events("resolve")
    assert {event["body"].pop("routing_key") for event in events} == {ROUTING_KEY}  # where it belongs
    world.places["pages"] = json.dumps([event["body"] for event in events])


def test_no_secret_appears_anywhere(tmp_path: Path) -> None:
    with ExitStack() as stack:
        world = World(tmp_path, stack)
        guess(world)
        daemon = world.serve("daemon")
        daemon.wait_until_ready()
        try_wrong_credentials(daemon)
        succeed(world, daemon)
        fail(world, daemon)
        lose_redis(world, daemon)
        [item] = daemon.get("/v1/incidents?service=api", **AUTHOR)["items"]
        acknowledged = daemon.ask("POST", f"/v1/incidents/{item['id']}/acknowledge", {"note": "x"}, **AUTHOR)
        assert acknowledged.status == 200
        assert daemon.post(told("ApiDown", "api", over=True), **SENDER).status == 200
        until("the end", lambda: status_of(daemon, "api") == "resolved")
        until("the page's resolve", lambda: world.pager.events("resolve"))
        write_a_secret_into_a_policy(world, daemon)
        look_everywhere(world, daemon)
        world.end(daemon)
    assert "PagerDuty answered 400" in world.places["timeline of api"]
    assert "REDIS_URL" in world.places["guessing: stderr"]
    assert '"outcome": "verified"' in world.places["timeline of web"]
    assert leaks(world.places, *key_lines(world.ours.key)) == []


def test_a_leak_would_be_found() -> None:
    """The test above looks for the right things."""
    for secret in SECRETS:
        assert leaks({"log": f"so {secret} it is"})[0][:2] == ("log", secret)
        assert leaks({"log": json.dumps({"url": f"redis://x:{quote(secret, safe='')}@y"})})
    assert leaks({"log": "nothing"}) == []


def test_a_leaked_key_would_be_found(tmp_path: Path) -> None:
    """In whole or one line of it; a certificate is no secret."""
    pair = Authority(tmp_path).issue("client")
    lines = key_lines(pair.key)
    assert len(lines) > 1
    for text in (pair.key.read_text(), repr(pair.key.read_bytes()), *lines):
        assert leaks({"log": text}, *lines)
    assert leaks({"log": pair.cert.read_text()}, *lines) == []


async def refusal(env: dict[str, str]) -> tuple[int | None, str]:
    """How a daemon with these settings ends, and all it says."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("REMEDIATOR_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from remediator.cli.main import main; main()", "serve",
        env={**clean, **env}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(STARTS_WITHIN):
        said, _ = await process.communicate()
    return process.returncode, said.decode()


async def test_wrong_settings_are_refused_without_repeating_a_secret(tmp_path: Path) -> None:
    policies, kubeconfig, token = tmp_path / "policies", tmp_path / "kubeconfig", tmp_path / "token"
    policies.mkdir()
    (policies / "all.yaml").write_text(POLICIES)
    kubeconfig.write_text(f"users:\n- name: x\n  user: {{token: {KUBE_TOKEN}}}\ncurrent-context: [\n")
    token.write_text(f"{WEBHOOK_TOKEN}\n")
    pair = Authority(tmp_path / "certificates").issue("client")
    wrong = (
        {"API_TOKEN": f"ada boss {ADMIN_TOKEN}"},
        {"REDIS_URL": f"redis://:{REDIS_PASSWORD}@127.0.0.1:port/0"},
        {"REDIS_PASSWORD": REDIS_PASSWORD},
        {"REDIS_URL": "rediss://127.0.0.1:1", "REDIS_CA": str(pair.key)},
        {"REDIS_URL": "rediss://127.0.0.1:1", "REDIS_CERT": str(pair.key), "REDIS_KEY": str(pair.key)},
        {"REDIS_URL_FILE": str(pair.key), "REDIS_URL": ""},
        {"WEBHOOK_TOKEN": WEBHOOK_TOKEN, "WEBHOOK_TOKEN_FILE": str(token)},
        {"PAGERDUTY_URL": f"https://x:{WRONG}@events.example"},
        {"KUBECONFIG": str(kubeconfig)},
    )
    common = {"POLICIES": str(policies), "DATA_DIR": str(tmp_path / "data"), "LISTEN": "127.0.0.1:0"}
    redis = {"REDIS_URL": f"redis://:{WRONG}@127.0.0.1:1/0", "OPS_LISTEN": "127.0.0.1:0"}
    environments = [
        {f"REMEDIATOR_{name}": value for name, value in {**common, **redis, **each}.items()} for each in wrong
    ]
    ends = await asyncio.gather(*map(refusal, environments))
    for each, (code, said) in zip(wrong, ends, strict=True):
        assert code == 2, (each, said)
        assert "Traceback" not in said
        assert (
            next(reversed(each)).removesuffix("_FILE") in said
            or "WEBHOOK_TOKEN" in said
            or "kubeconfig" in said
        )
    said_by = {str(number): said for number, (_, said) in enumerate(ends)}
    assert leaks(said_by, *key_lines(pair.key)) == []
