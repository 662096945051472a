"""Each of the promises P1 to P18 has a test that bears its name."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

NOT_YET = {
    "P9": "no identity of the store is mirrored anywhere yet, so a rolled-back store is not noticed",
}
"""Promises that this version does not keep."""
TEST = re.compile(r"^(?:async )?def (test_(?:P\d+_)+\w*)\(", re.MULTILINE)


@cache
def named() -> frozenset[str]:
    """The promises that tests name, such as ``P7``."""
    tests = (
        name for path in Path(__file__).parent.rglob("test_*.py") for name in TEST.findall(path.read_text())
    )
    return frozenset(promise for name in tests for promise in re.findall(r"P\d+(?=_)", name))


@pytest.mark.parametrize("promise", [f"P{number}" for number in range(1, 19)])
def test_each_promise_has_a_test_that_names_it(promise: str) -> None:
    if promise in NOT_YET:
        assert promise not in named(), f"{promise} is kept by now: take it out of NOT_YET"
    else:
        assert promise in named(), f"no test is named test_{promise}_...: name the one that proves it"


def test_no_test_names_a_promise_that_there_is_not() -> None:
    assert named() <= {f"P{number}" for number in range(1, 19)}
