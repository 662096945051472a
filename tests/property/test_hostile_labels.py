"""Labels and annotations are hostile: whatever they say, only the catalog decides what is changed.

A notification of arbitrary texts goes the whole way: the webhook's parser, the journey, the runner with all
guards and the courier, on a store in memory. The cluster has every workload anybody asks for, so nothing is
refused for want of a target, and keeps what it was asked.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from remediator.core.changes import ClusterChange, Fence, RunJob
from remediator.core.classify import Classifier
from remediator.core.cluster import (
    EPOCH_ANNOTATION,
    Autoscaler,
    Budget,
    ClusterEvent,
    Endpoints,
    Pod,
    Revision,
    Workload,
)
from remediator.core.holdings import Claim, PodUsage
from remediator.core.jobs import JOB, CronJob, Job, JobEnd, job_name
from remediator.core.journal import Entry
from remediator.core.objects import Anchor, ObjectRef
from remediator.core.owners import Named
from remediator.core.plugins import ChannelMessage
from remediator.core.policies import ChannelSpec, Mode, Policy, WorkloadRef
from remediator.core.ports import Runtime
from remediator.core.store import IncidentFilter, Queue
from remediator.core.times import MINUTE, Millis
from remediator.http.payload import parse_notification
from remediator.journey import Journey
from remediator.policy.load import load_policy
from remediator.testing.memory import MemoryStore
from remediator.testing.simulation.world import Silent
from remediator.workers.courier import Courier
from remediator.workers.means import Means
from remediator.workers.runner import Runner
from tests.core.builders import NOW

DEFAULT = Path(__file__).parents[2] / "policies"
RECKLESS = """
severities:
  SEV-1: {summary: everything, page: now, escalation: people}
  SEV-2: {summary: much, page: {unless_verified_within: 15m}, escalation: people}
services:
  web: {namespace: shop, workload: deployment/web}
  api: {namespace: shop, workload: statefulset/api}
  data: {namespace: shop, workload: statefulset/data}
  far: {namespace: elsewhere, workload: deployment/far}
  bare: {}
rules:
  - {name: by-labels, match: ['severity="critical"'], severity: SEV-1, mode: auto, runbooks: [restart]}
  - name: by-deployment
    match: ['severity="warning"']
    severity: SEV-2
    service: '{{ labels.deployment }}'
    mode: auto
    runbooks: [restart]
  - name: by-namespace
    match: ['severity="info"']
    severity: SEV-2
    service: '{{ labels.namespace | lower | trim }}'
    mode: auto
    runbooks: [restart]
  - name: by-target
    match: ['severity="none"']
    severity: SEV-2
    target: {pod: '{{ labels.namespace }}/{{ labels.pod }}'}
    mode: auto
    runbooks: [restart]
  - name: by-stateful
    match: ['severity="some"']
    severity: SEV-2
    target: {statefulset: '{{ labels.namespace }}/{{ labels.pod }}'}
    mode: auto
    runbooks: [restart]
  - name: by-anything
    match: ['alertname=~"(?s).*"']
    severity: SEV-2
    service: "{{ labels['pod'] ~ labels.container or labels.job }}"
    group_by: [service, alertname, pod]
    mode: auto
    runbooks: [restart]
runbooks:
  restart:
    diagnose: [workload: {}, pods: {}]
    steps: [restart: {}, job: {from: tidy, timeout: 1m}]
    verify: [alert: {state: resolved, within: 1m}]
guards:
  namespaces: [shop]
  protect: [statefulset/data]
  rate: {cluster: 100/1h, service: 100/1h, target: 100/1h}
escalations:
  people: [{level: 1, channels: [oncall]}]
channels:
  oncall: {pagerduty: {routing_key: {env: ONCALL_KEY}}}
operator: {channels: [oncall]}
"""
"""Everything acts; labels choose the service, or name what is changed, in every way the language knows."""

HOSTILE = (
    "kube-system", "../x", "..", "/", "{{7*7}}", "{{ labels.app }}", "$(id)", "`id`", "; rm -rf /",
    "__class__", "x" * 300, "web\n", "web\r\nforged: 1", "\x1b[2Jweb", "\u202eweb", "<!channel>", "(a+)+$",
    "a" * 2000, "' OR 1=1 --", "*", "%s%n", "web/../../kube-system", "far", "data", "bare",  " web ", "",
)  # fmt: skip
NAMES = ("web", "api", "auth-service", "account-service", "postgres", "fintech-services", "shop")
ALERTS = ("ServiceDown", "KubeDeploymentReplicasMismatch", "PostgresDown", "CompleteOutage", "HighErrorRate")
READ = (
    "alertname",
    "exported_namespace",
    "exported_pod",
    "service",
    "app",
    "job",
    "namespace",
    "deployment",
    "severity",
    "pod",
    "container",
)
"""Labels that the policies look at."""
UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
INCIDENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}-[0-9]{4}-[a-z0-9._-]{1,80}")


@cache
def policies() -> tuple[Policy, ...]:
    """The default ones; these with every rule trusted and one workload protected; and reckless ones."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "all.yaml").write_text(RECKLESS)
        reckless = load_policy(Path(folder))
    default = load_policy(DEFAULT)
    trusted = replace(
        default,
        guards=replace(default.guards, protect=("statefulset/postgres",)),
        rules=tuple(
            replace(rule, mode=Mode.AUTO, runbooks=tuple(default.runbooks)) for rule in default.rules
        ),
    )
    return default, trusted, reckless


