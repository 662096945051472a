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
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from remediator.actions import ACTIONS
from remediator.core.changes import ClusterChange, RunJob
from remediator.core.journal import Kind
from remediator.core.matchers import MatchOp
from remediator.core.nodes import NODE_ACTIONS
from remediator.core.policies import Policy, WorkloadRef
from remediator.core.programs import Program
from remediator.core.requests import HttpRequest
from remediator.core.store import ListingStore
from remediator.core.text import plain
from remediator.core.times import MINUTE
from remediator.http.payload import BadPayload, parse_notification
from remediator.policy.load import load_policy
from remediator.testing.memory import MemoryStore
from remediator.workers.means import Means
from tests.property.hostile_texts import ALERT_LISTS, NAMED
from tests.property.hostile_town import Sends, Silenced, Town
from tests.property.test_hostile_labels import (
    INCIDENT,
    RECKLESS,
    Alerts,
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
    "silence": "{for: 15m}",
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


@cache
def policy() -> Policy:
    return load_policy({"all.yaml": EVERYTHING})


def test_every_action_has_a_scene() -> None:
    """A new one is not done before hostile labels have met it."""
    missing = ACTIONS.keys() - SCENES.keys() - NODE_ACTIONS  # these: test_hostile_nodes.py
    assert not missing, (
        f"{', '.join(sorted(missing))}: no scene in tests/property/test_hostile_actions.py; add its step to "
        "SCENES, and to Town in hostile_town.py what it looks at and what reaches the world of it"
    )
    assert not SCENES.keys() - ACTIONS.keys(), "a scene is left of an action that is gone"


# --- what an ordinary alert does ---


async def told(alerts: Alerts) -> tuple[Town, MemoryStore]:
    """What reaches the world of a notification."""
    town, body = Town(), body_of(alerts)
    silenced = Silenced(parse_notification(body).alerts)
    town.silenced = silenced

    def equip(means: Means) -> Means:
        lookout = silenced.lookout(cast(ListingStore, means.incidents))
        return replace(means, programs=town, sender=Sends(town), silencer=silenced, lookout=lookout)

    _, store = await run(policy(), body, town, equip=equip)
    return town, store


@dataclass(frozen=True, kw_only=True)
class Done:
    """All that is done to one workload. ``programs``: with the incident's name left open."""

    changes: Sequence[ClusterChange]
    programs: Sequence[Program]
    requests: Sequence[HttpRequest]
    silences: int


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
    return Done(
        changes=changes,
        programs=[open_words(one) for one in town.ran],
        requests=town.sent,
        silences=len(town.silenced.made),
    )


def test_an_ordinary_alert_performs_every_action() -> None:
    """The property below is not true for want of changes. Who is not in the catalog has no host to ask."""
    stranger = WorkloadRef(kind="statefulset", namespace="shop", name="batch-1")
    for ref in (*allowed(policy()), stranger):
        done = ordinary(ref)
        assert {change.target for change in done.changes} == {ref}
        assert {program.of for program in done.programs} == {ref}
        assert done.silences == (ref != stranger)
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
    silenced_as_they_are(town.silenced)
    known = [request for name in NAMED for request in ordinary(_workload(name)).requests]
    for request, key in zip(town.sent, town.keys, strict=True):
        assert request in known
        assert re.fullmatch(rf"{INCIDENT.pattern}/[0-9]+/[0-9]+", key), "a header of one line"


def silenced_as_they_are(silenced: Silenced) -> None:
    """Each by all its labels, to the letter: a regular expression in a label is a text, and ends in time."""
    known = {alert.fingerprint: alert.labels for alert in silenced.listed}
    for wanted in silenced.made:
        assert wanted.alert is not None
        assert {matcher.op for matcher in wanted.matchers} == {MatchOp.EQUAL}
        labels = {name: value for name, value in known[wanted.alert].items() if value}
        assert {matcher.name: matcher.value for matcher in wanted.matchers} == labels
        assert wanted.ends_at - wanted.starts_at == 15 * MINUTE
        assert plain(wanted.comment, 500) == wanted.comment, "one line of plain text"


def _workload(name: str) -> WorkloadRef:
    found = policy().services[name].workload
    assert found is not None
    return found


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
