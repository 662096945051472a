"""Lints say what a careful reviewer would, and keep quiet otherwise."""

from __future__ import annotations

import pytest

from remediator.policy.findings import Level
from remediator.policy.load import read_policies

BASE = """\
severities:
  SEV-1: {page: now, escalation: e}
  SEV-2: {page: {unless_verified_within: 15m}, escalation: e}
  SEV-3: {}
escalations: {e: [{level: 1, channels: [c]}]}
channels: {c: {pagerduty: {routing_key: {env: K}}}}
guards: {namespaces: [n]}
services: {s: {namespace: n, workload: deployment/s}}
runbooks: {fix: {steps: [restart: {}], verify: [alert: {within: 10m}]}}
rules: [{name: b1, match: [b1=x], severity: SEV-1}, {name: b2, match: [b2=x], severity: SEV-2}]
"""
FOURTH = "rules: [{name: r4, match: [r4=x], severity: SEV-4}]\n"
USED = "rules: [{name: r, match: [a=b], severity: SEV-3, runbooks: [fix]}]\n"


def lint(text: str, base: str = BASE) -> list[str]:
    """The findings of ``text`` beside a policy that has none: ``line:column code``."""
    findings = read_policies({"base.yaml": base, "x.yaml": text}).findings
    return [f"{each.line}:{each.column} {each.code}" for each in findings if each.path == "x.yaml"]


def rules(*matchers: str) -> str:
    """A file of rules r1, r2, … that differ in their matchers and use the runbook."""
    lines = [
        f"  - {{name: r{number}, match: [{match}], severity: SEV-3, runbooks: [fix]}}"
        for number, match in enumerate(matchers, 1)
    ]
    return "rules:\n" + "\n".join(lines) + "\n"


def test_a_careful_policy_is_not_complained_about() -> None:
    assert read_policies({"base.yaml": BASE, "x.yaml": USED}).findings == ()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("'a=\"1\"'", "'a=\"1\"'"),
        ("'a=\"1\"'", "'b=\"2\"', 'a=\"1\"'"),
        ("", "'a=\"1\"'"),
        ("'a=~\"x.*\"'", "'a=~\"x.*\"', 'b=\"2\"'"),
        ("'a=~\"x|y|z\"'", "'a=~\"x|z\"'"),
        ("'a=~\"x.*\"'", "'a=\"xy\"'"),
        ("'a!=\"q\"'", "'a=\"1\"'"),
        ("'alertname=~\"A|B\"'", "'alertname=\"B\"', 'x=\"1\"'"),
        ("'alertname=~\"A.*\"'", "'alertname=\"AB\"'"),
        ("'x=\"1\"'", "'alertname=\"B\"', 'x=\"1\"'"),
        ("'a=~\"x.*\"'", "'a=~\"xy.*\"'"),
        ("'a=~\".+\"'", "'a=~\"x.+y\"'"),
        ("'a=~\".+\"'", "'a!=\"\"'"),
        ("'a!=\"\"'", "'a=~\"x|y.*\"'"),
        ("'a=~\"x.*|y.*\"'", "'a=~\"(xz|y).*\"'"),
        ("'a=~\".*y.*\"'", "'a=~\"x.*y\"'"),
        ("'a!~\"x|y\"'", "'a=~\"z.*\"', 'a!=\"x\"'"),
        ("'a!~\"xy.*\"'", "'a!~\"x.*\"'"),
        ("'b=~\".*\"', 'a=\"1\"'", "'a=\"1\"', 'c=\"1\"'"),
        ("'alertname=~\"A[0-9]\"'", "'alertname=~\"A[0-9]\"', 'c=\"1\"'"),
        ("'alertname=~\"A[0-9]\"'", "'alertname=~\"A1|A2\"'"),
    ],
)
def test_a_rule_behind_a_wider_one_can_never_win(first: str, second: str) -> None:
    assert [each for each in lint(rules(first, second)) if "R106" not in each] == ["3:12 R101"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("'a=\"1\"'", "'a=\"2\"'"),
        ("'a=\"1\"', 'b=\"2\"'", "'a=\"1\"'"),
        ("'a=~\"x|y\"'", "'a=~\"x|y|z\"'"),
        ("'a=~\"x\"'", "'a=~\"x.*\"'"),
        ("'a=\"1\"'", "'b=\"1\"'"),
        ("'alertname=\"A\"'", "'alertname=~\"A|B\"'"),
        ("'a=~\"x.+\"'", "'a=~\"x.*\"'"),
        ("'a=~\"x.*z\"'", "'a=~\"x.*\"'"),
        ("'a=~\"x[0-9].*\"'", "'a=~\"x.*\"'"),
        ("'a!~\"x.*\"'", "'a!~\"xy.*\"'"),
        ("'a!=\"\"'", "'b=\"1\"'"),
        ("'a=~\"x.y\"'", "'a=~\"xzy|xqqy\"'"),
    ],
)
def test_a_rule_that_can_win_is_left_alone(first: str, second: str) -> None:
    assert lint(rules(first, second)) == []


