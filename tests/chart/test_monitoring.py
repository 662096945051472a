"""Rules and dashboards get into the cluster as they are; the Alertmanager of NOTES fits what was rendered."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.chart.openapi import complaints
from tests.chart.rendering import CHART, ROOT, Object, Rendered, Values, render

RULES = """# written by a program
groups:
  - name: remediator
    rules:
      - alert: Backlog
        expr: remediator_backlog{queue="intake"} > 100
        for: 5m
        annotations: {summary: '{{ $value | humanize }} wait in {{ $labels.queue }}'}
"""
BOARD = {"title": "Outcomes", "templating": {"list": []}, "panels": [{"legendFormat": "{{runbook}} `x`"}]}
ALL = {name: {"enabled": True} for name in ("serviceMonitor", "prometheusRule", "dashboards")}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The chart with rules and a dashboard of ours, and with NOTES as an object that can be looked at."""
    chart = tmp_path / "chart"
    shutil.copytree(CHART, chart)
    (chart / "files" / "rules" / "health_of_it.yaml").write_text(RULES)
    (chart / "dashboards").mkdir(exist_ok=True)
    (chart / "dashboards" / "outcomes.json").write_text(json.dumps(BOARD, indent=2))
    (chart / "templates" / "notes.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: notes}\n"
        'data: {{ dict "notes" (include (print $.Template.BasePath "/NOTES.txt") .) | toJson }}\n'
    )
    return chart


