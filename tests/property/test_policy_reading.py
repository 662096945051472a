"""Whatever stands in policy files: findings, never an exception, and never for long."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from remediator.core.errors import PolicyError
from remediator.core.templated import Escape
from remediator.policy.draft import SECTIONS
from remediator.policy.effort import MOST_EFFORT, Effort, effort
from remediator.policy.findings import MOST_FINDINGS, Findings, Level
from remediator.policy.load import Loaded, load_policy, read_policies
from remediator.policy.nodes import compose, scalars
from remediator.policy.placing import LONGEST, compile_placed
from remediator.policy.sources import LARGEST_FILE
from remediator.policy.templates import LONGEST_OUTPUT, TemplateRefused, compile_template

DEFAULTS = b"\n".join(
    path.read_bytes() for path in sorted((Path(__file__).parents[2] / "policies").glob("*.yaml"))
)
TOKENS = (
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b":",
        b"- ",
        b"\n",
        b"  ",
        b"&a ",
        b"*a",
        b"!!",
        b"!x ",
        b"'",
        b'"',
        b"\\",
        b"|",
    ),
    *(b">", b"#", b"%", b"? ", b",", b"\t", b"\xff", b"\x00", b"\xef\xbb\xbf", b"---", b"...", b"<<", b"{{"),
    *(b'"\\U99999999"', b'"\\ud800"', b"~", b"1e999", b"9" * 30, b"%YAML 9" + b"9" * 5000, b"\xe2\x80\xa8"),
)
OTHER_KEYS = (
    *(
        "name",
        "match",
        "severity",
        "service",
        "group_by",
        "mode",
        "page",
        "escalation",
        "namespace",
        "workload",
    ),
    *(
        "depends_on",
        "links",
        "steps",
        "verify",
        "diagnose",
        "limits",
        "restart",
        "ready",
        "alert",
        "for",
        "within",
    ),
    *(
        "rate",
        "cluster",
        "accept",
        "protect",
        "level",
        "pagerduty",
        "routing_key",
        "env",
        "file",
        "SEV-1",
        "x",
    ),
    *("health", "promql", "http", "query", "below", "absent", "url", "path", "expect", "contains"),
    *("raise", "to", "when", "after", "target", "pod", "slo", "errors", "undo", "approval", "during"),
    *("effect", "exec", "command", "times", "months", "location", "schedule", "slack", "token", "storm"),
)
KEYS = st.sampled_from((*SECTIONS, *OTHER_KEYS))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | KEYS
    | st.sampled_from(
        ["15m", 'a="b"', "1/1h", "http://a/", "/{{ target.name }}", "{{ service.name }}", "2xx"]
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=30,
)


def check_findings(text: bytes | str) -> Loaded:
    """Read it; every finding stands at a place that exists, and a policy comes exactly without errors."""
    loaded = read_policies({"p.yaml": text})
    for each in loaded.findings:
        assert each.line >= 1
        assert each.column >= 1
        assert "\n" not in str(each)
    assert (loaded.policy is None) == any(each.level == "error" for each in loaded.findings)
    return loaded


@given(st.binary(max_size=300))
def test_any_bytes_make_findings(raw: bytes) -> None:
    check_findings(raw)


@given(st.text(max_size=300))
def test_any_text_makes_findings(text: str) -> None:
    check_findings(text)


@given(st.lists(st.sampled_from(TOKENS), max_size=25).map(b"".join))
def test_any_sequence_of_yaml_tokens_makes_findings(raw: bytes) -> None:
    check_findings(raw)


@settings(max_examples=200)
@given(st.integers(0, len(DEFAULTS)), st.integers(0, 600), st.sampled_from(TOKENS), st.integers(0, 40))
def test_the_default_policies_broken_anywhere_make_findings(
    start: int, at: int, token: bytes, cut: int
) -> None:
    begin = DEFAULTS.rfind(b"\n", 0, start) + 1
    piece = DEFAULTS[begin : begin + 1200]
    check_findings(piece[:at] + token + piece[at + cut :])


@settings(max_examples=300)
@given(st.dictionaries(KEYS, VALUES, max_size=6))
def test_any_structure_of_known_words_makes_findings(data: dict[str, object]) -> None:
    """JSON is YAML: structures that get far into the models."""
    check_findings(json.dumps(data))


@given(st.text(max_size=200) | st.text("{}labels.ap|or '\"()[]~+-*%#", max_size=60))
def test_a_template_is_refused_or_selects_something_short(source: str) -> None:
    try:
        template = compile_template(source)
    except TemplateRefused:
        return
    assert len(template.select({"app": "x" * 4096, "a": "{{ labels.app }}"})) <= LONGEST_OUTPUT


@given(
    st.text(max_size=200) | st.text("{}-servic.nam|or '\"`\\=~#()[]+*%", max_size=60),
    st.sampled_from(Escape),
    st.booleans(),
)
def test_a_runbooks_template_is_refused_or_renders_to_something_short(
    source: str, escape: Escape, braces: bool
) -> None:
    text = f'a{{b="{{{{ {source} }}}}"}}' if braces else source
    try:
        rendered = compile_placed(text, escape).render({"service": {"name": "x" * 63}})
    except TemplateRefused:
        return
    assert len(rendered) <= LONGEST


@pytest.mark.parametrize("piece", ["-", "not ", "(", "service.name or ", "[", "service.name ~ ", "1 + "])
def test_a_template_that_is_nested_deeply_is_refused_or_rendered(piece: str) -> None:
    for number in (10, 100, 300, 400, 500, 700, 900, 1400):
        for closing in ("", ")" * number):
            try:
                compile_placed(f"{{{{ {piece * number}service.name{closing} }}}}"[:LONGEST], Escape.PLAIN)
            except TemplateRefused:
                continue


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_depth_is_bounded(opening: str) -> None:
    loaded = check_findings("\n".join(opening * 50 for _ in range(50)))
    assert loaded.findings[0].code in ("P002", "P003")


def test_aliases_cannot_grow_without_bound() -> None:
    """A billion laughs in half a kilobyte."""
    text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
    )
    assert [each.code for each in check_findings(text).findings] == ["P003"]


def test_an_alias_cannot_hold_itself() -> None:
    assert [each.code for each in check_findings("a: &a [*a]\n").findings] == ["P003"]


def test_aliases_cannot_nest_without_bound() -> None:
    """Each line is within bounds; a reader of the last one would go two thousand calls deep."""
    chain = "".join(f"a{n}: &a{n} {'[' * 18}*a{n - 1}{']' * 18}\n" for n in range(1, 95))
    assert [each.code for each in check_findings("a0: &a0 x\n" + chain).findings] == ["P003"]


@pytest.mark.parametrize(("levels", "codes"), [(10, ["P010", "P012", "P010"]), (11, ["P003"])])
def test_depth_counts_what_an_alias_stands_for(levels: int, codes: list[str]) -> None:
    """Of 20 levels, the mapping is one, and the first list has nine."""
    text = f"a: &a {'[' * 9}{']' * 9}\nb: {'[' * levels}*a{']' * levels}\n"
    assert [each.code for each in check_findings(text).findings] == codes


@pytest.mark.parametrize(
    "item",
    [
        r"- {{name: r{0}, match: ['x=~\"\pL{{100}}{0}\"'], severity: SEV-1}}",
        r"- {{name: r{0}, match: ['x=~\"((\w{{9}}){{9}}){{9}}{0}\"'], severity: SEV-1}}",
        r"- {{name: r{0}, match: ['x=~\"(.{{9}}){{99}}{0}\"'], severity: SEV-1}}",
    ],
)
def test_regular_expressions_cannot_grow_without_bound(item: str) -> None:
    """Some 100 kilobytes that would take gigabytes, or minutes. Files are counted together."""
    halves = ("severities: {SEV-1: {}}\nrules:\n", "rules:\n")
    files = {
        f"{half}.yaml": begin + "".join(item.format(n + half) + "\n" for n in range(0, 6_000, 2))
        for half, begin in enumerate(halves)
    }
    began = time.process_time()
    assert {each.code for each in read_policies(files).findings} == {"P003"}
    assert time.process_time() - began < 30


def test_regular_expressions_that_people_write_are_not_counted_out() -> None:
    item = "- {{name: r{0}, match: ['pod=~\"web-[a-z0-9]{{8,10}}-[a-z0-9]{{5}}-{0}\"'], severity: SEV-1}}\n"
    text = "severities: {SEV-1: {}}\nrules:\n" + "".join(item.format(n) for n in range(1_000))
    effort, documents = Effort(), compose("p.yaml", text, Findings())
    assert documents is not None
    assert all(effort.spend(scalar.text) for scalar in scalars(documents[0]))
    assert effort.spent * 10 < MOST_EFFORT


@pytest.mark.parametrize(
    ("pattern", "least"), [("a{1000}", 1000), (r"\pL{9}", 10_000), ("(a{9}){9}", 81), ("a{2,9}(b|c){3}", 15)]
)
def test_the_effort_of_an_expression_is_never_less_than_its_size(pattern: str, least: int) -> None:
    size = re2.compile(pattern).programsize
    assert least <= size <= effort(pattern)


@pytest.mark.parametrize(
    "text",
    [
        'severities: {SEV-1: {}}\nx: "' + "-eyJ-eyJ-eyJ\\\n" * 40_000 + '"\n',
        'severities: {SEV-1: {}}\nrunbooks: {r: {steps: [{exec: {command: ["'
        + "passpasspass\\\n" * 40_000
        + '"]}}], verify: [alert: {}]}}\n',
        'runbooks: {r: {steps: [{http: {headers: {? "' + "token\\n\\\n" * 20_000 + '" : x}}}]}}\n',
        "severities: {SEV-1: {}}\n" + "# remediator: allow R101 because of nothing\n" * 20_000,
    ],
    ids=["token", "word", "header", "comments"],
)
def test_looking_for_secrets_and_comments_takes_time_in_proportion(text: str) -> None:
    """Twice as long a file would have taken four times as long: these some minutes."""
    began = time.process_time()
    check_findings(text)
    assert time.process_time() - began < 30


def test_files_are_bounded(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_bytes(b"#" * LARGEST_FILE * 2)
    (tmp_path / "q.yaml").symlink_to("/dev/zero")
    codes = [(Path(each.path).name, each.code) for each in read_policies(tmp_path).findings]
    assert codes == [("p.yaml", "P001"), ("q.yaml", "P001")]
    with pytest.raises(PolicyError):
        load_policy(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "!" * LARGEST_FILE,
        "[" * LARGEST_FILE,
        "a: " + "\n  x" * (LARGEST_FILE // 5),
        "services: {" + ", ".join(f"k{n}: {{x: y}}" for n in range(15_000)) + "}",
        "services: {a: {" + ",\n".join(f"k{n}: y" for n in range(40_000)) + "}}",
        "rules:\n"
        + "".join(f"- {{name: n{n}, match: ['x{n}=\"1\"'], severity: s{n}}}\n" for n in range(8_000)),
    ],
    ids=["tag", "brackets", "text", "unknown", "keys", "rules"],
)
@pytest.mark.full
def test_no_file_takes_long(text: str) -> None:
    began = time.monotonic()
    loaded = check_findings(text)
    assert time.monotonic() - began < 60
    assert 0 < len(loaded.findings) <= len(Level) * (MOST_FINDINGS + 1)
