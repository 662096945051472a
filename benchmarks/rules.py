"""Policies of many rules, and alerts for them: three of ten matchers are regular expressions."""

from __future__ import annotations

from pathlib import Path
from random import Random

RULES_A_FILE = 2_000
LABELS = ("namespace", "job", "pod", "instance")
HEAD = """severities:
  SEV-1: {page: now, escalation: standard}
  SEV-2: {page: {unless_verified_within: 15m}, escalation: standard}
  SEV-3: {}
  SEV-4: {}
escalations: {standard: [{level: 1, channels: [oncall]}]}
channels: {oncall: {pagerduty: {routing_key: {env: PAGERDUTY_ROUTING_KEY}}}}
operator: {channels: [oncall]}
"""


def expression(rng: Random, number: int) -> str:
    """As people write them: mostly with a word in it, now and then with none."""
    return rng.choice(
        [
            f"svc-{number}-.*",
            f"svc-{number}[0-9a-f-]*",
            f"(api|web|db)-{number}",
            f"team{number}-[a-z]+-prod",
            f".*-node{number}",
            f".*queue{number}.*",
            f"ns-{number}|ns-{number + 1}",
            f"[a-z]+({number}|x{number})",
        ]
    )


def matchers(rng: Random, number: int) -> list[str]:
    """Two of a rule; in one of seven rules nothing but expressions."""
    label = LABELS[number % len(LABELS)]
    kind = number % 20
    if kind < 3:
        return [f'alertname=~"{expression(rng, number)}"', f'{label}=~"{expression(rng, number)}"']
    if kind < 9:
        return [f'alertname="Alert{number}"', f'{label}=~"{expression(rng, number)}"']
    own = rng.choice(
        [f'{label}="v{number}"', f'{label}!="v{number}"', f'severity="{rng.choice(SEVERITIES)}"']
    )
    return [f'alertname="Alert{number}"', own]


SEVERITIES = ("critical", "warning", "info")


def write_rules(folder: Path, count: int) -> Path:
    """A policy directory of so many rules."""
    rng = Random(7)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "head.yaml").write_text(HEAD)
    for start in range(0, count, RULES_A_FILE):
        lines = ["rules:"]
        for number in range(start, min(count, start + RULES_A_FILE)):
            match = ", ".join(f"'{each}'" for each in matchers(rng, number))
            lines += [
                f"  - name: rule-{number}",
                f"    match: [{match}]",
                f"    severity: SEV-{number % 4 + 1}",
                "    service: '{{ labels.app }}'",
            ]
        (folder / f"rules-{start:05}.yaml").write_text("\n".join([*lines, ""]))
    return folder


def new_alerts(rng: Random, rules: int, count: int) -> list[dict[str, str]]:
    """Labels of alerts of which no two are alike; rules are meant, nearly meant and not meant."""
    return [_labels(rng, rng.randrange(rules)) for _ in range(count)]


def _labels(rng: Random, number: int) -> dict[str, str]:
    unlike = f"{rng.getrandbits(40):x}"
    return {
        "alertname": rng.choice([f"Alert{number}", f"svc-{number}-{unlike}", f"Other{unlike}"]),
        "app": "web",
        "cluster": "eu",
        "instance": f"10.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(256)}:9100",
        "job": rng.choice(["node", f"web-{number}", f"svc-{number}-{unlike}"]),
        "namespace": rng.choice([f"ns-{number}", f"team{number}-x-prod", "shop"]),
        "pod": f"web-{unlike}-node{number}",
        "prometheus": "monitoring/k8s",
        "severity": rng.choice(SEVERITIES),
    }
