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
    "time_intervals": "Spans of time by clock and calendar, by name, in Alertmanager's own syntax.",
    "escalations": "Who is asked, in which order, by name; each is a list of levels.",
    "channels": "How people are reached, by name. Secrets are references, never values.",
    "operator": "Who hears of the daemon's own trouble, and of what nobody can know under `page: never`.",
    "templates": "Texts for people, by name. They may see what an alert says, too: nothing acts on them.",
    "heartbeat": "The matchers of an alert that must keep arriving; that it stops is the news.",
    "drills": "Outages that are made on purpose, to practise.",
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
    "severity.raise": """\
severities:
  SEV-1: {page: now, escalation: critical}
  SEV-2:
    raise:
      - {to: SEV-1, after: 1h}            # still open an hour after it opened
      - {to: SEV-1, when: {services_affected: 3}}
""",
    "severity.raise.when": """\
severities:
  SEV-1: {page: now, escalation: critical}
  SEV-2:
    raise: {to: SEV-1, when: {promql: 'affected_users_ratio{service="{{ service.name }}"}', above: 0.25}}
""",
    "severity.war_room": """\
severities:
  SEV-1:
    war_room: {link: 'https://zoom.us/incident', channel: '#sev1-incident', roles: [commander]}
""",
    "severity.milestones": """\
severities:
  SEV-2:
    milestones: {declare: 5m, diagnose: 15m, mitigate: 30m}
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
    "service.slo": """\
services:
  auth-service:
    slo:
      objective: 99.95%
      window: 30d
      errors: 'job:errors:ratio5m{service="{{ service.name }}"}'
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
    "rule.target": """\
rules:
  - name: pod-crash-looping               # about an object that the catalog does not name
    match: [alertname="KubePodCrashLooping"]
    severity: SEV-3
    target: {pod: '{{ labels.namespace }}/{{ labels.pod }}'}
    runbooks: [replace-pod]
""",
    "rule.raise": """\
rules:
  - name: database-down
    match: [alertname="PostgresDown"]
    severity: SEV-2
    raise: {to: SEV-1, after: 30m}
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
    "runbook.limits": """\
runbooks:
  restart-service:
    steps: [{restart: {}}]
    verify: [{alert: {state: resolved, within: 10m}}]
    limits: {attempts: 2, per: 1h, cooldown: 10m}   # on one target; a third restart in an hour is not a fix
""",
    "runbook.approval": """\
runbooks:
  roll-back:
    steps: [{rollback: {}}]
    verify: [{alert: {state: resolved, within: 10m}}]
    approval: {for: [SEV-3], within: 10m, by: [sre-team]}
""",
    "runbook.during": """\
runbooks:
  roll-back:
    steps: [{rollback: {}}]
    verify: [{alert: {state: resolved, within: 10m}}]
    during: [office-hours]                # names of time_intervals
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
    "guards.rate": """\
guards:
  rate: {cluster: 10/1h, service: 3/1h, target: 1/10m}   # at most, in any window of that length
""",
    "guards.max_unavailable": """\
guards:
  max_unavailable: 40%                    # or a number of pods
""",
    "guards.storm": """\
guards:
  storm: {incidents: 10, within: 5m, stop_for: 5m}
""",
    "guards.flapping": """\
guards:
  flapping: {reopened: 3, within: 1h}
""",
    "guards.breaker": """\
guards:
  breaker: {failures: 3, within: 1h}      # of one runbook; a person closes it
""",
    "guards.freeze": """\
guards:
  freeze: [quarter-end]                   # names of time_intervals
""",
    "guards.error_budget": """\
guards:
  error_budget: {below: 10%, then: suggest}
""",
    "guards.pages": """\
guards:
  pages: {channel: 20/5m, then: fold}     # the rest is listed in one page
""",
    "time_interval": """\
time_intervals:
  office-hours:
    - weekdays: ['monday:friday']
      times: [{start_time: '09:00', end_time: '17:00'}]
      location: Europe/Berlin
  quarter-end:
    - {months: ['3', '6', '9', '12'], days_of_month: ['-3:-1']}
""",
    "escalation": """\
escalations:
  critical:
    - {level: 1, channels: [oncall, manager], acknowledge_within: 15m}
    - {level: 2, channels: [manager], acknowledge_within: 5m, progress_within: 30m}
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
    "channel.slack": """\
channels:
  incidents: {slack: {channel: '#incidents', token: {env: SLACK_TOKEN}}}
""",
    "channel.statuspage": """\
channels:
  status-page:
    statuspage: {page: abc, component: '{{ service.name }}', token: {file: /run/secrets/statuspage}}
""",
    "channel.jira": """\
channels:
  tickets: {jira: {project: FINTECH, type: Task}}
""",
    "channel.email": """\
channels:
  mail:
    email:
      to: [sre@example.com]
      from: remediator@example.com
      server: mail.example.com:587
""",
    "template": """\
templates:
  customer.investigating: "We're looking into an issue affecting {{ service.name }}."
""",
    "heartbeat": """\
heartbeat: ['alertname="Watchdog"']
""",
    "drills": """\
drills: {namespaces: [staging], schedule: '0 10 1-7 * MON'}
""",
}
