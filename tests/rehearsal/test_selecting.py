"""``-k EXPR``."""

from __future__ import annotations

import pytest

from remediator.rehearsal.selecting import parse_selection

NAME = "policies/database_test.yaml::Nobody answers, so it climbs"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("database", True),
        ("DATABASE", True),
        ("web", False),
        ("nobody answers", True),
        ('"answers, so"', True),
        ("not web", True),
        ("database and not climbs", False),
        ("web or climbs", True),
        ("web and climbs or database", True),
        ("web and (climbs or database)", False),
        ("not not climbs", True),
        ("not (web or climbs)", False),
    ],
)
def test_expressions_mean_what_they_mean_to_pytest(text: str, wanted: bool) -> None:
    """Texts in any case; not binds closer than and, and closer than or."""
    assert parse_selection(text)(NAME) is wanted


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("and", "a text is missing"),
        ("web or", "a text is missing"),
        ("(web", "not closed"),
        ("web)", "too much"),
        ('"web', "a quote is not closed"),
    ],
)
def test_expressions_that_make_no_sense(text: str, says: str) -> None:
    """The message says what is wrong."""
    with pytest.raises(ValueError, match=says):
        parse_selection(text)
