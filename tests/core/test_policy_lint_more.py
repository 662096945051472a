"""The finer points of lints: what each leaves alone, and where it points. The plain cases are the examples of
``docs/findings.md``, which run in ``test_finding_pages``.
"""

from __future__ import annotations

import time

import pytest

from remediator.policy.findings import Findings
from remediator.policy.lint import lint
from remediator.policy.lint_view import View
from remediator.policy.load import check_policies, examine, read_policies
from tests.finding_pages import block

BASE = {"base.yaml": block("base")}
GUARDS = {"guards.yaml": block("guards")}
AGAIN = "runbooks: {again: {steps: %s, verify: %s}}\n"


def told(text: str, guards: str = block("guards")) -> list[str]:
    """``line:column code`` of what is told of a file beside those of the page, notices N701 and on aside."""
    findings = read_policies({**BASE, "guards.yaml": guards, "x.yaml": text}).findings
    return [f"{each.line}:{each.column} {each.code}" for each in findings if not each.code.startswith("N")]


def rule(rest: str, match: str = 'alertname="X"', severity: str = "SEV-2") -> str:
    return f"rules: [{{name: x, match: ['{match}'], severity: {severity}, {rest}}}]\n"


def runbook(steps: str = "[restart: {}]", verify: str = "[rollout: {}, alert: {}]", extra: str = "") -> str:
    """A rule with a runbook of these steps and checks; the runbook stands on line 2."""
    return rule("runbooks: [again]") + f"runbooks: {{again: {{steps: {steps}, verify: {verify}{extra}}}}}\n"


@pytest.mark.parametrize(
    "rest",
    [
        "service: '{{ labels.app }}'",
        "service: '{{ labels.app or labels.service }}'",
        "service: '{{ labels.app | lower }}'",
        "hold: 0s",
    ],
)
def test_a_rule_that_may_select_anything_is_held_to_nothing(rest: str) -> None:
    """Half of its services may be protected or lie elsewhere: that is what guards are for."""
    text = rule(f"{rest}, mode: suggest, runbooks: [restart]")
    assert told(text, "guards: {namespaces: [shop], protect: [statefulset/db]}\n") == []


@pytest.mark.parametrize(
    ("match", "rest", "expected"),
    [
        ('service="db"', "hold: 0s", ["1:75 G403"]),
        ('service=~"db|web"', "hold: 0s", []),
        ('service=~"d.*"', "hold: 0s", ["1:77 G403"]),
        ('app="db"', "service: '{{ labels.app }}'", ["1:90 G403"]),
        ('app="DB"', "service: '{{ labels.app | lower }}'", ["1:98 G403"]),
        ('app="db"', "service: '{{ labels.app or labels.job }}'", ["1:104 G403"]),
        ('app="db"', "hold: 0s", []),
    ],
)
def test_what_a_rule_can_select_follows_from_its_matchers(match: str, rest: str, expected: list[str]) -> None:
    text = rule(f"{rest}, mode: suggest, runbooks: [restart]", match)
    found = told(text, "guards: {namespaces: [shop], protect: [statefulset/db]}\n")
    assert [each.split()[1] for each in found] == [each.split()[1] for each in expected]


def test_rules_that_can_only_select_strangers_are_told_at_their_matchers() -> None:
    assert told(rule("runbooks: [restart]", 'service=~"billing|tax"')) == ["1:26 R103"]
    assert told(rule("runbooks: [restart]", 'service=~"billing|web"')) == []


def test_a_raise_or_a_channel_is_somebody_who_hears_of_it() -> None:
    assert told(rule("hold: 0s", severity="SEV-3")) == ["1:16 R104"]
    assert told(rule("raise: {to: SEV-2, after: 1h}", severity="SEV-3")) == []
    assert told(rule("channels: [oncall]", severity="SEV-3")) == []


def test_a_rule_without_runbooks_may_say_that_it_observes() -> None:
    assert told(rule("mode: observe")) == []
    assert told(rule("mode: auto")) == ["1:68 R105"]


@pytest.mark.parametrize("value", ["a|b", "KubePod.*", "x.+", "^x", "x$"])
def test_a_pattern_behind_an_equality_is_told_at_the_matcher(value: str) -> None:
    assert told(rule("hold: 0s", f'instance="{value}"')) == ["1:27 R108"]


