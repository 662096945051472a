"""The chart's own store, started as its pod starts it: by a real Valkey, with what was rendered."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, NoPermissionError

from remediator.adapters.redis.address import Address
from remediator.adapters.redis.embedded import server_binary
from remediator.adapters.redis.permissions import rule
from remediator.adapters.redis.store import RedisStore
from remediator.core.errors import StoreUnavailable
from tests.chart.rendering import Object, Rendered, render
from tests.servers import free_port

PREFIX = "ours"


@asynccontextmanager
async def started(rendered: Rendered, root: Path, port: int) -> AsyncIterator[str]:
    """The script in its container: what is mounted there is under ``root``. Yields the password."""
    script = rendered.one("ConfigMap", "remediator-valkey")["data"]
    password = base64.b64decode(rendered.one("Secret")["data"]["valkey-password"]).decode()
    for name in ("config", "run", "data", "bin"):
        (root / name).mkdir()
    for name, text in script.items():
        (root / "config" / name).write_text(text)
    (root / "password").write_text(f"{password}\n")
    (root / "bin" / "valkey-server").symlink_to(server_binary())
    process = await asyncio.create_subprocess_exec(
        *("sh", str(root / "config" / "start.sh"), "--port", str(port), "--bind", "127.0.0.1"),
        stdout=asyncio.subprocess.DEVNULL,
        env={
            "PATH": f"{root / 'bin'}:/usr/bin:/bin",
            "CONFIG": str(root / "config"),
            "RUN": str(root / "run"),
            "DATA": str(root / "data"),
            "PASSWORD_FILE": str(root / "password"),
        },
    )
    try:
        yield password
    finally:
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 20) == 0


async def listening(store: RedisStore) -> None:
    """Once it finds nothing to complain of."""
    trouble: str | None = "not asked yet"
    try:
        async with asyncio.timeout(20):
            while trouble is not None:
                try:
                    trouble = await store.trouble()
                except StoreUnavailable as error:
                    trouble = str(error)
                await asyncio.sleep(0.02)
    except TimeoutError:
        pytest.fail(f"the store is not ready: {trouble}")


async def test_it_keeps_what_it_acknowledges_and_lets_the_daemon_alone_in(tmp_path: Path) -> None:
    """Nothing to complain of; nobody comes in without the password, nor reaches other keys with it."""
    rendered, port = render({"redis": {"prefix": PREFIX}}), free_port()
    async with started(rendered, tmp_path, port) as password:
        where = Address.parse(f"redis://127.0.0.1:{port}", username="remediator", password=password)
        store = await RedisStore.connect(lambda: where, prefix=PREFIX)
        try:
            await listening(store)
        finally:
            await store.close()
        url = f"redis://remediator:{password}@127.0.0.1:{port}"
        async with Redis.from_url(url) as ours, Redis.from_url(f"redis://127.0.0.1:{port}") as stranger:
            await ours.set(f"{{{PREFIX}}}:x", "1")
            for forbidden in (ours.set("other", "1"), ours.flushall(), ours.config_set("appendonly", "no")):
                with pytest.raises(NoPermissionError):
                    await forbidden
            with pytest.raises(AuthenticationError):
                await stranger.ping()
    held = (tmp_path / "run" / "users.acl").read_text()
    assert password not in held
    assert os.stat(tmp_path / "run" / "users.acl").st_mode & 0o077 == 0
    assert any((tmp_path / "data" / "appendonlydir").iterdir())


def test_its_user_is_the_least_one() -> None:
    """The grants of docs/redis.md, as the code knows them."""
    script = render({"redis": {"prefix": PREFIX}}).one("ConfigMap", "remediator-valkey")["data"]["start.sh"]
    (line,) = (each for each in script.splitlines() if each.startswith("user remediator"))
    assert line.partition("#$digest ")[2] == rule(PREFIX)


def test_only_the_daemon_may_reach_it() -> None:
    """By its own NetworkPolicy; it reaches nobody."""
    rendered = render()
    policy: Object = rendered.one("NetworkPolicy", "remediator-valkey")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["egress"] == []
    ((peer,),) = (each["from"] for each in policy["ingress"])
    daemon = rendered.one("Deployment")["spec"]["template"]["metadata"]["labels"]
    store = rendered.one("StatefulSet", "remediator-valkey")["spec"]["template"]["metadata"]["labels"]
    assert peer["podSelector"]["matchLabels"].items() <= daemon.items()
    assert not peer["podSelector"]["matchLabels"].items() <= store.items()


def test_a_redis_of_your_own_leaves_nothing_of_it() -> None:
    """No pod, no volume, no password, no way to it."""
    rendered = render(
        {"redis": {"url": "redis://redis.data"}, "networkPolicy": {"egress": {"restrict": True}}}
    )
    assert not rendered.of("StatefulSet")
    assert "valkey" not in str(rendered.objects)
