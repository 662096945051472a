"""Repeats known by their bytes, and incidents that are forgotten, change nothing of what is found."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remediator.core.times import format_instant
from remediator.rehearsal.backtest.lines import read_line
from remediator.rehearsal.backtest.run import Played
from remediator.rehearsal.backtest.shortcut import Shortcut, cut
from tests.rehearsal.records import NOON, POLICIES, H, M, alert, archived, body, policy, replay

OTHER = POLICIES.replace('alertname="Slow"', 'alertname=~"Slow|Odd"').replace("hold: 2m", "hold: 4m")


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Played]:
    folder = tmp_path_factory.mktemp("policies")
    return policy(folder, "one"), policy(folder, "two", OTHER)


@st.composite
def alerts(draw: st.DrawFn) -> Any:
    """Few of them, so that they meet again; some are not what they should be."""
    since = NOON - draw(st.sampled_from([0, M, H]))
    until = draw(st.sampled_from([None, None, None, since + 30 * M]))
    name, service = (
        draw(st.sampled_from(["Down", "Slow", "Flaky", "Odd"])),
        draw(st.sampled_from(["web", "x"])),
    )
    one = alert(name, service, since=since, until=until)
    match draw(st.integers(0, 24)):
        case 0:
            one["labels"] = {}
        case 1:
            one["labels"] = {**one["labels"], "alertname": "Slow"}  # the fingerprint of another
        case 2:
            one["annotations"] = {"summary": 'a "quoted" },{"status":"firing text \u2028'}
        case 3:
            one = dict(reversed(one.items()))
        case 4:
            one["extra"] = {"alerts": [{"status": "firing"}, {"status": "resolved"}]}
        case 5:
            one["startsAt"] = "soon"
        case 6:
            one = {**one, "fingerprint": one["fingerprint"].upper()}
        case _:
            pass
    return one


@st.composite
def records(draw: st.DrawFn) -> list[bytes]:
    """Lines of all kinds; many are those of before, at another time."""
    at, raws = NOON, []
    bodies: list[list[Any]] = []
    for _ in range(draw(st.integers(1, 14))):
        at += draw(st.sampled_from([0, 1000, 30_000, 5 * M, 5 * M, 20 * M, 2 * H, -M]))
        again: bool = draw(st.booleans())
        if bodies and again:
            some: list[Any] = draw(st.sampled_from(bodies))
        else:
            some = draw(st.lists(alerts(), max_size=3))
            bodies.append(some)
        match draw(st.integers(0, 15)):
            case 0:
                raw = json.dumps(body(*some)).encode()  # a capture, written with blanks
            case 1 | 2:
                raw = json.dumps(body(*some), separators=(",", ":")).encode()
            case 3:
                raw = archived(at, *some)[:-20]  # torn
            case 4:
                raw = archived(at, *some).replace(b'"version":"4"', b'"version":"4","version":"4"')
            case 5:
                raw = archived(at, *some).replace(format_instant(at).encode(), b"2025-99-25T12:00:00.000Z")
            case 6:
                raw = archived(at, *some, rejected=["because"])
            case 7:
                raw = archived(at, *some).replace(
                    b'"status":"firing","labels"', b'"status":"firing","status":"x","labels"'
                )
            case _:
                raw = archived(at, *some)
        raws.append(raw)
    return raws


@given(records())
@settings(max_examples=150, deadline=None)
def test_a_replay_with_shortcuts_finds_what_one_without_finds(
    policies: Sequence[Played], raws: list[bytes]
) -> None:
    for chosen in (policies[:1], policies):
        quick, thorough = (replay(raws, *chosen, shortcuts=each).as_data() for each in (True, False))
        assert quick == thorough


def test_a_line_that_is_known_is_not_read() -> None:
    """Of the archive, and as Alertmanager sends it: the same alerts at another time, in other company."""
    shortcut = Shortcut()
    first, second = alert("Down"), alert("Slow")
    for raw in (archived(NOON, first, second), json.dumps(body(first), separators=(",", ":")).encode()):
        pieces = cut(raw)
        assert pieces is not None
        assert shortcut.known(pieces) is None
        taken = read_line(raw)
        shortcut.learn(pieces, taken, [(True,)] * len(taken.notification.alerts))
    again = cut(archived(NOON + H, second))
    assert again is not None
    known = shortcut.known(again)
    assert known is not None
    assert [each.fingerprint for each in known] == [second["fingerprint"]]
    other = cut(archived(NOON + H, alert("Down", "api")))
    assert other is not None
    assert shortcut.known(other) is None


def test_text_that_looks_like_the_end_of_an_alert_is_text() -> None:
    one = alert("Down")
    one["annotations"] = {"summary": 'x"},{"status":"firing'}
    pieces = cut(archived(NOON, one, alert("Slow")))
    assert pieces is not None
    assert len(pieces.alerts) == 2


@pytest.mark.parametrize("raw", [b"", b"{}", b'{"alerts":[]}', b'"alerts":[{"status":"', b"\xff"])
def test_what_is_written_in_another_way_is_left_to_the_parser(raw: bytes) -> None:
    assert cut(raw) is None


def test_most_of_a_usual_record_is_never_read(tmp_path: Path) -> None:
    """A body that the parser would refuse passes as a repeat only if its very bytes were accepted before."""
    good = archived(NOON, alert("Down"))
    bad = good.replace(b'"version":"4"', b'"version":"5"')
    raws = [good, *[archived(NOON + n * M, alert("Down")) for n in range(1, 50)], bad]
    report = replay(raws, policy(tmp_path, "one"))
    assert dict(report.current.dispositions) == {"duplicate": 49, "new": 1}
    assert report.read.unreadable == (("record.jsonl:51", 'version is not "4" but "5"'),)
