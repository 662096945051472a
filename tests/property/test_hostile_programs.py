"""What a template puts into the body of a request stays one string of it.

What labels make of programs and requests as a whole, ``test_hostile_actions`` says.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.core.templated import Escape
from remediator.policy.load import load_policy
from remediator.policy.placing import compile_placed
from tests.property.test_hostile_actions import EVERYTHING
from tests.property.test_hostile_labels import ANYTHING, HOSTILE


@given(st.one_of(st.sampled_from(HOSTILE), ANYTHING))
def test_a_value_in_a_body_is_one_string_and_stays_it(value: str) -> None:
    """Quotes, backslashes, line ends, half a surrogate: nothing leaves its place."""
    template = compile_placed('{"a": "x{{ service.name }}y", "b": [1]}', Escape.JSON)
    rendered = template.render(
        {"service": {"name": value[:200]}, "target": {}, "incident": {}, "severity": {}}
    )
    assert json.loads(rendered) == {"a": f"x{value[:200]}y", "b": [1]}


@pytest.mark.parametrize(
    "body",
    [
        '{"a": {{ service.name }}}',
        "{{ service.name }}",
        '{"a": 1{{ service.name }}}',
        '{"{{ service.name }}": tru{{ service.name }}}',
        '{"a": "\\u00{{ service.name }}"}',
        '{"a": "\\{{ service.name }}"}',
        '{"a": }',
        "not json",
    ],
)
def test_a_body_whose_templates_do_not_stand_in_strings_is_refused(body: str) -> None:
    text = EVERYTHING.replace('{"of": "{{ service.name }}"}', body)
    with pytest.raises(Exception, match="the body is no JSON"):
        load_policy({"all.yaml": text})
