"""Policy files become values, or every mistake in them is told at its place."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from remediator.core.errors import PolicyError
from remediator.core.matchers import parse_matcher
from remediator.core.policies import (
    AttemptLimits,
    Check,
    Mode,
    PageNever,
    PageNow,
    PageUnlessVerified,
    Policy,
    Rate,
    SecretRef,
    Step,
    WorkloadRef,
)
from remediator.core.times import HOUR, MINUTE, SECOND, Millis
from remediator.policy.findings import Findings, Level
from remediator.policy.load import Loaded, load_policy, read_policies
from remediator.policy.sources import look_of, read_sources

GOOD = """\
severities:
  SEV-1: {summary: Outage, respond_within: 15m, page: now, escalation: critical}
  SEV-2: {page: {unless_verified_within: 15m}, escalation: critical}
  SEV-3: {}
services:
  auth:
    namespace: prod
    workload: deployment/auth
    depends_on: [db]
    links: {dashboard: 'https://grafana/d/auth'}
  db: {namespace: prod, workload: statefulset/db}
rules:
  - name: down
    match: ['alertname="Down"', 'env!~"dev|test"']
    severity: SEV-2
    service: '{{ labels.app }}'
    group_by: [service, env]
    hold: 30s
    mode: auto
    runbooks: [restart]
  - name: rest
    match: []
    severity: SEV-3
runbooks:
  restart:
    summary: Restart it
    diagnose: [pods: {}]
    steps: [restart: {}]
    verify: [ready: {for: 30s}, alert: {state: resolved, within: 10m}]
    limits: {attempts: 2, cooldown: 0s}
guards:
  accept: ['cluster="eu"']
  namespaces: [prod]
  protect: [statefulset/db]
  rate: {cluster: 20/1h, target: 1/5m}
escalations:
  critical:
    - {level: 1, channels: [oncall], acknowledge_within: 15m}
    - {level: 2, channels: [boss]}
channels:
  oncall: {pagerduty: {routing_key: {env: ONCALL}, url: 'https://events.eu.pagerduty.com'}}
  boss: {pagerduty: {routing_key: {file: /run/secrets/boss}}}
operator: {channels: [oncall]}
"""


def good() -> Policy:
    """The policy of the files above."""
    return load_policy({"p.yaml": GOOD})


def found(text: str) -> list[str]:
    """The findings of one file, as ``line:column code``."""
    return [f"{each.line}:{each.column} {each.code}" for each in read_policies({"p.yaml": text}).findings]


def messages(loaded: Loaded) -> list[str]:
    return [str(each) for each in loaded.findings]


def test_severities_keep_their_promises() -> None:
    policy = good()
    first, second, third = (policy.severities[name] for name in ("SEV-1", "SEV-2", "SEV-3"))
    assert (first.page, first.respond_within, first.escalation) == (PageNow(), 900_000, "critical")
    assert second.page == PageUnlessVerified(within=Millis(15 * MINUTE))
    assert (third.page, third.escalation) == (PageNever(), None)


def test_services_name_their_workload_and_what_they_need() -> None:
    service = good().services["auth"]
    assert service.workload == WorkloadRef(kind="deployment", namespace="prod", name="auth")
    assert (service.depends_on, dict(service.links)) == (("db",), {"dashboard": "https://grafana/d/auth"})


def test_rules_keep_their_order_and_everything_they_say() -> None:
    down, rest = good().rules
    assert down.matchers == (parse_matcher('alertname="Down"'), parse_matcher('env!~"dev|test"'))
    assert (down.severity, down.group_by, down.hold) == ("SEV-2", ("service", "env"), 30_000)
    assert (down.mode, down.runbooks, down.where) == (Mode.AUTO, ("restart",), "p.yaml:13:11")
    assert down.service is not None
    assert down.service.select({"app": "auth"}) == "auth"
    assert (rest.matchers, rest.mode, rest.group_by, rest.service) == ((), Mode.OBSERVE, ("service",), None)


def test_runbooks_keep_steps_checks_and_limits() -> None:
    book = good().runbooks["restart"]
    assert book.steps == (Step(action="restart", params={}),)
    assert book.verify == (
        Check(check="ready", params={}, stable=Millis(30 * SECOND), within=Millis(5 * MINUTE)),
        Check(check="alert", params={"state": "resolved"}, stable=Millis(0), within=Millis(10 * MINUTE)),
    )
    assert book.limits == AttemptLimits(attempts=2, per=HOUR, cooldown=Millis(0))


def test_guards_keep_what_is_given_and_default_the_rest() -> None:
    guards = good().guards
    assert (guards.namespaces, guards.protect) == (("prod",), ("statefulset/db",))
    assert guards.accept == (parse_matcher('cluster="eu"'),)
    assert guards.rate.cluster == Rate(count=20, per=HOUR)
    assert guards.rate.target == Rate(count=1, per=Millis(5 * MINUTE))
    assert guards.rate.service == Rate(count=3, per=HOUR)


def test_channels_keep_settings_apart_from_references_to_secrets() -> None:
    policy = good()
    oncall = policy.channels["oncall"]
    assert oncall.secrets == {"routing_key": SecretRef(env="ONCALL")}
    assert oncall.settings == {"url": "https://events.eu.pagerduty.com"}
    assert policy.channels["boss"].secrets == {"routing_key": SecretRef(file="/run/secrets/boss")}
    assert policy.operator == ("oncall",)
    assert [level.channels for level in policy.levels("SEV-1")] == [("oncall",), ("boss",)]


def test_a_missing_secret_is_no_mistake_of_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the variable is set is found out when the channel is used."""
    monkeypatch.delenv("ONCALL", raising=False)
    assert [each for each in read_policies({"p.yaml": GOOD}).findings if each.code.startswith("P")] == []


