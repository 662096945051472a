"""A name that a stranger chose goes through templates as a name and nothing else."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

import pytest
import re2
from hypothesis import example, given, settings
from hypothesis import strategies as st

from remediator.core.errors import Refused
from remediator.core.policies import Check, Runbook, Scope
from remediator.core.probing import authority
from remediator.policy.placing import promql_pattern, promql_text, url_text
from remediator.policy.rendering import render_runbook

NAMES = st.one_of(
    st.from_regex(r"[A-Za-z0-9._-]{1,63}", fullmatch=True, alphabet=st.characters(max_codepoint=127)),
    st.sampled_from(["..", ".", "...", "-", "__class__", "0", "nan", "..-..", ".hidden", "a" * 63]),
)
"""What a service of an incident may be called, whoever chose it."""
ANYTHING = st.one_of(
    NAMES,
    st.text(),
    st.text("\"'`\\{}[]()|.*+?^$#\n\r\t\0 ax", max_size=20),
    st.sampled_from(["{{ 7*7 }}", "$(id)", "../x", "%2e%2e", "a\r\nHost: evil", '"} or vector(1) #']),
)
"""And what none is called, should that bound ever fall."""

STRING = re.compile(r""""((?:[^"\\\n]|\\.)*)"|'((?:[^'\\\n]|\\.)*)'""")
ESCAPES = {"\\": "\\", "n": "\n", "t": "\t", "r": "\r"}


def decoded(text: str) -> str:
    """A PromQL string's value. Prometheus reads the escapes of Go: of these only some are ever written."""

    def one(found: re.Match[str]) -> str:
        return ESCAPES[found[0][1]] if found[1] is None else chr(int(found[1], 16))

    return re.sub(r"\\(?:x([0-9a-f]{2})|.)", one, text)


def strings(promql: str) -> tuple[str, list[str]]:
    """What stands outside of strings, and the values of the strings."""
    values = [decoded(found[1] if found[1] is not None else found[2]) for found in STRING.finditer(promql)]
    return STRING.sub("S", promql), values


def rendered(check: str, params: dict[str, object], name: str) -> dict[str, object]:
    book = Runbook(name="b", verify=(Check(check=check, params=params),))
    scope = Scope(incident=f"2026-11-23-0424-{name.lower()}", severity="SEV-2", service=name, entry=None)
    return dict(render_runbook(book, scope).verify[0].params)


PROMQL = (
    'a{s="{{ service.name }}",t=\'x-{{ service.name }}-y\',u=~"{{ service.name }}|b",'
    "v!~'{{ service.name }}',w=\"{{ incident.id }}\"} > 0"
)


@settings(max_examples=500)
@given(NAMES)
@example("..")
def test_a_name_stays_within_its_string(name: str) -> None:
    query = str(rendered("promql", {"query": PROMQL, "above": 0}, name)["query"])
    outside, (s, t, u, v, w) = strings(query)
    assert outside == "a{s=S,t=S,u=~S,v!~S,w=S} > 0"
    assert (s, t, w) == (name, f"x-{name}-y", f"2026-11-23-0424-{name.lower()}")
    assert re2.fullmatch(u, name)
    assert re2.fullmatch(v, name)


@settings(max_examples=500)
@given(NAMES, NAMES)
@example("...", "web")
@example("web.", "webs")
def test_a_name_in_a_pattern_matches_no_other(name: str, other: str) -> None:
    """Dots of a name are dots: ``a.b`` is not verified by the metrics of ``axb``."""
    query = str(rendered("promql", {"query": 'a{s=~"{{ service.name }}"}', "above": 0}, name)["query"])
    _, (pattern,) = strings(query)
    assert bool(re2.fullmatch(pattern, other)) is (name == other)


@settings(max_examples=1000)
@given(ANYTHING)
def test_any_value_at_all_stays_within_its_string(value: str) -> None:
    if "\ud800" <= max(value, default="") <= "\udfff":
        return  # no text of any source: JSON and YAML with lone surrogates are refused
    for quote in "\"'":
        outside, (text, pattern) = strings(
            f"f({quote}{promql_text(value)}{quote}, {quote}{promql_pattern(value)}{quote})"
        )
        assert (outside, text) == ("f(S, S)", value)
        assert re2.fullmatch(pattern, value)


@settings(max_examples=500)
@given(NAMES)
@example("..")
@example(".")
def test_a_name_stays_within_its_segment_or_is_refused(name: str) -> None:
    """Segments of dots alone are the names that a path cannot hold."""
    url = "http://web.shop:8080/a/{{ service.name }}/b?c={{ service.name }}&d=1"
    if name in (".", ".."):
        with pytest.raises(Refused, match="segments of dots"):
            rendered("http", {"url": url}, name)
        return
    got = str(rendered("http", {"url": url}, name)["url"])
    assert authority(got) == "web.shop:8080"
    parts = urlsplit(got)
    assert [unquote(each) for each in parts.path.split("/")] == ["", "a", name, "b"]
    assert parts.query == f"c={name}&d=1"


@settings(max_examples=1000)
@given(ANYTHING)
def test_any_value_at_all_stays_within_its_segment(value: str) -> None:
    if any("\ud800" <= character <= "\udfff" for character in value):
        return
    text = url_text(value)
    assert not set(text) & set("/?#&=+ \\@:;")
    assert text.isascii()
    assert text.isprintable()
    assert unquote(text) == value


@settings(max_examples=300)
@given(NAMES)
def test_what_is_interpreted_by_nobody_is_kept_as_it_is(name: str) -> None:
    assert rendered("http", {"contains": "[{{ service.name }}]"}, name)["contains"] == f"[{name}]"
