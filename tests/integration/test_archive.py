"""The intake archive: what is taken in is written down, and no disk delays or fails an answer."""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import shutil
import signal
import stat
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from errno import EDQUOT, EPERM
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.adapters.archive import Bounds, Folder, Partly, ThreadedArchive
from remediator.core.alerts import Notification
from remediator.core.archive import archive_line, archive_lines
from remediator.core.errors import SettingsError
from remediator.core.redact import HIDDEN, hide_keys, may_hold_secret, redact
from remediator.core.times import DAY, HOUR, Instant, Millis
from remediator.http.payload import parse_notification
from remediator.settings import read_settings
from tests.integration.daemon import Daemon, alert, daemon, notification, until, write_policies
from tests.servers import RedisServer, redis_server

RECORDINGS = Path(__file__).parent.parent / "recordings" / "alertmanager"
NOON = Instant(1_764_072_000_000)
"""2025-11-25T12:00:00Z."""


def parsed(*alerts: dict[str, Any]) -> Notification:
    return parse_notification(json.dumps(notification(*alerts)).encode())


def line(number: int = 0, size: int = 0) -> bytes:
    return archive_line(parsed(alert("Down", pod=f"web-{number}", padding="x" * size)), NOON)


def read(folder: Path) -> list[dict[str, Any]]:
    """Every line, file by file."""
    return [
        json.loads(line)
        for path in sorted(folder.glob("intake-*.jsonl"))
        for line in path.read_text().splitlines()
    ]


class Heard:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.written = 0
        self.lost: list[tuple[int, str]] = []

    def archived(self, count: int) -> None:
        self.written += count

    def not_archived(self, count: int, reason: str) -> None:
        self.lost.append((count, reason))


def test_a_line_can_be_read_as_the_webhook_that_it_was() -> None:
    taken = parsed(alert("Down"), alert("Slow", resolved=True), {"status": "odd"})
    found = json.loads(archive_line(taken, NOON))
    assert (found["v"], found["received_at"]) == (1, "2025-11-25T12:00:00.000Z")
    assert len(found["rejected"]) == 1
    again = parse_notification(json.dumps(found["notification"]).encode())
    assert again == replace(taken, rejected=())


def test_secrets_of_strangers_are_hidden_and_the_rest_is_not() -> None:
    secret = "hunter2hunter2"
    key = f"-----BEGIN RSA PRIVATE KEY-----\n{'A' * 40}\n-----END RSA PRIVATE KEY-----"
    told = alert("Down", password=secret, note=f"curl -H 'Authorization: Bearer {secret}' x")
    told["annotations"] = {"description": f"begin\n{key}\nend", "url": f"https://ada:{secret}@host/x"}
    told["generatorURL"] = f"http://ada:{secret}@prometheus/graph"
    text = archive_line(parsed(told), NOON).decode()
    assert secret not in text
    assert "A" * 40 not in text
    [shown] = json.loads(text)["notification"]["alerts"]
    assert shown["labels"]["password"] == HIDDEN
    assert shown["labels"]["service"] == "web"
    assert shown["annotations"]["description"].startswith("begin\n")
    assert shown["annotations"]["url"] == f"https://{HIDDEN}@host/x"


WORDS = st.sampled_from(
    ["password", "=", ":", " ", '"', "'", "\\", "\n", "token", "x", "AKIAABCDEFGHIJKLMNOP", "Bearer abcdefgh",
     "https://a:b@c", "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "A" * 20, "--secret ", ",",
     "\x1b[1m", "<", "&", "\t", "\u017f", "pa", "sword", "sk-aaaaaaaaaaaaaaaaaaaa", "é"]
)  # fmt: skip


@given(st.lists(WORDS, max_size=8).map("".join))
def test_the_quick_look_misses_nothing_that_would_be_hidden(text: str) -> None:
    lines = text.split("\n")
    changed = list(hide_keys(lines)) != lines or any(redact(each) != each for each in lines)
    assert may_hold_secret(f"before\n{text}\nafter") or not changed


