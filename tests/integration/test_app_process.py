"""``remediator serve`` as a process: exit codes, signals, and what it says."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.integration.daemon import PATIENCE, POLICIES, alert, notification, until, write_policies
from tests.servers import RedisServer, redis_server

TOKEN = "hush-hush-webhook-token"
API_TOKEN = "hush-hush-api-token"


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server("redis-7.0", tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    return write_policies(tmp_path / "policies")


async def start(*flags: str, **settings: str) -> Process:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REMEDIATOR_")}
    environment["REMEDIATOR_ARCHIVE"] = "off"  # nothing is to be left in our own data directory
    environment |= {f"REMEDIATOR_{name}": value for name, value in settings.items()}
    program = "from remediator.cli.main import main; main()"
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, "serve", *flags,
        env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def refusal(*flags: str, **settings: str) -> tuple[int | None, str]:
    """How it ends when it does not start, and what it says."""
    process = await start(*flags, **settings)
    async with asyncio.timeout(PATIENCE):
        _, said = await process.communicate()
    return process.returncode, said.decode()


@asynccontextmanager
async def serving(**settings: str) -> AsyncIterator[tuple[Process, dict[str, Any], list[str]]]:
    """A running process, the facts it introduced itself with, and its log so far."""
    process = await start("--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", **settings)
    assert process.stderr is not None
    log: list[str] = []
    try:
        async with asyncio.timeout(PATIENCE):
            while not log or json.loads(log[-1])["event"] != "started":
                line = (await process.stderr.readline()).decode()
                assert line, "".join(log)
                log.append(line)
        yield process, json.loads(log[-1]), log
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            log += (await process.stderr.read()).decode().splitlines(keepends=True)
            await process.wait()


async def test_wrong_settings_end_with_2_and_name_the_variable(policies: Path) -> None:
    directory = str(policies)
    for settings, named in (
        ({"POLICIES": directory, "MODE": "yolo"}, "REMEDIATOR_MODE"),
        ({"POLICIES": directory, "RETENTION": "soon"}, "REMEDIATOR_RETENTION"),
        ({"POLICIES": f"{directory}/nowhere"}, "REMEDIATOR_POLICIES"),
        ({"POLICIES": directory, "API_TOKEN": "a", "API_TOKEN_FILE": "b"}, "REMEDIATOR_API_TOKEN_FILE"),
        ({"POLICIES": directory, "LISTEN": "0.0.0.0:0"}, "WEBHOOK_TOKEN"),
    ):
        code, said = await refusal(**settings)
        assert code == 2, said
        assert named in said
        assert "Traceback" not in said


async def test_policy_errors_end_with_1_and_name_the_line(tmp_path: Path) -> None:
    policies = write_policies(tmp_path / "policies", POLICIES.replace("severity: SEV-2,", "severity: SEV-7,"))
    code, said = await refusal(POLICIES=str(policies), DATA_DIR=str(tmp_path / "data"))
    assert code == 1
    assert "all.yaml:8:" in said
    assert "SEV-7" in said


async def test_a_flag_wins_over_the_environment(policies: Path) -> None:
    code, said = await refusal("--mode", "yolo", POLICIES=str(policies), MODE="auto")
    assert code == 2
    assert "REMEDIATOR_MODE" in said


async def test_it_stops_on_sigterm_reloads_on_sighup_and_logs_json_without_secrets(
    redis: RedisServer, policies: Path
) -> None:
    settings = {
        "POLICIES": str(policies), "REDIS_URL": redis.url, "REDIS_PREFIX": "process",
        "WEBHOOK_TOKEN": TOKEN, "API_TOKEN": API_TOKEN, "LOG_LEVEL": "debug",
    }  # fmt: skip
    async with serving(**settings) as (process, facts, log), aiohttp.ClientSession() as http:
        assert facts["state"] == "ready"
        hostile = alert("Slow", note='x\n{"event": "forged", "level": "critical"}\x1b[2J')
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        async with http.post(facts["receiver"], json=notification(hostile), headers=bearer) as response:
            assert response.status == 200
        wrong = {"Authorization": f"Bearer {TOKEN}x"}
        async with http.post(facts["receiver"], json=notification(hostile), headers=wrong) as response:
            assert response.status == 403

        write_policies(policies, POLICIES.replace('"Slow"', '"Sluggish"'))
        process.send_signal(signal.SIGHUP)

        async def reloaded() -> bool:
            async with http.get(f"{facts['operations']}/metrics") as response:
                return 'policy_reloads_total{outcome="loaded"} 2.0' in await response.text()

        await until(reloaded, "the policies were read again")
    assert process.returncode == 0
    events = [json.loads(line)["event"] for line in log]  # every line is one JSON object
    assert events[-1] == "stopped"
    assert "forged" not in events
    text = "".join(log)
    assert TOKEN not in text
    assert API_TOKEN not in text
    assert "\x1b" not in text
