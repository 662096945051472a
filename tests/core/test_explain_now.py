"""What the running daemon's explanations see: conditions to raise the severity, and not too much at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from remediator.cli.explain_text import say_explanation
from remediator.core.alerts import Alert, AlertStatus, Fingerprint
from remediator.core.breakers import Failure
from remediator.core.budgets import budget_query
from remediator.core.classify import Classifier, lane_of
from remediator.core.cluster import Workload
from remediator.core.decide import decide
from remediator.core.decision import Decision, Facts
from remediator.core.errors import Refused, RemediatorError, Retryable
from remediator.core.incident import IncidentId
from remediator.core.journal import Fired
from remediator.core.policies import BudgetBound, Mode, Policy, Service, Slo, WorkloadRef
from remediator.core.store import Arrival
from remediator.core.times import HOUR, Millis
from remediator.http.asking import write_answer
from remediator.http.present import MOST_TARGETS, MOST_WEIGHED, Now
from remediator.policy.explain import Explainer
from remediator.policy.explained import AlertExplanation, Explanation
from remediator.policy.foresee import Standing, foresee
from remediator.policy.load import load_policy
from remediator.testing.memory import MemoryStore
from tests.contract.stores import commit, incident
from tests.core.builders import NOW
from tests.core.explaining import firing, of_labels
from tests.core.looking import Cluster
from tests.core.test_policy_explain import DOWN, FILES, alert, raising
from tests.core.test_weighing import Prometheus

USERS = 'users{s="auth"}'


def now(
    rules: Policy,
    says: Mapping[str, tuple[float, ...] | RemediatorError],
    reader: Cluster | None = None,
    store: MemoryStore | None = None,
) -> Now:
    return Now(
        store=store or MemoryStore(lambda: NOW),
        reader=reader,
        metrics=Prometheus(says=says),
        policy=rules,
        clock_trouble=lambda: None,
    )


async def raises(
    says: Mapping[str, tuple[float, ...] | RemediatorError],
) -> list[tuple[bool | None, str | None]]:
    rules = raising()
    told = await of_labels(rules, DOWN, present=now(rules, says))
    assert told.severity is not None
    return [(each.holds, each.observed) for each in told.severity.raises]


async def test_conditions_to_raise_it_say_what_is_observed_now() -> None:
    assert await raises({USERS: (0.31,)}) == [
        (None, None),
        (True, 'users{s="auth"} is 0.31, above 0.25'),
        (False, "1 service has an open incident (auth), at least 3"),
    ]


async def test_what_cannot_be_found_out_says_why() -> None:
    _, users, _ = await raises({USERS: Retryable("Prometheus did not answer within 8s")})
    assert users == (None, "Prometheus did not answer within 8s")


async def test_the_conditions_of_the_real_incident_are_weighed_under_its_own_severity() -> None:
    rules = raising()
    present = now(rules, {})
    match = Classifier(rules).match(DOWN)
    assert match is not None
    opened = foresee(rules, match, alert(DOWN), Standing(at=NOW)).incident
    assert opened is not None
    worse = replace(opened, severity="SEV-1", timers={}, raise_at=None, weighing=None)
    await present.store.commit(commit(None, Decision(incident=worse)))
    told = await of_labels(rules, DOWN, present=present)
    assert told.severity is not None
    assert (told.severity.name, told.severity.raises) == ("SEV-1", ())


async def test_a_storm_of_questions_looks_at_a_bounded_number_of_targets() -> None:
    """Five hundred services are told of; fifty workloads are read, and twenty incidents weighed."""
    of = raising()
    services = {
        f"s{number}": Service(
            name=f"s{number}",
            namespace="prod",
            workload=WorkloadRef(kind="deployment", namespace="prod", name=f"s{number}"),
        )
        for number in range(MOST_TARGETS + 10)
    }
    rules = replace(of, services=services)
    reader = _Counting()
    prometheus = Prometheus()
    present = Now(
        store=MemoryStore(lambda: NOW),
        reader=reader,
        metrics=prometheus,
        policy=rules,
        clock_trouble=lambda: None,
    )
    explainer = Explainer(Classifier(rules), present=present)
    told: list[AlertExplanation] = [
        await explainer.alert(firing({**DOWN, "service": name})) for name in services for _ in range(2)
    ]
    assert len(reader.read) == MOST_TARGETS
    assert len(prometheus.asked) == MOST_WEIGHED
    last = told[-1].runbooks[0]
    assert last.steps[0].known == "policy"
    [target] = [guard for guard in last.guards if guard.name == "target"]
    assert target.verdict == "asked when acting"


class _Counting(Cluster):
    def __init__(self, error: RemediatorError | None = None) -> None:
        super().__init__()
        self.read: list[str] = []
        self.error = error

    async def workload(self, ref: WorkloadRef) -> Workload:
        self.read.append(ref.name)
        if self.error is not None:
            raise self.error
        return await super().workload(ref)


async def test_an_alert_that_fires_already_follows_to_nothing_new_whatever_its_group_is_now() -> None:
    """The door lets an episode in once, even when the rules have come to group it otherwise since."""
    rules, one = load_policy({"p.yaml": FILES.replace("    hold: 30s\n", "")}), alert(DOWN)
    store = MemoryStore(lambda: NOW)
    incident = await _fired(store, rules, one)
    regrouped = replace(rules, rules=tuple(replace(rule, group_by=("alertname",)) for rule in rules.rules))
    explainer = Explainer(Classifier(regrouped), present=now(regrouped, {}, store=store))
    told = await explainer.alert(one)
    assert told.fate == "duplicate"
    assert told.incident is not None
    assert told.incident.now is not None
    assert told.incident.now.id == incident
    other = replace(one, fingerprint=Fingerprint("cd"))
    assert (await explainer.alert(other)).fate == "opens"


async def test_an_alert_whose_rule_has_gone_still_ends_in_its_incident() -> None:
    """A resolved alert belongs to the incident that its episode joined, whatever the rules say by now."""
    rules, one = load_policy({"p.yaml": FILES}), alert(DOWN)
    store = MemoryStore(lambda: NOW)
    incident = await _fired(store, rules, one)
    without = replace(rules, rules=rules.rules[3:])
    explainer = Explainer(Classifier(without), present=now(without, {}, store=store))
    resolved = replace(one, status=AlertStatus.RESOLVED)
    told = await explainer.alert(resolved)
    assert (told.rule, told.fate) == (None, "ends")
    assert told.because == f"it ends its episode in incident {incident}: it was the last of its alerts"
    stranger = await explainer.alert(replace(resolved, fingerprint=Fingerprint("cd")))
    assert (stranger.rule, stranger.fate) == (None, "nothing")
    out = StringIO()
    explanation = Explanation(policy="", ceiling=Mode.AUTO, live=True, alerts=(told,), rejected=())
    say_explanation(Console(file=out, width=200), explanation)
    assert "unmatched no rule matches\n  resolved  it ends its episode" in out.getvalue()


async def _fired(store: MemoryStore, rules: Policy, one: Alert) -> IncidentId:
    """Its incident, once it has come through the door and been decided."""
    match = Classifier(rules).match(one.labels)
    assert match is not None
    await store.admit([Arrival(alert=one, lane=lane_of(match.rule), matched=True)], ())
    decision = decide(None, [Fired(alert=one, match=match)], Facts(), rules, NOW)
    await store.commit(commit(None, decision, fingerprints=[one.fingerprint]))
    assert decision.incident is not None
    return decision.incident.id


@pytest.mark.parametrize(
    ("error", "asked"),
    [(Retryable("no answer within 10.0 s"), 1), (Refused("it may not be read"), 5)],
    ids=["it hangs", "it refuses"],
)
async def test_a_cluster_that_does_not_answer_is_asked_once(error: RemediatorError, asked: int) -> None:
    """Guards, steps and other services each wait for their own deadline otherwise; a refusal is of one."""
    rules = load_policy({"p.yaml": FILES.replace("hold: 30s", "hold: 0s").replace("  far:", f"{MORE}  far:")})
    reader = _Counting(error)
    explainer = Explainer(Classifier(rules), present=now(rules, {}, reader))
    for name in ("auth", *(f"m{number}" for number in range(4))):
        [book] = (await explainer.alert(firing({**DOWN, "service": name}))).runbooks
        said = {guard.name: guard for guard in book.guards}
        assert said["target"].verdict == "blocks"
        assert str(error) in said["target"].text
        assert (book.steps[0].known, str(error) in (book.steps[0].trouble or "")) == ("unknown", True)
    assert len(reader.read) == asked


MORE = "".join(f"  m{number}: {{namespace: prod, workload: deployment/m{number}}}\n" for number in range(4))


async def test_megabytes_of_an_answer_are_written_while_others_are_heard() -> None:
    """It says what ``json.dumps`` would."""
    words = "".join(
        f"  - {{name: r{number}, match: ['n=\"{number}\"'], severity: SEV-4}}\n" for number in range(2000)
    )
    rules = Classifier(load_policy({"p.yaml": f"severities: {{SEV-4: {{}}}}\nrules:\n{words}"}))
    [told] = [await Explainer(rules).alert(firing({"n": "é\n"}))]
    explanation = Explanation(policy="p", ceiling=Mode.AUTO, live=True, alerts=(told,), rejected=())
    steps, breaks = write_answer(explanation), 0
    while True:
        try:
            next(steps)
        except StopIteration as ended:
            response = ended.value
            break
        breaks += 1
    assert json.loads(response.body) == json.loads(json.dumps(explanation.as_data()))
    assert (response.status, response.content_type) == (200, "application/json")
    assert len(response.body) > 300_000
    assert breaks > len(response.body) / 20_000


TIMES = """\
time_intervals:
  nights: [{times: [{start_time: '00:00', end_time: '06:00'}]}]
  days: [{times: [{start_time: '06:00', end_time: '24:00'}]}]
