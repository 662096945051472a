"""Policies are read anew when their files change, on SIGHUP and when asked: whole or not at all."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from remediator import rulebook
from remediator.adapters.files import FileWatch
from remediator.adapters.helper import run_helper
from remediator.adapters.runtime import AsyncioRuntime
from remediator.app import App
from remediator.core.errors import PolicyError, Refused
from remediator.core.policies import Policy
from remediator.core.steps import at_once
from remediator.policy.handover import take_over
from remediator.policy.load import load_policy
from remediator.rulebook import SMALL, Rulebook
from remediator.telemetry.metrics import Metrics, Scraped
from tests.integration.daemon import PATIENCE, POLICIES, Daemon, alert, daemon, until, write_policies
from tests.integration.test_app_process import serving
from tests.servers import RedisServer, redis_server

OTHER = POLICIES.replace('alertname="Slow"', 'alertname="Sluggish"')
BROKEN = POLICIES.replace("severity: SEV-3}", "severity: SEV-9}")
OFTEN = 0.05
"""Seconds between two looks at files of which nothing is told."""


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server("redis-7.0", tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """What happens soon happens because the system told of it."""
    monkeypatch.setattr(App, "look_at_files_every", 600.0)


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(App, "look_at_files_every", OFTEN)


def digest_of(text: str) -> str:
    return load_policy({"all.yaml": text}).digest


async def in_force(running: Daemon, text: str) -> None:
    """Once the daemon goes by this text."""
    wanted = f'remediator_policy_info{{digest="{digest_of(text)}"}} 1.0'

    async def look() -> bool:
        return wanted in await running.text("/metrics")

    await until(look, "the new policy is in force")


async def sample(running: Daemon, name: str) -> float:
    """The value of a metric."""
    lines = (await running.text("/metrics")).splitlines()
    return float(next(line for line in lines if line.startswith(f"remediator_{name} ")).split()[1])


async def reloads(running: Daemon, outcome: str) -> float:
    return await sample(running, f'policy_reloads_total{{outcome="{outcome}"}}')


def mount_config_map(folder: Path, version: int, text: str) -> None:
    """As the kubelet does it: a folder of its own for the content, and a link that is swapped."""
    content = folder / f"..2026_11_25_{version}"
    content.mkdir(parents=True)
    (content / "all.yaml").write_text(text)
    (folder / "..data_tmp").symlink_to(content.name)
    (folder / "..data_tmp").rename(folder / "..data")
    if not (folder / "all.yaml").is_symlink():
        (folder / "all.yaml").symlink_to("..data/all.yaml")


@pytest.mark.usefixtures("seldom")
async def test_a_config_map_that_is_swapped_is_read_anew(redis: RedisServer, tmp_path: Path) -> None:
    folder = tmp_path / "mounted"
    mount_config_map(folder, 1, POLICIES)
    async with daemon(folder, redis_url=redis.url) as running:
        await in_force(running, POLICIES)
        mount_config_map(folder, 2, OTHER)
        await in_force(running, OTHER)
        await running.post(alert("Sluggish"))
        incident = await running.incident(lambda each: each["rule"] == "slow", "the new rule won")
        assert incident["policy"] == digest_of(OTHER)


@pytest.mark.usefixtures("seldom")
async def test_a_single_file_is_followed_through_edits_and_replacements(
    redis: RedisServer, tmp_path: Path
) -> None:
    """Written in place, and as editors do it: a new file that takes the old one's name."""
    file = tmp_path / "policies.yaml"
    file.write_text(POLICIES)
    async with daemon(file, redis_url=redis.url) as running:
        await in_force(running, POLICIES)
        file.write_text(OTHER)
        await in_force(running, OTHER)
        fresh = tmp_path / "policies.yaml~"
        fresh.write_text(POLICIES)
        fresh.rename(file)
        await in_force(running, POLICIES)


@pytest.mark.usefixtures("often")
async def test_a_folder_that_is_gone_changes_nothing_until_it_is_back(
    redis: RedisServer, tmp_path: Path
) -> None:
    folder = write_policies(tmp_path / "policies")
    async with daemon(folder, redis_url=redis.url) as running:
        await in_force(running, POLICIES)
        away = folder.rename(tmp_path / "away")

        async def refused() -> bool:
            return await reloads(running, "refused") >= 1

        await until(refused, "it was noticed")
        assert running.app.rulebook.policy().digest == digest_of(POLICIES)
        (away / "all.yaml").write_text(OTHER)
        away.rename(folder)
        await in_force(running, OTHER)


