"""What one set of policy files says otherwise than another, in the words of the files."""

from __future__ import annotations

import time

import pytest

from remediator.policy.differences import Changed, differences
from remediator.policy.draft import Draft, read_draft
from remediator.policy.findings import Findings
from remediator.policy.sources import read_sources

BEFORE = """
severities:
  SEV-1: {page: now, escalation: critical, channels: [incidents, tickets]}
  SEV-2: {page: {unless_verified_within: 15m}, raise: {to: SEV-1, after: 1h}}
rules:
  - name: down
    match: [alertname="Down"]
    severity: SEV-2
    hold: 30s
    runbooks: [restart]
    raise: [{to: SEV-1, when: {services_affected: 3}}]
  - {name: slow, match: [alertname="Slow", env="prod"], severity: SEV-2}
runbooks:
  restart:
    steps: [{restart: {}}, {wait: {for: ready, timeout: 5m}}, {wait: {for: rollout, timeout: 5m}}]
    verify: [{ready: {for: 30s}}, {alert: {state: resolved, within: 10m}}]
guards: {namespaces: [shop], rate: {service: 3/1h}}
escalations:
  critical:
    - {level: 1, channels: [oncall], acknowledge_within: 15m}
    - {level: 2, channels: [boss]}
channels:
  oncall: {pagerduty: {routing_key: {env: ONCALL_KEY}}}
  boss: {pagerduty: {routing_key: {env: BOSS_KEY}}}
"""


def draft(text: str) -> Draft:
    out = Findings()
    return read_draft(read_sources({"all.yaml": text}, out), out)


def changes(*pairs: tuple[str, str]) -> list[str]:
    text = BEFORE
    for old, new in pairs:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return [said(each) for each in differences(draft(BEFORE), draft(text))]


def said(each: Changed) -> str:
    values = "" if each.before is each.after is None else f" {each.before} -> {each.after}"
    return f"{each.subject}: {each.key}{values} @{each.where.split(':')[1]}"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("after: 1h", "after: 30m", "severity SEV-2: raise after 1h -> 30m @4"),
        ("d_within: 15m}", "d_within: 5m}", "severity SEV-2: page unless_verified_within 15m -> 5m @4"),
        ("{unless_verified_within: 15m}", "now",
         "severity SEV-2: page {unless_verified_within: 15m} -> now @4"),
        ("hold: 30s", "hold: 2m", "rule down: hold 30s -> 2m @9"),
        ("    hold: 30s\n", "", "rule down: hold 30s -> None @6"),
        ("services_affected: 3", "services_affected: 2",
         "rule down: raise when services_affected 3 -> 2 @11"),
        ("[{to: SEV-1, when: {services_affected: 3}}]", "{to: SEV-1, when: {services_affected: 2}}",
         "rule down: raise when services_affected 3 -> 2 @11"),
        ('env="prod"', 'env="dev"', 'rule slow: match env="prod" -> env="dev" @12'),
        ("within: 10m", "within: 2m", "runbook restart: verify alert within 10m -> 2m @16"),
        ("rollout, timeout: 5m", "rollout, timeout: 9m",
         "runbook restart: steps 3 wait timeout 5m -> 9m @15"),
        ("{restart: {}}, ", "", "runbook restart: steps {restart: {}} -> None @15"),
        ("service: 3/1h", "service: 2/1h", "guards: rate service 3/1h -> 2/1h @17"),
        ("namespaces: [shop]", "namespaces: [shop, bank]", "guards: namespaces None -> bank @17"),
        ("acknowledge_within: 15m", "acknowledge_within: 20m",
         "escalation critical: level 1 acknowledge_within 15m -> 20m @20"),
        ("[incidents, tickets]", "[tickets, incidents]",
         "severity SEV-1: channels order [incidents, tickets] -> [tickets, incidents] @3"),
        ("env: ONCALL_KEY", "env: OTHER_KEY",
         "channel oncall: pagerduty routing_key env, another value @23"),
    ],
)  # fmt: skip
def test_a_key_is_told_with_both_values_and_its_place(old: str, new: str, expected: str) -> None:
    assert changes((old, new)) == [expected]


def test_whole_objects_are_new_or_gone() -> None:
    slow = '  - {name: slow, match: [alertname="Slow", env="prod"], severity: SEV-2}\n'
    assert changes((slow, '  - {name: odd, match: [alertname="Odd"], severity: SEV-2}\n')) == [
        "rule odd: new @12",
        "rule slow: gone @12",
    ]


def test_the_order_of_rules_says_something() -> None:
    """The first that matches wins."""
    text = BEFORE.replace("name: down", "name: x").replace("name: slow", "name: down")
    found = differences(draft(BEFORE.replace("name: slow", "name: x")), draft(text))
    assert "rules: another order, from x on @6" in [said(each) for each in found]


def test_how_it_is_written_does_not_matter() -> None:
    """Quotes, comments, and the file that says it."""
    assert changes(("hold: 30s", 'hold: "30s"  # half a minute')) == []
    whole = draft(BEFORE)
    head, rules = BEFORE.split("rules:\n", 1)
    out = Findings()
    split = read_draft(read_sources({"a.yaml": head, "b.yaml": f"rules:\n{rules}"}, out), out)
    assert differences(whole, split) == ()


def test_a_long_value_is_cut() -> None:
    (found,) = differences(draft(BEFORE), draft(BEFORE.replace("hold: 30s", f"hold: {'9' * 500}s")))
    assert found.after is not None
    assert len(found.after) <= 80


def test_long_lists_are_compared_in_time() -> None:
    """Whatever somebody writes: twenty thousand names, all of them others."""
    one, two = (
        draft("guards:\n  namespaces:\n" + "".join(f"  - {word}-{n}\n" for n in range(20_000)))
        for word in ("a", "b")
    )
    begun = time.process_time()
    assert len(differences(one, two)) == 40_000
    assert time.process_time() - begun < 5