@pytest.mark.parametrize("value", ["a.b", "10.0.0.1:9100", "a (b)", "C++", "|", "a | b", "/dev/sd*"])
def test_text_that_only_looks_odd_is_left_alone(value: str) -> None:
    assert told(rule("hold: 0s", f'instance="{value}"')) == []


@pytest.mark.parametrize("value", [".*", ".*|x", "(.*)", "(?:a|.*)", ".*.*"])
def test_a_matcher_that_takes_everything_is_told(value: str) -> None:
    assert told(rule("hold: 0s", f'instance=~"{value}"')) == ["1:27 R106"]


def test_a_hold_is_held_to_the_deadline_and_to_the_promise() -> None:
    promised = "severities: {SEV-4: {page: now, escalation: team, respond_within: 10m}}\n"
    assert told(rule("hold: 15m")) == ["1:68 R109"]
    assert told(rule("hold: 14m")) == []
    assert told(promised + rule("hold: 10m", severity="SEV-4")) == ["2:68 R109"]
    assert told(promised + rule("hold: 9m", severity="SEV-4")) == []


@pytest.mark.parametrize(
    ("steps", "verify", "expected"),
    [
        ("[restart: {}]", "[ready: {}, alert: {}]", ["2:54 B207"]),
        ("[restart: {}]", "[ready: {for: 30s}, alert: {}]", []),
        ("[restart: {}]", "[ready: {}, rollout: {}, alert: {}]", []),
        ("[restart: {}, wait: {for: rollout}]", "[ready: {}, alert: {}]", []),
        ("[restart: {}, wait: {for: ready}]", "[rollout: {}, alert: {}]", ["2:41 B207"]),
        ("[restart: {}, wait: {for: {ready: {for: 10s}}}]", "[alert: {}]", []),
        ("[scale: {to: 2, only: up}]", "[ready: {}, alert: {}]", []),
        ("[rollback: {}]", "[endpoints: {}, alert: {}]", ["2:60 B207"]),
    ],
)
def test_what_holds_at_once_after_a_rollout_began(steps: str, verify: str, expected: list[str]) -> None:
    found = told(runbook(steps, verify))
    assert [each.split()[1] for each in found] == [each.split()[1] for each in expected]


@pytest.mark.parametrize(
    ("verify", "expected"),
    [
        ("[rollout: {}, http: {}]", []),
        ("[rollout: {}, http: {url: 'http://web.shop:8080/deep'}]", []),
        ("[rollout: {}, http: {url: 'http://gate.shop:8080/'}]", ["2:50 B203"]),
        ("[rollout: {}, http: {url: 'http://gate.shop:8080/'}, alert: {}]", []),
    ],
)
def test_an_answer_of_another_service_alone_is_no_proof(verify: str, expected: list[str]) -> None:
    gate = "services: {gate: {namespace: shop, health: 'http://gate.shop:8080/health'}}\n"
    text = runbook(verify=verify).replace("runbooks: [again]", "service: web, runbooks: [again]")
    assert told(text + gate) == expected


def test_a_cooldown_is_held_to_the_longest_hold_of_its_rules() -> None:
    held = runbook().replace("SEV-2", "SEV-1, hold: 12m")
    assert told(held) == ["2:12 B208"]
    assert told(runbook(extra=", limits: {cooldown: 4m}")) == ["2:95 B208"]
    assert told(runbook(extra=", limits: {cooldown: 5m}")) == []


@pytest.mark.parametrize(
    ("step", "codes"),
    [
        ("{scale: {to: 2}, when: alert}", ["B212"]),
        ("{scale: {to: 2}, when: {endpoints: {}}}", []),
        ("{wait: {for: ready}, when: alert}", []),
        ("{pause: {for: 1m}, when: alert}", []),
    ],
)
def test_a_step_that_is_meant_only_when_nothing_fires_is_never_performed(step: str, codes: list[str]) -> None:
    """A change needs an alert that fires; what changes nothing may wait for whatever it likes."""
    found = told(runbook(steps=f"[{step}, {{scale: {{to: 3}}}}]"))
    assert [each.split()[-1] for each in found] == codes