@given(st.lists(WORDS, max_size=8).map("".join), st.lists(WORDS, max_size=3).map("".join))
def test_the_quicker_look_at_json_misses_nothing_either(text: str, name: str) -> None:
    """As Go and as Python write it: what the slow way would hide never stands in the archive."""
    body = {**notification({**alert("Down"), "labels": {"alertname": "x", name or "n": text}})}
    taken = parse_notification(json.dumps(body).encode())
    slow = archive_line(taken, NOON)
    for written in (
        json.dumps(body),
        json.dumps(body, ensure_ascii=False),
        compact(body),
        json.dumps(body, indent=1),
    ):
        [quick] = archive_lines([(written.encode(), True, NOON)], parse_notification)
        assert quick.count(b"\n") == 1
        shown = json.loads(quick)["notification"]["alerts"][0]["labels"]
        assert shown == json.loads(slow)["notification"]["alerts"][0]["labels"]


def compact(value: object) -> str:
    """As Go writes JSON."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


@pytest.mark.parametrize("file", sorted(RECORDINGS.glob("am*firing.json")), ids=lambda path: path.stem)
def test_what_alertmanager_sends_is_usually_kept_as_it_came(file: Path) -> None:
    body = file.read_bytes()
    [line] = archive_lines([(body, True, NOON)], parse_notification)
    assert json.loads(line)["notification"] == json.loads(body)


def test_a_file_ends_when_it_is_large_and_at_midnight(tmp_path: Path) -> None:
    size = len(line())
    folder = Folder(tmp_path / "archive", Bounds(file_size=2 * size, total_size=100 * size))
    folder.write([line(n) for n in range(3)], NOON)
    folder.write([line(3)], Instant(NOON + HOUR))
    folder.write([line(4)], Instant(NOON + DAY))
    folder.close()
    found = sorted((tmp_path / "archive").iterdir())
    assert [len(path.read_text().splitlines()) for path in found] == [2, 2, 1]
    assert found[0].name.startswith("intake-20251125T120000.000Z-")
    assert found[2].name.startswith("intake-20251126T120000.000Z-")
    assert {stat.S_IMODE(path.stat().st_mode) for path in found} == {0o600}
    assert stat.S_IMODE((tmp_path / "archive").stat().st_mode) == 0o700
    pods = [each["notification"]["alerts"][0]["labels"]["pod"] for each in read(tmp_path / "archive")]
    assert pods == [f"web-{n}" for n in range(5)]


def test_all_files_together_stay_within_their_bound(tmp_path: Path) -> None:
    """The oldest go, whoever wrote them; what is no file of the archive stays."""
    other = tmp_path / "notes.txt"
    other.write_text("keep me")
    bounds = Bounds(file_size=20_000, total_size=100_000)
    folder = Folder(tmp_path, bounds)
    for number in range(200):
        folder.write([line(number, size=4000)], Instant(NOON + number))
        assert sum(path.stat().st_size for path in tmp_path.glob("intake-*")) <= bounds.total_size
    folder.close()
    pods = [each["notification"]["alerts"][0]["labels"]["pod"] for each in read(tmp_path)]
    assert pods == [f"web-{n}" for n in range(200 - len(pods), 200)]
    assert len(pods) > 10
    assert other.read_text() == "keep me"


def test_what_is_too_old_goes_even_when_nothing_arrives(tmp_path: Path) -> None:
    folder = Folder(tmp_path, Bounds(retention=Millis(2 * DAY)))
    now = Instant(time.time_ns() // 1_000_000)
    folder.write([line()], now)
    folder.close()
    folder.tidy(Instant(now + DAY))
    assert len(read(tmp_path)) == 1
    folder.tidy(Instant(now + 3 * DAY))
    assert read(tmp_path) == []


def test_a_start_begins_a_file_of_its_own_after_a_torn_line(tmp_path: Path) -> None:
    before = Folder(tmp_path, Bounds())
    before.write([line(0)], NOON)
    before.close()
    [torn] = tmp_path.glob("intake-*.jsonl")
    with torn.open("ab") as opened:
        opened.write(line(1)[:40])  # what kill -9 leaves of a line
    after = Folder(tmp_path, Bounds())
    after.write([line(2)], Instant(NOON + 1))
    after.close()
    assert len(list(tmp_path.glob("intake-*.jsonl"))) == 2
    assert torn.read_bytes() == line(0) + line(1)[:40]


@contextmanager
def smallest_files(size: int) -> Iterator[None]:
    """A system on which no file may become larger than ``size`` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_fails_within_a_line_leaves_no_part_of_it(tmp_path: Path) -> None:
    size = len(line())
    folder = Folder(tmp_path, Bounds())
    with smallest_files(2 * size + size // 2), pytest.raises(Partly) as caught:
        folder.write([line(n) for n in range(4)], NOON)
    assert caught.value.written == 2
    assert len(read(tmp_path)) == 2
    folder.write([line(3)], Instant(NOON + 1))  # it has room again
    folder.close()
    assert len(read(tmp_path)) == 3


def test_the_last_of_a_disk_is_left_to_the_store(tmp_path: Path) -> None:
    folder = Folder(tmp_path, Bounds(), leaves_free=1 << 62)
    with pytest.raises(Partly, match="left to the store"):
        folder.write([line()], NOON)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_somebody_removed_is_begun_anew(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "archive", Bounds())
    folder.write([line(0)], NOON)
    shutil.rmtree(tmp_path / "archive")
    folder.write([line(1)], Instant(NOON + 1))
    folder.close()
    assert len(read(tmp_path / "archive")) == 1


def test_what_was_kept_is_written_before_the_end(tmp_path: Path) -> None:
    heard = Heard()
    archive = ThreadedArchive(Folder(tmp_path, Bounds()), heard, parse=parse_notification, clock=lambda: NOON)
    archive.start()
    for number in range(500):
        archive.keep(json.dumps(notification(alert("Down", pod=str(number)))).encode(), whole=True)
    archive.close(within=20)
    assert (len(read(tmp_path)), heard.written, heard.lost) == (500, 500, [])


def test_a_slow_disk_costs_bounded_memory_and_no_time(tmp_path: Path) -> None:
    """Nobody writes at all: what is handed in beyond the bound is counted as lost, at once."""
    heard = Heard()
    archive = ThreadedArchive(Folder(tmp_path, Bounds()), heard, parse=parse_notification, clock=lambda: NOON)
    for _ in range(10):
        archive.keep(bytes(4 << 20), whole=True)
    assert sum(count for count, _ in heard.lost) == 2
    assert "too slow" in heard.lost[0][1]


class Waiting(Heard):
    """An observer that can be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: SimpleQueue[int] = SimpleQueue()

    def not_archived(self, count: int, reason: str) -> None:
        super().not_archived(count, reason)
        if count:
            self.losses.put(count)


class Sour(Folder):
    """A folder that nobody can tidy, and whose file fails when it is closed, as on a full NFS."""

    def tidy(self, at: Instant) -> None:
        raise PermissionError(EPERM, "Operation not permitted")

    def write(self, lines: Sequence[bytes], at: Instant) -> None:
        if any(b"sour" in line for line in lines):
            raise OSError(EDQUOT, "Disk quota exceeded")
        super().write(lines, at)


def test_an_error_of_any_kind_loses_what_it_met_and_nothing_else(tmp_path: Path) -> None:
    """It is counted, gives back the room that was waited in, and what comes later is written."""
    heard = Waiting()
    archive = ThreadedArchive(Sour(tmp_path, Bounds()), heard, parse=parse_notification, clock=lambda: NOON)
    archive.start()
    for number in range(12):
        large = alert("Down", pod=f"sour-{number}", padding="x" * (3 << 20))
        archive.keep(json.dumps(notification(large)).encode(), whole=True)
        assert heard.losses.get(timeout=20) == 1
    archive.keep(json.dumps(notification(alert("Down", pod="sweet"))).encode(), whole=True)
    archive.close(within=20)
    assert (len(read(tmp_path)), heard.written) == (1, 1)
    assert {why for _, why in heard.lost} == {"Operation not permitted", "Disk quota exceeded"}


# --- the daemon ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server("redis-7.0", tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
async def archiving(redis: RedisServer, tmp_path: Path) -> AsyncIterator[Daemon]:
    policies = write_policies(tmp_path / "policies")
    data = tmp_path / "data"
    async with daemon(policies, redis_url=redis.url, archive="files", data_dir=data) as running:
        await running.ready()
        yield running


async def metric(running: Daemon, name: str) -> float:
    lines = (await running.text("/metrics")).splitlines()
    return next(float(each.rsplit(" ", 1)[1]) for each in lines if each.startswith(name))


async def test_what_was_answered_2xx_is_archived_and_nothing_else(redis: RedisServer, tmp_path: Path) -> None:
    policies, data = write_policies(tmp_path / "policies"), tmp_path / "data"
    before = time.time()
    async with daemon(policies, redis_url=redis.url, archive="files", data_dir=data) as running:
        await running.ready()
        assert (await running.post(alert("WebDown")))[0] == 200
        assert (await running.post(alert("WebDown"), {"status": "odd"}))[0] == 200
        assert (await running.post("no object"))[0] == 200  # type: ignore[arg-type]  # a dead letter
        host, port = running.app.receiver_address
        assert await send(f"http://{host}:{port}/v1/alertmanager", {"version": "3"}) == 400
    found = read(data / "archive")  # what waited was written before the daemon ended
    assert [len(each["notification"]["alerts"]) for each in found] == [1, 1, 0]
    assert [len(each.get("rejected", ())) for each in found] == [0, 1, 1]
    times = [datetime.fromisoformat(each["received_at"]).timestamp() for each in found]
    assert all(before - 1 <= each <= time.time() + 1 for each in times)


async def test_a_disk_that_fails_fails_no_webhook_and_shows(archiving: Daemon) -> None:
    """The folder's place is taken by a file: nothing can be written until that is gone."""
    folder = archiving.app.settings.data_dir / "archive"
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("not a folder")
    assert (await archiving.post(alert("WebDown")))[0] == 200

    async def says(name: str, value: float) -> bool:
        return await metric(archiving, name) == value

    lost = 'remediator_archive_notifications_total{outcome="lost"}'
    await until(lambda: says(lost, 1.0), "the loss is counted")
    assert await metric(archiving, "remediator_archive_failing") == 1.0
    folder.unlink()
    assert (await archiving.post(alert("WebDown")))[0] == 200
    written = 'remediator_archive_notifications_total{outcome="written"}'
    await until(lambda: says(written, 1.0), "it is written again")
    assert await metric(archiving, "remediator_archive_failing") == 0.0
    assert len(read(folder)) == 1


async def test_it_can_go_to_standard_output(redis: RedisServer, tmp_path: Path) -> None:
    """One JSON line for each notification and nothing else; the log is on standard error."""
    policies = write_policies(tmp_path / "policies")
    given = {
        "POLICIES": policies, "REDIS_URL": redis.url, "REDIS_PREFIX": "archive-out", "ARCHIVE": "stdout",
        "DATA_DIR": tmp_path / "data", "LISTEN": "127.0.0.1:0", "OPS_LISTEN": "127.0.0.1:0",
    }  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REMEDIATOR_")}
    environment |= {f"REMEDIATOR_{name}": str(value) for name, value in given.items()}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from remediator.cli.main import main; main()", "serve",
        env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            while (said := json.loads(await process.stderr.readline()))["event"] != "started":
                pass
            resolved = notification(alert("WebDown", resolved=True))
            assert await send(said["receiver"], resolved) == 200
            found = json.loads(await process.stdout.readline())
            assert found["notification"]["alerts"][0]["status"] == "resolved"
            process.send_signal(signal.SIGTERM)
            rest, _ = await process.communicate()
        assert rest == b""
        assert not (tmp_path / "data").exists()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def send(url: str, body: dict[str, Any]) -> int:
    """The status of the answer."""
    async with aiohttp.ClientSession() as http, http.post(url, json=body) as response:
        return response.status


# --- settings -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "size"), [("1048576", 1 << 20), ("64MiB", 64 << 20), ("2 gib", 2 << 30), ("500kB", 500_000)]
)
def test_sizes_are_written_with_a_unit_or_without(tmp_path: Path, text: str, size: int) -> None:
    flags = {"policies": tmp_path, "archive_file_size": text, "archive_size": "1TiB"}
    assert read_settings(flags).archive_file_size == size


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"archive": "disk"}, "REMEDIATOR_ARCHIVE: "),
        ({"archive_file_size": "big"}, "REMEDIATOR_ARCHIVE_FILE_SIZE: write a number of bytes"),
        ({"archive_file_size": "1kB"}, "below 64KiB"),
        ({"archive_size": "16MiB"}, "below twice REMEDIATOR_ARCHIVE_FILE_SIZE"),
        ({"archive_retention": "1m"}, "set REMEDIATOR_ARCHIVE=off"),
    ],
)
def test_settings_that_cannot_work_are_refused(tmp_path: Path, flags: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(said)):
        read_settings({"policies": tmp_path, **flags})
