"""What the Dockerfile says holds: of itself, the chart, this repository; and its steps make a daemon."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from remediator.cli.main import COMMANDS
from scripts.image_steps import ROOT, Stage, build, let_through, settings, stages
from scripts.lock import Lock, complaints, locks
from tests.servers import free_port

DOCKERFILE = ROOT / "Dockerfile"
HADOLINT = Path(sysconfig.get_path("scripts")) / "hadolint"


@pytest.fixture(scope="module")
def image() -> list[Stage]:
    """The stages: the one that builds, and the one that is shipped."""
    return stages(DOCKERFILE.read_text())[1]


def test_hadolint_finds_nothing() -> None:
    """Not even style; and it does look."""
    done = subprocess.run([str(HADOLINT), str(DOCKERFILE)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    bad = "FROM python:latest\nRUN cd /tmp\n"
    looked = subprocess.run([str(HADOLINT), "-"], input=bad, capture_output=True, text=True, check=False)
    assert looked.returncode != 0


def test_the_base_is_a_full_version_of_the_python_that_the_steps_are_tried_with(image: list[Stage]) -> None:
    """Both stages stand on it, and a digest can be given."""
    arguments, _ = stages(DOCKERFILE.read_text())
    pinned = r"python:(3\.11)\.\d+-slim-[a-z]+(@sha256:[0-9a-f]{64})?"
    assert re.fullmatch(pinned, arguments["PYTHON"])
    assert [stage.base for stage in image] == ["${PYTHON}", "${PYTHON}"]
    assert "for Python 3.11" in (ROOT / "requirements.lock").read_text().splitlines()[0]


def test_it_runs_as_the_user_of_the_chart_and_listens_where_the_chart_looks(image: list[Stage]) -> None:
    """By number, so that Kubernetes sees that it is not root."""
    final = image[-1]
    values = YAML(typ="safe").load((ROOT / "chart" / "values.yaml").read_text())
    context = values["podSecurityContext"]
    assert final.last("USER") == f"{context['runAsUser']}:{context['runAsGroup']}"
    template = (ROOT / "chart" / "templates" / "deployment.yaml").read_text()
    assert final.last("EXPOSE").split() == re.findall(r"containerPort: (\d+)", template)
    environment = final.environment()
    assert environment["REMEDIATOR_DATA_DIR"] == final.last("WORKDIR")
    assert json.loads(final.last("VOLUME")) == [final.last("WORKDIR")]
    assert f"mountPath: {environment['REMEDIATOR_DATA_DIR']}}}" in template


def test_its_health_check_is_a_command_of_ours(image: list[Stage]) -> None:
    """No curl, no shell."""
    check = json.loads(image[-1].last("HEALTHCHECK").partition("CMD ")[2])
    assert check == ["remediator", "health"]
    assert check[1] in COMMANDS
    assert [*json.loads(image[-1].last("ENTRYPOINT")), *json.loads(image[-1].last("CMD"))] == [
        "remediator",
        "serve",
    ]


def test_the_engine_gets_what_is_copied_and_nothing_else(image: list[Stage]) -> None:
    """No tests, no history, no data of a daemon, no virtual environment."""
    copied = {
        source
        for stage in image
        for each in stage.instructions
        if each.word == "COPY" and not each.rest.startswith("--from")
        for source in each.rest.split()[:-1]
    }
    there = {path.name for path in ROOT.iterdir() if let_through(path.name)}
    assert there == copied
    assert not let_through("policies/people_test.yaml")
    assert not let_through("remediator/core/__pycache__")
    assert let_through("remediator/adapters/redis/scripts/commit.lua")


def test_what_is_installed_is_locked_with_hashes() -> None:
    """For this pyproject.toml. A dependency that is missing, wrong or without a hash is told."""
    for lock in locks():
        assert list(complaints(lock, (ROOT / lock.file).read_text())) == []
    lock = Lock(file="x", wanted=("aiohttp>=3.14", "redis>=8"), options=())
    text = f"{lock.head}aiohttp==3.13.0 \\\n    --hash=sha256:00\nredis==8.1.0\n"
    assert len(list(complaints(lock, text))) == 2
    assert "missing" in " ".join(complaints(lock, lock.head))
    assert "has changed" in " ".join(complaints(lock, "aiohttp==3.14.5 --hash=sha256:00"))
    for stage in stages(DOCKERFILE.read_text())[1]:
        for each in stage.instructions:
            for command in each.rest.split("&&") if each.word == "RUN" else ():
                if " install " in command and "pip" in command:
                    assert "--require-hashes" in command or "--no-index" in command, command


@pytest.mark.full
async def test_its_steps_make_a_daemon_that_is_healthy(tmp_path: Path) -> None:
    """Installed from the locks, compiled, started as the image starts it, asked as the engine asks it."""
    final = await asyncio.to_thread(build, tmp_path)
    environment = settings(final, tmp_path)
    program = shutil.which("remediator", path=environment["PATH"])
    assert program is not None
    assert Path(program).is_relative_to(tmp_path)
    library = tmp_path / "opt" / "remediator" / "lib"
    sources = [*library.glob("python3.11/site-packages/remediator/**/*.py")]
    assert sources
    for source in sources:
        compiled = source.parent / "__pycache__" / f"{source.stem}.cpython-311.pyc"
        assert compiled.read_bytes()[4:8] == b"\x01\0\0\0", f"{source} is not compiled, unchecked"
    listen = {f"REMEDIATOR_{name}": f"127.0.0.1:{free_port()}" for name in ("LISTEN", "OPS_LISTEN")}
    environment |= listen
    serving = await asyncio.create_subprocess_exec(
        program, *json.loads(final.last("CMD")), env=environment, cwd=environment["HOME"],
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(60):
            while await _health(program, environment) != 0:
                assert serving.returncode is None, "it ended"
    finally:
        serving.terminate()
        assert await asyncio.wait_for(serving.wait(), 30) == 0
    assert await _health(program, environment) == 1


async def _health(program: str, environment: dict[str, str]) -> int:
    asked = await asyncio.create_subprocess_exec(
        program, "health", "--ready", env=environment,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    return await asked.wait()
