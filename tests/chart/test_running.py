"""Two replicas of the daemon as the chart makes them, on the store as the chart makes it: they are one."""

from __future__ import annotations

import base64
from pathlib import Path

import aiohttp
import pytest

from tests.chart.rendering import Object, Rendered, render
from tests.chart.test_settings import environment, mount
from tests.chart.test_valkey import started
from tests.integration.daemon import POLICIES, Daemon, alert, daemon, notification, until
from tests.servers import free_port

VALUES: Object = {
    "policies": {"files": {"all.yaml": POLICIES}},
    "secrets": {"named": {"TEST_ONCALL_KEY": {"value": "k"}}},
}


def token(rendered: Rendered, name: str) -> dict[str, str]:
    """The header that shows a generated token."""
    value = base64.b64decode(rendered.one("Secret")["data"][name]).decode()
    return {"Authorization": f"Bearer {value}"}


async def test_two_replicas_of_what_was_rendered_are_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only who knows the tokens is heard; what one took in is a duplicate to the other, and seen by both."""
    rendered, port = render(VALUES), free_port()
    pod = rendered.one("Deployment")["spec"]["template"]["spec"]
    image = tmp_path / "image"
    mount(rendered, pod, image)
    env = environment(pod, image)
    assert env["REMEDIATOR_REDIS_URL"] == "redis://remediator-valkey:6379"
    env["REMEDIATOR_REDIS_URL"] = f"redis://127.0.0.1:{port}"
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    policies, prefix = Path(env["REMEDIATOR_POLICIES"]), env["REMEDIATOR_REDIS_PREFIX"]
    hooks, asks = token(rendered, "webhook-token"), token(rendered, "api-token")
    body = notification(alert("WebDown"))
    store = tmp_path / "store"
    store.mkdir()
    async with (
        started(rendered, store, port),
        daemon(policies, redis_prefix=prefix) as one,
        daemon(policies, redis_prefix=prefix) as other,
        aiohttp.ClientSession() as http,
    ):
        await one.ready()
        await other.ready()

        async def send(to: Daemon, headers: dict[str, str]) -> tuple[int, Object]:
            host, at = to.app.receiver_address
            async with http.post(f"http://{host}:{at}/v1/alertmanager", json=body, headers=headers) as answer:
                return answer.status, await answer.json()

        assert (await send(one, {}))[0] == 401
        assert (await send(one, asks))[0] == 403
        assert await send(one, hooks) == (200, {"new": 1})
        assert await send(other, hooks) == (200, {"duplicate": 1})
        for replica in (one, other):
            assert (await replica.ask("GET", "/v1/incidents"))[0] == 401

            async def known(replica: Daemon = replica) -> bool:
                status, data = await replica.ask("GET", "/v1/incidents", **asks)
                return status == 200 and len(data["items"]) == 1

            await until(known, "one incident")
