"""Hostile labels on the real adapters: what reaches the API server, the containers and the services.

The alert is of ``web`` and has whatever labels beside that. What is asked of the world is what is asked for
an ordinary alert: the same methods, paths and bodies, the same words of a program, the same request to the
byte. What labels may choose, ``tests/property/test_hostile_actions.py`` says, with thousands of cases.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fault.effect_scenes import SCENES
from tests.fault.effects import Home, at_home
from tests.property.hostile_texts import KEYS, VALUES

ALWAYS = ("exec", "http", "job", "set_image")
"""What carries words, headers, names and texts."""
NAMES = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "UID"),
    (re.compile(r"\bweb-[a-z0-9]+-[a-z0-9]+\b"), "POD"),
    (re.compile(r"\b(tidy-)[0-9a-f]{10}\b"), r"\1HASH"),
    (re.compile(r'("resourceVersion": ?)"[0-9]+"'), r"\1VERSION"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\dZ+:]*"), "TIME"),
    (re.compile(r"127\.\d+\.\d+\.\d+:\d+"), "HOST"),
)
"""What is another one in each world."""
LABELS = st.dictionaries(KEYS, VALUES, min_size=1, max_size=6).map(
    lambda labels: {name: value for name, value in labels.items() if len(value) <= 4096}
)


def plain_of(text: str) -> str:
    for pattern, name in NAMES:
        text = pattern.sub(name, text)
    return text


def asked_of(home: Home) -> dict[str, list[str]]:
    """All that reached the world."""
    server, requests = home.struck.stage.server, home.struck.stage.server.requests
    return {
        "read": sorted({plain_of(f"{one.path}?{one.query}") for one in requests if one.method == "GET"}),
        "written": [
            plain_of(f"{one.method} {one.path}?{one.query} {one.body}")
            for one in requests
            if one.method != "GET"
        ],
        "run": [plain_of(repr(call)) for call in server.commands.calls],
        "sent": [plain_of(head) for head in home.struck.heads],
    }


async def reached(name: str, labels: Mapping[str, str]) -> dict[str, list[str]]:
    with TemporaryDirectory() as folder:
        async with at_home(Path(folder), SCENES[name], labels=labels) as home:
            await home.live()
            assert home.count == SCENES[name].times
            return asked_of(home)


@cache
def ordinary(name: str) -> dict[str, list[str]]:
    found = asyncio.run(reached(name, {}))
    assert found["written"] or found["run"] or found["sent"]
    for request in found["written"]:
        if request.startswith("POST /apis/authorization.k8s.io/"):
            continue  # a question
        assert re.match(r"[A-Z]+ \S*/namespaces/shop/", request), request
    return found


def whatever_they_say(name: str, labels: dict[str, str]) -> None:
    found = asyncio.run(reached(name, labels))
    for what, texts in ordinary(name).items():
        assert found[what] == texts, what


@pytest.mark.parametrize("name", ALWAYS)
@settings(max_examples=4)
@given(LABELS)
def test_what_reaches_the_world_is_an_ordinary_alerts(name: str, labels: dict[str, str]) -> None:
    whatever_they_say(name, labels)


@pytest.mark.full
@pytest.mark.parametrize("name", SCENES)
@settings(max_examples=50)
@given(LABELS)
def test_what_reaches_the_world_is_an_ordinary_alerts_at_length(name: str, labels: dict[str, str]) -> None:
    whatever_they_say(name, labels)
