"""Explanations say what would become of an alert, and why not something else."""

from __future__ import annotations

import json
from collections.abc import Sequence

from remediator.core.alerts import Alert, AlertStatus, Fingerprint, Notification, Rejected
from remediator.core.classify import Match
from remediator.core.policies import Mode, Policy, Runbook
from remediator.core.times import parse_stamp
from remediator.guards import GUARDS
from remediator.policy.explain import Explainer, GuardOpinion, explain
from remediator.policy.load import load_policy, read_policies

FILES = """\
severities:
  SEV-1: {page: now, escalation: e}
  SEV-2: {summary: Bad, page: {unless_verified_within: 15m}, respond_within: 1h, escalation: e}
  SEV-4: {}
escalations:
  e:
    - {level: 1, channels: [a, b], acknowledge_within: 15m}
    - {level: 2, channels: [b], acknowledge_within: 5m}
    - {level: 3, channels: [c]}
channels:
  a: {pagerduty: {routing_key: {env: A}}}
  b: {pagerduty: {routing_key: {env: B}}}
  c: {pagerduty: {routing_key: {env: C}}}
guards: {namespaces: [prod], protect: [statefulset/db], accept: ['cluster="eu"']}
services:
  auth: {namespace: prod, workload: deployment/auth, depends_on: [db]}
  db: {namespace: prod, workload: statefulset/db}
  far: {namespace: elsewhere, workload: deployment/far}
rules:
  - name: down
    match: ['alertname="Down"', 'env="prod"']
    severity: SEV-2
    hold: 30s
    mode: auto
    runbooks: [fix]
  - {name: near, match: ['alertname="Down"', 'env="test"'], severity: SEV-4}
  - {name: late, match: ['env="prod"'], severity: SEV-4}
  - {name: loud, match: ['alertname="Loud"'], severity: SEV-1}
runbooks:
  fix:
    summary: Restart
    diagnose: [pods: {}]
    steps: [restart: {}]
    verify: [ready: {for: 30s}, alert: {within: 10m}]
"""
DOWN = {"alertname": "Down", "env": "prod", "service": "auth", "cluster": "eu"}


def policy() -> Policy:
    return load_policy({"p.yaml": FILES})


def alert(labels: dict[str, str], status: AlertStatus = AlertStatus.FIRING) -> Alert:
    return Alert(
        fingerprint=Fingerprint("ab"),
        status=status,
        labels=labels,
        annotations={},
        starts_at=parse_stamp("2026-01-01T00:00:00Z"),
        ends_at=None,
    )


async def test_the_winner_and_everything_that_follows_from_it() -> None:
    told = await Explainer(policy()).labels(DOWN)
    assert told.rule is not None
    assert (told.rule.name, told.rule.where, told.rule.mode) == ("down", "p.yaml:20:11", Mode.AUTO)
    assert told.incident is not None
    assert (told.incident.service, told.incident.in_catalog, told.incident.hold) == ("auth", True, "30s")
    assert dict(told.incident.grouped_by) == {"service": "auth"}
    assert told.incident.waits_for == ("db",)
    assert told.severity is not None
    assert (told.severity.name, told.severity.page_at, told.severity.respond_within) == ("SEV-2", "15m", "1h")
    assert [(level.level, level.after, level.channels) for level in told.severity.levels] == [
        (1, "0s", ("a", "b")),
        (2, "15m", ("b",)),
        (3, "20m", ("c",)),
    ]
    assert told.foreign is None
    assert told.skeleton is None


async def test_rules_that_came_too_late_and_rules_that_came_close() -> None:
    told = await Explainer(policy()).labels(DOWN)
    assert [rule.name for rule in told.too_late] == ["late"]
    assert [(miss.rule.name, miss.matcher, miss.saw, miss.held, miss.of) for miss in told.near] == [
        ("near", 'env="test"', "prod", 1, 2)
    ]


async def test_a_runbook_is_told_with_its_target() -> None:
    (book,) = (await Explainer(policy()).labels(DOWN)).runbooks
    assert book.plan.steps == ("restart deployment/auth in prod",)
    assert book.plan.diagnose == ("pods",)
    assert book.plan.verify == ("ready, for 30s, within 5m", "alert (state: resolved), within 10m")
    assert book.plan.limits == "at most 3 attempts in 1h, 10m between two"


async def test_page_now_is_at_once_and_never_is_never() -> None:
    explainer = Explainer(policy())
    loud = await explainer.labels({"alertname": "Loud"})
    quiet = await explainer.labels({"env": "prod"})
    assert loud.severity is not None
    assert quiet.severity is not None
    assert (loud.severity.page_at, quiet.severity.page_at) == ("0s", None)