@pytest.mark.parametrize(
    ("steps", "codes"),
    [
        ("[silence: {for: 15m}]", ["B213"]),
        ("[{silence: {for: 15m}}, {wait: {for: ready}}, {silence: {for: 1m}}]", ["B213"]),
        ("[{silence: {for: 15m}}, {scale: {to: 3}}]", []),
        ("[{wait: {for: ready}}]", []),
    ],
)
def test_a_runbook_that_only_silences_repairs_nothing(steps: str, codes: list[str]) -> None:
    found = told(runbook(steps=steps))
    assert [each.split()[-1] for each in found] == codes


def test_attempts_that_fit_into_the_window_are_left_alone() -> None:
    assert told(runbook(extra=", limits: {attempts: 3, per: 1h, cooldown: 29m}")) == []
    assert told(runbook(extra=", limits: {attempts: 3, per: 1h, cooldown: 30m}")) == ["2:95 B209"]
    assert told(runbook(extra=", limits: {attempts: 1, per: 1m, cooldown: 30m}")) == []


@pytest.mark.parametrize(
    ("steps", "told_of"),
    [
        ("[restart: {}, wait: {for: rollout}]", 1),
        ("[restart: {}, scale: {to: 2}]", 0),
        ("[delete_pod: {}]", 1),
        ("[{wait: {for: rollout}}]", 1),
        ("[{effect: once, exec: {command: [a]}}]", 1),
    ],
)
def test_an_undo_is_told_when_no_step_has_an_inverse(steps: str, told_of: int) -> None:
    assert len(told(runbook(steps, extra=", undo: on_failure"))) == told_of


@pytest.mark.parametrize(
    ("match", "target", "expected"),
    [
        ('x="y"', "{pod: 'kube/{{ labels.pod }}'}", ["1:104 G401"]),
        ('namespace="kube"', "{pod: '{{ labels.namespace }}/{{ labels.pod }}'}", ["1:115 G401"]),
        ('namespace=~"kube|shop"', "{pod: '{{ labels.namespace }}/{{ labels.pod }}'}", []),
        ('x="y"', "{pod: '{{ labels.namespace }}/{{ labels.pod }}'}", []),
        ('x="y"', "{pod: 'kube-{{ labels.x }}/{{ labels.pod }}'}", []),
        ('x="y"', "{pod: 'shop/{{ labels.pod }}'}", []),
    ],
)
def test_a_target_outside_the_allowed_namespaces_is_told(
    match: str, target: str, expected: list[str]
) -> None:
    acting = f"mode: suggest, runbooks: [restart], target: {target}"
    assert told(rule(acting, match)) == expected
    assert told(rule(acting.replace("suggest", "observe"), match)) == []


def test_rules_that_may_select_anything_share_one_selection() -> None:
    """Else ten thousand rules would keep ten thousand copies of the catalog."""
    one = rule("runbooks: [restart]", 'service=~"[a-z]+"')
    two = rule("runbooks: [restart]", 'service=~"[a-zA-Z]+"').replace("name: x", "name: y")
    view = examine({**BASE, **GUARDS, "x.yaml": one, "y.yaml": two}, advise=False).view
    first, second = map(view.selection, view.policy.rules[-2:])
    assert first is second
    assert first.names == tuple(view.policy.services)


@pytest.mark.parametrize(
    "command",
    [
        "[psql, --password, hunter2]",
        "[psql, --password=hunter2]",
        "[env, PGPASSWORD=hunter2, psql]",
        "[sh, -c, 'API_TOKEN=hunter2 curl x']",
        "[curl, -H, 'Authorization: Bearer hunter2hunter2']",
        "[tool, --api-key, hunter2]",
    ],
)
def test_secrets_among_the_words_of_a_command_are_told_and_not_repeated(command: str) -> None:
    text = runbook(verify=f"[alert: {{}}, exec: {{container: web, command: {command}}}]")
    loaded = read_policies({**BASE, **GUARDS, "x.yaml": text})
    found = [each for each in loaded.findings if each.code == "B211"]
    assert len(found) == 1
    assert "hunter2" not in str(found)


