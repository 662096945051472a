"""Templates in runbooks: what they may read, where they may stand, and what an attempt pins."""

from __future__ import annotations

import pytest

from remediator.actions import ACTIONS
from remediator.checks import CHECKS
from remediator.core.errors import Refused
from remediator.core.policies import Check, Policy, Scope, Service, Step, WorkloadRef
from remediator.core.templated import Escape
from remediator.core.times import MINUTE, Millis
from remediator.diagnoses import DIAGNOSES
from remediator.policy.findings import Level
from remediator.policy.load import load_policy, read_policies
from remediator.policy.placing import compile_placed
from remediator.policy.rendering import LARGEST_RUNBOOK, render_runbook
from remediator.policy.templates import TemplateRefused
from tests.core.test_policy_load import spot

FILES = """\
severities: {SEV-3: {}}
services:
  web:
    namespace: shop
    workload: deployment/web
    health: http://web.shop:8080/health
  bare: {}
rules:
  - {name: down, match: [], severity: SEV-3, mode: observe, runbooks: [fix]}
runbooks:
  fix:
    diagnose:
      - promql: {query: 'up{service="{{ service.name }}"}'}
      - http: {path: '/debug/{{ target.name }}'}
    steps: [restart: {}]
    verify:
      - promql: {query: 'errors{pod=~"{{ target.name }}-.*"}', below: 0.01, for: 1m}
      - http: {expect: [2xx, 404], contains: '{{ severity.name }}', within: 1m}
guards: {namespaces: [shop]}
"""
SERVICE = Service(
    name="web",
    namespace="shop",
    workload=WorkloadRef(kind="deployment", namespace="shop", name="web"),
    health="http://web.shop:8080/health",
)
SCOPE = Scope(incident="2026-11-23-0424-web", severity="SEV-3", service="web", entry=SERVICE)


def policy() -> Policy:
    return load_policy({"p.yaml": FILES})


def test_every_parameter_that_may_hold_a_template_is_rendered() -> None:
    book = policy().render(policy().runbooks["fix"], SCOPE)
    assert [look.params for look in book.diagnose] == [
        {"query": 'up{service="web"}'},
        {"path": "/debug/web"},
    ]
    assert [check.params for check in book.verify] == [
        {"query": 'errors{pod=~"web-.*"}', "below": 0.01},
        {"expect": ["2xx", "404"], "contains": "SEV-3"},
    ]
    assert book.steps == policy().runbooks["fix"].steps
    assert [(check.stable, check.within) for check in book.verify] == [(60_000, 300_000), (0, 60_000)]


def test_rendering_what_was_rendered_changes_nothing() -> None:
    once = render_runbook(policy().runbooks["fix"], SCOPE)
    assert render_runbook(once, SCOPE) == once


def test_what_a_step_waits_for_is_rendered() -> None:
    wait = "wait: {for: {promql: {query: 'up{a=\"{{ incident.id }}\"}', above: 0}}, timeout: 2m}"
    rules = load_policy({"p.yaml": FILES.replace("[restart: {}]", f"[restart: {{}}, {wait}]")})
    book = rules.render(rules.runbooks["fix"], SCOPE)
    assert book.steps[0] == Step(action="restart")
    params = {"query": 'up{a="2026-11-23-0424-web"}', "above": 0}
    check = Check(check="promql", params=params, within=Millis(2 * MINUTE))
    assert book.steps[1] == Step(action="wait", params={"for": "promql", **params}, wait=check)
    strange = FILES.replace("[restart: {}]", "[wait: {for: {http: {url: 'http://a/'}}}]")
    assert [each.code for each in read_policies({"p.yaml": strange}).findings] == ["B205"]


