"""``remediator health`` as a container's health check calls it."""

from __future__ import annotations

from pathlib import Path

from tests.integration.daemon import daemon, write_policies
from tests.integration.test_cli_pauses import run
from tests.servers import free_port


async def test_it_says_whether_the_daemon_of_this_machine_answers(tmp_path: Path) -> None:
    """A daemon whose store is away runs, and is not ready. Tokens of several beside it do not matter."""
    away = f"redis://127.0.0.1:{free_port()}"
    async with daemon(write_policies(tmp_path / "policies"), redis_url=away) as running:
        port = running.app.ops_address[1]
        here = {"OPS_LISTEN": f":{port}", "API_TOKEN": "a viewer x\nb admin y"}
        well = await run("health", **here)
        assert (well.code, well.out, well.err) == (0, "healthy\n", "")
        ready = await run("health", "--ready", **here)
        assert (ready.code, ready.out) == (1, "")
        assert "not ready" in ready.err
        named = await run("health", "--url", f"http://127.0.0.1:{port}", OPS_LISTEN="nonsense")
        assert named.code == 0
    gone = await run("health", **here)
    assert gone.code == 1
    assert "no daemon answers" in gone.err


async def test_wrong_addresses_are_wrong_use() -> None:
    """And say what to write."""
    assert (await run("health", OPS_LISTEN="9096")).code == 2
    wrong = await run("health", "--url", "localhost")
    assert (wrong.code, "http://" in wrong.err) == (2, True)
