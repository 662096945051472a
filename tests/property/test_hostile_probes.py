"""Labels are hostile: whatever they say, only the catalog's hosts and the author's queries are asked.

A notification of arbitrary texts goes through the parser, the journey and the runner, as far as the
diagnoses of its runbooks; Prometheus and the prober keep what they were asked.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache

import pytest
from hypothesis import given, settings

from remediator.core.classify import Classifier
from remediator.core.plugins import HttpAnswer
from remediator.core.policies import Mode, Policy
from remediator.core.probing import authority
from remediator.core.store import Queue
from remediator.core.times import MINUTE, Millis
from remediator.http.payload import parse_notification
from remediator.journey import Journey
from remediator.policy.load import load_policy
from remediator.testing.memory import MemoryStore
from remediator.testing.simulation.world import Silent
from remediator.workers.means import Means
from remediator.workers.runner import Runner
from tests.core.builders import NOW
from tests.property.test_hostile_labels import ALERT_LISTS, RECKLESS, Alerts, body_of

ASKING = RECKLESS.replace(
    "diagnose: [workload: {}, pods: {}]",
    """diagnose:
      - promql: {query: 'up{service="{{ service.name }}",id="{{ incident.id }}"}'}
      - promql: {query: 'up{service=~"{{ service.name }}"}'}
      - http: {path: '/{{ service.name }}/of/{{ incident.id }}'}
      - http: {url: 'http://web.shop:8080/{{ service.name }}'}""",
)
for name in ("web", "api"):
    ASKING = ASKING.replace(f"  {name}: {{", f"  {name}: {{health: 'http://{name}.shop:8080/health', ")
HOSTS = {"web.shop:8080", "api.shop:8080"}
NAME = r"[A-Za-z0-9._-]{1,63}"
QUERIES = (
    re.compile(rf'up\{{service="{NAME}",id="[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}-[0-9]{{4}}-[a-z0-9._-]+"\}}'),
    re.compile(r'up\{service=~"(?:[A-Za-z0-9_]|\\\\[.-])+"\}'),
)
URL = re.compile(rf"http://(?:web|api)\.shop:8080/{NAME}(?:/of/[a-z0-9._-]+)?")


@cache
def policy() -> Policy:
    return load_policy({"all.yaml": ASKING})


@dataclass
class Asked:
    """A Prometheus and services that answer everything, and keep what they were asked."""

    queries: list[str] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)

    async def query(self, promql: str) -> tuple[tuple[Mapping[str, str], float], ...]:
        self.queries.append(promql)
        return (({"service": "x"}, 1.0),)

    async def get(self, url: str, *, hosts: Collection[str], within: float) -> HttpAnswer:
        assert set(hosts) == HOSTS
        self.urls.append(url)
        return HttpAnswer(status=200, text="fine")


async def run(body: bytes) -> Asked:
    """One notification, as far as it goes without waiting."""
    asked, store, rules, observer = Asked(), MemoryStore(lambda: NOW), Classifier(policy()), Silent()
    journey = Journey(
        intake=store, queues=store, incidents=store, rules=lambda: rules, observer=observer, consumer="c"
    )
    runner = Runner(
        Means(
            incidents=store,
            guards=store,
            reader=None,
            executor=None,
            policy=policy,
            ceiling=Mode.AUTO,
            clock_trouble=lambda: None,
            observer=observer,
            replica="c",
            lease=Millis(MINUTE),
            metrics=asked,
            http=asked,
        )
    )
    await journey.receive(parse_notification(body))
    for _ in range(30):
        events = await store.take([Queue.URGENT, Queue.NORMAL], "c", 500, Millis(0))
        batches, unreadable = await journey.sort(events)
        assert not unreadable
        for batch in batches:
            await journey.advance(batch)
        effects = await store.take([Queue.EFFECTS], "c", 500, Millis(0))
        for delivery in effects:
            await journey.perform(delivery, runner.perform)
        if not (events or effects):
            assert observer.troubles == []
            return asked
    raise AssertionError("it never comes to rest")


@settings(max_examples=500, deadline=None)
@given(ALERT_LISTS)
def test_labels_choose_neither_a_host_nor_a_query(alerts: Alerts) -> None:
    asked = asyncio.run(run(body_of(alerts)))
    for query in asked.queries:
        assert any(pattern.fullmatch(query) for pattern in QUERIES), query
    for url in asked.urls:
        assert URL.fullmatch(url), url
        assert authority(url) in HOSTS


@pytest.mark.parametrize(
    ("service", "urls"),
    [
        ("web", ["http://web.shop:8080/web/of/2026-11-23-0426-web", "http://web.shop:8080/web"]),
        ("api", ["http://api.shop:8080/api/of/2026-11-23-0426-api", "http://web.shop:8080/api"]),
        ("stranger", ["http://web.shop:8080/stranger"]),
        ("a\"} or up{x='", ["http://web.shop:8080/unknown"]),
        ("..", []),
    ],
)
async def test_what_the_author_wrote_is_asked(service: str, urls: list[str]) -> None:
    """The property above is not true for want of questions."""
    asked = await run(body_of([({"alertname": "x", "severity": "critical", "service": service}, {})]))
    assert [re.sub(r"2026-[0-9]{2}-[0-9]{2}-[0-9]{4}", "2026-11-23-0426", url) for url in asked.urls] == urls
    assert len(asked.queries) == (2 if urls else 0)
