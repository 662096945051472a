"""Records in every form that people have: read in order, told apart line by line, never fatal."""

from __future__ import annotations

import gzip
import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from remediator.adapters.archive import Bounds, Folder
from remediator.core.times import Instant
from remediator.http.payload import parse_notification
from remediator.rehearsal.backtest.files import NoRecord, Record
from remediator.rehearsal.backtest.lines import BadLine, Line, read_line
from tests.rehearsal.records import NOON, H, M, alert, archived, body, policy, replay

RECORDINGS = Path(__file__).parent.parent / "recordings" / "alertmanager"
ONE, TWO = body(alert("Down")), body(alert("Slow"), alert("Down", "api"))


def names(lines: list[Line]) -> list[list[str]]:
    """The alert names of every line."""
    return [[each.labels["alertname"] for each in read_line(line.raw).notification.alerts] for line in lines]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(ONE) + "\n" + json.dumps(TWO),
        "\n\n" + json.dumps(ONE) + "\n\n" + json.dumps(TWO) + "\n",
        json.dumps([ONE, TWO]),
        json.dumps([ONE, TWO], indent=2),
        json.dumps(ONE, indent=2) + "\n" + json.dumps(TWO, indent=2),
        json.dumps(ONE, indent=2) + json.dumps([TWO]),
    ],
    ids=["lines", "blank lines", "list", "spread list", "spread objects", "both"],
)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
def test_every_form_says_the_same(tmp_path: Path, text: str, *, packed: bool) -> None:
    file = tmp_path / "record"
    file.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    record = Record(str(file))
    assert names(list(record)) == [["Down"], ["Slow", "Down"]]
    assert record.broken == []
    assert record.position == record.size == file.stat().st_size


def test_standard_input_is_a_record(tmp_path: Path) -> None:
    stdin = io.BytesIO(archived(NOON, alert("Down")) + archived(NOON, alert("Slow")))
    assert names(list(Record("-", stdin))) == [["Down"], ["Slow"]]


@pytest.mark.parametrize("file", sorted(RECORDINGS.glob("am*[!s].json")), ids=lambda path: path.stem)
def test_what_alertmanagers_sent_is_a_record(file: Path) -> None:
    if file.name.endswith(".headers.json"):
        return
    expected = json.loads(file.read_bytes())
    expected = expected if isinstance(expected, list) else [expected]
    found = [read_line(line.raw).notification for line in Record(str(file))]
    assert found == [parse_notification(json.dumps(each).encode()) for each in expected]


