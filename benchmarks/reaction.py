"""From a webhook to the first Kubernetes request, on an idle daemon; and what of it nobody can avoid."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.cluster import ApiServer
from benchmarks.load import PATH
from benchmarks.stage import Daemon, post, redis_server

SAMPLES = 40
SCRIPT_TRIPS = 5
"""Store trips on the way: admit, route, load, commit (fsync: the first and the last), load for the effect."""
POLICY = """
severities:
  SEV-2: {summary: One service is down, page: {unless_verified_within: 15m}, escalation: people}
rules:
  - name: service-down
    match: [alertname="ServiceDown"]
    severity: SEV-2
    hold: 0s
    mode: observe
    runbooks: [restart-service]
runbooks:
  restart-service:
    summary: Restart it and prove that it answers
    diagnose: [workload: {}]
    steps: [restart: {}]
    verify: [rollout: {within: 5m}, alert: {state: resolved, within: 10m}]
guards: {namespaces: [shop]}
escalations: {people: [{level: 1, channels: [oncall]}]}
channels: {oncall: {pagerduty: {routing_key: {env: PAGERDUTY_ROUTING_KEY}}}}
operator: {channels: [oncall]}
services:
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reaction:
    """Medians and the slowest, in seconds."""

    from_sent: float
    from_answer: float
    slowest: float
    durable_trip: float
    """A script that writes, its fsync included."""
    plain_trip: float
    """A script that reads."""
    http_trip: float
    """A GET of the API server."""


def measure_reaction(folder: Path) -> Reaction:
    """Send one alert after the other, each about another service, and see when its workload is looked at."""
    with ExitStack() as stack:
        store = redis_server(stack, "redis-7.0", folder / "reaction-redis", "always")
        cluster = ApiServer(folder)
        stack.callback(cluster.stop)
        daemon = Daemon("daemon-reaction", folder, store.url, _settings(folder, cluster))
        stack.callback(daemon.stop)
        times = [_sample(daemon, cluster, number) for number in range(-3, SAMPLES)][3:]
        client = store.client()
        write = client.register_script("redis.call('XADD', KEYS[1], '*', 'd', ARGV[1]) return 'n'")
        read = client.register_script("return redis.call('GET', KEYS[1])")
        return Reaction(
            from_sent=median(asked - sent for sent, _, asked in times),
            from_answer=median(asked - answered for _, answered, asked in times),
            slowest=max(asked - sent for sent, _, asked in times),
            durable_trip=_timed(lambda: write(keys=["benchmark"], args=["x" * 600])),
            plain_trip=_timed(lambda: read(keys=["benchmark-none"])),
            http_trip=_timed(lambda: cluster.get("/version")),
        )


def _settings(folder: Path, cluster: ApiServer) -> dict[str, str]:
    policies = folder / "reaction-policies"
    policies.mkdir(parents=True)
    services = "".join(
        f"  {_name(n)}: {{namespace: shop, workload: deployment/{_name(n)}}}\n" for n in range(-3, SAMPLES)
    )
    (policies / "policy.yaml").write_text(POLICY + services)
    return {"REMEDIATOR_POLICIES": str(policies), "REMEDIATOR_KUBECONFIG": str(cluster.kubeconfig)}


def _name(number: int) -> str:
    return f"web-{number + 3:03}"


def _sample(daemon: Daemon, cluster: ApiServer, number: int) -> tuple[float, float, float]:
    """When it was sent, answered, and followed by a request about it; the machine's monotonic clock."""
    body = _alert(_name(number), number)
    sent = time.monotonic()
    post(f"http://127.0.0.1:{daemon.port}{PATH}", body)
    answered = time.monotonic()
    while True:
        time.sleep(0.1)  # asks seldom: whoever asks is load
        asked = [r["at"] for r in cluster.requests() if f"/{_name(number)}" in r["path"]]
        if asked:
            return sent, answered, min(asked)
        if time.monotonic() - sent > 10:
            raise RuntimeError(f"nobody looked at the cluster:\n{daemon.log.read_text()[-2000:]}")


def _alert(service: str, number: int) -> str:
    alert = json.loads(Path("docs/examples/alert.json").read_text())
    [one] = alert["alerts"]
    one["labels"]["service"] = service
    one["fingerprint"] = f"{number + 3:016x}"
    return json.dumps(alert)


def _timed(call: Any, times: int = 200) -> float:
    """The median of so many calls, one after the other, in seconds."""
    found = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        found.append(time.perf_counter() - started)
    return median(found)