def test_files_merge_in_path_order(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "c.yaml").write_text(
        "rules: [{name: last, match: [], severity: SEV-4}]\nseverities: {SEV-4: {}}\n"
    )
    (tmp_path / "a.yaml").write_text('rules: [{name: first, match: [a="1"], severity: SEV-4}]\n')
    (tmp_path / "b" / "x.yaml").write_text('rules: [{name: second, match: [a="2"], severity: SEV-4}]\n')
    (tmp_path / "b" / "x_test.yaml").write_text("tests: [this is read by somebody else]\n")
    (tmp_path / "notes.txt").write_text("not: [yaml\n")
    assert [rule.name for rule in load_policy(tmp_path).rules] == ["first", "second", "last"]


def test_texts_and_directories_have_one_order(tmp_path: Path) -> None:
    texts = {
        path: f'rules: [{{name: r{number}, match: [x="{number}"], severity: SEV-4}}]\n'
        for number, path in enumerate(("a.yaml", "a/b.yaml", "a-b.yaml", "A.yaml", "a/b/c.yaml"))
    } | {"s.yaml": "severities: {SEV-4: {}}\n"}
    for path, text in texts.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    assert [rule.name for rule in load_policy(tmp_path).rules] == [
        rule.name for rule in load_policy(texts).rules
    ]


def test_a_mounted_config_map_is_read_once(tmp_path: Path) -> None:
    """Kubernetes keeps the files in hidden directories and links to them."""
    (tmp_path / "..2026_01").mkdir()
    (tmp_path / "..2026_01" / "p.yaml").write_text(GOOD)
    (tmp_path / "..data").symlink_to("..2026_01")
    (tmp_path / "p.yaml").symlink_to("..data/p.yaml")
    assert load_policy(tmp_path).digest == good().digest


def test_several_documents_of_a_file_merge() -> None:
    text = "severities: {SEV-4: {}}\n---\nrules: [{name: a, match: [], severity: SEV-4}]\n"
    assert [rule.name for rule in load_policy({"p.yaml": text}).rules] == ["a"]


def test_the_digest_names_the_content_and_not_its_form() -> None:
    moved = {"z.yaml": "# a comment\n\n" + GOOD.replace("hold: 30s", "hold: 30000ms")}
    changed = {"p.yaml": GOOD.replace("hold: 30s", "hold: 31s")}
    assert load_policy(moved).digest == good().digest
    assert load_policy(changed).digest != good().digest
    assert len(good().digest) == 16


def test_load_policy_raises_with_every_error() -> None:
    with pytest.raises(PolicyError) as caught:
        load_policy({"p.yaml": GOOD.replace("mode: auto", "mode: x").replace("hold: 30s", "hold: 30")})
    assert [line.split(": ")[0] for line in caught.value.findings] == ["p.yaml:18:11", "p.yaml:19:11"]


