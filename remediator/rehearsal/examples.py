"""Examples of test files, by what they show: tested, and shown by editors and by the reference."""

from __future__ import annotations

from collections.abc import Mapping

TESTS_TEXT = "What must be so when alerts come: played on a virtual clock, by the daemon's own decisions."

TEST_EXAMPLES: Mapping[str, str] = {
    "test": """\
tests:
  - name: a service that is down is healed, and nobody is woken
    alerts:
      - {at: 0s, fire: {alertname: ServiceDown, service: web}}
      - {at: 4m, resolve: {alertname: ServiceDown, service: web}}
    outcomes:
      - {step: restart, takes: 20s}
    expect:
      - {at: 1m, rule: service-down, severity: SEV-2, attempts: [{runbook: restart, outcome: running}]}
      - {at: 15m, status: resolved, pages: {oncall: 0}}
""",
    "test.alerts": """\
tests:
  - name: somebody takes it on
    alerts:
      - {at: 0s, fire: [{alertname: ServiceDown, service: web}, {alertname: ServiceSlow, service: web}]}
      - {at: 6m, query: {'up{service="web"}': 0}}
      - {at: 20m, acknowledge: kim}
    expect: [{at: 1h, level: 1}]
""",
    "test.cluster": """\
tests:
  - name: what is scaled to zero is not restarted
    cluster: {workload: deployment/web, replicas: 0, ready: 0}
    alerts: [{at: 0s, fire: {alertname: ServiceDown, service: web}}]
    expect: [{at: 5m, changes: []}]
""",
    "test.query": """\
tests:
  - name: half of the users are affected
    query: {'affected_users_ratio{service="web"}': 0.5}
    alerts: [{at: 0s, fire: {alertname: ServiceDown, service: web}}]
    expect: [{at: 1m, raised_to: SEV-1}]
""",
    "test.outcomes": """\
tests:
  - name: the restart does not help, so people are asked
    alerts: [{at: 0s, fire: {alertname: ServiceDown, service: web}}]
    outcomes:
      - {step: restart, result: failed}
      - {check: ready, after: 2m}         # has failed until then
      - {channel: oncall, result: refused}
    expect: [{at: 16m, pages: {manager: 1}}]
""",
    "test.expect": """\
tests:
  - name: nobody answers, so it climbs
    alerts: [{at: 0s, fire: {alertname: ServiceDown, service: web}}]
    expect:
      - {at: 1m, incidents: 1, severity: SEV-2}
      - {at: 30m, status: escalated, level: 2, pages: {oncall: 1, manager: 1}}
""",
}