@pytest.mark.usefixtures("often")
async def test_a_link_in_the_path_may_lead_elsewhere(redis: RedisServer, tmp_path: Path) -> None:
    """A checkout that is replaced by another, as git-sync does it."""
    one, two = write_policies(tmp_path / "one"), write_policies(tmp_path / "two", OTHER)
    link = tmp_path / "current"
    link.symlink_to(one.name)
    async with daemon(link, redis_url=redis.url) as running:
        await in_force(running, POLICIES)
        (tmp_path / "next").symlink_to(two.name)
        (tmp_path / "next").rename(link)
        await in_force(running, OTHER)


@pytest.mark.usefixtures("often")
async def test_where_the_system_tells_nothing_the_files_are_looked_at(
    redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHFILES_POLL_DELAY_MS", "no number, so that the library fails")
    folder = write_policies(tmp_path / "policies")
    async with daemon(folder, redis_url=redis.url) as running:
        await in_force(running, POLICIES)
        write_policies(folder, OTHER)
        await in_force(running, OTHER)
        await running.ready()


async def test_a_watch_that_is_given_up_leaves_no_thread_behind(tmp_path: Path) -> None:
    """Cancelled while it waits for the system, it ends at once."""
    runtime = AsyncioRuntime()
    hints = FileWatch(tmp_path, runtime, look_every=600.0).hints()
    await anext(hints)
    waiting = asyncio.ensure_future(anext(hints))
    await asyncio.sleep(0.2)  # long enough to begin to watch; if not, the end is only quicker
    waiting.cancel()
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(waiting, return_exceptions=True)
    assert waiting.cancelled()
    runtime.close()


@pytest.mark.usefixtures("seldom")
async def test_findings_keep_the_policy_from_before_and_the_metrics_say_so(
    redis: RedisServer, tmp_path: Path
) -> None:
    folder = write_policies(tmp_path / "policies")
    async with daemon(folder, redis_url=redis.url) as running:
        await in_force(running, POLICIES)
        assert await sample(running, "policy_last_reload_successful") == 1
        read_at = await sample(running, "policy_last_reload_success_timestamp_seconds")
        write_policies(folder, BROKEN)

        async def refused() -> bool:
            return await reloads(running, "refused") == 1

        await until(refused, "it was refused")
        assert await sample(running, "policy_last_reload_successful") == 0
        assert await sample(running, "policy_last_reload_success_timestamp_seconds") == read_at
        status, said = await running.ask("POST", "/-/reload")
        assert status == 422
        [finding] = said["findings"]
        assert finding.startswith(f"{folder}/all.yaml:")
        assert "SEV-9" in finding
        assert running.app.rulebook.policy().digest == digest_of(POLICIES)

        write_policies(folder, OTHER)
        await in_force(running, OTHER)
        assert await sample(running, "policy_last_reload_successful") == 1
        assert await sample(running, "policy_last_reload_success_timestamp_seconds") > read_at


@pytest.mark.usefixtures("seldom")
async def test_the_same_content_changes_nothing_and_says_so(redis: RedisServer, tmp_path: Path) -> None:
    folder = write_policies(tmp_path / "policies")
    async with daemon(folder, redis_url=redis.url) as running:
        await in_force(running, POLICIES)
        rules = running.app.rulebook.rules()
        written = iter(range(1, 100))

        async def noticed() -> bool:
            """Written anew every two seconds: the daemon is ready a moment before its files are watched."""
            write_policies(folder, f"# a comment: {next(written)}\n{POLICIES}")
            end = time.monotonic() + 2
            while time.monotonic() < end:
                if await reloads(running, "unchanged") >= 1:
                    return True
                await asyncio.sleep(0.02)
            return False

        await until(noticed, "it was read")
        status, said = await running.ask("POST", "/-/reload")
        assert (status, said["changed"], said["digest"]) == (200, False, digest_of(POLICIES))
        assert running.app.rulebook.rules() is rules
        assert await reloads(running, "loaded") == 1


@pytest.mark.usefixtures("seldom")
async def test_those_who_ask_together_share_one_reading(redis: RedisServer, tmp_path: Path) -> None:
    """One that is under way may have missed what they know of; so there is one more, for all of them."""
    folder = write_policies(tmp_path / "policies")
    async with daemon(folder, redis_url=redis.url) as running:
        await in_force(running, POLICIES)
        answers = await asyncio.gather(*(running.ask("POST", "/-/reload") for _ in range(20)))
        assert {status for status, _ in answers} == {200}
        assert 1 <= await reloads(running, "unchanged") <= 2


async def test_an_incident_names_the_policy_of_its_last_decision(redis: RedisServer, tmp_path: Path) -> None:
    folder = write_policies(tmp_path / "policies")
    async with daemon(folder, redis_url=redis.url) as running:
        await running.ready()
        await running.post(alert("Slow"))
        first = await running.incident(lambda each: each["status"] == "open", "it is open")
        assert first["policy"] == digest_of(POLICIES)
        write_policies(folder, OTHER)
        assert (await running.ask("POST", "/-/reload"))[0] == 200
        await running.post(alert("Slow", resolved=True))
        over = await running.incident(lambda each: each["status"] == "resolved", "it is resolved")
        assert (over["id"], over["policy"]) == (first["id"], digest_of(OTHER))


async def test_sighup_is_told_with_what_came_of_it(redis: RedisServer, tmp_path: Path) -> None:
    """A real process; its log has the findings with their places, and the digest of what is in force."""
    folder = write_policies(tmp_path / "policies")
    settings = {"POLICIES": str(folder), "REDIS_URL": redis.url, "REDIS_PREFIX": "sighup"}
    async with serving(**settings) as (process, _, log):
        assert process.stderr is not None
        for text, event in (
            (BROKEN, "policies refused"),
            (OTHER, "policies loaded"),
            (OTHER, "policies unchanged"),
        ):
            write_policies(folder, text)
            process.send_signal(signal.SIGHUP)
            told = ""
            async with asyncio.timeout(PATIENCE):
                while not (told and json.loads(told)["event"] == event):
                    told = (await process.stderr.readline()).decode()
                    assert told, "".join(log)
                    log.append(told)
            if event == "policies refused":
                assert f"{folder}/all.yaml:9:" in json.loads(told)["findings"][0]
            else:
                assert json.loads(told)["digest"] == digest_of(OTHER)
    assert process.returncode == 0


def many(rules: int) -> str:
    """So many that reading them takes seconds."""
    more = "".join(
        f"  - {{name: r{n}, match: ['alertname=\"A{n}\"', 'pod=~\"p{n}.*\"'], severity: SEV-3}}\n"
        for n in range(rules)
    )
    return POLICIES.replace("rules:\n", f"rules:\n{more}")


async def readers_of(process_id: int) -> list[psutil.Process]:
    """The processes that read policies for that daemon, once there are any."""

    async def look() -> list[psutil.Process]:
        own = psutil.Process(process_id).children(recursive=True)
        return [child for child in own if "remediator.policy.reader" in child.cmdline()]

    return await until(look, "the policies are being read")


async def gone(readers: list[psutil.Process]) -> None:
    """Once they have ended."""

    async def look() -> bool:
        return not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in readers)

    await until(look, "its reader has ended")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "asked to end"])