def test_a_step_that_asks_a_stranger_or_nobody_is_told() -> None:
    """As a check would be: what it asks is the same."""
    strange = FILES.replace("[restart: {}]", "[http: {url: 'http://a/'}]")
    assert [each.code for each in read_policies({"p.yaml": strange}).findings] == ["B205"]
    text = FILES.replace("http: {path: '/debug/{{ target.name }}'}", "pods: {}")
    text = text.replace("    health: http://web.shop:8080/health\n", "").replace(
        "[restart: {}]", "[http: {}]"
    )
    found = [each.code for each in read_policies({"p.yaml": text}).findings]
    assert found.count("B206") == 2


def test_the_words_of_a_program_are_rendered_each_by_itself() -> None:
    own = "exec: {command: [psql, -c, 'SELECT {{ service.name }}'], container: db}"
    rules = load_policy({"p.yaml": FILES.replace("[restart: {}]", f"[{own}]")})
    [step] = rules.render(rules.runbooks["fix"], SCOPE).steps
    assert step.params == {"command": ["psql", "-c", "SELECT web"], "container": "db", "timeout": "30s"}


def test_a_token_stays_a_reference() -> None:
    own = 'http: {path: /x, token: {env: TOKEN}, body: \'{"a": "{{ severity.name }}"}\'}'
    rules = load_policy({"p.yaml": FILES.replace("[restart: {}]", f"[{own}]")})
    [step] = rules.render(rules.runbooks["fix"], SCOPE).steps
    assert step.params["token"] == {"env": "TOKEN"}
    assert step.params["body"] == '{"a": "SEV-3"}'


def test_what_the_catalog_does_not_say_cannot_be_rendered() -> None:
    bare = Scope(incident="i", severity="SEV-3", service="stranger", entry=None)
    with pytest.raises(Refused, match=r"http: the template reads target.name, which is not known here"):
        render_runbook(policy().runbooks["fix"], bare)


def test_a_runbook_is_bounded() -> None:
    looks = [f"- promql: {{query: 'up{{a=\"{{{{ service.name }}}}{'x' * 1900}{n}\"}}'}}" for n in range(9)]
    text = FILES.replace("    diagnose:\n", "    diagnose:\n" + "".join(f"      {look}\n" for look in looks))
    book = load_policy({"p.yaml": text}).runbooks["fix"]
    with pytest.raises(Refused, match=f"more than {LARGEST_RUNBOOK} characters"):
        render_runbook(book, SCOPE)


@pytest.mark.parametrize(
    ("source", "escape", "rendered"),
    [
        ('a{b="{{ service.name }}"}', Escape.PROMQL, 'a{b="x.y-z"}'),
        ("a{b='{{ service.name }}'}", Escape.PROMQL, "a{b='x.y-z'}"),
        ('a{b=~"{{ service.name }}.*"}', Escape.PROMQL, r'a{b=~"x\\.y\\-z.*"}'),
        ('a{b !~ "{{ service.name }}"}', Escape.PROMQL, r'a{b !~ "x\\.y\\-z"}'),
        ('a{b=~"x",c="{{ service.name }}"}', Escape.PROMQL, 'a{b=~"x",c="x.y-z"}'),
        ('a{b="\\"{{ service.name }}"}', Escape.PROMQL, 'a{b="\\"x.y-z"}'),
        ('a # "\n{b="{{ service.name }}"}', Escape.PROMQL, 'a # "\n{b="x.y-z"}'),
        ('a{b=`\'`,c="{{ service.name }}"}', Escape.PROMQL, 'a{b=`\'`,c="x.y-z"}'),
        ('a{b="{{ \'say "hi"\' }}"}', Escape.PROMQL, 'a{b="say \\x22hi\\x22"}'),
        ("/{{ service.name | upper }}/{{ incident.id }}", Escape.URL, "/X.Y-Z/i%2F1"),
        ("/{{ service.health | default('none') }}", Escape.URL, "/none"),
        ("{{ service.name ~ '?' }}", Escape.URL, "x.y-z%3F"),
        (
            "{{ service['name'] }} {{ 'bad' if severity.name == 'SEV-1' else 'fine' }}\n",
            Escape.PLAIN,
            "x.y-z fine\n",
        ),
        ("no template", Escape.PLAIN, "no template"),
        ('{"a": "{{ service.name }}"}', Escape.JSON, '{"a": "x.y-z"}'),
        ('{"a": "{{ \'say \\"hi\\" \' ~ incident.id }}"}', Escape.JSON, '{"a": "say \\"hi\\" i/1"}'),
    ],
)
def test_what_a_template_renders_to(source: str, escape: Escape, rendered: str) -> None:
    values = {
        "service": {"name": "x.y-z"},
        "target": {},
        "incident": {"id": "i/1"},
        "severity": {"name": "SEV-3"},
    }
    assert compile_placed(source, escape).render(values) == rendered