@pytest.mark.parametrize(
    "command",
    [
        "[psql, --password=$PGPASSWORD]",
        "[psql, --no-password, -c, SELECT 1]",
        "[psql, --password-file, /run/secrets/x]",
        "[tool, --token-file=/run/secrets/x]",
        '[sh, -c, \'psql "$DATABASE_URL" -c "SELECT count(*) FROM tokens"\']',
        "[redis-cli, --tokens, --verbose]",
    ],
)
def test_words_that_only_name_a_secret_are_left_alone(command: str) -> None:
    assert told(runbook(verify=f"[alert: {{}}, exec: {{container: web, command: {command}}}]")) == []


def test_the_page_waits_for_every_wait_and_every_runbook() -> None:
    steps = "[restart: {}, wait: {for: rollout, timeout: 4m}]"
    slow = f"runbooks: {{slow: {{steps: {steps}, verify: [alert: {{within: 4m}}]}}}}\n"
    one = rule("mode: suggest, runbooks: [slow]") + slow
    two = rule("mode: suggest, runbooks: [slow, more]") + slow.replace(
        "slow:", "more: {steps: [restart: {}], verify: [alert: {within: 8m}]}, slow:"
    )
    assert told(one) == []
    assert [each.split()[1] for each in told(two)] == ["S302"]


def test_the_last_level_is_to_be_asked_before_the_promise_is_broken() -> None:
    def of(respond: str, page: str = "now") -> list[str]:
        return told(
            f"severities: {{SEV-4: {{page: {page}, escalation: e, respond_within: {respond}}}}}\n"
            "escalations: {e: [{level: 1, channels: [oncall], acknowledge_within: 5m}, "
            "{level: 2, channels: [oncall], acknowledge_within: 5m}, {level: 3, channels: [oncall]}]}\n"
            + rule("hold: 0s", severity="SEV-4")
        )

    assert of("11m") == []
    assert of("10m") == ["1:64 S304"]
    assert of("26m", "{unless_verified_within: 15m}") == []
    assert [each.split()[1] for each in of("25m", "{unless_verified_within: 15m}")] == ["S304"]


def test_a_rate_that_is_not_written_is_nobodys_slip() -> None:
    assert told("", "guards: {namespaces: [shop], rate: {cluster: 1/1d}}\n") == []


@pytest.mark.parametrize("share", ["1", "99%", "1%"])
def test_a_share_between_nothing_and_everything_is_left_alone(share: str) -> None:
    assert told("", f"guards: {{namespaces: [shop], max_unavailable: {share}}}\n") == []


def test_a_service_that_any_template_may_select_is_left_alone() -> None:
    assert told("services: {idle: {namespace: shop}}\n") == []


def test_tests_are_read_as_the_daemon_would_classify_their_alerts() -> None:
    auto = rule("mode: auto, runbooks: [restart]")
    files = {**BASE, **GUARDS, "x.yaml": auto}

    def codes(tests: str) -> list[str]:
        return [each.code for each in check_policies({**files, "x_test.yaml": tests}).findings]

    assert codes("tests: [{alerts: [{at: 0s, fire: {alertname: X}}]}]\n") == []
    assert codes("tests: [{alerts: [{at: 0s, fire: {alertname: Outage}}]}]\n") == ["R110"]
    assert codes("tests: [{alerts: [{at: 0s, resolve: {alertname: X}}]}]\n") == ["R110"]
    assert codes("tests: nonsense\n") == codes("[\n") == codes("") == ["R110"]


def test_lints_take_time_in_proportion_to_the_number_of_rules() -> None:
    """Not in seconds, which depend on the machine: twice the rules take at most three times as long."""

    forms = (
        'alertname="A{0}"',
        'alertname=~"A{0}.*"',
        'env=~"p{0}.*"',
        'alertname=~"A{0}[0-9]+"',
        'x!="{0}"',
    )

    def seconds(count: int) -> float:
        lines = [
            f"  - {{name: r{each}, match: ['{forms[each % len(forms)].format(each)}'], severity: SEV-2, "
            "mode: suggest, runbooks: [restart]}\n"
            for each in range(count)
        ]
        files = {**BASE, **GUARDS, "x.yaml": "rules:\n" + "".join(lines)}
        view = examine(files, advise=False).view
        best = float("inf")
        for _ in range(3):
            began = time.process_time()
            lint(View(draft=view.draft, policy=view.policy), Findings())
            best = min(best, time.process_time() - began)
        return best

    assert seconds(2_000) < 3 * seconds(1_000) + 0.5