async def test_the_reader_does_not_outlive_the_daemon(
    redis: RedisServer, tmp_path: Path, number: signal.Signals
) -> None:
    folder = write_policies(tmp_path / "policies")
    settings = {"POLICIES": str(folder), "REDIS_URL": redis.url, "REDIS_PREFIX": f"outlive-{number}"}
    async with serving(**settings) as (process, _, _):
        (folder / "all.yaml").write_text(many(4000))
        process.send_signal(signal.SIGHUP)
        readers = await readers_of(process.pid)
        process.send_signal(number)
        async with asyncio.timeout(PATIENCE):
            await process.wait()
        await gone(readers)


async def test_a_daemon_that_stops_while_it_reads_stops_at_once(redis: RedisServer, tmp_path: Path) -> None:
    folder = write_policies(tmp_path / "policies")
    async with daemon(folder, redis_url=redis.url) as running:
        await running.ready()
        (folder / "all.yaml").write_text(many(4000))
        asked = asyncio.ensure_future(running.app.reload())
        readers = await readers_of(os.getpid())
    assert asked.done()
    await gone(readers)


async def test_what_another_process_read_is_the_same_policy(redis: RedisServer, tmp_path: Path) -> None:
    """Everything of it, with places and templates; at the start, too, where there is so much of it."""
    text = many(1220).replace("{name: slow,", "{name: slow, service: '{{ labels.app or labels.job }}',")
    folder = write_policies(tmp_path / "policies", text)
    assert (folder / "all.yaml").stat().st_size > SMALL
    async with daemon(folder, redis_url=redis.url) as running:
        await running.ready()
        expected = load_policy(folder)
        assert running.app.rulebook.policy() == expected
        write_policies(folder, text.replace("severity: SEV-3", "severity: SEV-2"))
        status, said = await running.ask("POST", "/-/reload")
        assert (status, said["rules"], said["changed"]) == (200, 1222, True)
        read, expected = running.app.rulebook.policy(), load_policy(folder)
        assert read == expected
        assert read.render is expected.render
        await running.post(alert("Slow", app="", job="batch"))
        incident = await running.incident(lambda each: each["rule"] == "slow", "it is open")
        assert incident["service"] == "batch"


