"""Every page that opts in shows what really happens."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.console import ROOT, Page, complaint, pages, play


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.path.relative_to(ROOT)))
def test_a_page_shows_what_happens(page: Page, tmp_path: Path) -> None:
    """From an empty directory, with its files alone, every command prints what the page says and ends so."""
    complaints = [complaint(page, played) for played in play(page, tmp_path)]
    assert complaints, "a page that opts in has a command"
    assert not any(complaints), "\n".join(filter(None, complaints))
