"""Whatever stands in policy files: findings, never an exception, and never for long."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remediator.core.errors import PolicyError
from remediator.core.templated import Escape
from remediator.policy.draft import SECTIONS
from remediator.policy.findings import MOST_FINDINGS
from remediator.policy.load import Loaded, load_policy, read_policies
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
    assert 0 < len(loaded.findings) <= MOST_FINDINGS + 1
