"""The whole policy language is read; what is not performed is a notice, and the safe thing happens."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from remediator.core.classify import Classifier
from remediator.core.policies import (
    ApprovalTerms,
    BreakerBound,
    BudgetBound,
    FlappingBound,
    Level,
    Mode,
    Policy,
    QueryBound,
    Raise,
    ServicesAffected,
    StillOpen,
    StormBound,
)
from remediator.core.times import HOUR, MINUTE, Millis
from remediator.policy.draft import SECTIONS, Draft
from remediator.policy.findings import Level as FindingLevel
from remediator.policy.load import load_policy, read_policies

WHOLE = (Path(__file__).parent / "language" / "whole.yaml").read_text()


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load_policy({"p.yaml": WHOLE})


def spot(needle: str, text: str = WHOLE) -> str:
    """``line:column`` of the only ``needle``, counted from 1."""
    assert text.count(needle) == 1, needle
    before = text[: text.index(needle)]
    return f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"


NOTICES = [
    ("channels: [incidents, status-page", "N713", "people are asked by the escalation alone"),
    ("war_room:", "N714", "nobody is invited"),
    ("customers: allow", "N715", "customers are told nothing"),
    ("postmortem_within", "N716", "nobody is reminded of the post-mortem"),
    ("milestones", "N717", "nobody is reminded when one is missed"),
    ("channels: [tickets]", "N713", "people are asked by the escalation alone"),
    ("pages: {", "N712", "every page is sent by itself"),
    ("email:", "N719", "the next level is asked"),
    ("slack:", "N719", "the next level is asked"),
    ("statuspage:", "N719", "the next level is asked"),
    ("jira:", "N719", "the next level is asked"),
    ("customer.investigating", "N720", "nothing is written from it"),
    ("heartbeat:", "N721", "nobody is paged when it stops"),
    ("drills:", "N722", "none is made by itself"),
]


def test_everything_that_is_not_performed_is_a_notice_at_its_place() -> None:
    """In a file that uses every key of the language."""
    found = [each for each in read_policies({"p.yaml": WHOLE}).findings if each.code.startswith("N")]
    assert {each.level for each in found} == {FindingLevel.NOTICE}
    told = [f"{each.line}:{each.column} {each.code}" for each in found]
    assert told == [f"{spot(needle)} {code}" for needle, code, _ in NOTICES]
    for each, (needle, _, instead) in zip(found, NOTICES, strict=True):
        assert instead in each.message, needle
        assert "is checked but not performed by this version" in each.message


def test_raises_of_severities_and_rules_know_their_condition_and_their_place(policy: Policy) -> None:
    assert policy.severities["SEV-2"].raises == (
        Raise(to="SEV-1", when=StillOpen(after=HOUR), where=f"p.yaml:{spot('{to: SEV-1, after')}"),
    )
    first, second = policy.rules[0].raises
    query = 'affected_users_ratio{service="auth-service"}'
    assert first.when == QueryBound(promql=query, above=0.25)
    assert second.when == ServicesAffected(at_least=3)
    assert second.where == f"p.yaml:{spot('{to: SEV-1, when: {services')}"
    assert policy.rules[1].raises[0].to == "SEV-2"
    assert policy.severities["SEV-1"].raises == ()


def test_a_level_knows_within_which_time_progress_is_expected(policy: Policy) -> None:
    assert policy.levels("SEV-1")[0] == Level(
        level=1,
        channels=("oncall", "manager"),
        acknowledge_within=Millis(15 * MINUTE),
        progress_within=Millis(30 * MINUTE),
    )


def test_what_stops_changes_is_known_to_the_guards(policy: Policy) -> None:
    five, hour = Millis(5 * MINUTE), Millis(HOUR)
    assert policy.guards.storm == StormBound(incidents=10, within=five, stop_for=five)
    assert policy.guards.flapping == FlappingBound(reopened=3, within=hour)
    assert policy.guards.breaker == BreakerBound(failures=3, within=hour)
    assert policy.guards.error_budget == BudgetBound(below=10, then=Mode.APPROVE)
    slo = policy.services["auth-service"].slo
    assert slo is not None
    assert (slo.objective, slo.window) == (99.95, 30 * 24 * HOUR)
    assert slo.errors.startswith("sum(rate(")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("stop_for: 5m", "stop_for: 25h", "is longer than 1d"),
        ("incidents: 10, within: 5m", "incidents: 10, within: 2d", "is longer than 1d"),
        ("failures: 3, within: 1h", "failures: 3, within: 31d", "is longer than 30d"),
        ("incidents: 10,", "incidents: 1,", "greater than or equal to 2"),
        ("incidents: 10,", "incidents: 1001,", "less than or equal to 1000"),
        ("reopened: 3", "reopened: 21", "less than or equal to 20"),
        ("failures: 3", "failures: 1001", "less than or equal to 1000"),
    ],
)
def test_what_could_not_be_remembered_is_refused(old: str, new: str, words: str) -> None:
    """A bound that never holds looks like one that does."""
    assert old in WHOLE
    errors = read_policies({"p.yaml": WHOLE.replace(old, new, 1)}).findings
    assert [words in each.message for each in errors if each.level is FindingLevel.ERROR] == [True]


def test_what_blocks_is_named_where_it_is_asked_for(policy: Policy) -> None:
    assert policy.runbooks["restore-database"].lacks == ()
    assert policy.runbooks["restart-workload"].lacks == ()
    assert policy.guards.lacks == ()
    assert [rule.lacks for rule in policy.rules] == [(), ()]
    assert policy.rules[1].mode is Mode.APPROVE
    terms = ApprovalTerms(asked_for=("SEV-3",), within=Millis(10 * MINUTE), by=("sre-team",))
    assert policy.runbooks["restore-database"].approval == terms


BOOK = """\
severities: {SEV-4: {}}
rules: [{name: r, match: [], severity: SEV-4, runbooks: [fix]}]
time_intervals: {nights: [{times: [{start_time: '00:00', end_time: '06:00'}]}]}
runbooks:
  fix: {steps: [STEP], verify: [CHECK, {alert: {state: resolved}}]MORE}