async def test_a_reader_that_fails_is_a_finding_and_the_old_policy_stays(tmp_path: Path) -> None:
    folder = write_policies(tmp_path / "policies")
    runtime, metrics = AsyncioRuntime(), Metrics()

    async def fails(module: str, *arguments: str) -> bytes:
        return await run_helper("remediator.there_is_no_such_module", *arguments)

    book = Rulebook(folder, runtime, metrics, fails)
    first = await book.load()
    write_policies(folder, OTHER)
    with pytest.raises(
        PolicyError, match=f"{folder}:1:1: the process that reads the policies failed: it ended"
    ):
        await book.load()
    assert book.policy() is first.policy
    shown = metrics.render(Scraped(gauges=None), "")[0].decode()
    assert 'remediator_policy_reloads_total{outcome="refused"} 1.0' in shown
    runtime.close()


async def test_a_reader_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    folder = write_policies(tmp_path / "policies", many(4000))
    with pytest.raises(Refused, match=r"did not end within"):
        await run_helper("remediator.policy.reader", str(folder), within=0.5)
    names = [child.cmdline() for child in psutil.Process().children()]
    assert not any("remediator.policy.reader" in name for name in names)


async def test_what_could_not_be_read_for_want_of_a_process_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files have changed only once, and nobody will touch them again."""
    monkeypatch.setattr(rulebook, "AGAIN", OFTEN)
    folder = write_policies(tmp_path / "policies")
    runtime, metrics, tries = AsyncioRuntime(), Metrics(), 0

    async def killed_at_first(module: str, *arguments: str) -> bytes:
        nonlocal tries
        tries += 1
        return await run_helper("remediator.there_is_no_such_module" if tries == 1 else module, *arguments)

    book = Rulebook(folder, runtime, metrics, killed_at_first)
    await book.load()
    write_policies(folder, OTHER)
    following = asyncio.ensure_future(
        book.follow(FileWatch(folder, runtime, look_every=OFTEN).hints(), book.load)
    )

    async def read() -> bool:
        return book.policy().digest == digest_of(OTHER)

    await until(read, "they are read again")
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    shown = metrics.render(Scraped(gauges=None), "")[0].decode()
    assert 'remediator_policy_reloads_total{outcome="refused"} 1.0' in shown
    await book.stop()
    runtime.close()


async def test_a_process_that_cannot_be_started_is_told_as_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(Refused, match=r"it could not be started \(No such file or directory\)"):
        await run_helper("remediator.policy.reader", "policies")


async def test_a_failure_of_another_kind_keeps_the_old_policy_and_counts(tmp_path: Path) -> None:
    folder = write_policies(tmp_path / "policies")
    runtime, metrics = AsyncioRuntime(), Metrics()
    book = Rulebook(folder, runtime, metrics, run_helper)
    first = await book.load()

    def fails(policy: Policy) -> Policy:
        if policy.digest != first.policy.digest:
            raise RuntimeError("no memory")
        return policy

    await book.restrict(fails)
    write_policies(folder, OTHER)
    with pytest.raises(RuntimeError, match="no memory"):
        await book.load()
    assert book.policy().digest == first.policy.digest
    shown = metrics.render(Scraped(gauges=None), "")[0].decode()
    assert 'remediator_policy_reloads_total{outcome="refused"} 1.0' in shown
    assert "remediator_policy_last_reload_successful 0.0" in shown
    runtime.close()


@pytest.mark.parametrize("said", [b"", b"\0\0"])
def test_a_reader_that_hands_over_nothing_is_no_reader(said: bytes) -> None:
    with pytest.raises(ValueError, match="nothing was handed over"):
        at_once(take_over(said))
