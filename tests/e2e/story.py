"""What befalls the daemon of ``incidents``: something for every panel of every dashboard."""

from __future__ import annotations

import asyncio
import json
from functools import partial

from remediator.testing.apiserver import Fault, FaultKind
from tests.e2e.incidents import FLEET, LEAVES, POLICIES, STUCK, Json, Watched
from tests.integration.daemon import alert, notification


async def live_through(world: Watched) -> None:
    """All of it; afterwards Prometheus has seen it."""
    await intake(world)
    await asyncio.gather(mended_again(world), useless(world), blocked(world), asked(world), observed(world))
    await trouble(world)
    await world.restart()  # what rules have earned is looked at when the daemon starts
    await world.seen('remediator_rule_record{rule="fleet-slow", what="observed"} == 5')
    await observed(world, later=True)
    await blocked(world, service="web")
    await world.seen("min_over_time(remediator_rules_demoted[2s]) == 1")
    await world.restart()
    await world.seen('remediator_rule_advice{advice="to_approve"}')
    await world.seen('remediator_rule_advice{advice="restore"}')
    world.alertmanager.fire("StuckBadly", service="api")
    await world.seen('remediator_channel_failing{channel="broken"} == 1')
    await world.seen("count_over_time(remediator_rule_advice[3s]) >= 3")


async def intake(world: Watched) -> None:
    """Alerts that no rule is for, that are none, and webhooks that are none."""
    world.alertmanager.fire("Nobody", service="web")
    stuffed = alert("Stuffed")
    stuffed["labels"] |= {f"label{number}": "x" for number in range(70)}
    sent = [stuffed, alert("Unheard")]
    assert await world.webhook(json.dumps(notification(*sent)).encode()) == 200
    assert await world.webhook(b"{") == 400


async def mended_again(world: Watched) -> None:
    """Broken three times, restarted and verified each time, nobody paged."""
    for time in (1, 2, 3):
        world.alertmanager.fire("WebDown", since=0, service="web")
        await world.outcome("web", "verified", time)
        world.alertmanager.end("WebDown", service="web")
        await world.incident("web", lambda one: one["status"] == "resolved", "it is over")


async def useless(world: Watched) -> None:
    """Three times fewer pods do not help: taken back, people paged, the rule demoted, the breaker opens."""
    for service in STUCK:
        world.alertmanager.fire("Stuck", service=service)
        await world.outcome(service, "failed")
        await world.incident(service, lambda one: one["status"] == "escalated", "people are paged")
    world.alertmanager.fire("StuckBadly", service=STUCK[1])
    for leaf in LEAVES:
        world.alertmanager.fire("LeafDown", service=leaf)
        await world.incident(leaf, lambda one: bool(one["attached_to"]), "it waits for stuck-a")
    await world.seen('remediator_escalations_total{level="2"}')
    for service in STUCK[:2]:
        found = await world.incident(service, lambda _: True, "it is there")
        await world.ask("POST", f"/v1/incidents/{found['id']}/acknowledge", {})
    world.alertmanager.fire("StuckBadly", service=STUCK[2])


async def blocked(world: Watched, service: str = "vault") -> None:
    """In a namespace that is not allowed, or while its service is paused."""
    if service == "vault":
        world.alertmanager.fire("VaultDown", service="vault")
        await world.outcome("vault", "blocked")
        return
    await world.ask("PUT", "/v1/pause", {"reason": "a release", "scope": {"service": "api"}})
    await world.ask("PUT", "/v1/pause", {"reason": "a release"})
    await world.seen("remediator_paused == 1")
    world.alertmanager.fire("WebDown", since=0, service=service)
    await world.outcome(service, "blocked", 4)
    await world.ask("DELETE", "/v1/pause")


async def asked(world: Watched) -> None:
    """A person agrees to a plan."""
    world.alertmanager.fire("ApiDown", service="api")

    def asks(one: Json) -> bool:
        return bool(one["attempts"] and one["attempts"][-1]["asks"])

    found = await world.incident("api", asks, "a person is asked")
    digest = found["attempts"][-1]["asks"]["digest"]
    await world.ask("POST", f"/v1/incidents/{found['id']}/approve", {"digest": digest})
    await world.outcome("api", "verified")
    world.alertmanager.fire("PodStuck", deployment="api")
    world.alertmanager.fire("PodStuck", deployment="nowhere")


async def observed(world: Watched, *, later: bool = False) -> None:
    """A rule that may only look on, and that would have been right."""
    services = FLEET[5:] if later else FLEET[:5]
    for service in services:
        world.alertmanager.fire("FleetSlow", service=service)
    for service in services:
        found = await world.outcome(service, "observed")
        await world.until(partial(_hindsight, world, found), f"hindsight of {service}")


async def _hindsight(world: Watched, incident: Json) -> bool | None:
    told = (await world.ask("GET", f"/v1/incidents/{incident['id']}/timeline"))["items"]
    return any("would have been right" in entry["text"] for entry in told)


async def trouble(world: Watched) -> None:
    """Of the store, the API server and the policy files."""
    policy = world.folder / "policies" / "policy.yaml"
    policy.write_text("rules: [")
    await world.seen("remediator_policy_last_reload_successful == 0")
    policy.write_text(POLICIES.replace("failures: 3", "failures: 2"))
    await world.seen("remediator_policy_last_reload_successful == 1")
    world.cluster.faults.add(Fault(kind=FaultKind.STATUS, status=500, times=4))
    for deployment in FLEET[:4]:
        world.alertmanager.fire("PodStuck", deployment=deployment)
        await world.seen('increase(remediator_kubernetes_requests_total{code="500"}[1m]) >= 0')
    await world.seen("remediator:kubernetes_failures:ratio5m > 0")
    world.redis.kill()
    await world.seen("remediator_store_up == 0 and on () sum(increase(remediator_troubles_total[1m])) > 0")
    world.redis.start()
    await world.seen("remediator_store_up == 1")
