"""Classification remembers what it made of labels; nobody can tell but by the time it takes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.core.classify import LONGEST_REMEMBERED, Classifier
from remediator.policy.load import load_policy
from tests.core.builders import policy

DEFAULTS = load_policy(Path(__file__).parents[2] / "policies")
NAMES = st.sampled_from(("alertname", "service", "app", "namespace", "deployment", "severity", "pod"))
VALUES = st.sampled_from(
    ("ServiceDown", "auth-service", "fintech-services", "critical", "warning", "DiskDown", "", "x" * 2000)
)


@given(st.lists(st.dictionaries(NAMES, VALUES), max_size=8))
def test_what_was_classified_before_changes_nothing(storm: list[dict[str, str]]) -> None:
    seasoned = Classifier(DEFAULTS)
    assert [seasoned.match(labels) for labels in storm * 2] == [
        Classifier(DEFAULTS).match(labels) for labels in storm * 2
    ]


@pytest.mark.parametrize("length", [1, LONGEST_REMEMBERED, LONGEST_REMEMBERED + 1, 4096])
def test_values_of_any_length_make_groups_of_their_own(length: int) -> None:
    rules = Classifier(policy())
    first, second = (
        rules.match({"alertname": "ServiceDown", "service": "web", "pod": letter * length}) for letter in "ab"
    )
    assert first is not None
    assert first == second, "pod is neither matched nor grouped by"
    other = rules.match({"alertname": "ServiceDown", "service": "w" * min(length, 60)})
    assert other is not None
    assert other.group != first.group
