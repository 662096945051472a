"""Examples of the policy language, by what they show: tested, and shown by editors and by the reference.

``severity`` is an entry of ``severities``, ``severity.page`` a key of it. Each example is a policy file, or a
part of one: names that it refers to need not be defined in it.
"""

from __future__ import annotations

from collections.abc import Mapping

SECTION_TEXTS: Mapping[str, str] = {
    "severities": "How bad something is, and what is promised then. Any of SEV-1 (the worst) to SEV-4.",
    "services": "The catalog, by name: the only things that may ever be changed. Labels of an alert select "
    "an entry; they never become a namespace, a workload or a command.",
    "rules": "Which alerts are meant, how bad they are and what may be done about them. A list: the first "
    "rule that matches wins.",
    "runbooks": "What is looked at, done and proven, by name.",
    "guards": "What bounds every change, whatever a rule says. What is not allowed here is not done.",
    "escalations": "Who is asked, in which order, by name; each is a list of levels.",
    "channels": "How people are reached, by name. Secrets are references, never values.",
    "operator": "Who hears of the daemon's own trouble.",
}

EXAMPLES: Mapping[str, str] = {
    "severity": """\
severities:
  SEV-1:
    summary: Complete outage, data loss or security breach
    respond_within: 15m
    resolve_within: 1h
    page: now
    escalation: critical
""",
    "severity.page": """\
severities:
  SEV-2:
    page: {unless_verified_within: 15m}   # remediate first, page only if that fails
    escalation: critical
""",
    "service": """\
services:
  auth-service:
    namespace: fintech-services
    workload: deployment/auth-service
    depends_on: [postgres]
    health: http://auth-service.fintech-services:8001/health
    links: {dashboard: https://grafana.example/d/auth}
""",
    "rule": """\
rules:
  - name: service-down
    match: ['alertname="ServiceDown"', 'namespace=~"fintech-.*"']
    severity: SEV-2
    hold: 30s
    mode: suggest
    runbooks: [restart-service]
""",
    "rule.match": """\
rules:
  - name: database-down
    match:                                # all must hold
      - alertname=~"PostgresDown|DatabaseDown"
      - namespace!="staging"
    severity: SEV-1
""",
    "rule.service": """\
rules:
  - name: replicas-mismatch
    match: [alertname="KubeDeploymentReplicasMismatch"]
    severity: SEV-2
    service: '{{ labels.deployment }}'    # kube-state-metrics' own service label is the exporter's
""",
    "rule.group_by": """\
rules:
  - name: high-error-rate
    match: [alertname="HighErrorRate"]
    severity: SEV-2
    group_by: [service, endpoint]         # an incident for each endpoint
""",
    "runbook": """\
runbooks:
  restart-service:
    summary: Restart the service and prove that it answers again
    diagnose:
      - pods: {}
      - logs: {match: 'error|exception|panic', tail: 200}
    steps:
      - restart: {}
    verify:
      - rollout: {within: 5m}
      - alert: {state: resolved, within: 10m}
    limits: {attempts: 2, per: 1h, cooldown: 10m}
""",
    "runbook.steps": """\
runbooks:
  restore-database:
    steps:                                # one after the other
      - scale: {to: 1, only: up}
      - wait: {for: ready, timeout: 5m}
    verify:
      - promql: {query: 'pg_up{service="{{ service.name }}"}', equals: 1, for: 1m}
""",
    "runbook.verify": """\
runbooks:
  restart-service:
    steps: [{restart: {}}]
    verify:                               # all must hold; `for`: that long, `within`: by then
      - ready: {for: 30s, within: 5m}
      - http: {path: /health, expect: 2xx, for: 30s}
      - alert: {state: resolved, within: 10m}
""",
    "guards": """\
guards:
  namespaces: [fintech-services]
  protect: [statefulset/postgres]
  rate: {cluster: 10/1h, service: 3/1h, target: 1/10m}
  max_unavailable: 40%
""",
    "guards.accept": """\
guards:
  accept: ['cluster="prod-eu"']           # alerts of other clusters are recorded, never acted upon
  namespaces: [fintech-services]
""",
    "escalation": """\
escalations:
  critical:
    - {level: 1, channels: [oncall, manager], acknowledge_within: 15m}
    - {level: 2, channels: [manager], acknowledge_within: 5m}
    - {level: 3, channels: [vp]}
""",
    "channel": """\
channels:
  oncall: {pagerduty: {routing_key: {env: PAGERDUTY_ROUTING_KEY}}}
  manager: {pagerduty: {routing_key: {file: /run/secrets/pagerduty-manager}}}
""",
    "operator": """\
operator: {channels: [oncall]}
""",
}
