"""What is counted of the servers that the daemon asks, and what is looked at now and then."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from remediator.adapters.kubernetes import Limits, connect
from remediator.adapters.redis.store import RedisStore
from remediator.adapters.runtime import AsyncioRuntime
from remediator.core.errors import NotFound, Refused, Retryable, StoreUnavailable
from remediator.core.incident import Incident
from remediator.core.journal import PageKind
from remediator.core.plugins import ChannelMessage
from remediator.core.policies import Mode, Policy, Severity, WorkloadRef
from remediator.core.store import Store
from remediator.core.times import MINUTE, Instant, Millis
from remediator.core.trust import ENOUGH, LOWERED_TO, Mark, Record
from remediator.telemetry.metrics import Metrics
from remediator.telemetry.observer import Telemetry
from remediator.telemetry.peers import CountedChannel
from remediator.telemetry.watch import LAG_EVERY, LoopLag, Watch, in_force, overdue
from remediator.testing.apiserver import TOKEN, FakeApiServer
from remediator.testing.apiserver.faults import Fault, FaultKind
from tests.contract.stores import Servers, incident, opened
from tests.contract.test_store_trust import LOWERING, end, trying
from tests.core import builders
from tests.core.test_telemetry import value

WEB = WorkloadRef(kind="deployment", namespace="shop", name="web")
PROMISED = Severity(name="SEV-2", respond_within=Millis(15 * MINUTE), resolve_within=Millis(60 * MINUTE))


def policy(mode: Mode = Mode.AUTO) -> Policy:
    """One rule, ``errors``, as the contract tests of stores call it."""
    made = builders.policy(mode=mode)
    rules = tuple(replace(rule, name="errors") for rule in made.rules[:1])
    return replace(made, rules=rules, severities={"SEV-2": PROMISED})


def watch(metrics: Metrics, store: Store, known: Policy, ceiling: Mode = Mode.AUTO) -> Watch:
    """A watch over that store."""
    return Watch(
        metrics=metrics,
        store=store,
        runtime=AsyncioRuntime(),
        observer=Telemetry(metrics, lambda: known),
        policy=lambda: known,
        ceiling=ceiling,
    )


@pytest.mark.parametrize(
    ("after", "acknowledged", "verified", "broken"),
    [
        (15, False, False, []),
        (16, False, False, ["acknowledge"]),
        (16, True, False, []),
        (16, False, True, []),
        (61, False, False, ["acknowledge", "resolve"]),
        (61, True, True, ["resolve"]),
    ],
)
def test_a_promise_is_broken_once_its_time_is_over(
    *, after: int, acknowledged: bool, verified: bool, broken: list[str]
) -> None:
    one = incident(
        acknowledged_at=Instant(2_000) if acknowledged else None,
        verified_at=Instant(2_000) if verified else None,
    )
    assert overdue(one, Instant(one.opened_at + after * MINUTE), policy()) == broken


def test_what_is_reopened_has_its_time_anew_and_what_promises_nothing_is_never_late() -> None:
    at = Instant(incident().opened_at + 61 * MINUTE)
    assert overdue(incident(reopened_at=Instant(at - MINUTE)), at, policy()) == []
    assert overdue(incident(severity="SEV-4"), at, policy()) == []


def test_a_rule_is_trusted_with_the_least_of_all() -> None:
    rule, clean = policy().rules[0], Record(rule="errors")
    assert in_force(rule, clean, Mode.AUTO) is Mode.AUTO
    assert in_force(rule, clean, Mode.SUGGEST) is Mode.SUGGEST
    assert in_force(rule, replace(clean, lowered=LOWERING), Mode.AUTO) is LOWERED_TO
    assert in_force(rule, replace(clean, lowered=LOWERING), Mode.OBSERVE) is Mode.OBSERVE


async def test_a_look_shows_records_modes_and_advice_and_forgets_what_is_gone(store: Store) -> None:
    metrics, known = Metrics(), policy(Mode.OBSERVE)
    await opened(store, trying())
    await end(store, "i1", *[Mark.RIGHT] * ENOUGH)
    await watch(metrics, store, known).look()

    assert value(metrics, "rule_record", rule="errors", what="right") == ENOUGH
    assert value(metrics, "rule_advice", rule="errors", advice="to_approve") == 1
    assert value(metrics, "rule_info", rule="errors", severity="SEV-2", mode="observe") == 1
    assert value(metrics, "rules", mode="observe") == 1
    assert value(metrics, "rules", mode="auto") == 0

    await watch(metrics, store, replace(known, rules=())).look()
    text = "".join(str(family.samples) for family in metrics.registry.collect())
    assert "errors" not in text


async def test_a_look_counts_broken_promises_of_what_is_open(store: Store) -> None:
    metrics = Metrics()
    now = (await store.load(None, ())).at

    async def late(name: str, minutes: int, **changes: object) -> Incident:
        return await opened(store, incident(name, group=name, opened_at=now - minutes * MINUTE, **changes))

    await late("fresh", 1)
    await late("unanswered", 20)
    await late("endless", 90, acknowledged_at=Instant(now))
    await watch(metrics, store, policy()).look()
    assert value(metrics, "incidents_overdue", severity="SEV-2", phase="acknowledge") == 1
    assert value(metrics, "incidents_overdue", severity="SEV-2", phase="resolve") == 1
    assert value(metrics, "incidents_overdue", severity="SEV-1", phase="resolve") == 0

    nothing = replace(policy(), severities={"SEV-2": Severity(name="SEV-2")})
    await watch(metrics, store, nothing).look()
    assert value(metrics, "incidents_overdue", severity="SEV-2", phase="resolve") == 0


class LateRuntime(AsyncioRuntime):
    """Comes back later than it was asked to, and twice."""

    def __init__(self, late: float) -> None:
        super().__init__()
        self._late, self._now, self._left = late, 0.0, 2

    def monotonic(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        if not self._left:
            raise ZeroDivisionError
        self._left -= 1
        self._now += seconds + self._late


async def test_how_late_the_loop_came_back_is_observed() -> None:
    metrics = Metrics()
    with pytest.raises(ZeroDivisionError):
        await LoopLag(metrics, LateRuntime(0.5)).run()
    assert value(metrics, "event_loop_lag_seconds_count") == 2
    assert value(metrics, "event_loop_lag_seconds_sum") == pytest.approx(1.0)
    assert LAG_EVERY < 1


async def test_trips_to_the_store_are_timed_and_those_in_vain_are_counted(
    servers: Servers, tmp_path: Path
) -> None:
    metrics = Metrics()
    store = await RedisStore.connect(servers.get("redis-7.0").url, timed=metrics.peers.store_asked)
    await store.gauges()
    await store.close()
    trips = value(metrics, "store_trip_seconds_count") or 0
    assert trips >= 1
    assert value(metrics, "store_trip_failures_total") == 0

    gone = await RedisStore.connect(f"unix://{tmp_path}/none", timed=metrics.peers.store_asked)
    with pytest.raises(StoreUnavailable):
        await gone.gauges()
    assert value(metrics, "store_trip_failures_total") == 1
    assert value(metrics, "store_trip_seconds_count") == trips + 1


@pytest.fixture
async def server() -> AsyncIterator[FakeApiServer]:
    async with FakeApiServer() as running:
        yield running


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault(kind=FaultKind.STATUS, status=429, times=9), "429"),
        (Fault(kind=FaultKind.HANG, times=9), "timeout"),
        (Fault(kind=FaultKind.DROP_BEFORE_EFFECT, times=9), "error"),
        (None, "404"),
    ],
)
async def test_requests_to_the_api_server_are_counted_by_what_came_of_them(
    server: FakeApiServer, tmp_path: Path, fault: Fault | None, code: str
) -> None:
    """Each try for itself: that is what the server has to bear."""
    metrics = Metrics()
    if fault is not None:
        server.faults.add(fault)
    config = server.kubeconfig(tmp_path / "kubeconfig", token=TOKEN)
    cluster = await connect(
        str(config),
        runtime=AsyncioRuntime(),
        limits=Limits(request=0.2 if code == "timeout" else 10.0, tries=2, backoff=0.01),
        answered=metrics.peers.kubernetes_asked,
    )
    with pytest.raises((NotFound, Retryable)):
        await cluster.reader.workload(WEB)
    await cluster.close()
    asked = 1 if fault is None else 2
    assert value(metrics, "kubernetes_requests_total", verb="get", code=code) == asked
    assert value(metrics, "kubernetes_request_duration_seconds_count", verb="get") == asked


def test_a_status_that_is_none_makes_no_series() -> None:
    metrics = Metrics()
    metrics.peers.kubernetes_asked("get", 99_999, 0.1)
    assert value(metrics, "kubernetes_requests_total", verb="get", code="error") == 1


class Answering:
    """A channel that accepts, or does not."""

    def __init__(self, *, accepts: bool) -> None:
        self.accepts = accepts

    async def send(self, message: ChannelMessage) -> str:
        if not self.accepts:
            raise Refused("no such key")
        return f"took {message.dedup_key}"


async def test_a_channel_fails_until_it_accepts_something_and_is_forgotten_with_its_policy() -> None:
    metrics, channel = Metrics(), Answering(accepts=False)
    counted = CountedChannel(channel, "oncall", metrics.peers)
    message = ChannelMessage(
        kind=PageKind.TRIGGER, dedup_key="i/1", summary="s", severity="error", source="web"
    )
    assert value(metrics, "channel_failing", channel="oncall") is None
    with pytest.raises(Refused):
        await counted.send(message)
    assert value(metrics, "channel_failing", channel="oncall") == 1
    assert value(metrics, "channel_last_success_timestamp_seconds", channel="oncall") is None
    channel.accepts = True
    assert await counted.send(message) == "took i/1"
    assert value(metrics, "channel_failing", channel="oncall") == 0
    assert (value(metrics, "channel_last_success_timestamp_seconds", channel="oncall") or 0) > 1_700_000_000
    metrics.promises(replace(policy(), channels={}))
    assert value(metrics, "channel_failing", channel="oncall") is None