def test_warnings_do_not_keep_a_policy_from_loading() -> None:
    loaded = read_policies({"p.yaml": GOOD.replace(", alert: {state: resolved, within: 10m}", "")})
    assert "B203" in [each.code for each in loaded.findings if each.level is Level.WARNING]
    assert loaded.policy is not None


def spot(text: str, needle: str) -> str:
    """``line:column`` of the last ``needle`` in a text, counted from 1."""
    before = text[: text.rindex(needle)]
    return f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"


@pytest.mark.parametrize(
    ("old", "new", "at", "code", "said"),
    [
        ("respond_within: 15m", "respond_within: 15 minutes", "15 minutes", "P014", "is not a duration"),
        ("hold: 30s", "hold: 30", "30\n", "P014", "30 has no unit; write a duration"),
        (
            "page: now",
            "page: sometimes",
            "sometimes",
            "P013",
            "is not possible here; write one of: never, now",
        ),
        ("verified_within: 15m", "verified_within: 0s", "0s}, esc", "P014", "must be longer than 0s"),
        ("mode: auto", "mode: automatic", "automatic", "P013", "did you mean 'auto'?"),
        ("mode: auto", "mdoe: auto", "mdoe", "P010", "unknown key 'mdoe'; did you mean 'mode'?"),
        (
            "    hold: 30s",
            "    target: {}",
            "target: {}",
            "P013",
            "must name one object, such as {pod: ",
        ),
        ("    severity: SEV-2\n", "", "down\n", "P012", "'severity' is missing; add severity: SEV-2"),
        ("severity: SEV-2", "severity: SEV-4", "SEV-4", "P017", "severity 'SEV-4' is not defined"),
        ("runbooks: [restart]", "runbooks: [restrat]", "restrat", "P017", "did you mean 'restart'?"),
        ("depends_on: [db]", "depends_on: [dbs]", "dbs", "P017", "service 'dbs' is not defined"),
        ("channels: [boss]", "channels: [bos]", "bos]", "P017", "channel 'bos' is not defined"),
        ("{channels: [oncall]}", "{channels: [ocall]}", "ocall", "P017", "channel 'ocall' is not"),
        ("    namespace: prod\n", "", "auth:\n", "P012", "add namespace: NAME"),
        ("deployment/auth", "pod/auth", "pod/auth", "P013", "write deployment|statefulset|daemonset"),
        ("deployment/auth", "deployment/Auth", "Auth", "P013", "is not a name in Kubernetes"),
        ('env!~"dev|test"', 'env!~"dev("', '"dev("', "P015", "not a regular expression"),
        ('alertname="Down"', "it''s", "''s'", "P015", "not a matcher"),
        ("'{{ labels.app }}'", "'x{{ labels.app'", "{{", "P016", "not a template"),
        ("'{{ labels.app }}'", "'x{% if a %}'", "{%", "P016", "begins statements"),
        ("group_by: [service, env]", "group_by: []", "[]\n    hold", "P013", "must not be empty"),
        ("steps: [restart: {}]", "steps: [restart: {now: true}]", "now: true", "P010", "unknown key 'now'"),
        (
            "steps: [restart: {}]",
            "steps: [drain: {timeout: 10}]",
            "10}]",
            "P014",
            "10 has no unit; write a duration",
        ),
        ("steps: [restart: {}]", "steps: [restrt: {}]", "restrt", "P010", "did you mean 'restart'?"),
        ("steps: [restart: {}]", "steps: [restart]", "restart]\n    verify", "P013", "such as {restart: {}}"),
        ("[restart: {}]", "[{restart: {}, wait: {}}]", "{restart: {}, ", "P013", "exactly one action, not 2"),
        ("state: resolved", "state: gone", "gone", "P013", "write one of: resolved"),
        ("for: 30s", "for: soon", "soon", "P014", "'soon' is not a duration"),
        ("attempts: 2", "attempts: 0", "0, cooldown", "P013", "out of range"),
        ("attempts: 2", "attempts: two", "two", "P013", "expected a whole number; found 'two'"),
        ("statefulset/db]", "postgres]", "postgres]", "P013", "'postgres' is not a workload"),
        ("cluster: 20/1h", "cluster: 20 per hour", "20 per", "P013", "such as 10/1h"),
        (
            "namespaces: [prod]",
            "namespaces: prod",
            "prod\n  protect",
            "P013",
            "expected a list, such as [a, b]",
        ),
        ("level: 2", "level: 3", "critical:\n", "P013", "numbered 1, 3"),
        ("SEV-3: {}", "SEV-5: {}", "SEV-5: {}", "P018", "'SEV-5' is not a severity"),
        ("  db: {", "  'd b': {", "'d b'", "P018", "is not a name here"),
        ("operator:", "oprator:", "oprator:", "P010", "unknown section 'oprator'; did you mean 'operator'?"),
        ("operator:", "heartbeat:", "{channels: [oncall]}", "P013", "expected a list, such as [a, b]"),
        (
            "{env: ONCALL}",
            "hunter2hunter2",
            "hunter2h",
            "P019",
            "is a secret and must not stand in a policy file",
        ),
        ("{env: ONCALL}", "{env: ONCALL, file: /x}", "routing_key: {env", "P019", "either env or file"),
        ("'https://events", "'https://u:hunter2@events", "'https://u:", "P019", "must not carry a user name"),
        (
            "{pagerduty: {routing_key: {file",
            "{slack: {routing_key: {file",
            "routing_key: {file",
            "P010",
            "unknown key 'routing_key'; write one of: channel, token",
        ),
        (
            "routing_key: {file: /run",
            "token: hunter2, routing_key: {file: /run",
            "token",
            "P010",
            "unknown key",
        ),
    ],
)
def test_every_mistake_is_told_at_its_place(old: str, new: str, at: str, code: str, said: str) -> None:
    """One mistake: its exact line and column, its code, and what to write instead. Never a secret."""
    assert old in GOOD
    text = GOOD.replace(old, new, 1)
    loaded = read_policies({"p.yaml": text})
    lines = [f"{each.line}:{each.column} {each.code} {each.message}" for each in loaded.findings]
    assert any(line.startswith(f"{spot(text, at)} {code} ") and said in line for line in lines), lines
    assert loaded.policy is None
    assert "hunter2" not in "\n".join(lines)