def test_what_is_in_the_chart_reaches_the_cluster_as_it_is(copy: Path) -> None:
    """Braces of Prometheus and Grafana are not for helm."""
    rendered = render(ALL, chart=copy)
    assert [text for one in rendered.objects for text in complaints(one)] == []
    rule = rendered.one("PrometheusRule", "remediator-health-of-it")
    assert rule["spec"] == YAML(typ="safe").load(RULES)
    board = rendered.one("ConfigMap", "remediator-dashboard-outcomes")
    assert json.loads(board["data"]["outcomes.json"]) == BOARD
    assert board["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_every_rule_and_dashboard_of_the_chart_is_among_them() -> None:
    """Whatever is there; without the switches none of it is."""
    rendered, bare = render(ALL), render()
    rules, boards = sorted(CHART.glob("files/rules/*.yaml")), sorted(CHART.glob("dashboards/*.json"))
    assert len(rendered.of("PrometheusRule")) == len(rules)
    shown = [one for one in rendered.of("ConfigMap") if "dashboard" in one["metadata"]["name"]]
    assert [json.loads(text) for one in shown for text in one["data"].values()] == [
        json.loads(file.read_text()) for file in boards
    ]
    (monitor,) = rendered.of("ServiceMonitor")
    service = rendered.one("Service")
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["spec"]["endpoints"][0]["port"] in [port["name"] for port in service["spec"]["ports"]]
    assert monitor["spec"]["endpoints"][0]["honorLabels"] is True, "our label service would be lost"
    store = rendered.one("Service", "remediator-valkey")["metadata"]["labels"]
    assert not monitor["spec"]["selector"]["matchLabels"].items() <= store.items()
    assert not bare.of("ServiceMonitor") + bare.of("PrometheusRule")


def test_runbooks_are_where_the_values_say() -> None:
    """Every alert's page, under the address that is given; nothing else of a rule is touched."""
    base = "https://git.example/docs/runbooks"
    plain, led = render(ALL), render({**ALL, "prometheusRule": {"enabled": True, "runbookUrl": f"{base}/"}})
    for one, other in zip(plain.of("PrometheusRule"), led.of("PrometheusRule"), strict=True):
        assert json.loads(json.dumps(one).replace('"docs/runbooks/', f'"{base}/')) == other
    pages = [
        rule["annotations"]["runbook_url"].removeprefix(f"{base}/")
        for one in led.of("PrometheusRule")
        for group in one["spec"]["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]
    assert pages
    assert all((ROOT / "docs" / "runbooks" / page).is_file() for page in pages)


def test_panels_lead_to_where_the_values_say() -> None:
    """The variable of the documentation's address, and nothing else of a dashboard."""
    base = "https://git.example/docs"
    led = render({**ALL, "dashboards": {"enabled": True, "docsUrl": f"{base}/"}})
    boards = [one for one in led.of("ConfigMap") if "dashboard" in one["metadata"]["name"]]
    assert boards
    for one in boards:
        [(name, text)] = one["data"].items()
        shipped = json.loads((CHART / "dashboards" / name).read_text())
        [variable] = [each for each in shipped["templating"]["list"] if each["name"] == "docs"]
        variable |= {"query": base, "current": {**variable["current"], "text": base, "value": base}}
        assert json.loads(text) == shipped


def notes(values: Values, chart: Path) -> tuple[str, Rendered]:
    """What NOTES says, and all that was rendered."""
    rendered = render(values, chart=chart)
    return rendered.one("ConfigMap", "notes")["data"]["notes"], rendered


def alertmanager(text: str) -> Object:
    """The configuration in NOTES: from ``receivers:`` to the first line that is no part of it."""
    lines = text.partition("\nreceivers:\n")[2].splitlines()
    end = next(at for at, line in enumerate(lines) if line and not line.startswith((" ", "route:")))
    found = list(lines[:end])
    while found and not found[-1].startswith(("      ", "    ")):
        found.pop()
    body = "\n".join(line for line in ["receivers:", *found] if not line.startswith("   The token"))
    loaded: Object = YAML(typ="safe").load(body.partition("\n\n")[0])
    return loaded


TLS: dict[str, Any] = {"existingSecret": "cert", "clientCa": {"existingSecret": "authority"}}


@pytest.mark.parametrize(
    ("values", "scheme", "token", "keys"),
    [
        ({}, "http", "webhook-token", set()),
        ({"secrets": {"webhookToken": {"existingSecret": "t", "key": "hooks"}}}, "http", "hooks", set()),
        ({"tls": {"existingSecret": "cert"}}, "https", "webhook-token", {"ca_file"}),
        (
            {"tls": TLS, "secrets": {"webhookToken": {"enabled": False}}, "alertmanager": {"receiver": "us"}},
            "https", None, {"ca_file", "cert_file", "key_file"},
        ),
    ],
)  # fmt: skip
def test_the_alertmanager_of_the_notes_fits(
    copy: Path, tmp_path: Path, values: Values, scheme: str, token: str | None, keys: set[str]
) -> None:
    """The service's name, namespace and port, its token and its TLS; and the real amtool takes it."""
    text, rendered = notes(values, copy)
    config = alertmanager(text)
    (receiver,) = config["receivers"]
    (hook,) = receiver["webhook_configs"]
    service = rendered.one("Service")["metadata"]
    assert hook["url"] == f"{scheme}://{service['name']}.{service['namespace']}.svc:9095/v1/alertmanager"
    http = hook.get("http_config", {})
    assert http.get("authorization", {}).get("credentials_file", "").rpartition("/")[2] == (token or "")
    assert set(http.get("tls_config", {})) == keys
    assert receiver["name"] == values.get("alertmanager", {}).get("receiver", "remediator")
    config["route"]["receiver"] = receiver["name"]
    path = tmp_path / "alertmanager.yml"
    YAML().dump(config, path)
    done = subprocess.run(["amtool", "check-config", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_notes_say_what_is_left_to_do(copy: Path) -> None:
    """Only what is."""
    text, _ = notes({}, copy)
    assert "nothing is changed" in text
    assert "no PagerDuty key" in text
    assert "remediator rbac policies --values --mode observe" in text
    own, _ = notes({"policies": {"existingConfigMap": "ours"}, "mode": "auto"}, copy)
    assert "the daemon has no permissions" in own
    given: Values = {
        "policies": {"existingConfigMap": "ours"}, "rbac": {"roles": []}, "redis": {"url": "redis://r"},
        "secrets": {"pagerdutyRoutingKey": {"existingSecret": "pd"}},
    }  # fmt: skip
    quiet, _ = notes(given, copy)
    assert "NOTE" not in quiet
    assert "Valkey" not in quiet