"""


def lacks(step: str = "{restart: {}}", check: str = "{ready: {}}", more: str = "") -> tuple[str, ...]:
    text = BOOK.replace("STEP", step).replace("CHECK", check).replace("MORE", more)
    return load_policy({"p.yaml": text}).runbooks["fix"].lacks


@pytest.mark.parametrize(
    ("step", "found"),
    [
        ("{restart: {}}", ()),
        ("{restart: {}, effect: fenced}", ()),
        ("{restart: {}, effect: once}", ()),
        ("{exec: {command: [a]}, effect: idempotent}", ()),
        ("{silence: {for: 5m}}", ()),
        ("{drain: {timeout: 5m}}", ()),
        ("{wait: {for: no_recurrence}}", ()),
        ("{wait: {for: {exec: {command: [a]}}}}", ()),
        ("{restart: {}, when: ready}", ()),
        ("{restart: {}, when: {exec: {command: [a]}}}", ()),
        ("{restart: {}, when: no_recurrence}", ()),
        ("{pause: {for: 30s}, when: ready}", ()),
    ],
)
def test_a_step_says_what_it_lacks(step: str, found: tuple[str, ...]) -> None:
    """No effect that it may have asks for anything new."""
    assert lacks(step=step) == found


def test_checks_and_keys_of_a_runbook_say_what_it_lacks() -> None:
    """Nothing does any more but what is no action yet."""
    assert lacks(check="{no_recurrence: {}}") == ()
    assert lacks(more=", approval: {for: [SEV-4], within: 5m}") == ()
    assert lacks(more=", during: [nights], undo: on_failure, diagnose: [{exec: {command: [id]}}]") == ()


TARGET = """\
severities: {SEV-4: {}}
rules:
  - {name: r, match: [], severity: SEV-4, target: {pod: '{{ labels.namespace }}/{{ labels.pod }}'}MORE}
"""


@pytest.mark.parametrize(
    ("more", "service", "grouped"),
    [
        ("", "unknown", {"target": "shop/pod/web-1"}),
        (", service: '{{ labels.app }}'", "web", {"target": "shop/pod/web-1"}),
        (", group_by: [service]", "unknown", {"service": "unknown"}),
        (
            ", group_by: [target, alertname]",
            "unknown",
            {"target": "shop/pod/web-1", "alertname": "X"},
        ),
    ],
)
def test_alerts_with_a_target_are_told_apart_by_it(more: str, service: str, grouped: dict[str, str]) -> None:
    """Their ``service`` is kube-state-metrics mostly, which is nobody's service."""
    labels = {"alertname": "X", "namespace": "shop", "pod": "web-1", "app": "web", "service": "ksm"}
    match = Classifier(load_policy({"p.yaml": TARGET.replace("MORE", more)})).match(labels)
    assert match is not None
    assert (match.service, dict(match.grouped_by)) == (service, grouped)


def test_a_target_that_is_a_node_is_performed_like_any_other() -> None:
    text = TARGET.replace("MORE", "").replace("pod: '{{ labels.namespace }}/", "node: '")
    assert [each.code for each in read_policies({"p.yaml": text}).findings if "target" in each.message] == []
    [rule] = load_policy({"p.yaml": text}).rules
    assert (rule.lacks, rule.target and rule.target.kind) == ((), "node")


