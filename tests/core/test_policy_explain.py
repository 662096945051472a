"""Explanations say what would become of an alert, and why not something else."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from io import StringIO

import pytest
from rich.console import Console

from remediator.cli.explain_text import say_explanation
from remediator.core.alerts import Alert, AlertStatus, Fingerprint, Notification, Rejected
from remediator.core.classify import Classifier, Match
from remediator.core.decision import Facts
from remediator.core.incident import Incident, Status
from remediator.core.matchers import Matcher, MatchOp
from remediator.core.policies import Mode, Policy, QueryBound, Raise, ServicesAffected, StillOpen
from remediator.core.rule_index import STEP as RULES_COMPARED_AT_ONCE
from remediator.core.times import HOUR, MINUTE, SECOND, Instant, Millis, parse_stamp
from remediator.guards import GUARDS
from remediator.policy.diffs import CONTAINERS
from remediator.policy.explain import STEP as RULES_TOLD_AT_ONCE
from remediator.policy.explain import Explainer, explain
from remediator.policy.explained import AlertExplanation, Explanation
from remediator.policy.foresee import Standing, foresee
from remediator.policy.load import load_policy, read_policies
from remediator.policy.present import Nowhere
from tests.core.builders import NOW
from tests.core.explaining import firing, of_labels

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
    told = await of_labels(policy(), DOWN)
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
    told = await of_labels(policy(), DOWN)
    assert [rule.name for rule in told.too_late] == ["late"]
    assert [(miss.rule.name, miss.matcher, miss.saw, miss.held, miss.of) for miss in told.near] == [
        ("near", 'env="test"', "prod", 1, 2)
    ]


async def test_a_runbook_is_told_with_its_target() -> None:
    (book,) = (await of_labels(policy(), DOWN)).runbooks
    assert book.plan.steps == ("restart deployment/auth in prod",)
    assert book.plan.diagnose == ("pods",)
    assert book.plan.verify == ("ready, for 30s, within 5m", "alert (state: resolved), within 10m")
    assert book.plan.limits == "at most 3 attempts in 1h, 10m between two"


async def test_page_now_is_at_once_and_never_is_never() -> None:
    loud = await of_labels(policy(), {"alertname": "Loud"})
    quiet = await of_labels(policy(), {"env": "prod"})
    assert loud.severity is not None
    assert quiet.severity is not None
    assert (loud.severity.page_at, quiet.severity.page_at) == ("0s", None)


async def test_without_a_daemon_every_guard_is_named_with_what_it_asks() -> None:
    told = await of_labels(policy(), DOWN)
    assert [guard.name for guard in told.runbooks[0].guards] == [guard.name for guard in GUARDS]
    [lease] = [guard for guard in told.runbooks[0].guards if guard.name == "lease"]
    assert (lease.verdict, lease.text) == ("asked when acting", "that nobody else is changing the target")


async def test_the_ceiling_caps_the_mode() -> None:
    told = await of_labels(policy(), DOWN, ceiling=Mode.SUGGEST)
    assert told.rule is not None
    assert told.rule.mode is Mode.SUGGEST
    [mode] = [guard for guard in told.runbooks[0].guards if guard.name == "mode"]
    assert mode.verdict == "blocks"
    assert "the daemon allows suggest at most" in mode.text


async def test_the_policy_alone_blocks_what_it_can() -> None:
    said = {}
    for service in ("auth", "db", "far", "stranger"):
        told = await of_labels(policy(), {**DOWN, "service": service})
        [said[service]] = [guard for guard in told.runbooks[0].guards if guard.name == "target"]
    assert said["auth"].verdict == "asked when acting"
    assert {name for name, guard in said.items() if guard.verdict == "blocks"} == {"db", "far", "stranger"}
    assert "protected" in said["db"].text
    assert "namespace elsewhere is not allowed" in said["far"].text


async def test_an_alert_of_another_cluster_is_told_as_foreign() -> None:
    told = await of_labels(policy(), {**DOWN, "cluster": "us"})
    assert told.foreign == 'cluster="eu"'


async def test_an_unmatched_alert_gets_a_rule_to_begin_with_that_matches_it() -> None:
    labels = {"alertname": 'It\'s {{ "odd" }}\n', "namespace": "x"}
    told = await of_labels(policy(), labels)
    assert (told.rule, told.severity, told.incident, told.runbooks) == (None, None, None, ())
    assert told.skeleton is not None
    text = "severities: {SEV-3: {}}\nrules:\n" + told.skeleton
    loaded = read_policies({"p.yaml": text})
    assert loaded.policy is not None, loaded.findings
    assert loaded.policy.rules[0].matchers[1].matches(labels)


@pytest.mark.parametrize(
    ("labels", "others", "matchers"),
    [
        ({"job": "a", "zone": "b", "x\n- name: y": "c", "odd": "d\n"}, {"job": "a"}, 2),
        ({"odd": "d\n"}, {}, 0),
    ],
)
async def test_a_skeleton_without_the_usual_labels_says_what_it_means(
    labels: dict[str, str], others: dict[str, str], matchers: int
) -> None:
    """By other labels that can be written as they are; where there is none, it says that it matches all."""
    told = (await of_labels(policy(), labels)).skeleton
    assert told is not None
    loaded = read_policies({"p.yaml": "severities: {SEV-3: {}}\nrules:\n" + told})
    assert loaded.policy is not None, loaded.findings
    (rule,) = loaded.policy.rules
    assert len(rule.matchers) == matchers
    assert all(matcher.matches(labels) for matcher in rule.matchers)
    assert all(matcher.matches(others) for matcher in rule.matchers) is (matchers == 0)
    assert ("everything" in told) is (matchers == 0)


async def test_a_label_can_forge_no_line() -> None:
    told = await of_labels(policy(), {"alertname": "Down", "env": "x\n\x1b[31mforged", "service": "a\nb"})
    assert "\n" not in told.near[0].saw
    assert "\x1b" not in told.near[0].saw


async def test_a_notification_is_explained_alert_by_alert_and_as_json() -> None:
    told = await explain(
        Classifier(policy()),
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
    explained = await of_labels(load_policy({"p.yaml": TEMPLATED}), DOWN)
    (note,) = explained.runbooks
    assert note.plan.diagnose == ('promql (query: up{a="auth"})',)
    assert note.blocked is None


async def test_a_plan_that_cannot_be_rendered_says_why() -> None:
    explained = await of_labels(load_policy({"p.yaml": TEMPLATED}), {**DOWN, "service": "stranger"})
    (note,) = explained.runbooks
    assert note.blocked == "promql: the template reads target.name, which is not known here"
    assert note.plan.diagnose == ('promql (query: up{a="{{ target.name }}"})',)


async def test_every_other_rule_says_which_matcher_failed_first_and_what_it_saw() -> None:
    told = await of_labels(policy(), DOWN)
    assert [(miss.rule.name, miss.matcher, miss.saw) for miss in told.others] == [
        ("near", 'env="test"', "prod"),
        ("loud", 'alertname="Loud"', "Down"),
    ]
    assert told.others_left_out == 0


async def test_what_is_told_of_other_rules_is_bounded() -> None:
    """One alert hears of every rule; hundreds of them together hear of the nearest."""
    rules = "".join(
        f"  - {{name: r{number}, match: ['n=\"{number}\"'], severity: SEV-4}}\n" for number in range(1500)
    )
    many = load_policy({"p.yaml": f"severities: {{SEV-4: {{}}}}\nrules:\n{rules}"})
    told = await of_labels(many, {"n": "x"})
    assert (len(told.others), told.others_left_out) == (1500, 0)
    storm = Notification(
        receiver="r",
        group_key="g",
        external_url="",
        truncated=0,
        alerts=tuple(alert({"n": str(number)}) for number in range(200)),
        rejected=(),
    )
    explained = await explain(Classifier(many), storm)
    assert {(len(each.others), each.others_left_out) for each in explained.alerts} == {(100, 1399)}


async def test_others_are_heard_while_ten_thousand_rules_are_looked_at() -> None:
    """After every few rules, when they are compared and when they are told; nothing is compiled anew."""
    base = policy()
    rules = tuple(
        replace(base.rules[-1], name=f"r{number}", matchers=(Matcher(name="n", op=MatchOp.EQUAL, value="x"),))
        for number in range(10_000)
    )
    compiled, turns = Classifier(replace(base, rules=rules)), 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    waiting = asyncio.ensure_future(other())
    told = await Explainer(compiled).alert(firing({"n": "y"}))
    waiting.cancel()
    assert len(told.others) == len(rules)
    assert turns >= len(rules) / RULES_COMPARED_AT_ONCE + len(rules) / RULES_TOLD_AT_ONCE


async def test_offline_each_step_is_a_diff_as_far_as_the_policy_says() -> None:
    steps = (
        "[scale: {to: 5, only: up}, wait: {for: ready}, restart: {}, rollback: {}, "
        "delete_pod: {which: crash_looping, at_most: 2}, evict_pod: {}, "
        "set_image: {image: 'shop/web:2'}, set_image: {container: web, image: 'shop/web:2'}, "
        "set_resources: {container: web, requests: {cpu: 1}, limits: {memory: 1Gi}}, "
        "isolate: {for: 30m}, restore: {}, hpa: {min: 2}, hpa: {min: 2, max: 9}]"
    )
    told = await of_labels(load_policy({"p.yaml": FILES.replace("[restart: {}]", steps)}), DOWN)
    (book,) = told.runbooks
    assert [step.diff for step in book.steps] == [
        ("spec.replicas: (known when it acts) -> 5 (only up: a target that is there already is left alone)",),
        (),
        ("spec.template.metadata.annotations.kubectl.kubernetes.io/restartedAt: + (the time of the step)",),
        ("spec.template: revision (known when it acts) -> the one before",),
        ("- pods that are crash looping, at most 2 (deleted)",),
        ("- pods that are not ready, at most 1 (evicted)",),
        (f"{CONTAINERS}[the only one].image: (known when it acts) -> shop/web:2",),
        (f"{CONTAINERS}[web].image: (known when it acts) -> shop/web:2",),
        (
            f"{CONTAINERS}[web].resources.requests.cpu: (known when it acts) -> 1",
            f"{CONTAINERS}[web].resources.limits.memory: (known when it acts) -> 1Gi",
        ),
        (
            "spec.replicas: (known when it acts) -> 0",
            "metadata.annotations.remediator/isolated-until: + (30m after the step)",
        ),
        ("spec.replicas: (known when it acts) -> (what remediator/isolated-replicas says)",),
        ("its hpa, spec.minReplicas: (known when it acts) -> 2",),
        (
            "its hpa, spec.minReplicas: (known when it acts) -> 2",
            "its hpa, spec.maxReplicas: (known when it acts) -> 9",
        ),
    ]
    assert {step.known for step in book.steps} == {"policy"}


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ("unless_verified_within: 15m", "unless_verified_within: 7m", "T+7m"),
        ("acknowledge_within: 15m", "acknowledge_within: 16m", "T+31m"),
        ("hold: 30s", "hold: 45s", "45s"),
        ("ready: {for: 30s}", "ready: {for: 31s}", "for 31s"),
        ("guards: {", "guards: {max_unavailable: 37%, ", "at most 37% of its pods unavailable"),
        ("guards: {", "guards: {rate: {service: 4/2h}, ", "changes of service auth 4/2h"),
        ("guards: {", "guards: {rate: {cluster: 9/3h}, ", "changes in the cluster 9/3h"),
        (
            "    summary: Restart",
            "    limits: {attempts: 7, per: 5h}",
            "attempts of fix on prod/deployment/auth 7/5h",
        ),
    ],
)
async def test_a_threshold_that_changes_shows_in_the_words(was: str, becomes: str, said: str) -> None:
    """Whoever tunes a number sees it, without a daemon."""
    before = str(await of_labels(policy(), DOWN))
    after = str(await of_labels(load_policy({"p.yaml": FILES.replace(was, becomes, 1)}), DOWN))
    assert said not in before
    assert said in after


def raising() -> Policy:
    """As the files, with conditions to raise the severity and a level that promises progress."""
    of = policy()
    still = Raise(to="SEV-1", when=StillOpen(after=Millis(HOUR)), where="p.yaml:3:1")
    users = Raise(to="SEV-1", when=QueryBound(promql='users{s="{{ service.name }}"}', above=0.25))
    rules = tuple(
        replace(rule, raises=(Raise(to="SEV-1", when=ServicesAffected(at_least=3)),))
        if rule.name == "down"
        else rule
        for rule in of.rules
    )
    levels = tuple(
        replace(level, progress_within=Millis(30 * MINUTE)) if level.level in (1, 3) else level
        for level in of.escalations["e"].levels
    )
    fourth = replace(levels[0], level=4, acknowledge_within=None, progress_within=None)
    return replace(
        of,
        severities={**of.severities, "SEV-2": replace(of.severities["SEV-2"], raises=(still, users))},
        rules=rules,
        escalations={"e": replace(of.escalations["e"], levels=(*levels, fourth))},
    )


async def test_what_would_raise_the_severity_is_told_with_who_says_so() -> None:
    told = await of_labels(raising(), DOWN)
    assert told.severity is not None
    assert [(each.to, each.by, each.condition, each.at, each.observed) for each in told.severity.raises] == [
        ("SEV-1", "SEV-2", "still open after 1h", "T+1h", None),
        ("SEV-1", "SEV-2", 'users{s="{{ service.name }}"} above 0.25', None, None),
        ("SEV-1", "rule down", "at least 3 services have an open incident", None, None),
    ]


async def test_who_is_asked_when_and_how_far_it_climbs() -> None:
    told = await of_labels(raising(), DOWN)
    assert told.severity is not None
    assert [
        (level.level, level.at, level.acknowledge_within, level.progress_within, level.kinds)
        for level in told.severity.levels
    ] == [
        (1, "T+15m", "15m", "30m", ("pagerduty", "pagerduty")),
        (2, "T+30m", "5m", None, ("pagerduty",)),
        (3, "T+35m", None, "30m", ("pagerduty",)),
        (4, None, None, None, ("pagerduty", "pagerduty")),
    ]


async def test_where_a_severity_names_nobody_the_operator_is_asked() -> None:
    of = policy()
    lonely = replace(
        of,
        operator=("c",),
        severities={**of.severities, "SEV-1": replace(of.severities["SEV-1"], escalation=None)},
    )
    told = await of_labels(lonely, {"alertname": "Loud"})
    assert told.severity is not None
    assert [(level.at, level.channels) for level in told.severity.levels] == [("T+0s", ("c",))]


async def test_what_this_version_cannot_perform_and_whom_it_does_not_trust_says_why() -> None:
    of = policy()
    lowered = tuple(replace(rule, lowered="it may not patch deployments in prod") for rule in of.rules)
    books = {"fix": replace(of.runbooks["fix"], lacks=("undo: on_failure", "action drain"))}
    told = await of_labels(replace(of, rules=lowered, runbooks=books), DOWN)
    assert told.rule is not None
    assert told.rule.lowered == "it may not patch deployments in prod"
    why = "runbook fix asks for undo: on_failure, action drain, which this version cannot perform"
    assert told.runbooks[0].blocked == f"{why}: nothing is changed"
    assert told.runbooks[0].lacks == ("undo: on_failure", "action drain")


async def test_what_would_be_taken_back_after_a_failed_verification_is_told() -> None:
    """The last step first; waits change nothing, and what has no inverse says so."""
    of = policy()
    steps = "[{set_image: {image: 'a/b:2'}}, {restart: {}}, {wait: {for: ready}}, {scale: {to: 4, only: up}}]"
    text = FILES.replace("steps: [restart: {}]", f"steps: {steps}\n    undo: on_failure")
    told = await of_labels(load_policy({"p.yaml": text}), DOWN)
    back = "taken back while it is as it was set, unless that took healthy pods away"
    none = "restart has no inverse: what it did cannot be taken back"
    assert told.runbooks[0].plan.undo == (f"scale: {back}", none, f"set_image: {back}")
    out = StringIO()
    explanation = Explanation(policy="", ceiling=Mode.AUTO, live=False, alerts=(told,), rejected=())
    say_explanation(Console(file=out, width=200), explanation)
    said = [line.split(maxsplit=1) for line in out.getvalue().splitlines()]
    assert [line[1] for line in said if line[0] == "undo"] == [f"scale: {back}", none, f"set_image: {back}"]
    assert (await of_labels(of, DOWN)).runbooks[0].plan.undo == ()


async def test_the_fates_of_alerts_without_a_daemon() -> None:
    """Twice the same alert is a duplicate, until it has resolved in between."""
    explainer = Explainer(Classifier(policy()))
    fates = [
        (await explainer.alert(each)).fate
        for each in (
            alert(DOWN),
            alert(DOWN),
            alert(DOWN, AlertStatus.RESOLVED),
            alert(DOWN),
            alert({"alertname": "Strange"}),
        )
    ]
    assert [str(fate) for fate in fates] == [
        "opens or joins",
        "duplicate",
        "ends",
        "opens or joins",
        "unmatched",
    ]


async def test_a_resolved_alert_pages_nobody_and_changes_nothing() -> None:
    told = await Explainer(Classifier(policy())).alert(alert(DOWN, AlertStatus.RESOLVED))
    assert told.rule is not None
    assert (told.severity, told.runbooks) == (None, ())


# --- with a daemon that knows how things stand ---


@dataclass
class Here(Nowhere):
    """A present in which a test says what stands."""

    live = True
    stands: Standing

    async def standing(self, alert: Alert, match: Match | None) -> Standing:
        """As told."""
        return self.stands


def life(of: Policy | None = None) -> tuple[Policy, Incident]:
    """The incident that a first alert opened, a minute ago."""
    rules = of or policy()
    match = Classifier(rules).match(DOWN)
    assert match is not None
    foreseen = foresee(rules, match, alert(DOWN), Standing(at=NOW))
    assert foreseen.incident is not None
    return rules, foreseen.incident


async def told_in(
    rules: Policy,
    incident: Incident | None,
    *,
    members: tuple[str, ...] = (),
    one: Alert | None = None,
    after: int = MINUTE,
) -> AlertExplanation:
    facts = Facts(firing=incident.alerts if incident else 0, members=frozenset(map(Fingerprint, members)))
    present = Here(Standing(at=Instant(NOW + after), incident=incident, facts=facts))
    return await Explainer(Classifier(rules), present=present).alert(
        one or replace(alert(DOWN), fingerprint=Fingerprint("cd"))
    )


async def test_the_incident_that_it_joins_is_named_with_its_state() -> None:
    rules, incident = life()
    told = await told_in(rules, incident)
    assert (told.fate, told.because) == ("joins", f"incident {incident.id} is open")
    assert told.incident is not None
    assert told.incident.now is not None
    now = told.incident.now
    assert (now.id, now.status, now.severity, now.alerts, now.attempts) == (
        incident.id,
        "remediating",
        "SEV-2",
        1,
        1,
    )
    assert told.severity is not None
    assert told.severity.page_at == "14m30s", "30 s of hold and 30 s of it have passed"
    assert told.runbooks[0].had_turn


async def test_a_duplicate_follows_to_nothing_new() -> None:
    rules, incident = life()
    told = await told_in(rules, incident, members=("cd",))
    assert told.fate == "duplicate"
    assert told.severity is not None
    assert told.severity.story == ()


async def test_the_end_of_an_alert_and_of_its_incident() -> None:
    rules, incident = life()
    ended = alert(DOWN, AlertStatus.RESOLVED)
    told = await told_in(rules, incident, members=("ab",), one=ended)
    assert (told.fate, "it was the last of its alerts" in told.because) == ("ends", True)
    assert (await told_in(rules, incident, one=ended)).fate == "nothing"
    two = replace(incident, alerts=2)
    assert "1 of its alerts fire on" in (await told_in(rules, two, members=("ab",), one=ended)).because


async def test_what_opens_waits_and_reopens() -> None:
    rules, incident = life()
    assert (await told_in(rules, None)).fate == "waits"
    assert (await told_in(rules, None)).because == "it must still fire after 30s"
    over = replace(
        incident, status=Status.RESOLVED, resolved_at=NOW, timers={}, alerts=0, attempts=(), level=1
    )
    again = await told_in(rules, over)
    assert (again.fate, "is over, but not for long" in again.because) == ("reopens", True)
    assert again.severity is not None
    assert (again.severity.page_at, [level.asked for level in again.severity.levels]) == ("15m", [False] * 3)
    assert (await told_in(rules, over, after=2 * HOUR)).fate == "waits"
    quick = load_policy({"p.yaml": FILES.replace("    hold: 30s\n", "")})
    assert (await told_in(quick, None)).fate == "opens"
    held = replace(incident, status=Status.HELD, timers={"hold": 1}, attempts=())
    assert (await told_in(rules, held)).fate == "waits"


async def test_an_incident_that_is_worse_already_keeps_its_severity_and_who_was_asked() -> None:
    rules, incident = life()
    worse = replace(incident, severity="SEV-1", level=1, deadline_at=None, timers={})
    told = await told_in(rules, worse)
    assert told.severity is not None
    assert told.incident is not None
    assert (told.severity.name, told.incident.severity) == ("SEV-1", "SEV-1")
    assert told.severity.page_at is None
    assert "level 1 was asked already" in told.severity.page
    assert [level.asked for level in told.severity.levels] == [True, False, False]


async def test_a_raise_that_time_decides_counts_from_the_opening_of_the_real_incident() -> None:
    rules, incident = life(raising())
    told = await told_in(rules, incident, after=21 * MINUTE + 30 * SECOND)
    assert told.severity is not None
    assert told.severity.raises[0].at == "T+39m"


async def test_a_rule_that_waits_for_a_person_says_for_whom_and_how_long() -> None:
    """Before it is trusted with anything: what will be asked, and what happens without an answer."""
    for more, terms in (
        ("", "by anyone who may operate the daemon within 15m"),
        ("approval: {for: [SEV-4], within: 10m, by: [sre, admin]}", "by sre or admin within 10m"),
    ):
        text = FILES.replace("mode: auto", "mode: approve", 1)
        text = text.replace("  fix:\n", f"  fix:\n    {more}\n", 1) if more else text
        known = load_policy({"p.yaml": text})
        told = await Explainer(Classifier(known)).alert(alert(DOWN))
        [note] = told.runbooks
        assert note.approval == (
            f"waits for approval of its plan {terms}; otherwise it changes nothing, and people are paged"
        )
        [mode] = [guard for guard in note.guards if guard.name == "mode"]
        assert (mode.verdict, mode.text) == (
            "asks",
            f"rule down is in mode approve: waits for approval {terms}",
        )
