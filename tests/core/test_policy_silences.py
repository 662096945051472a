"""A comment silences one code on one line, with a reason, and nothing else."""

from __future__ import annotations

import pytest

from remediator.policy.load import Loaded, load_policy, read_policies
from tests.finding_pages import block

BASE = {"base.yaml": block("base"), "guards.yaml": block("guards")}
QUIET = '{name: q, match: [alertname="Q"], severity: SEV-3}'
ALLOW = "# remediator: allow R104 because it can wait"


def read(text: str) -> Loaded:
    """The files of the page, with this one beside them."""
    return read_policies({**BASE, "x.yaml": text})


def told(text: str) -> list[str]:
    """``line:column code`` of what is told of it."""
    return [f"{each.line}:{each.column} {each.code}" for each in read(text).findings]


@pytest.mark.parametrize(
    "text",
    [
        f"rules: [{QUIET}] {ALLOW}\n",
        f"{ALLOW}\nrules: [{QUIET}]\n",
        f"rules:\n  {ALLOW}\n  - {QUIET}\n",
        f"rules:\n  {ALLOW}\n  # because of this, too\n  - {QUIET}\n",
        f"rules: [\n  {QUIET},  {ALLOW}\n]\n",
        f"rules: [{{name: q, {ALLOW}\n  match: ['alertname=\"Q # x\"'], severity: SEV-3}}]\n",
        f"rules:\n  - name: q {ALLOW}\n    match: [alertname=\"Q\"]\n    severity: SEV-3\n",
        f"rules: [{QUIET}] #remediator:allow R104 because of me\n",
        f"rules: [{QUIET}] {ALLOW}\r\n",
    ],
)  # fmt: skip
def test_a_comment_on_the_line_or_alone_before_it_silences(text: str) -> None:
    loaded = read(text)
    assert loaded.findings == ()
    assert [each.finding.code for each in loaded.silenced] == ["R104"]


def test_the_reason_is_kept() -> None:
    assert read(f"rules: [{QUIET}] {ALLOW}\n").silenced[0].reason == "it can wait"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"rules: [{QUIET}] # remediator: allow R104\n", ["1:16 R104", "1:61 K951"]),
        (f"rules: [{QUIET}] # remediator: allow R104 because\n", ["1:16 R104", "1:61 K951"]),
        (f"rules: [{QUIET}] # remediator: allow R104 because …\n", ["1:16 R104", "1:61 K951"]),
        (f"rules: [{QUIET}] # remediator: allow R10 because so\n", ["1:16 R104", "1:61 K953"]),
        (f"rules: [{QUIET}] # remediator: silence R104 because so\n", ["1:16 R104", "1:61 K953"]),
        (f"rules: [{QUIET}] # remediator: allow B201 because so\n", ["1:16 R104", "1:61 K952"]),
        (f"{ALLOW}\n\nrules: [{QUIET}]\n", ["1:1 K952", "3:16 R104"]),
        (f"rules: [{QUIET}]\n{ALLOW}\n", ["1:16 R104", "2:1 K952"]),
        (f"services: {{}} {ALLOW}\nrules: [{QUIET}]\n", ["1:14 K952", "2:16 R104"]),
    ],
)
def test_one_that_does_not_silence_is_told_at_its_place(text: str, expected: list[str]) -> None:
    assert told(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        f'rules: [{{name: q, match: ["alertname=\\"Q {ALLOW}\\""], severity: SEV-3}}]\n',
        f"runbooks:\n  restart2:\n    summary: |\n      text {ALLOW}\n    steps: [restart: {{}}]\n"
        f"    verify: [rollout: {{}}, alert: {{}}]\nrules: [{QUIET}]\n",
    ],
)  # fmt: skip
def test_text_that_looks_like_a_comment_is_none(text: str) -> None:
    loaded = read(text)
    assert loaded.silenced == ()
    assert "R104" in {each.code for each in loaded.findings}
    assert not any(each.code.startswith("K") for each in loaded.findings)


def test_a_comment_behind_the_header_of_a_block_is_one() -> None:
    text = (
        "runbooks:\n  idle:\n    summary: | # remediator: allow R104 because of nothing\n      text\n"
        "    steps: [restart: {}]\n    verify: [rollout: {}, alert: {}]\n"
    )
    assert told(text) == ["2:3 B201", "3:16 K952"]


def test_several_comments_may_stand_above_each_other() -> None:
    text = (
        f"rules:\n  {ALLOW}\n  # remediator: allow R107 because it is copied\n"
        '  - {name: q, match: [alertname="Q", alertname="Q"], severity: SEV-3}\n'
    )
    assert told(text) == []
    assert [each.finding.code for each in read(text).silenced] == ["R104", "R107"]


def test_an_error_is_not_silenced() -> None:
    text = 'rules: [{name: q, match: [alertname="Q"], severity: SEV-9}] # remediator: allow P017 because so\n'
    assert told(text) == ["1:53 P017", "1:61 K954"]
    assert read(text).policy is None


def test_nothing_is_said_of_idle_comments_while_something_is_wrong() -> None:
    """What is wrong may have kept a lint from looking."""
    text = f"rules: [{{name: q, match: [nonsense], severity: SEV-3}}] {ALLOW}\n"
    assert told(text) == ["1:35 P015"]


@pytest.mark.parametrize(
    "comment", ["# remediator: the daemon reads this", "# ask remediator: allow", "# remediator is a daemon"]
)
def test_prose_is_left_alone(comment: str) -> None:
    assert told(f"services: {{}} {comment}\n") == []


def test_a_comment_for_what_was_not_asked_is_given_the_benefit_of_the_doubt() -> None:
    comment = "# remediator: allow L903 because it comes from Loki"
    assert told(f'rules: [{{name: q, match: [alertname="Q"], severity: SEV-2}}] {comment}\n') == []


def test_broken_files_and_odd_comments_raise_nothing() -> None:
    for text in (f"a: [ {ALLOW}\n", f"'unclosed {ALLOW}\n", f"{ALLOW}", f"\t{ALLOW}\n- {ALLOW}"):
        read(text)
    assert "P002" in {each.code for each in read(f"a: [ {ALLOW}\n").findings}


def test_the_daemon_looks_for_errors_alone() -> None:
    assert load_policy({**BASE, "x.yaml": f"rules: [{QUIET}]\n"}).rule("q") is not None