def catalog(policy: Policy) -> set[WorkloadRef]:
    """Every workload there is."""
    return {service.workload for service in policy.services.values() if service.workload is not None}


def allowed(policy: Policy) -> set[WorkloadRef]:
    """Those that may be changed, found without asking the code under test."""
    return {
        ref
        for ref in catalog(policy)
        if ref.namespace in policy.guards.namespaces and f"{ref.kind}/{ref.name}" not in policy.guards.protect
    }


@dataclass
class Witness:
    """A cluster that has whatever is asked for, and a channel that takes everything."""

    looked_at: set[WorkloadRef] = field(default_factory=set)
    touched: set[WorkloadRef] = field(default_factory=set)
    served: set[tuple[str, str]] = field(default_factory=set)
    looked_into: set[str] = field(default_factory=set)
    applied: list[ClusterChange] = field(default_factory=list)
    said: list[ChannelMessage] = field(default_factory=list)

    def _workload(self, ref: WorkloadRef, **annotations: str) -> Workload:
        return Workload(
            ref=ref, uid=ref.path, generation=1, observed_generation=1, desired=2, total=2, updated=2,
            ready=0, available=0, annotations=annotations,
        )  # fmt: skip

    async def workload(self, ref: WorkloadRef) -> Workload:
        self.looked_at.add(ref)
        return self._workload(ref)

    async def nodes(self) -> tuple[Workload, ...]:
        return ()

    async def workloads(self, kind: str, namespace: str, names: frozenset[str]) -> tuple[Workload, ...]:
        refs = [WorkloadRef(kind=kind, namespace=namespace, name=name) for name in sorted(names)]
        self.looked_at.update(refs)
        return tuple(replace(self._workload(ref), ready=2) for ref in refs)  # not all look dead at once

    async def pods(self, workload: Workload) -> tuple[Pod, ...]:
        self.looked_at.add(workload.ref)
        return ()

    async def revisions(self, workload: Workload) -> tuple[Revision, ...]:
        self.looked_at.add(workload.ref)
        return (Revision(number=1, name="it-1", uid="r1", current=True),)  # nothing was rolled out lately

    async def budgets(self, workload: Workload) -> tuple[Budget, ...]:
        self.looked_at.add(workload.ref)
        return ()

    async def autoscalers(self, workload: Workload) -> tuple[Autoscaler, ...]:
        self.looked_at.add(workload.ref)
        return ()

    async def events(self, workload: Workload, pods: Sequence[Pod]) -> tuple[ClusterEvent, ...]:
        self.looked_at.add(workload.ref)
        return ()

    async def logs(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        tail: int,
        previous: bool = False,
        since: Millis | None = None,
    ) -> tuple[str, ...]:
        raise AssertionError("it told of no pod")

    async def named(self, ref: ObjectRef) -> Named:
        self.looked_at.add(WorkloadRef(kind=ref.kind, namespace=ref.namespace, name=ref.name))
        owner = ObjectRef(kind="statefulset", namespace=ref.namespace, name=ref.name)
        controller = Anchor(ref=owner, uid=owner.path) if ref.kind == "pod" else None
        return Named(ref=ref, uid=ref.path, controller=controller)

    async def endpoints(self, namespace: str, service: str) -> Endpoints:
        self.served.add((namespace, service))
        return Endpoints(ready=1, not_ready=0)

    async def claims(self, workload: Workload, pods: Sequence[Pod]) -> tuple[Claim, ...]:
        self.looked_at.add(workload.ref)
        return ()

    async def usage(self, workload: Workload) -> tuple[PodUsage, ...]:
        self.looked_at.add(workload.ref)
        return ()

    async def cron_job(self, namespace: str, name: str) -> CronJob:
        self.looked_into.add(namespace)
        return CronJob(name=name, uid=name, generation=1)

    async def job(self, namespace: str, name: str) -> Job:
        self.looked_into.add(namespace)
        return self._job(namespace, name)

    def _job(self, namespace: str, name: str) -> Job:
        ref = ObjectRef(kind=JOB, namespace=namespace, name=name)
        return Job(ref=ref, uid=name, ended=JobEnd.COMPLETE)

    async def job_pods(self, job: Job) -> tuple[Pod, ...]:
        raise AssertionError("no job has failed")

    async def prepare(self, change: RunJob, fence: Fence) -> Job:
        self.touched.add(change.target)
        return self._job(change.target.namespace, job_name(change.source, fence.effect))

    async def dry_run(self, change: ClusterChange) -> None:
        self.touched.add(change.target)

    async def claim(self, target: ObjectRef, uid: str, fence: Fence) -> Workload:
        assert isinstance(target, WorkloadRef)
        assert uid == target.path
        self.touched.add(target)
        return self._workload(target, **{EPOCH_ANNOTATION: str(fence.epoch)})

    async def apply(self, change: ClusterChange, fence: Fence) -> None:
        self.touched.add(change.target)
        self.applied.append(change)

    async def send(self, message: ChannelMessage) -> str:
        self.said.append(message)
        return "taken"


