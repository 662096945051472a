"""Labels are hostile: whatever they say, programs run where the catalog says and are what the author wrote.

Likewise requests: their hosts are the catalog's, and what a template puts into their body stays one string.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remediator.core.cluster import Pod, Workload
from remediator.core.policies import Policy
from remediator.core.probing import authority
from remediator.core.programs import Ended, Program
from remediator.core.requests import HttpReply, HttpRequest
from remediator.core.templated import Escape
from remediator.policy.load import load_policy
from remediator.policy.placing import compile_placed
from tests.property.test_hostile_labels import (
    ALERT_LISTS,
    ANYTHING,
    HOSTILE,
    RECKLESS,
    Alerts,
    Witness,
    allowed,
    body_of,
    check,
    run,
)

RUNNING = RECKLESS.replace(
    "diagnose: [workload: {}, pods: {}]",
    "diagnose: [exec: {command: [look, '{{ service.name }}']}]",
).replace(
    "steps: [restart: {}, job: {from: tidy, timeout: 1m}]",
    """steps:
      - exec: {command: [reset, --of, '{{ service.name }}', --id, '{{ incident.id }}']}
      - http: {path: '/{{ service.name }}/reset', body: '{"of": "{{ service.name }}"}'}""",
)
for name in ("web", "api", "data", "far"):
    place = f"  {name}: {{"
    RUNNING = RUNNING.replace(place, f"{place}health: 'http://{name}.shop:8080/health', ")
NAME = re.compile(r"[A-Za-z0-9._-]{1,63}")
INCIDENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}-[0-9]{4}-[a-z0-9._-]{1,80}")


@cache
def policy() -> Policy:
    return load_policy({"all.yaml": RUNNING})


@dataclass
class Busy(Witness):
    """A cluster whose workloads have a pod that is ready, and that runs and is sent whatever is asked."""

    ran: list[Program] = field(default_factory=list)
    sent: list[tuple[HttpRequest, str]] = field(default_factory=list)

    async def pods(self, workload: Workload) -> tuple[Pod, ...]:
        self.looked_at.add(workload.ref)
        return (
            Pod(
                name=f"{workload.ref.name}-0",
                phase="Running",
                ready=True,
                restarts=0,
                uid="u",
                containers=("c",),
            ),
        )


@dataclass
class Runs:
    """``core.programs.ProgramRunner`` that keeps what it was asked."""

    busy: Busy

    async def permit(self, program: Program) -> None:
        self.busy.touched.add(program.of)

    async def run(self, program: Program) -> Ended:
        self.busy.ran.append(program)
        return Ended(exit_code=0)


@dataclass
class Sends:
    """``core.requests.HttpSender`` that keeps what it was asked."""

    busy: Busy

    async def permit(self, request: HttpRequest, *, hosts: Collection[str]) -> None:
        assert authority(request.url) in hosts

    async def send(self, request: HttpRequest, *, hosts: Collection[str], key: str) -> HttpReply:
        assert authority(request.url) in hosts
        self.busy.sent.append((request, key))
        return HttpReply(status=204, text="")


def held_to(busy: Busy, of: Policy) -> None:
    """Where they ran and what they were."""
    for program in busy.ran:
        assert program.of in allowed(of)
        assert program.pod == f"{program.of.name}-0"
        match program.command:
            case ("look", name):
                assert NAME.fullmatch(name)
            case ("reset", "--of", name, "--id", incident):
                assert NAME.fullmatch(name)
                assert INCIDENT.fullmatch(incident)
            case other:
                raise AssertionError(other)
    for request, key in busy.sent:
        service = json.loads(request.body)["of"]
        assert list(json.loads(request.body)) == ["of"]
        assert request.url == f"http://{service}.shop:8080/{service}/reset"
        assert of.services[service].workload in allowed(of)
        assert re.fullmatch(rf"{INCIDENT.pattern}/[0-9]+/1", key)


def whatever_they_say(alerts: Alerts) -> None:
    async def all_of_it() -> None:
        busy = Busy()
        _, store = await run(policy(), body_of(alerts), busy, programs=Runs(busy), sender=Sends(busy))
        check(policy(), busy, store)
        held_to(busy, policy())

    asyncio.run(all_of_it())


@settings(max_examples=60, deadline=None)
@given(ALERT_LISTS)
def test_no_label_runs_anything_else_or_asks_anybody_else(alerts: Alerts) -> None:
    whatever_they_say(alerts)


@pytest.mark.full
@settings(max_examples=10_000, deadline=None)
@given(ALERT_LISTS)
def test_no_label_runs_anything_else_at_length(alerts: Alerts) -> None:
    whatever_they_say(alerts)


def test_an_ordinary_alert_runs_both() -> None:
    """So that the above is about something."""
    busy = Busy()
    alert = ({"alertname": "ServiceDown", "severity": "critical", "service": "web"}, {"summary": "x"})
    asyncio.run(run(policy(), body_of([alert]), busy, programs=Runs(busy), sender=Sends(busy)))
    assert [program.command[0] for program in busy.ran] == ["look", "reset"]
    assert [request.method for request, _ in busy.sent] == ["POST"]


@given(st.one_of(st.sampled_from(HOSTILE), ANYTHING))
def test_a_value_in_a_body_is_one_string_and_stays_it(value: str) -> None:
    """Quotes, backslashes, line ends, half a surrogate: nothing leaves its place."""
    template = compile_placed('{"a": "x{{ service.name }}y", "b": [1]}', Escape.JSON)
    rendered = template.render(
        {"service": {"name": value[:200]}, "target": {}, "incident": {}, "severity": {}}
    )
    assert json.loads(rendered) == {"a": f"x{value[:200]}y", "b": [1]}


@pytest.mark.parametrize(
    "body",
    [
        '{"a": {{ service.name }}}',
        "{{ service.name }}",
        '{"a": 1{{ service.name }}}',
        '{"{{ service.name }}": tru{{ service.name }}}',
        '{"a": "\\u00{{ service.name }}"}',
        '{"a": "\\{{ service.name }}"}',
        '{"a": }',
        "not json",
    ],
)
def test_a_body_whose_templates_do_not_stand_in_strings_is_refused(body: str) -> None:
    text = RUNNING.replace('{"of": "{{ service.name }}"}', body)
    with pytest.raises(Exception, match="the body is no JSON"):
        load_policy({"all.yaml": text})
