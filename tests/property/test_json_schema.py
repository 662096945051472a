"""The schema for editors never underlines what the loader takes."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from pydantic import TypeAdapter, ValidationError

from remediator.channels import settings as channel_settings
from remediator.core import images, matcher_text, quantities, spans
from remediator.policy import cron, intervals, texts, values
from remediator.policy.draft import read_draft
from remediator.policy.examples import EXAMPLES
from remediator.policy.findings import Findings
from remediator.policy.json_schema import policy_schema
from remediator.policy.nodes import compose, to_data
from remediator.policy.sources import Sources

ROOT = Path(__file__).parents[2]
VALIDATOR = Draft7Validator(policy_schema())
Place = tuple[Any, Any]
"""A list or a mapping, and an index or a key of it."""


def _read(text: str) -> Any:
    documents = compose("p.yaml", text, Findings())
    assert documents is not None
    return to_data(documents[0])


SHIPPED = [
    path
    for path in sorted((*ROOT.glob("policies/**/*.yaml"), *ROOT.glob("remediator/testing/**/*.yaml")))
    if not path.name.endswith("_test.yaml")
]
DOCUMENTS = [*map(_read, EXAMPLES.values()), *(_read(path.read_text()) for path in SHIPPED)]

WORDS = """
0 0s 90s 1h30m 7d 1y2w3d4h5m6s7ms 00m1s now never auto approve SEV-1 SEV-4 ready 2xx 10/1h 000001/5s 40% 005%
100% 99.95% web a=b a!~b {{labels.app}} deployment/web daemonset/a.b-c HTTP://h/ https://h:1/x oncall service
up x/y ... none low high
"""
TEXTS = st.one_of(
    st.sampled_from(re.findall(r"\S+", WORDS)),
    st.text("0123456789ywdhms/%=~!\"' aA.-_{}:", max_size=12),
)
VALUES = st.one_of(
    TEXTS,
    st.none(),
    st.booleans(),
    st.integers(-1, 300),
    st.sampled_from([0.5, 2.0, [], {}, ["a"], [{}]]).map(copy.deepcopy),
)


def _places(data: object) -> Iterator[Place]:
    """Everything that can be changed."""
    if isinstance(data, dict | list):
        for key in data if isinstance(data, dict) else range(len(data)):
            yield data, key
            yield from _places(data[key])


@st.composite
def documents(draw: st.DrawFn) -> object:
    """A valid policy with a few values replaced, taken from elsewhere, doubled or left out."""
    document = copy.deepcopy(draw(st.sampled_from(DOCUMENTS)))
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(document))
        if not places:
            break
        holder, key = draw(st.sampled_from(places))
        match draw(st.sampled_from(["value", "value", "elsewhere", "out", "twice"])):
            case "value":
                holder[key] = draw(VALUES)
            case "elsewhere":
                others = [whose[name] for whose, name in _places(DOCUMENTS) if name == key]
                holder[key] = copy.deepcopy(draw(st.sampled_from(others or [None])))
            case "out":
                del holder[key]
            case _ if isinstance(holder, list):
                holder.append(copy.deepcopy(holder[key]))
            case _:
                holder[draw(TEXTS)] = copy.deepcopy(holder[key])
    return document


def taken(document: object) -> bool:
    """Whether the loader finds nothing wrong with the form of a file."""
    out = Findings()
    text = json.dumps(document, indent=1)
    read_draft(Sources(texts={"p.yaml": text}, complete=True), out)
    return not out.has_errors


@settings(max_examples=400, deadline=None)
@given(documents())
def test_what_the_loader_takes_the_schema_accepts(document: object) -> None:
    """However a valid policy is changed: as long as the loader takes the file, the schema does."""
    if taken(document):
        refused = [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(document)]
        assert refused == []


def test_the_changed_policies_are_often_taken() -> None:
    """Otherwise the property above says nothing."""
    count = {True: 0, False: 0}

    @settings(max_examples=200, deadline=None, database=None, derandomize=True)
    @given(documents())
    def tally(document: object) -> None:
        count[taken(document)] += 1

    tally()
    assert min(count.values()) > 20


KINDS = {
    f"{module.__name__.removeprefix('remediator.')}.{name}": kind
    for module in (
        values,
        spans,
        images,
        quantities,
        intervals,
        cron,
        texts,
        matcher_text,
        channel_settings,
    )
    for name, kind in vars(module).items()
    if name[0].isupper() and hasattr(kind, "__metadata__")
}


@pytest.mark.parametrize("kind", KINDS)
def test_no_small_language_is_refused_where_it_is_read(kind: str) -> None:
    """Durations, rates, workloads …: whatever text is read, its pattern accepts."""
    adapter: TypeAdapter[object] = TypeAdapter(KINDS[kind])
    validator = Draft7Validator(adapter.json_schema())

    @settings(max_examples=300, deadline=None)
    @given(VALUES)
    def agree(value: object) -> None:
        try:
            adapter.validate_json(json.dumps(value), strict=True)
        except ValidationError:
            return
        assert [error.message for error in validator.iter_errors(value)] == []

    agree()
