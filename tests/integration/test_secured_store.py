"""The daemon with a store behind TLS and an ACL: it works there, and says why while it is not let in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from remediator.core.errors import SettingsError
from tests.integration.daemon import Daemon, alert, daemon, notification, until, write_policies
from tests.integration.test_app_process import TOKEN, serving
from tests.secured import PASSWORD, Secured, add_user, secured_server, tls_url

PREFIX = "secured"


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with secured_server(tmp_path_factory.mktemp("secured")) as one:
        yield one


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    return write_policies(tmp_path / "policies")


def tls_flags(secured: Secured) -> dict[str, str]:
    """The files that both sides prove themselves with."""
    tls = secured.tls
    return {"redis_ca": str(tls.ca), "redis_cert": str(tls.cert), "redis_key": str(tls.key)}


async def test_a_process_takes_a_webhook_to_an_incident(
    secured: Secured, policies: Path, tmp_path: Path
) -> None:
    """Over TLS, as the least user, with a password that a URL would stumble over."""
    add_user(secured.server, "daemon", PREFIX)
    password = tmp_path / "password"
    password.write_text(f"{PASSWORD}\n")
    settings = {
        "POLICIES": str(policies), "WEBHOOK_TOKEN": TOKEN, "REDIS_PREFIX": PREFIX,
        "REDIS_URL": tls_url(secured.server), "REDIS_USERNAME": "daemon",
        "REDIS_PASSWORD_FILE": str(password),
        **{name.upper(): value for name, value in tls_flags(secured).items()},
    }  # fmt: skip
    async with serving(**settings) as (_, facts, _), aiohttp.ClientSession() as http:
        assert facts["state"] == "ready"
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        body = notification(alert("Slow"))
        async with http.post(facts["receiver"], json=body, headers=bearer) as response:
            assert (response.status, await response.json()) == (200, {"new": 1})

        async def opened() -> bool:
            async with http.get(f"{facts['operations']}/v1/incidents") as response:
                return [each["rule"] for each in (await response.json())["items"]] == ["slow"]

        await until(opened, "the incident is open")


async def trouble(running: Daemon, says: str) -> None:
    """Readiness says so, and a webhook is answered 503 with it; then with the secret nowhere."""

    async def look() -> bool:
        status, said = await running.ask("GET", "/-/ready")
        return status == 503 and says in said["error"]

    await until(look, f"it is not ready because {says!r}")
    status, said = await running.post(alert("Slow"))
    assert status == 503
    assert says in said["error"]


async def test_a_rotation_is_survived(secured: Secured, policies: Path, tmp_path: Path) -> None:
    """A wrong password at the start, one that is changed and a user that loses a grant: 503 with the reason,
    and back to work when it is repaired, with no restart (P2)."""
    add_user(secured.server, "rotated", "rotated", password="first-password")
    file = tmp_path / "password"
    file.write_text("no-password-of-mine")
    flags = {"redis_url": tls_url(secured.server), "redis_username": "rotated", "redis_prefix": "rotated"}
    async with daemon(policies, **flags, **tls_flags(secured), redis_password_file=str(file)) as running:
        await trouble(running, "user name or password")
        file.write_text("first-password")
        await running.ready()
        assert (await running.post(alert("Slow")))[0] == 200

        with secured.server.client() as client:
            client.execute_command("ACL", "SETUSER", "rotated", "resetpass", ">second-password")
            client.execute_command("CLIENT", "KILL", "USER", "rotated")
        await trouble(running, "user name or password")
        file.write_text("second-password")
        await running.ready()
        assert (await running.post(alert("Slow")))[0] == 200

        with secured.server.client() as client:
            client.execute_command("ACL", "SETUSER", "rotated", "-zadd")
            client.execute_command("CLIENT", "KILL", "USER", "rotated")
        await trouble(running, "grant it +zadd")
        with secured.server.client() as client:
            client.execute_command("ACL", "SETUSER", "rotated", "+zadd")
        await running.ready()
        assert (await running.post(alert("Slow")))[0] == 200
        await running.incident(lambda each: each["rule"] == "slow", "it is open")


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"redis_password": "x"}, "REMEDIATOR_REDIS_PASSWORD needs REMEDIATOR_REDIS_URL"),
        ({"redis_ca": "ca.pem"}, "REMEDIATOR_REDIS_CA needs REMEDIATOR_REDIS_URL"),
        ({"redis_url": "rediss://h", "redis_cert": "c.pem"}, "REMEDIATOR_REDIS_KEY is not set"),
        ({"redis_url": "rediss://h", "redis_key": "c.pem"}, "REMEDIATOR_REDIS_CERT is not set"),
        ({"redis_url": "redis://h", "redis_ca": "ca.pem"}, "rediss://"),
        ({"redis_url": "rediss://h", "redis_ca": "/nowhere/ca.pem"}, "/nowhere/ca.pem cannot be read"),
        ({"redis_url": "redis://u:geheim@h", "redis_password": "hush"}, "REDIS_PASSWORD is set, and"),
        ({"redis_url": "redis://h", "redis_password": "hush", "redis_password_file": "f"}, "both set"),
        ({"redis_url": "redis://h", "redis_password_file": "/nowhere/pw"}, "/nowhere/pw cannot be read"),
    ],
)
async def test_settings_that_do_not_go_together_stop_the_start(
    policies: Path, flags: dict[str, str], says: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        async with daemon(policies, **flags):
            pass
    assert says in str(caught.value)
    assert "hush" not in str(caught.value)
    assert "geheim" not in str(caught.value)