"""


@pytest.mark.parametrize(("freeze", "during"), [("nights", "days"), ("days", "nights")])
async def test_freezes_and_windows_say_what_they_would_say_now(freeze: str, during: str) -> None:
    """By the store's clock, 02:13 at night. Without a daemon it is not known what time it will be."""
    text = FILES.replace("guards: {", f"guards: {{freeze: [{freeze}], ") + f"    during: [{during}]\n" + TIMES
    rules = load_policy({"p.yaml": text})
    live = await of_labels(rules, DOWN, present=now(rules, {}))
    opinions = {guard.name: (guard.verdict, guard.text) for guard in live.runbooks[0].guards}
    if freeze == "nights":
        assert opinions["freeze"] == ("blocks", "nights: nothing is changed before 2026-11-23T06:00:00.000Z")
        assert opinions["window"] == (
            "blocks",
            "runbook fix is for days, which begins at 2026-11-23T06:00:00.000Z",
        )
    else:
        assert opinions["freeze"] == ("allows", "no freeze before 2026-11-23T06:00:00.000Z: days")
        assert opinions["window"] == ("allows", "nights until 2026-11-23T06:00:00.000Z")
    offline = await of_labels(rules, DOWN)
    told = {guard.name: (guard.verdict, guard.text) for guard in offline.runbooks[0].guards}
    assert told["freeze"] == ("asked when acting", f"that no freeze holds: {freeze}")
    assert told["window"] == ("asked when acting", f"that it is within the runbook's time: {during}")


