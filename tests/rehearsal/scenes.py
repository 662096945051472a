"""A small policy, tests of it, and how tests of the rehearsal read them."""

from __future__ import annotations

from textwrap import dedent

from remediator.core.alerts import Alert, AlertStatus
from remediator.core.classify import Classifier
from remediator.core.policies import Policy
from remediator.core.times import Instant, format_instant, parse_stamp
from remediator.policy.load import load_policy
from remediator.rehearsal.cases import Case
from remediator.rehearsal.playing import Failure, Played, fingerprint, play
from remediator.rehearsal.reading import ReadTests, read_tests
from remediator.rehearsal.stage import START

POLICY = """
severities:
  SEV-1: {page: now, escalation: critical}
  SEV-2: {page: {unless_verified_within: 15m}, escalation: critical, raise: {to: SEV-1, after: 2h}}
  SEV-3: {page: never}
services:
  web: {namespace: shop, workload: deployment/web, health: 'http://web.shop:8080/health'}
  postgres: {namespace: shop, workload: statefulset/postgres}
rules:
  - name: database-down
    match: [alertname="PostgresDown", cluster=~"prod.*"]
    severity: SEV-1
    service: postgres
    hold: 30s
    mode: auto
    runbooks: [restore-database]
  - name: web-down
    match: [alertname="WebDown"]
    severity: SEV-2
    service: web
    mode: auto
    runbooks: [restart-web, take-pod]
  - name: web-slow
    match: [alertname="WebSlow"]
    severity: SEV-3
    service: web
    mode: suggest
    runbooks: [restart-web]
    raise: {to: SEV-1, when: {promql: 'sum(rate(errors[5m]))', above: 0.25}}
  - name: anything-down
    match: [alertname=~".+Down"]
    severity: SEV-2
runbooks:
  restore-database:
    diagnose: [{pods: {}}, {logs: {}}]
    steps:
      - scale: {to: 1, only: up}
      - wait: {for: ready, timeout: 5m}
    verify:
      - ready: {for: 5m, within: 10m}
      - alert: {state: resolved, within: 20m}
  restart-web:
    steps: [{restart: {}}]
    verify:
      - ready: {for: 30s}
      - promql: {query: 'errors:ratio{service="{{ service.name }}"}', below: 0.01}
      - alert: {state: resolved, within: 10m}
    limits: {attempts: 2, per: 1h, cooldown: 0s}
  take-pod:
    steps: [{delete_pod: {which: crash_looping, at_most: 2}}]
    verify: [{http: {expect: 2xx}}, {alert: {state: resolved, within: 3m}}]
guards:
  namespaces: [shop]
  max_unavailable: 40%
  rate: {target: 9/10m, service: 9/1h}
escalations:
  critical:
    - {level: 1, channels: [oncall, manager], acknowledge_within: 15m}
    - {level: 2, channels: [manager], acknowledge_within: 5m}
    - {level: 3, channels: [vp]}
channels:
  oncall: {pagerduty: {routing_key: {env: ONCALL_KEY}}}
  manager: {pagerduty: {routing_key: {env: MANAGER_KEY}}}
  vp: {pagerduty: {routing_key: {env: VP_KEY}}}
operator: {channels: [oncall]}
"""
WEB = {"alertname": "WebDown"}
DATABASE = {"alertname": "PostgresDown", "cluster": "prod-eu"}


def policy(*changes: tuple[str, str]) -> Policy:
    """The policy of this page, with texts in it replaced."""
    text = POLICY
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return load_policy({"policies.yaml": text})


def read(text: str, known: Policy | None = None) -> ReadTests:
    """The tests that a file holds."""
    return read_tests({"web_test.yaml": dedent(text)}, known or policy())


def cases(text: str, known: Policy | None = None) -> tuple[Case, ...]:
    """Tests without a mistake."""
    found = read(text, known)
    assert not found.findings, [str(each) for each in found.findings]
    return found.cases


def one(alerts: str, expect: str, *, more: str = "", known: Policy | None = None) -> Played:
    """One test, played. ``alerts`` and ``expect`` are items, a line each."""

    def listed(text: str) -> str:
        return "".join(f"      {line.strip()}\n" for line in text.strip().splitlines())

    own = "".join(f"    {line.strip()}\n" for line in more.strip().splitlines())
    text = f"tests:\n  - name: a test\n{own}    alerts:\n{listed(alerts)}    expect:\n{listed(expect)}"
    rules = known or policy()
    return play(cases(text, rules)[0], Classifier(rules))


def told(played: Played) -> str:
    """Every failure in one text."""
    return "\n".join(_told(failure) for failure in played.failures)


def _told(failure: Failure) -> str:
    lines = [
        f"{each.key}: expected {each.expected}, seen {each.seen}; {each.why}" for each in failure.differences
    ]
    return "\n".join([f"{failure.where}", *lines])


def alert(labels: dict[str, str], at: int, *, since: int | None = None) -> Alert:
    """An alert that fires ``at`` milliseconds into a rehearsal, or has resolved then, and fired ``since``."""
    firing = since is None
    began = Instant(START + (at if since is None else since))
    return Alert(
        fingerprint=fingerprint(labels),
        status=AlertStatus.FIRING if firing else AlertStatus.RESOLVED,
        labels=labels,
        annotations={},
        starts_at=parse_stamp(format_instant(began)),
        ends_at=None if firing else parse_stamp(format_instant(START + at)),
    )
