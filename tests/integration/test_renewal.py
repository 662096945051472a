"""What is renewed in its file is taken up without a restart; what cannot be used changes nothing."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from structlog.testing import capture_logs

from remediator.adapters.prometheus import Prometheus
from remediator.app import App
from remediator.core.errors import Refused, SettingsError
from tests.integration.daemon import Daemon, alert, daemon, notification, until, write_policies
from tests.rude_server import rude_server, say
from tests.secured import Authority
from tests.servers import RedisServer, redis_server

OFTEN = 0.05
"""Seconds between two looks at files."""
UNUSABLE = "what was renewed cannot be used; the one before stays in force"


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server("redis-7.0", tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def settings(redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Every secret in a file, and TLS."""
    monkeypatch.setattr(App, "look_at_secrets_every", OFTEN)
    (tmp_path / "webhook").write_text("first-webhook\n")
    (tmp_path / "api").write_text("ada admin first-api\n")
    show(tmp_path, Authority(tmp_path / "one", "one"))
    return {
        "policies": write_policies(tmp_path / "policies"),
        "redis_url": redis.url,
        "webhook_token_file": tmp_path / "webhook",
        "api_token_file": tmp_path / "api",
        "tls_cert": tmp_path / "tls.crt",
        "tls_key": tmp_path / "tls.key",
    }


def show(folder: Path, authority: Authority) -> None:
    """The receiver's certificate is one of that authority."""
    pair = authority.issue("localhost")
    (folder / "tls.crt").write_bytes(pair.cert.read_bytes())
    (folder / "tls.key").write_bytes(pair.key.read_bytes())


async def sent(running: Daemon, token: str, trusted: Path) -> int | None:
    """The answer to an alert with that token; None when the certificate is not of that authority."""
    url = f"https://localhost:{running.app.receiver_address[1]}/v1/alertmanager"
    tls = ssl.create_default_context(cafile=trusted)
    headers = {"Authorization": f"Bearer {token}"}
    try:
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)) as http,
            http.post(url, json=notification(alert("WebDown")), headers=headers) as answer,
        ):
            return answer.status
    except aiohttp.ClientConnectorCertificateError:
        return None


async def asked(running: Daemon, token: str) -> int:
    status, _ = await running.ask("GET", "/v1/incidents", Authorization=f"Bearer {token}")
    return status


async def test_tokens_are_rotated_without_a_restart(settings: dict[str, object], tmp_path: Path) -> None:
    """The old ones are refused from then on."""
    async with daemon(**settings) as running:  # type: ignore[arg-type]  # by name
        one = tmp_path / "one" / "one.pem"
        assert await sent(running, "first-webhook", one) == 200
        (tmp_path / "webhook").write_text("second-webhook")
        (tmp_path / "api").write_text("ada admin second-api\nbob viewer third-api\n")

        async def both() -> bool:
            return await sent(running, "second-webhook", one) == await asked(running, "third-api") == 200

        await until(both, "new tokens are known")
        assert await sent(running, "first-webhook", one) == 403
        assert await asked(running, "first-api") == 403


async def test_a_certificate_is_renewed_without_a_restart(
    settings: dict[str, object], tmp_path: Path
) -> None:
    async with daemon(**settings) as running:  # type: ignore[arg-type]  # by name
        other = Authority(tmp_path / "two", "two")
        assert await sent(running, "first-webhook", other.ca) is None
        show(tmp_path, other)

        async def shown() -> bool:
            return await sent(running, "first-webhook", other.ca) == 200

        await until(shown, "the new certificate is shown")
        assert await sent(running, "first-webhook", tmp_path / "one" / "one.pem") is None


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("webhook", "", "is empty"),
        ("api", "# nobody any more\n", "there is no token in it"),
        ("api", "ada emperor token\n", "the role must be one of"),
        ("tls.crt", "no certificate", "cannot be used"),
        ("tls.key", "", "cannot be used"),
    ],
)
async def test_what_cannot_be_used_is_told_and_changes_nothing(
    settings: dict[str, object], tmp_path: Path, file: str, text: str, says: str
) -> None:
    """A file that is emptied by mistake opens no door, and shuts none."""
    async with daemon(**settings) as running:  # type: ignore[arg-type]  # by name
        with capture_logs() as logs:
            (tmp_path / file).write_text(text)

            async def told() -> bool:
                return any(each["event"] == UNUSABLE and says in each["why"] for each in logs)

            await until(told, "it is told")
        assert await sent(running, "first-webhook", tmp_path / "one" / "one.pem") == 200
        assert await asked(running, "first-api") == 200
        assert (await running.ask("GET", "/v1/incidents"))[0] == 401


async def test_a_renewed_token_is_shown_and_neither_is_repeated() -> None:
    """A server that quotes what it was sent, then or a moment ago, must not bring a secret to light."""
    quoting = say(
        "401 Unauthorized", b'{"status": "error", "errorType": "x", "error": "old-secret new-secret"}'
    )
    async with (
        rude_server(quoting) as server,
        Prometheus.connected(f"http://{server.host}", token="old-secret") as prometheus,
    ):
        prometheus.renew("new-secret")
        with pytest.raises(Refused) as refused:
            await prometheus.query("1")
        assert "Bearer new-secret" in server.heads[0]
        assert "old-secret" not in server.heads[0]
        assert "old-secret" not in str(refused.value)
        assert "new-secret" not in str(refused.value)
        with pytest.raises(SettingsError, match="not one line"):
            prometheus.renew("two\r\nlines")