def test_targets_that_are_written_out_do_not_share_an_incident() -> None:
    rules = "".join(
        f"  - {{name: {n}, match: [a=\"{n}\"], severity: SEV-4, target: {{deployment: 'shop/{n}'}}}}\n"
        for n in "xy"
    )
    classifier = Classifier(load_policy({"p.yaml": f"severities: {{SEV-4: {{}}}}\nrules:\n{rules}"}))
    first, second = classifier.match({"a": "x"}), classifier.match({"a": "y"})
    assert first is not None
    assert second is not None
    assert first.group != second.group


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("roles: [commander,", "roles: [leader,"),
        ("customers: allow ", "customers: never "),
        ("postmortem_within: 24h", "postmortem_within: 25h"),
        ("diagnose: 15m", "diagnose: 16m"),
        ("channels: [incidents, status-page,", "channels: [incidents,"),
        ("{to: SEV-1, after: 1h}", "{to: SEV-1, after: 2h}"),
        ("above: 0.25", "above: 0.26"),
        ("services_affected: 3", "services_affected: 4"),
        ("objective: 99.95%", "objective: 99.9%"),
        ("window: 30d", "window: 28d"),
        ("{pod: '{{ labels.namespace }}", "{pod: '{{ labels.exported_namespace }}"),
        ("mode: approve", "mode: suggest"),
        ("channels: [tickets]", "channels: [incidents]"),
        ("- pvcs: {}", "- top: {}"),
        ("'SELECT count(*) FROM transactions'", "'SELECT 1'"),
        ("undo: on_failure", "undo: never"),
        ("by: [sre-team]", "by: [dba-team]"),
        ("during: [maintenance]", "during: [quarter-end]"),
        ("{query: up, below: 1}", "{query: up, below: 2}"),
        ("effect: once", "effect: fenced"),
        ("stop_for: 5m", "stop_for: 6m"),
        ("reopened: 3", "reopened: 4"),
        ("failures: 3", "failures: 4"),
        ("freeze: [quarter-end]", "freeze: [maintenance]"),
        ("below: 10%, then", "below: 11%, then"),
        ("channel: 20/5m", "channel: 21/5m"),
        ("months: ['3', ", "months: ['4', "),
        ("location: Europe/Berlin", "location: Europe/Paris"),
        ("end_time: '04:00'", "end_time: '05:00'"),
        ("progress_within: 30m", "progress_within: 31m"),
        ("[vp@example.com]", "[cto@example.com]"),
        ("page: abc", "page: abd"),
        ("Next update in", "Next news in"),
        ("Watchdog", "DeadMansSwitch"),
        ("schedule: '0 10", "schedule: '0 11"),
        ("namespaces: [staging]", "namespaces: [testing]"),
    ],
)
def test_the_digest_covers_what_is_not_performed(policy: Policy, old: str, new: str) -> None:
    """Whatever is said differently is another policy, whether or not anything follows from it yet."""
    assert WHOLE.count(old) == 1
    changed = load_policy({"p.yaml": WHOLE.replace(old, new)})
    assert changed.digest != policy.digest


def test_the_digest_does_not_depend_on_places(policy: Policy) -> None:
    assert load_policy({"q.yaml": "# a comment\n" + WHOLE}).digest == policy.digest


def models(model: type[BaseModel]) -> set[type[BaseModel]]:
    """The model and every model within it."""
    found, waiting = {model}, [model]
    while waiting:
        for field in waiting.pop().model_fields.values():
            inner = _models_in(field.annotation) - found
            found |= inner
            waiting += inner
    return found


def _models_in(annotation: object) -> set[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}
    return set().union(*map(_models_in, get_args(annotation)))


@pytest.mark.parametrize("name", SECTIONS)
def test_every_key_says_what_it_means(name: str) -> None:
    """In a sentence that ends: the JSON schema and the reference are made of them."""
    section = Draft().section(name)
    assert section is not None
    found = models(section.model)
    silent = [
        f"{model.__name__}.{field.alias or key}"
        for model in found
        for key, field in model.model_fields.items()
        if key != "root" and not (field.description or "").rstrip("`").endswith(".")
    ]
    assert sorted(silent) == []
    assert [model.__name__ for model in found if not (model.__doc__ or "").strip()] == []
    assert section.model.model_json_schema(by_alias=True)["title"]


@pytest.mark.parametrize(
    ("query", "at", "said"),
    [
        ("sum(uptime(x))", "uptime", "unknown function with name 'uptime'"),
        ('up{a=~"prod("}', "prod(", "illegal regex for prod("),
        ('up{a="{{ service.name }}"} * (', "up{", "Prometheus would not understand this query"),
        ("", "", "must not be empty"),
    ],
)
def test_a_bad_query_is_told_at_the_part_that_the_parser_names(query: str, at: str, said: str) -> None:
    """Else at its beginning. A template in it stands for some text."""
    text = BOOK.replace("STEP", "{restart: {}}").replace("MORE", "")
    text = text.replace("CHECK", f"{{promql: {{query: '{query}', below: 1}}}}")
    findings = read_policies({"p.yaml": text}).findings
    [found] = [each for each in findings if each.level is FindingLevel.ERROR]
    line = text.splitlines()[found.line - 1]
    assert line[found.column - 1 :].startswith(at)
    assert said in found.message