BRAKES = """\
storm: {incidents: 2, within: 5m, stop_for: 1h}, flapping: {reopened: 2, within: 1h},
  breaker: {failures: 1, within: 1h}, """


async def test_storms_and_breakers_say_what_they_would_say_now() -> None:
    """From the store, and nothing is taken. Without a daemon only the bounds are known."""
    rules = load_policy({"p.yaml": FILES.replace("guards: {", f"guards: {{{BRAKES}")})
    store = MemoryStore(lambda: NOW)
    bound = rules.guards.breaker
    assert bound is not None
    for number in range(2):
        made = incident(f"i{number}", group=f"g{number}")
        failure = Failure(runbook="fix", member=f"i{number}/1", bound=bound)
        decision = Decision(incident=made, opened=(f"i{number}#0",), failures=(failure,))
        await store.commit(commit(None, decision))
    live = await of_labels(rules, DOWN, present=now(rules, {}, store=store))
    opinions = {guard.name: (guard.verdict, guard.text) for guard in live.runbooks[0].guards}
    assert opinions["storm"] == (
        "blocks",
        "2 incidents opened within 5m, at most 1 allowed: nothing is changed before 2026-11-23T03:13:20.000Z",
    )
    assert opinions["flapping"] == ("allows", "reopened 0 times in the last 1h, at most 1 allowed")
    assert opinions["breaker"][0] == "blocks"
    assert opinions["breaker"][1].endswith("once you know why: remediator close fix")
    offline = await of_labels(rules, DOWN)
    told = {guard.name: (guard.verdict, guard.text) for guard in offline.runbooks[0].guards}
    asked = "asked when acting"
    assert told["storm"] == (
        asked,
        "that no storm of incidents is on: at most 1 incidents opened within 5m, else nothing for 1h",
    )
    assert told["flapping"][1].endswith(": reopened at most once within 1h")
    assert told["breaker"][1].endswith(": at most 0 attempts of fix failed within 1h")


async def test_an_error_budget_is_told_with_the_mode_that_it_leaves() -> None:
    text = FILES.replace("guards: {", "guards: {error_budget: {below: 10%, then: observe}, ")
    loaded = load_policy({"p.yaml": text})
    slo = Slo(objective=99.9, window=Millis(HOUR), errors="errors")
    services = {name: replace(each, slo=slo) for name, each in loaded.services.items()}
    rules = replace(loaded, services=services)
    query = budget_query("errors", Millis(HOUR))
    live = await of_labels(rules, DOWN, present=now(rules, {query: (0.5,)}))
    opinions = {guard.name: (guard.verdict, guard.text) for guard in live.runbooks[0].guards}
    assert opinions["error_budget"] == (
        "allows",
        "0% of its error budget of 1h left, at least 10% wanted: rules are held to observe",
    )
    assert "held to observe while its service's error budget is nearly spent" in opinions["mode"][1]
    assert live.runbooks[0].approval is None
    asking = replace(
        rules, guards=replace(rules.guards, error_budget=BudgetBound(below=10, then=Mode.APPROVE))
    )
    asked = await of_labels(asking, DOWN, present=now(asking, {query: (0.5,)}))
    assert (asked.runbooks[0].approval or "").startswith("waits for approval of its plan by anyone who may")
    assert [each.verdict for each in asked.runbooks[0].guards if each.name == "mode"] == ["asks"]
    silent = await of_labels(rules, DOWN, present=now(rules, {query: Retryable("no answer")}))
    opinions = {guard.name: (guard.verdict, guard.text) for guard in silent.runbooks[0].guards}
    assert opinions["error_budget"] == ("blocks", "could not find out: no answer")