async def run(
    policy: Policy,
    body: bytes,
    witness: Witness | None = None,
    *,
    equip: Callable[[Means], Means] = lambda means: means,
) -> tuple[Witness, MemoryStore]:
    """One notification, as far as it goes without waiting. ``equip``: what else there is."""
    witness = witness if witness is not None else Witness()
    store, rules = MemoryStore(lambda: NOW), Classifier(policy)
    observer = Silent()
    journey = Journey(
        intake=store, queues=store, incidents=store, rules=lambda: rules, observer=observer, consumer="c"
    )
    means = Means(
        incidents=store,
        guards=store,
        reader=witness,
        executor=witness,
        policy=lambda: policy,
        ceiling=Mode.AUTO,
        clock_trouble=lambda: None,
        observer=observer,
        replica="c",
        lease=Millis(MINUTE),
    )
    runner = Runner(equip(means))

    def channel(spec: ChannelSpec) -> Witness:
        return witness

    def current() -> Policy:
        return policy

    nothing = cast(Runtime, None)  # time passes for retries of notices alone, and nothing is retried here
    courier = Courier(incidents=store, policy=current, channel=channel, runtime=nothing)
    await journey.receive(parse_notification(body))
    for _ in range(60):
        events = await store.take([Queue.URGENT, Queue.NORMAL], "c", 500, Millis(0))
        batches, unreadable = await journey.sort(events)
        assert not unreadable
        for batch in batches:
            await journey.advance(batch)
        effects = await store.take([Queue.EFFECTS], "c", 500, Millis(0))
        for delivery in effects:
            await journey.perform(delivery, runner.perform)
        messages = await store.take([Queue.OUTBOX], "c", 500, Millis(0))
        for delivery in messages:
            await journey.perform(delivery, courier.deliver)
        if not (events or effects or messages):
            assert observer.troubles == []
            return witness, store
    raise AssertionError("it never comes to rest")


def body_of(alerts: list[tuple[dict[str, str], dict[str, str]]]) -> bytes:
    """A webhook body of these labels and annotations."""
    shown = [
        {
            "status": "firing",
            "labels": labels,
            "annotations": annotations,
            "startsAt": "2026-11-23T04:24:11.09Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": annotations.get("runbook_url", ""),
            "fingerprint": f"{number:016x}",
        }
        for number, (labels, annotations) in enumerate(alerts)
    ]
    envelope = {"version": "4", "groupKey": "{}", "status": "firing", "receiver": "r", "alerts": shown}
    return json.dumps(envelope).encode()


def check(policy: Policy, witness: Witness, store: MemoryStore) -> None:
    """Everything that must be true whatever was sent."""
    named = any(rule.target is not None for rule in policy.rules)
    for ref in witness.looked_at - catalog(policy):
        assert named
        assert ref.namespace in policy.guards.namespaces
    assert witness.served <= {(ref.namespace, ref.name) for ref in catalog(policy)}
    assert witness.looked_into <= {ref.namespace for ref in allowed(policy)}
    for ref in witness.touched - allowed(policy):
        assert named
        assert ref.namespace in policy.guards.namespaces
        assert f"{ref.kind}/{ref.name}" not in policy.guards.protect
    for message in witness.said:
        check_message(message)
    for incident in store._incidents.values():
        assert INCIDENT.fullmatch(incident.id), incident.id
        for url in incident.links.values():
            assert_link(url)
        texts = [incident.title, incident.service, *incident.grouped_by, *incident.grouped_by.values()]
        texts += [entry_text(entry) for entry in store._timelines[incident.id]]
        for text in texts:
            assert not UNSAFE.search(text), text


def entry_text(entry: Entry) -> str:
    """All of a timeline's line."""
    return " ".join([entry.text, *(value for value in entry.data.values() if isinstance(value, str))])


