"""The daemon asks Prometheus and its services' health URLs, and lives without either."""

from __future__ import annotations

from pathlib import Path

import pytest

from remediator.core.errors import SettingsError
from remediator.settings import read_settings
from tests.integration.daemon import POLICIES, alert, daemon, write_policies
from tests.rude_server import rude_server, say
from tests.servers import free_port

VECTOR = (
    b'{"status":"success","data":{"resultType":"vector","result":'
    b'[{"metric":{"service":"web"},"value":[1,"0"]}]}}'
)
LOOKS = (
    "diagnose:\n      - http: {path: '/ready/{{ service.name }}'}\n"
    "      - promql: {query: 'up{service=\"{{ service.name }}\"}'}"
)


def policies(folder: Path, health: str) -> Path:
    """The usual ones, with a health URL and two things to ask."""
    text = POLICIES.replace("diagnose: [{workload: {}}]", LOOKS)
    return write_policies(
        folder, text.replace("services:\n  web: {", f"services:\n  web: {{health: '{health}', ")
    )


async def findings(folder: Path, health: str, **flags: object) -> list[str]:
    """What is told of an alert's two diagnoses."""
    async with daemon(policies(folder / "p", health), data_dir=folder / "d", **flags) as running:
        await running.ready()
        await running.post(alert("WebDown"))
        shown = await running.incident(lambda it: it["attempts"][0]["outcome"] is not None, "it was tried")
        items = (await running.get(f"/v1/incidents/{shown['id']}/timeline"))["items"]
        return [item["text"] for item in items if item["kind"] == "diagnosed"]


async def test_what_is_asked_is_rendered_and_answered(tmp_path: Path) -> None:
    async with (
        rude_server(say("503 Busy", b"no database")) as web,
        rude_server(say("200 OK", VECTOR)) as prom,
    ):
        url = f"http://{prom.host}"
        found = await findings(
            tmp_path, f"http://{web.host}/health", prometheus_url=url, prometheus_token="sesame"
        )
        assert found == [f"http://{web.host}/ready/web answered 503: no database", '{service="web"}: 0']
        assert [head.splitlines()[0] for head in web.heads] == ["GET /ready/web HTTP/1.1"]
        asked = [head for head in prom.heads if "query=up" in head]
        assert len(asked) == 1
        assert "query=up%7Bservice%3D%22web%22%7D" in asked[0]
        assert "Authorization: Bearer sesame\r\n" in asked[0]


async def test_without_either_the_daemon_works_and_says_what_it_lacks(tmp_path: Path) -> None:
    found = await findings(tmp_path, f"http://127.0.0.1:{free_port()}/health")
    assert len(found) == 2
    assert "cannot be asked" in found[0]
    assert found[1] == "promql: no Prometheus is configured; set REMEDIATOR_PROMETHEUS_URL"


async def test_with_a_prometheus_that_is_gone_the_daemon_starts_and_is_ready(tmp_path: Path) -> None:
    gone = f"http://bob:hunter2@127.0.0.1:{free_port()}"
    found = await findings(tmp_path, "http://name.invalid:80/", prometheus_url=gone)
    assert found[1].startswith("promql: could not be found out: Prometheus cannot be reached")
    assert "hunter2" not in "".join(found)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"prometheus_url": "prometheus:9090"}, "PROMETHEUS_URL: write an http:// or https:// address"),
        (
            {"prometheus_url": "http://u:hunter2/x@host"},
            "PROMETHEUS_URL: write an http:// or https:// address",
        ),
        ({"prometheus_url": "http://u:hunter2@host/?a=b"}, "PROMETHEUS_URL: it must not carry a query"),
        ({"prometheus_token": "hunter2"}, "PROMETHEUS_TOKEN needs REMEDIATOR_PROMETHEUS_URL"),
        (
            {"prometheus_url": "http://u:hunter2@host", "prometheus_token": "hunter2"},
            "PROMETHEUS_URL names a user while there is a token",
        ),
        ({"alertmanager_urls": "http://a,alertmanager:9093"}, "ALERTMANAGER_URLS: write an http:// or"),
        ({"alertmanager_urls": "http://u:hunter2@a http://u:hunter2@a"}, "URLS: one of them is there twice"),
        ({"alertmanager_urls": " , "}, "ALERTMANAGER_URLS: write addresses such as http://alertmanager-0"),
        ({"alertmanager_urls": "http://u:hunter2@a/?x=y"}, "ALERTMANAGER_URLS: it must not carry a query"),
        ({"alertmanager_token": "hunter2"}, "ALERTMANAGER_TOKEN needs REMEDIATOR_ALERTMANAGER_URLS"),
        (
            {"alertmanager_urls": "http://a http://u:hunter2@b", "alertmanager_token": "hunter2"},
            "ALERTMANAGER_URLS names a user while there is a token",
        ),
    ],
)
def test_settings_that_cannot_work_are_told_without_their_secrets(
    tmp_path: Path, flags: dict[str, object], said: str
) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        read_settings({"policies": tmp_path, **flags})
    assert "hunter2" not in str(caught.value)


def test_alertmanagers_are_separated_by_commas_or_blanks_and_kept_secret(tmp_path: Path) -> None:
    flags = {"policies": tmp_path, "alertmanager_urls": "http://a:9093, https://u:hunter2@b/am"}
    settings = read_settings(flags)
    assert settings.alertmanagers == ("http://a:9093", "https://u:hunter2@b/am")
    assert settings.alertmanager_receiver == "remediator"
    assert "hunter2" not in repr(settings)
    assert read_settings({"policies": tmp_path}).alertmanagers == ()


def test_a_token_can_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("sesame\n")
    flags = {
        "policies": tmp_path,
        "prometheus_url": "http://u@h",
        "prometheus_token_file": tmp_path / "token",
    }
    with pytest.raises(SettingsError, match="names a user"):
        read_settings(flags)
    settings = read_settings({**flags, "prometheus_url": "https://h:9090/prom"})
    assert settings.secret("prometheus_token") == "sesame"
    assert "h:9090" not in repr(settings)