@pytest.mark.parametrize(
    "match",
    [
        "'a=\"1\"', 'a=\"2\"'",
        "'a=\"1\"', 'a!=\"1\"'",
        "'a=~\"x|y\"', 'a=\"z\"'",
        "'a=~\"x.*\"', 'a=~\"y.*\"'",
        "'a=~\".*x\"', 'a=~\"z.*y\"'",
        "'a=~\"xy.*\"', 'a!~\"x.*\"'",
        "'a!~\".*\"'",
        "'a=~\".+\"', 'a=\"\"'",
    ],
)
def test_matchers_that_exclude_each_other_are_told(match: str) -> None:
    assert lint(rules(match)) == ["2:23 R102"]


def test_a_service_outside_the_catalog_is_told_where_something_should_be_done() -> None:
    text = USED.replace("runbooks", "service: elsewhere, runbooks")
    assert lint(text) == ["1:59 R103"]
    idle = text.replace(", runbooks: [fix]", "").replace("SEV-3", "SEV-2")
    assert lint(idle + "---\n" + USED.replace("r,", "q,").replace("a=", "b=")) == []


def test_an_unused_runbook_is_told() -> None:
    assert lint(USED + "runbooks: {idle: {steps: [restart: {}], verify: [alert: {}]}}\n") == ["2:12 B201"]


def test_a_runbook_without_proof_is_an_error() -> None:
    loaded = read_policies(
        {"base.yaml": BASE.replace(", verify: [alert: {within: 10m}]", ""), "x.yaml": USED}
    )
    assert [(each.code, each.level) for each in loaded.findings] == [("B202", Level.ERROR)]
    assert loaded.policy is None


@pytest.mark.parametrize("verify", ["[ready: {}]", "[rollout: {}]", "[ready: {}, rollout: {}]"])
def test_a_proof_that_the_step_controls_is_told(verify: str) -> None:
    loaded = read_policies({"base.yaml": BASE.replace("[alert: {within: 10m}]", verify), "x.yaml": USED})
    assert [(each.line, each.column, each.code) for each in loaded.findings] == [(9, 48, "B203")]


def test_a_check_that_can_never_hold_long_enough_is_an_error() -> None:
    base = BASE.replace("[alert: {within: 10m}]", "[alert: {}, ready: {for: 10m, within: 5m}]")
    assert [each.code for each in read_policies({"base.yaml": base, "x.yaml": USED}).findings] == ["B204"]


def test_a_severity_that_pages_nobody_is_an_error() -> None:
    for page in ("now", "{unless_verified_within: 15m}"):
        base = BASE.replace("SEV-3: {}", f"SEV-4: {{page: {page}}}\n  SEV-3: {{}}")
        findings = read_policies({"base.yaml": base, "x.yaml": USED + "---\n" + FOURTH}).findings
        assert [(each.line, each.column, each.code) for each in findings] == [(4, 3, "S301")]