def check_message(message: ChannelMessage) -> None:
    """What people are sent can forge no line of its own and links only to the web."""
    for text in (message.summary, message.source, message.dedup_key, *message.details):
        assert not UNSAFE.search(text), text
    for text in message.details.values():
        assert not UNSAFE.search(text.replace("\n", "")), text
    for line in message.details.get("latest", "").splitlines():
        assert re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T", line), line
    for url in message.links.values():
        assert_link(url)


def assert_link(url: str) -> None:
    """An address of the web, on one line."""
    assert url.startswith(("http://", "https://")), url
    assert not UNSAFE.search(url), url


ANYTHING = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=80)
VALUES = st.one_of(st.sampled_from(NAMES), st.sampled_from(HOSTILE), ANYTHING)
LABELS = st.builds(
    lambda name, level, known, others: {**others, **known, "alertname": name, "severity": level},
    st.one_of(st.sampled_from(ALERTS), VALUES),
    st.one_of(st.sampled_from(["critical", "warning", "info", "none", "some"]), VALUES),
    st.dictionaries(st.sampled_from(READ[1:]), VALUES, max_size=6),
    st.dictionaries(ANYTHING.filter(bool), VALUES, max_size=3),
)
URLS = st.one_of(
    st.sampled_from([
        "https://runbooks.example/web", "javascript:alert(1)", "file:///etc/passwd",
        "data:text/html,<script>", "https://x.example/\r\nSet-Cookie: a=b", "http://x.example/\x1b[2J", " https://x.example",
        "//x.example", "HTTPS://x.example", "https://x.example/" + "a" * 600, "https://x.example/\u202egpj.exe",
    ]),
    ANYTHING,
)  # fmt: skip
ANNOTATIONS = st.fixed_dictionaries({}, optional={"summary": VALUES, "runbook_url": URLS})
ALERT_LISTS = st.lists(st.tuples(LABELS, ANNOTATIONS), min_size=1, max_size=3)
Alerts = list[tuple[dict[str, str], dict[str, str]]]


def whatever_they_say(alerts: Alerts) -> None:
    """Under the default policies, all of them trusted: reckless ones have ``test_hostile_actions``."""
    trusted = policies()[1]
    check(trusted, *asyncio.run(run(trusted, body_of(alerts))))


@settings(max_examples=1000, deadline=None)
@given(ALERT_LISTS)
@example([({"alertname": "ServiceDown", "service": "kube-system", "namespace": "kube-system"}, {})])
@example([({"alertname": "x", "severity": "critical", "service": "far"}, {})])
def test_labels_never_choose_what_is_changed(alerts: Alerts) -> None:
    whatever_they_say(alerts)


@pytest.mark.full
@settings(max_examples=10_000, deadline=None)
@given(ALERT_LISTS)
def test_labels_never_choose_what_is_changed_at_length(alerts: Alerts) -> None:
    whatever_they_say(alerts)


AUTH = "fintech-services/deployment/auth-service"


@pytest.mark.parametrize(
    ("number", "labels", "changed"),
    [
        (0, {"alertname": "ServiceDown", "service": "auth-service"}, AUTH),
        (1, {"alertname": "HighErrorRate", "app": "auth-service"}, AUTH),
        (1, {"alertname": "DataLoss"}, None),
        (2, {"severity": "critical", "service": "web"}, "shop/deployment/web"),
        (2, {"severity": "info", "namespace": "api"}, "shop/statefulset/api"),
        (2, {"severity": "critical", "service": "data"}, None),
        (2, {"severity": "critical", "service": "far"}, None),
        (2, {"severity": "critical", "service": "bare"}, None),
        (2, {"severity": "none", "namespace": "shop", "pod": "batch-1"}, "shop/statefulset/batch-1"),
        (2, {"severity": "none", "namespace": "shop", "pod": "data"}, None),
        (2, {"severity": "none", "namespace": "elsewhere", "pod": "web"}, None),
        (2, {"severity": "none", "namespace": "kube-system", "pod": "dns"}, None),
        (2, {"severity": "none", "namespace": "shop", "pod": "../kube-system/dns"}, None),
        (2, {"severity": "some", "namespace": "shop", "pod": "api"}, "shop/statefulset/api"),
        (
            2,
            {"severity": "none", "namespace": "shop", "pod": "web", "exported_namespace": "kube-system"},
            None,
        ),
    ],
)  # fmt: skip
async def test_what_the_catalog_names_is_changed(
    number: int, labels: dict[str, str], changed: str | None
) -> None:
    """The property above is not true for want of changes: what is allowed is done, what is not pages."""
    policy = policies()[number]
    witness, store = await run(policy, body_of([(labels, {})]))
    targets = {change.target.path for change in witness.applied}
    assert targets == ({changed} if changed else set())
    if changed is None:
        page = await store.incidents(IncidentFilter(), 10, None)
        assert [incident.level for incident in page.items] == [1]
        assert witness.said