@pytest.mark.parametrize(
    ("old", "new", "at", "code", "said"),
    [
        (
            "{{ service.name }}",
            "{{ labels.app }}",
            "{{ labels",
            "P016",
            "'labels' is not known here, only service",
        ),
        ("{{ service.name }}", "{{ annotations.x }}", "{{ annot", "P016", "'annotations' is not known here"),
        (
            "{{ service.name }}",
            "{{ service.labels }}",
            "{{ service.l",
            "P016",
            "service has no 'labels'; write one of",
        ),
        ("{{ service.name }}", "{{ service }}", "{{ service }}", "P016", "'service' alone names nothing"),
        ("{{ service.name }}", "{{ service.name.x }}", "{{ service.name.x", "P016", "can be looked up"),
        ("{{ service.name }}", "{{ ''.__class__ }}", "{{ ''.", "P013", ""),
        ("{{ service.name }}", "{{ service.name", "{{ service.name", "P016", "not a template"),
        ("{{ service.name }}", "{% if x %}", "{% if", "P016", "begins statements"),
        (
            "{{ service.name }}",
            "{{ service.name * 9 }}",
            "{{ service.name * 9",
            "P016",
            "a mul is not allowed",
        ),
        (
            'up{service="{{ service.name }}"}',
            "up{service={{ service.name }}}",
            "{{ service.n",
            "P016",
            "quoted string",
        ),
        (
            'up{service="{{ service.name }}"}',
            "up{a=`{{ service.name }}`}",
            "{{ service.n",
            "P016",
            "quoted string",
        ),
        (
            'up{service="{{ service.name }}"}',
            '{{ service.name }}{a="b"}',
            "{{ service.n",
            "P016",
            "quoted string",
        ),
        (
            'up{service="{{ service.name }}"}',
            'up{a="\\{{ service.name }}"}',
            "{{ service.n",
            "P016",
            "a backslash",
        ),
        (
            'service="{{ service.name }}"',
            'a="{{ service.name }}",b="{{ target.name }}",c="{{ target.x }}"',
            "{{ target.x",
            "P016",
            "target has no 'x'",
        ),
        ("below: 0.01", "below: 0.01, above: 1", "promql: {query: 'err", "P013", "say exactly one of above"),
        ("below: 0.01, ", "", "promql: {query: 'err", "P013", "say exactly one of above, below and equals"),
        ("below: 0.01", "below: low", "low", "P013", "expected a number; found 'low'"),
        ("below: 0.01", "below: 0.01, absent: fine", "fine", "P013", "write one of: fails, holds"),
        (
            "{query: 'up{service=\"{{ service.name }}\"}'}",
            "{}",
            "promql: {}",
            "P012",
            "'query' is missing; add query:",
        ),
        ("'/debug/{{", "'debug/{{", "'debug", "P013", "a path begins with a slash"),
        ("'/debug/{{", "'/a/../{{", "'/a/..", "P013", "segments of dots"),
        ("path: '/debug", "url: 'http://{{ service.name }}.shop/{{", "'http://{{", "P016", ""),
        ("path: '/debug/{{", "url: 'http://u:p@web.shop:8080/{{", "'http://u", "P013", "no user name"),
        (
            "path: '/debug/{{",
            "path: /x, url: 'http://web.shop:8080/{{",
            "http: {path",
            "P013",
            "url and path exclude",
        ),
        ("[2xx, 404]", "20x", "20x", "P013", "no status of HTTP; write 200, 2xx or a list"),
        ("[2xx, 404]", "[200, true]", "expect: [200", "P013", "no status of HTTP"),
        ("[2xx, 404]", "[]", "expect: []", "P013", "no status of HTTP"),
        (
            "health: http://web",
            "health: ftp://web",
            "ftp://",
            "P013",
            "health: that is no http:// or https:// URL",
        ),
        (
            "http://web.shop:8080/health",
            "http://{{ x }}/health",
            "{{ x",
            "P016",
            "a health URL holds no template",
        ),
        (
            "http://web.shop:8080/health",
            "http://u:hunter2@web/",
            "http://u",
            "P013",
            "no user name or password",
        ),
        (
            "http://web.shop:8080/health",
            "http://2130706433/",
            "http://213",
            "P013",
            "neither a name nor an address",
        ),
        ("http://web.shop:8080/health", "http://web:99999/", "http://web:9", "P013", "that is no URL"),
        ("http://web.shop:8080/health", "[a]", "health", "P013", "expected text such as http"),
    ],
)
def test_every_mistake_is_told_at_its_place(old: str, new: str, at: str, code: str, said: str) -> None:
    assert old in FILES
    text = FILES.replace(old, new, 1)
    loaded = read_policies({"p.yaml": text})
    if said:
        lines = [f"{each.line}:{each.column} {each.code} {each.message}" for each in loaded.findings]
        assert any(line.startswith(f"{spot(text, at)} {code} ") and said in line for line in lines), lines
        assert "hunter2" not in "\n".join(lines)
    assert loaded.policy is None