def test_bad_lines_are_told_with_their_place_and_the_rest_is_read(tmp_path: Path) -> None:
    """The torn last line that kill -9 leaves, among others."""
    good = archived(NOON, alert("Down"))
    raws = [
        good, b"\n", b"not JSON\n", b"[]\n", b'{"v":2,"received_at":"x","notification":{}}\n',
        b'{"v":1,"received_at":"yesterday","notification":' + json.dumps(ONE).encode() + b"}\n",
        b"\xff\xfe\n", good.replace(b'"4"', b'"3"'), archived(NOON + M, alert("Slow")),
        good[: len(good) // 2],
    ]  # fmt: skip
    file = tmp_path / "record.jsonl"
    file.write_bytes(b"".join(raws))
    lines = list(Record(str(file)))
    bad = []
    for line in lines:
        try:
            read_line(line.raw)
        except BadLine as error:
            bad.append((line.where.removeprefix(f"{file}:"), str(error)))
    assert [where for where, _ in bad] == ["3", "4", "5", "6", "7", "8", "10"]
    assert "RFC 3339" in bad[3][1]
    assert "UTF-8" in bad[4][1]


def test_a_line_without_end_costs_no_memory_and_no_neighbour(tmp_path: Path) -> None:
    good = archived(NOON, alert("Down"))
    file = tmp_path / "record.jsonl"
    file.write_bytes(good + b"x" * 50_000 + b"\n" + good)
    lines = list(Record(str(file), longest=2000))
    assert [line.where.rpartition(":")[2] for line in lines] == ["1", "2", "3"]
    assert max(len(line.raw) for line in lines) <= 2001


def test_a_torn_archive_of_gzip_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    raws = [archived(NOON + n, alert("Down", pod=str(n))) for n in range(2000)]
    packed = gzip.compress(b"".join(raws))
    file = tmp_path / "intake-x.jsonl.gz"
    file.write_bytes(packed[: len(packed) // 2])
    record = Record(str(file))
    assert 100 < len(list(record)) < 2000
    [(where, why)] = record.broken
    assert where.startswith(f"{file}:")
    assert "the rest cannot be read" in why


def test_the_files_of_several_replicas_are_read_in_the_order_of_time(tmp_path: Path) -> None:
    """As the archive writes them: rotated, and two daemons side by side."""
    writers = [Folder(tmp_path, Bounds(file_size=1500, total_size=1 << 20)) for _ in range(2)]
    for number in range(40):
        at = Instant(NOON + number * M)
        writers[number % 3 == 0].write([archived(at, alert("Down", number=str(number)))], at)
    for writer in writers:
        writer.close()
    (tmp_path / "notes.txt").write_text("no record")
    found = [read_line(line.raw).notification.alerts[0].labels["number"] for line in Record(str(tmp_path))]
    assert found == [str(number) for number in range(40)]
    assert len(list(tmp_path.glob("intake-*"))) > 4


def test_a_folder_without_records_and_no_file_at_all_are_told(tmp_path: Path) -> None:
    with pytest.raises(NoRecord, match="holds no files that end in"):
        Record(str(tmp_path))
    with pytest.raises(NoRecord, match="does not exist"):
        Record(str(tmp_path / "nothing"))


@contextmanager
def unprivileged() -> Iterator[Path]:
    """A folder with an archive that nobody else may read, seen by somebody else."""
    is_root = os.geteuid() == 0
    with TemporaryDirectory() as name:
        folder = Path(name)
        archive = folder / "archive"
        folder.chmod(0o755)
        archive.mkdir()
        (archive / "intake-1.jsonl").write_bytes(archived(NOON, alert("Down")))
        (folder / "open").mkdir()
        (folder / "open" / "intake-2.jsonl").write_bytes(archived(NOON, alert("Slow")))
        (folder / "own.jsonl").touch(0o600 if is_root else 0)
        archive.chmod(0o700 if is_root else 0)
        os.seteuid(65534 if is_root else os.geteuid())
        try:
            yield folder
        finally:
            os.seteuid(os.getuid())
            archive.chmod(0o700)


def test_an_archive_that_may_not_be_read_is_not_told_as_an_empty_one() -> None:
    """It is the daemon's user's alone: whoever is another one reads why there is nothing."""
    with unprivileged() as folder:
        for path in (folder / "archive", folder / "archive" / "intake-1.jsonl"):
            with pytest.raises(NoRecord, match=r"archive\S* cannot be read \(Permission denied\)"):
                Record(str(path))
        with pytest.raises(NoRecord, match=r"own.jsonl cannot be read \(Permission denied\)"):
            list(Record(str(folder / "own.jsonl")))
        record = Record(str(folder))
        assert names(list(record)) == [["Slow"]]
        assert record.broken == [
            (str(folder / name), "Permission denied") for name in ("archive", "own.jsonl")
        ]


def test_a_capture_without_times_takes_those_of_its_alerts(tmp_path: Path) -> None:
    raws = [
        json.dumps(body(alert("Down", since=NOON))).encode(),
        json.dumps(body(alert("Down", since=NOON, until=NOON + H))).encode(),
    ]
    report = replay(raws, policy(tmp_path, "one"))
    assert (report.read.begins, report.read.ends, report.read.untimed) == (NOON, NOON + H, 2)
    assert dict(report.current.dispositions) == {"new": 1, "resolved": 1}


def test_lines_behind_later_ones_come_at_once_and_are_counted(tmp_path: Path) -> None:
    raws = [archived(NOON, alert("Down")), archived(NOON - H, alert("Slow")), archived(NOON + M)]
    report = replay(raws, policy(tmp_path, "one"))
    assert (report.read.begins, report.read.ends, report.read.backwards) == (NOON, NOON + M, 1)


def test_a_time_beyond_all_calendars_is_told_and_the_rest_is_played(tmp_path: Path) -> None:
    """Anybody can send an alert that begins in the year 9999; hours after it there is no date any more."""
    far = {**alert("Down"), "startsAt": "9999-12-31T23:59:59Z"}
    raws = [
        json.dumps(body(far), separators=(",", ":")).encode(),
        archived(NOON, far),
        archived(NOON, far).replace(b'received_at":"2025', b'received_at":"9999'),
        archived(NOON + M, alert("Slow", "api")),
        json.dumps(body(far), separators=(",", ":")).encode(),
    ]
    report = replay(raws, policy(tmp_path, "one"))
    assert [where for where, _ in report.read.unreadable] == [f"record.jsonl:{n}" for n in (1, 3, 5)]
    assert all("after the year 9000" in why for _, why in report.read.unreadable)
    assert (report.read.begins, report.read.ends) == (NOON, NOON + M)
    assert dict(report.current.incidents) == {"SEV-2": 1, "SEV-3": 1}


def test_an_empty_record_is_a_report_of_nothing(tmp_path: Path) -> None:
    report = replay([], policy(tmp_path, "one"), policy(tmp_path, "two"))
    assert (report.read.notifications, report.read.begins) == (0, None)
    assert report.changes is not None
    assert not report.changes.any
