"""What is claimed of the fake API server is counted against everything that was recorded."""

from __future__ import annotations

from tests.contract.recordings.replay import GIVEN
from tests.contract.report import LEAST, RECORDED, UNSUPPORTED, WATCHED, counts, replayed, text


def test_every_recorded_exchange_is_there() -> None:
    """605 exchanges, none left out because the fake cannot do it, and no name twice."""
    assert {one.file: len(set(one.names)) for one in counts()} == RECORDED
    assert sum(RECORDED.values()) == 605


def test_only_recorded_exchanges_are_claimed() -> None:
    """A claim or a given state of something that was never recorded would count for nothing."""
    for one in counts():
        assert one.supported <= set(one.names)
        assert set(GIVEN.get(one.file, ())) <= set(one.names)


def test_what_is_not_supported_says_why() -> None:
    """Each one, and nothing that is supported after all."""
    assert {one.file: set(one.missing) for one in counts() if one.missing} == {
        file: set(reasons) for file, reasons in UNSUPPORTED.items()
    }


def test_most_exchanges_are_supported() -> None:
    """At least 85 of 100; how many exactly stands in the report."""
    report = text()
    print(report)
    supported = sum(len(one.supported) for one in counts())
    assert supported >= LEAST * sum(RECORDED.values())
    assert f"{supported:>10}{sum(RECORDED.values()):>10}" in report


def test_every_watch_is_replayed() -> None:
    """All 23 that were recorded, and no others."""
    assert len(WATCHED) == 23
    assert replayed() == WATCHED