def test_a_missing_name_is_told_at_the_item() -> None:
    assert found("severities: {SEV-4: {}}\nrules:\n  - match: []\n    severity: SEV-4\n") == ["3:5 P012"]


def test_a_name_defined_twice_names_both_places() -> None:
    loaded = read_policies(
        {"a.yaml": "severities: {SEV-4: {}}\nservices: {x: {}}\n", "b.yaml": "services:\n  x: {}\n"}
    )
    assert messages(loaded) == ["b.yaml:2:3: service 'x' is defined twice, here and at a.yaml:2:12; keep one"]


def test_a_key_that_stands_twice_names_both_places() -> None:
    loaded = read_policies({"a.yaml": "severities:\n  SEV-4: {}\n  SEV-4: {}\n"})
    assert messages(loaded) == [
        "a.yaml:3:3: 'SEV-4' stands twice in this mapping, first at line 2, column 3; keep one"
    ]


def test_yaml_that_is_none_is_told_with_its_place_and_the_other_files_are_checked() -> None:
    loaded = read_policies({"a.yaml": "rules: [1\nx: 2\n", "b.yaml": "severities: {SEV-4: {pgae: now}}\n"})
    assert [(each.path, each.code) for each in loaded.findings] == [("a.yaml", "P002"), ("b.yaml", "P010")]


def test_what_an_unreadable_file_may_define_is_not_called_missing() -> None:
    texts = {
        "a.yaml": "runbooks:\n  fix: [\n",
        "b.yaml": "severities: {SEV-4: {}}\n"
        "rules: [{name: r, match: [], severity: SEV-4, runbooks: [fix, gone]}]\n",
    }
    assert [each.code for each in read_policies(texts).findings] == ["P002", "P017"]
    assert "'gone'" in str(read_policies(texts).findings[1])


def test_bytes_that_are_not_utf8_are_told_with_their_place() -> None:
    loaded = read_policies({"a.yaml": b"severities:\n  SEV-4: {summary: caf\xe9}\n"})
    assert messages(loaded) == ["a.yaml:2:23: byte 0xe9 is not UTF-8 here; save the file as UTF-8"]