@pytest.mark.parametrize(
    ("old", "new", "codes"),
    [
        ("{path: '/debug/{{ target.name }}'}", "{url: 'http://web.shop:8080/x/{{ target.name }}'}", []),
        ("{path: '/debug/{{ target.name }}'}", "{url: 'http://web.shop/x'}", ["14:21 B205"]),
        ("{path: '/debug/{{ target.name }}'}", "{url: 'https://web.shop:8080/x'}", []),
        ("    health: http://web.shop:8080/health\n", "", ["13:15 B206", "17:15 B206"]),
    ],
)
def test_what_can_never_be_asked_is_warned_of(old: str, new: str, codes: list[str]) -> None:
    found = read_policies({"p.yaml": FILES.replace(old, new)}).findings
    assert [f"{each.line}:{each.column} {each.code}" for each in found] == codes
    assert {each.level for each in found} <= {Level.WARNING}


def test_an_output_that_grows_is_refused() -> None:
    with pytest.raises(TemplateRefused, match="renders to more than 2000"):
        compile_placed("{{ service.name }}" * 100, Escape.PLAIN).render({"service": {"name": "x" * 21}})


@pytest.mark.parametrize(
    ("part", "example"),
    [("steps", plugin.example) for plugin in ACTIONS.values()]
    + [("verify", plugin.example) for plugin in CHECKS.values()]
    + [("diagnose", plugin.example) for plugin in DIAGNOSES.values()],
)
def test_the_example_of_every_plugin_is_what_can_be_written_and_rendered(part: str, example: str) -> None:
    parts = {"steps": "[restart: {}]", "verify": "[alert: {}]", part: f"\n      - {example}"}
    lines = "".join(f"    {name}: {text}\n" for name, text in parts.items())
    text = FILES[: FILES.index("    diagnose:")] + lines
    loaded = read_policies({"p.yaml": text})
    assert [str(each) for each in loaded.findings if each.level is Level.ERROR] == []
    assert loaded.policy is not None
    book = loaded.policy.runbooks["fix"]
    assert len(getattr(book, part)) == 1
    assert "{{" not in str(render_runbook(book, SCOPE))