def test_a_page_that_leaves_before_the_proof_is_told() -> None:
    slow = BASE.replace("within: 10m", "within: 20m")
    rule = "rules: [{name: r, match: [a=b], severity: SEV-2, mode: auto, runbooks: [fix]}]\n"
    assert lint(rule) == []
    assert lint(rule, slow) == ["1:72 S302"]
    assert lint(rule.replace("SEV-2", "SEV-3"), slow) == []
    assert lint(rule.replace("auto", "observe"), slow) == []


def test_a_service_that_rules_act_on_outside_the_allowed_namespaces_is_told_at_the_service() -> None:
    other = "services: {o: {namespace: other, workload: deployment/o}}\n"
    acting = USED.replace("runbooks", "mode: suggest, runbooks")
    assert lint(other + acting) == ["1:12 G401"]
    assert lint(other + USED) == []
    assert lint(other + acting.replace("a=b", 'service="s"')) == []
    assert lint(other + acting.replace("a=b", 'service=~"s|o"')) == ["1:12 G401"]
    assert lint(other + acting.replace("mode", "service: s, mode")) == []


def test_auto_without_any_allowed_namespace_is_told_at_the_mode() -> None:
    acting = USED.replace("runbooks", "mode: auto, runbooks")
    assert lint(acting, BASE.replace("guards: {namespaces: [n]}\n", "")) == ["1:56 G402"]


def test_a_level_behind_one_that_waits_for_ever_is_told() -> None:
    base = BASE.replace("{level: 1, channels: [c]}", "{level: 1, channels: [c]}, {level: 2, channels: [c]}")
    findings = read_policies({"base.yaml": base, "x.yaml": USED}).findings
    assert [(each.line, each.column, each.code) for each in findings] == [(5, 19, "E601")]


def test_what_nobody_uses_is_only_a_notice() -> None:
    text = (
        USED + "escalations: {idle: [{level: 1, channels: [c]}]}\n"
        "channels: {idle: {pagerduty: {routing_key: {env: K}}}}\n"
    )
    loaded = read_policies({"base.yaml": BASE, "x.yaml": text})
    assert [(each.code, each.level) for each in loaded.findings] == [
        ("E602", Level.NOTICE),
        ("E603", Level.NOTICE),
    ]


def test_a_cycle_is_told_at_each_of_its_members_and_nowhere_else() -> None:
    text = USED + (
        "services:\n"
        "  a: {depends_on: [b]}\n"
        "  b: {depends_on: [c, s]}\n"
        "  c: {depends_on: [a]}\n"
        "  d: {depends_on: [a]}\n"
        "  e: {depends_on: [e]}\n"
    )
    assert lint(text) == ["3:3 C501", "4:3 C501", "5:3 C501", "7:3 C501"]
    assert read_policies({"base.yaml": BASE, "x.yaml": text}).policy is None


def test_two_thousand_services_in_a_row_are_no_cycle_and_no_recursion() -> None:
    chain = "".join(f"  s{n}: {{depends_on: [s{n + 1}]}}\n" for n in range(2_000))
    assert lint(USED + "services:\n" + chain + "  s2000: {depends_on: [s1999]}\n") == [
        "2002:3 C501",
        "2003:3 C501",
    ]


def test_two_services_with_one_workload_are_told() -> None:
    assert lint(USED + "services: {t: {namespace: n, workload: deployment/s}}\n") == ["2:40 C502"]


@pytest.mark.parametrize(
    "secret",
    [
        "https://user:hunter2@grafana/d",
        "xoxb-hunter2hunter2-hunter2",
        "AKIAHUNTER2HUNTER2XX"[:20],
        "-----BEGIN RSA PRIVATE KEY-----",
    ],
)
def test_what_looks_like_a_secret_is_an_error_and_never_repeated(secret: str) -> None:
    text = USED + f'services: {{t: {{links: {{a: "{secret}"}}}}}}\n'
    loaded = read_policies({"base.yaml": BASE, "x.yaml": text})
    assert [(each.line, each.column, each.code) for each in loaded.findings] == [(2, 27, "P019")]
    assert secret not in str(loaded.findings[0])


def test_lints_run_beside_errors() -> None:
    assert lint(USED + "bogus: {}\nservices: {e: {depends_on: [e]}}\n") == ["2:1 P010", "3:12 C501"]