def test_yaml_is_version_1_2() -> None:
    """``yes`` and ``on`` are words, and a number where text belongs is told rather than converted."""
    policy = load_policy({"a.yaml": "severities: {SEV-4: {summary: yes}}\n"})
    assert policy.severities["SEV-4"].summary == "yes"
    assert found("severities: {SEV-4: {summary: 5}}\n") == ["1:31 P013"]


def test_aliases_are_read_and_told_at_their_anchor() -> None:
    text = "severities: {SEV-4: {}}\nservices:\n  a: &a {namespace: n}\n  b: *a\n"
    assert load_policy({"a.yaml": text}).services["b"].namespace == "n"


def test_an_empty_directory_says_what_to_put_there(tmp_path: Path) -> None:
    loaded = read_policies(tmp_path)
    assert loaded.policy is None
    assert "name them *.yaml" in str(loaded.findings[0])


def test_a_yml_file_is_not_silently_left_out(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(GOOD)
    (tmp_path / "q.yml").write_text(GOOD)
    told = [each for each in read_policies(tmp_path).findings if each.code == "P001"]
    assert [(each.level, each.line) for each in told] == [(Level.WARNING, 1)]


def test_a_link_to_a_directory_is_not_silently_left_out(tmp_path: Path) -> None:
    """It may lead round in a circle, so it is not followed."""
    (tmp_path / "p.yaml").write_text(GOOD)
    (tmp_path / "team").symlink_to(tmp_path)
    loaded = read_policies(tmp_path)
    told = [(each.path, each.level) for each in loaded.findings if each.code == "P001"]
    assert told == [(f"{tmp_path}/team", Level.WARNING)]
    assert loaded.policy is not None


@pytest.mark.parametrize(
    ("path", "said"),
    [("x_test.yaml", "this is a file of tests"), ("x.yaml", "tests stand in files of their")],
)
def test_tests_among_policies_are_told_what_to_do(tmp_path: Path, path: str, said: str) -> None:
    (tmp_path / path).write_text("tests: []\n")
    assert said in read_policies(tmp_path / path).findings[0].message


def test_a_merge_key_is_told_as_one() -> None:
    """The nearest key would be a strange suggestion."""
    text = "severities: {SEV-4: {}}\nservices:\n  a: &a {namespace: n}\n  b: {<<: *a}\n"
    told = messages(read_policies({"p.yaml": text}))
    assert told == [
        "p.yaml:4:7: unknown key '<<': mappings are not merged; write out the keys that are meant"
    ]


def test_a_name_in_a_file_that_is_no_yaml_is_given_the_benefit_of_the_doubt() -> None:
    """As long as it could be a name there: a part of another is none."""
    broken = "runbooks:\n  fix: {steps: [\n  fixed-up: {}\n: ]"
    rules = (
        "severities: {SEV-4: {}}\nrules:\n"
        "  - {name: a, match: [], severity: SEV-4, runbooks: [fix, fixed-up, fixed]}\n"
    )
    loaded = read_policies({"a.yaml": broken, "b.yaml": rules})
    assert [each.message.split("'")[1] for each in loaded.findings if each.code == "P017"] == ["fixed"]


def test_hundreds_of_notices_hide_no_error() -> None:
    """A daemon must not start with a runbook that proves nothing because there was much to say before."""
    rule = (
        '  - {{name: r{0}, match: [x="{0}"], severity: SEV-4, mode: auto, channels: [chat], runbooks: [b]}}\n'
    )
    chat = "channels: {chat: {slack: {channel: '#x', token: {env: T}}}}"
    beginning = (
        f"severities: {{SEV-4: {{}}}}\nrunbooks: {{b: {{steps: [{{restart: {{}}}}]}}}}\n{chat}\nrules:\n"
    )
    text = beginning + "".join(rule.format(number) for number in range(600))
    with pytest.raises(PolicyError) as caught:
        load_policy({"p.yaml": text})
    assert [line.split(":")[1] for line in caught.value.findings] == ["2"]
    loaded = read_policies({"p.yaml": text})
    assert loaded.policy is None
    left_out = {each.level: each.message.split()[0] for each in loaded.findings if each.code == "P000"}
    assert left_out == {Level.NOTICE: "101", Level.WARNING: "100"}


def test_a_raise_to_the_same_severity_is_idle_and_no_error() -> None:
    """The page of the language has such a rule."""
    text = "severities: {SEV-1: {}, SEV-2: {}}\nrules:\n  - {name: a, match: [], severity: SEV-1, "
    same = read_policies({"p.yaml": text + "raise: {to: SEV-1, after: 1h}}\n"})
    milder = read_policies({"p.yaml": text + "raise: {to: SEV-2, after: 1h}}\n"})
    assert [each.level for each in same.findings if each.code == "P027"] == [Level.WARNING]
    assert [each.level for each in milder.findings if each.code == "P027"] == [Level.ERROR]


def test_at_least_one_severity_must_be_defined() -> None:
    assert found("services: {}\n") == ["1:1 P012"]


def test_everything_wrong_is_told_in_one_run() -> None:
    """A directory with many mistakes: each once, each at its place, in the order of the files."""
    texts = {
        "a.yaml": (
            "severities:\n"
            "  SEV-1: {page: now, escalation: crit}\n"
            "  SEV-2: {war_room: {}, respond_within: soon}\n"
            "services:\n"
            "  a: {workload: deployment/a}\n"
        ),
        "b.yaml": (
            "rules:\n"
            "  - name: one\n"
            "    match: ['x', alertname=\"A\"]\n"
            "    severity: SEV-7\n"
            "    runbooks: [fix]\n"
            "  - {match: [], severity: SEV-1}\n"
            "runbooks:\n"
            "  unused: {steps: [{boom: {}}]}\n"
            "channels:\n"
            "  c: {pagerduty: {routing_key: abc}}\n"
        ),
        "c.yaml": "services: {a: {}}\nbogus: {}\n",
    }
    seen = [(each.path, each.line, each.column, each.code) for each in read_policies(texts).findings]
    assert seen == [
        ("a.yaml", 2, 34, "P017"),
        ("a.yaml", 3, 11, "P012"),
        ("a.yaml", 3, 41, "P014"),
        ("a.yaml", 5, 3, "P012"),
        ("b.yaml", 3, 15, "P015"),
        ("b.yaml", 4, 15, "P017"),
        ("b.yaml", 5, 16, "P017"),
        ("b.yaml", 6, 5, "P012"),
        ("b.yaml", 8, 3, "B201"),
        ("b.yaml", 8, 21, "P010"),
        ("b.yaml", 10, 3, "E603"),
        ("b.yaml", 10, 32, "P019"),
        ("c.yaml", 1, 12, "P005"),
        ("c.yaml", 2, 1, "P010"),
    ]


def test_files_are_read_as_they_stand_together(tmp_path: Path) -> None:
    """A ConfigMap that is swapped between two files gives the old policy or the new, or is said to change."""
    files, versions = [f"{number:02}.yaml" for number in range(20)], iter(range(1_000_000))

    def swap() -> None:
        content = tmp_path / f"..{next(versions)}"
        content.mkdir()
        for name in files:
            (content / name).write_text(content.name)
        (tmp_path / "..tmp").symlink_to(content.name)
        (tmp_path / "..tmp").rename(tmp_path / "..data")

    swap()
    for name in files:
        (tmp_path / name).symlink_to(f"..data/{name}")
    done = threading.Event()

    def keep_swapping() -> None:
        while not done.is_set():
            swap()

    swapping = threading.Thread(target=keep_swapping)
    swapping.start()
    try:
        read = [(read_sources(tmp_path, out := Findings()), out) for _ in range(100)]
    finally:
        done.set()
        swapping.join()
    for sources, out in read:
        assert len(set(sources.texts.values())) == 1 or "while they are read" in str(out.ordered()[0])
    calm = read_sources(tmp_path, out := Findings())
    assert (len(calm.texts), len(set(calm.texts.values())), out.found) == (20, 1, [])


def test_a_path_that_cannot_even_be_looked_at_is_a_finding() -> None:
    """Here because it is too long; others are in a folder that may not be entered."""
    nowhere = Path("/", "x" * 300)
    assert look_of(nowhere) == ()
    with pytest.raises(PolicyError, match="cannot be read"):
        load_policy(nowhere)
