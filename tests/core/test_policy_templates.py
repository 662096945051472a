"""Templates select a service from labels, and can do nothing else."""

from __future__ import annotations

import pytest

from remediator.policy.templates import TemplateRefused, compile_template


@pytest.mark.parametrize(
    ("source", "labels", "selected"),
    [
        ("{{ labels.app }}", {"app": "auth"}, "auth"),
        ("{{ labels.app }}", {}, ""),
        ("{{ labels['app'] }}-x", {"app": "auth"}, "auth-x"),
        ("{{ labels.app or labels.service }}", {"service": "auth"}, "auth"),
        ("{{ labels.app | lower | trim }}", {"app": " AUTH "}, "auth"),
        ("{{ labels.app | default('web') }}", {}, "web"),
        ("{{ labels.app | default(labels.service, true) }}", {"app": "", "service": "auth"}, "auth"),
        ("{{ labels.app | default('web') }}", {"app": "auth"}, "auth"),
        ("{{ labels.app ~ '-' ~ labels.env }}", {"app": "auth", "env": "eu"}, "auth-eu"),
        ("{{ 'a' if labels.env == 'eu' else 'b' }}", {"env": "eu"}, "a"),
        ("auth-service", {}, "auth-service"),
        ("{{ labels.items }}", {"items": "auth"}, "auth"),
        ("{{ labels.__class__ }}", {}, ""),
        ("{{ labels._labels }}", {"_labels": "auth"}, "auth"),
        ("{{ 'a' if labels.env }}", {}, ""),
    ],
)
def test_what_a_template_selects(source: str, labels: dict[str, str], selected: str) -> None:
    assert compile_template(source).select(labels) == selected


@pytest.mark.parametrize("value", ["{{ 7*7 }}", "{% for x in range(9) %}x{% endfor %}", "${jndi:x}", "$(id)"])
def test_a_label_is_data_and_never_a_template(value: str) -> None:
    assert compile_template("{{ labels.app }}").select({"app": value}) == value


def test_what_is_selected_is_bounded() -> None:
    """What is longer than any name selects nothing: a cut-off name might be somebody else's."""
    select = compile_template("{{ labels.app }}" * 25).select
    assert select({"app": "x" * 2000}) == ""
    assert compile_template("{{ labels.app }}").select({"app": "web" + " " * 300 + "evil"}) == ""


@pytest.mark.parametrize(
    ("source", "offset", "said"),
    [
        ("ab{% for x in labels %}{% endfor %}", 2, "begins statements"),
        ("abc{# comment #}", 3, "begins comments"),
        ("ab{{ label.app }}", 2, "'label' is not known here"),
        ("{{ labels }}", 0, "alone names nothing"),
        ("{{ labels.app.upper() }}", 0, "is not allowed"),
        ("{{ labels.app.x }}", 0, "only labels.NAME"),
        ("{{ labels[labels.app] }}", 0, "only labels.NAME"),
        ("{{ 'x' * 1000000000 }}", 0, "is not allowed"),
        ("{{ range(9) }}", 0, "is not allowed"),
        ("{{ labels.app | replace('', 'xx') }}", 0, "use one of: default, lower, trim, upper"),
        ("{{ ''.__class__ }}", 0, "only labels.NAME"),
        ("{{ labels.app[0:1] }}", 0, "is not allowed"),
        ("{{ labels.app", 0, "not a template"),
        ("a}} {{ b", 4, "not a template"),
        ("{{ labels.app }}" * 40, 0, "at most 500"),
        ("x{{ " + "not " * 100 + "labels.app }}", 1, "more than 30 levels"),
    ],
)
def test_what_a_template_cannot_do(source: str, offset: int, said: str) -> None:
    with pytest.raises(TemplateRefused) as caught:
        compile_template(source)
    assert said in str(caught.value)
    assert caught.value.offset == offset


def test_templates_are_equal_when_their_source_is() -> None:
    assert compile_template("{{ labels.a }}") == compile_template("{{ labels.a }}")
    assert compile_template("{{ labels.a }}") != compile_template("{{ labels.b }}")
