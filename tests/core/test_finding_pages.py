"""Every code has a page that is true: what it calls wrong gives the code, what it calls right does not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from remediator.policy.codes import CODES, Stage
from remediator.policy.load import check_policies
from scripts.findings import differences, with_table
from tests.finding_pages import Example, examples, page

WITHOUT_EXAMPLE = {"P000", "P001", "L900", "L906", "L910", "L911"}
"""Not to be shown in a few lines of policy."""
BESIDE = {"K951": {"R104"}, "K953": {"R104"}, "K954": {"P014"}, "N708": {"N723"}}
"""What a comment does not silence is told, too, and a name must lead somewhere."""
ROOT = Path(__file__).parents[2]


def test_codes_sections_and_table_are_the_same() -> None:
    assert list(differences(page())) == []
    assert with_table(page()) == page()


def test_every_code_in_the_sources_is_in_the_table_and_every_one_there_is_given() -> None:
    given = set()
    for path in (ROOT / "remediator").rglob("*.py"):
        if path.name != "codes.py" and not {"policy", "channels", "core", "checks"}.isdisjoint(path.parts):
            given |= set(re.findall(r'"([PRBSGECKLNT]\d{3})"', path.read_text()))
    assert given == CODES.keys()


def test_every_code_has_both_examples() -> None:
    shown = {(each.code, each.wrong) for each in examples()}
    assert shown == {(code, wrong) for code in CODES.keys() - WITHOUT_EXAMPLE for wrong in (True, False)}


@pytest.mark.parametrize(
    "example", [each for each in examples() if CODES[each.code].stage is not Stage.WORLD], ids=str
)
def test_the_examples_are_true(example: Example) -> None:
    codes = {each.code for each in check_policies(example.files).findings}
    if not example.code.startswith("N"):
        codes = {code for code in codes if not code.startswith("N")}
    assert codes == ({example.code} | BESIDE.get(example.code, set()) if example.wrong else set())


def test_every_section_says_why_it_matters() -> None:
    for code, text in re.findall(r"^## ([A-Z]\d{3})\n\n(.+)\n", page(), re.MULTILINE):
        assert len(text) > 60, code