async def test_without_a_daemon_every_guard_is_named_with_what_it_asks() -> None:
    told = await Explainer(policy()).labels(DOWN)
    assert [guard.name for guard in told.runbooks[0].guards] == [guard.name for guard in GUARDS]
    [lease] = [guard for guard in told.runbooks[0].guards if guard.name == "lease"]
    assert (lease.verdict, lease.text) == ("asked when acting", "that nobody else is changing the target")


async def test_the_ceiling_caps_the_mode() -> None:
    told = await Explainer(policy(), ceiling=Mode.SUGGEST).labels(DOWN)
    assert told.rule is not None
    assert told.rule.mode is Mode.SUGGEST
    [mode] = [guard for guard in told.runbooks[0].guards if guard.name == "mode"]
    assert mode.verdict == "blocks"
    assert "the daemon allows suggest at most" in mode.text


async def test_the_policy_alone_blocks_what_it_can() -> None:
    explainer = Explainer(policy())
    said = {}
    for service in ("auth", "db", "far", "stranger"):
        told = await explainer.labels({**DOWN, "service": service})
        [said[service]] = [guard for guard in told.runbooks[0].guards if guard.name == "target"]
    assert said["auth"].verdict == "asked when acting"
    assert {name for name, guard in said.items() if guard.verdict == "blocks"} == {"db", "far", "stranger"}
    assert "protected" in said["db"].text
    assert "namespace elsewhere is not allowed" in said["far"].text


async def test_guards_are_asked_of_the_caller() -> None:
    asked: list[tuple[str, str]] = []

    async def opinions(match: Match, runbook: Runbook) -> Sequence[GuardOpinion]:
        asked.append((match.service, runbook.name))
        return (GuardOpinion(name="lease", verdict="allows", text="free"),)

    told = await Explainer(policy(), opinions=opinions).labels(DOWN)
    assert asked == [("auth", "fix")]
    assert [guard.name for guard in told.runbooks[0].guards] == ["lease"]


async def test_an_alert_of_another_cluster_is_told_as_foreign() -> None:
    told = await Explainer(policy()).labels({**DOWN, "cluster": "us"})
    assert told.foreign == 'cluster="eu"'


async def test_an_unmatched_alert_gets_a_rule_to_begin_with_that_matches_it() -> None:
    labels = {"alertname": 'It\'s {{ "odd" }}\n', "namespace": "x"}
    told = await Explainer(policy()).labels(labels)
    assert (told.rule, told.severity, told.incident, told.runbooks) == (None, None, None, ())
    assert told.skeleton is not None
    text = "severities: {SEV-3: {}}\nrules:\n" + told.skeleton
    loaded = read_policies({"p.yaml": text})
    assert loaded.policy is not None, loaded.findings
    assert loaded.policy.rules[0].matchers[1].matches(labels)


async def test_a_label_can_forge_no_line() -> None:
    told = await Explainer(policy()).labels(
        {"alertname": "Down", "env": "x\n\x1b[31mforged", "service": "a\nb"}
    )
    assert "\n" not in told.near[0].saw
    assert "\x1b" not in told.near[0].saw


async def test_a_notification_is_explained_alert_by_alert_and_as_json() -> None:
    told = await explain(
        policy(),
        Notification(
            receiver="r",
            group_key="g",
            external_url="",
            truncated=0,
            alerts=(alert(DOWN), alert({"alertname": "Loud"}, AlertStatus.RESOLVED)),
            rejected=(Rejected(reason="no labels", raw="{}"),),
        ),
        ceiling=Mode.OBSERVE,
    )
    data = json.loads(json.dumps(told.as_data()))
    assert [each["status"] for each in data["alerts"]] == ["firing", "resolved"]
    assert (data["policy"], data["ceiling"], data["rejected"]) == (policy().digest, "observe", ["no labels"])
    assert data["alerts"][0]["runbooks"][0]["plan"]["target"] == "prod/deployment/auth"


TEMPLATED = FILES.replace(
    "diagnose: [pods: {}]", "diagnose: [{promql: {query: 'up{a=\"{{ target.name }}\"}'}}]"
)


async def test_the_plan_is_shown_as_it_would_be_pinned() -> None:
    explained = await Explainer(load_policy({"p.yaml": TEMPLATED})).labels(DOWN)
    (note,) = explained.runbooks
    assert note.plan.diagnose == ('promql (query: up{a="auth"})',)
    assert note.blocked is None


async def test_a_plan_that_cannot_be_rendered_says_why() -> None:
    explained = await Explainer(load_policy({"p.yaml": TEMPLATED})).labels({**DOWN, "service": "stranger"})
    (note,) = explained.runbooks
    assert note.blocked == "promql: the template reads target.name, which is not known here"
    assert note.plan.diagnose == ('promql (query: up{a="{{ target.name }}"})',)
