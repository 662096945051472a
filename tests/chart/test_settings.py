"""What the chart tells the daemon is what it understands: read by its own code, from files as mounted."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from jsonschema import Draft7Validator
from ruamel.yaml import YAML

from remediator import __version__
from remediator.adapters.redis.address import Address
from remediator.adapters.redis.tls import Tls
from remediator.http.auth import ApiAuth
from remediator.policy.load import load_policy
from remediator.settings import PREFIX, SECRETS, Settings, read_settings, secret_reader
from scripts.chart import values as commented
from tests.chart.cases import cases
from tests.chart.rendering import CHART, ROOT, Object, Rendered, refusal, render

FOREIGN = {"redis-url": "rediss://redis.data:6379", "valkey-password": "elsewhere"}
"""What Secrets hold that are not of the release, by the file they are mounted as."""
SCHEMA = CHART / "values.schema.json"


def mount(rendered: Rendered, pod: Object, root: Path) -> None:
    """Every file that the daemon's container finds, under ``root``."""
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    for at in pod["containers"][0]["volumeMounts"]:
        folder = root / at["mountPath"].lstrip("/")
        folder.mkdir(parents=True)
        volume = volumes[at["name"]]
        for source in volume.get("projected", {}).get("sources", ()) or [volume]:
            _fill(rendered, source, folder)


def _fill(rendered: Rendered, source: Object, folder: Path) -> None:
    if "configMap" in source:
        found = [
            one for one in rendered.of("ConfigMap") if one["metadata"]["name"] == source["configMap"]["name"]
        ]
        texts = found[0]["data"] if found else {"theirs.yaml": "severities: {SEV-3: {summary: s}}\n"}
        for name, text in texts.items():
            (folder / name).write_text(text)
    elif "secret" in source:
        name = source["secret"].get("name", source["secret"].get("secretName"))
        own = [one["data"] for one in rendered.of("Secret") if one["metadata"]["name"] == name]
        for item in source["secret"]["items"]:
            path = folder / item["path"]
            if own:
                path.write_bytes(base64.b64decode(own[0][item["key"]]))
            else:
                path.write_text(FOREIGN.get(item["path"], "elsewhere"))


def environment(pod: Object, root: Path) -> dict[str, str]:
    """The variables of the daemon, its paths led to ``root``."""
    env = {each["name"]: str(each["value"]) for each in pod["containers"][0]["env"]}
    paths = {name for name, value in env.items() if value.startswith("/")}
    return {name: f"{root}{value}" if name in paths else value for name, value in env.items()}


@pytest.mark.parametrize("case", cases())
def test_the_daemon_understands_it(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every variable is a setting, every secret is there, the policies load, the store is named."""
    rendered = render(cases()[case])
    pod = rendered.one("Deployment", _name(rendered))["spec"]["template"]["spec"]
    mount(rendered, pod, tmp_path)
    env = environment(pod, tmp_path)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    ours = {name for name in env if name.startswith(PREFIX)}
    assert ours <= {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    settings = read_settings()
    assert settings.mode == cases()[case].get("mode", "observe")
    assert (settings.listen_at, settings.ops_listen_at) == (":9095", ":9096")
    assert ApiAuth.parse(settings.secret("api_token")).required
    assert settings.secret("webhook_token") or settings.client_ca
    tls = Tls(ca=settings.redis_ca, cert=settings.redis_cert, key=settings.redis_key)
    where = Address.parse(
        settings.secret("redis_url") or "",
        username=settings.redis_username,
        password=settings.secret("redis_password"),
        tls=tls,
    )
    assert where.place["host"] in {one["metadata"]["name"] for one in rendered.of("Service")} | {"redis.data"}
    load_policy(settings.policies)
    assert settings.data_dir.is_dir()


def _name(rendered: Rendered) -> str:
    return str(rendered.of("Deployment")[0]["metadata"]["name"])


def test_every_secret_of_the_daemon_can_be_given() -> None:
    """By a file, never by a variable: variables are seen by whoever may look at the pod."""
    everything: Object = {
        "secrets": {"pagerdutyRoutingKey": {"value": "a"}},
        "prometheus": {"url": "http://p", "token": {"value": "b"}},
        "alertmanager": {"urls": ["http://a"], "token": {"value": "c"}},
        "redis": {"url": "redis://r", "password": {"value": "d"}},
    }
    pod = render(everything).one("Deployment")["spec"]["template"]["spec"]
    given = {each["name"] for each in pod["containers"][0]["env"]}
    assert {f"{PREFIX}{name.upper()}_FILE" for name in SECRETS} <= given
    assert not {f"{PREFIX}{name.upper()}" for name in SECRETS} & given


def test_what_policies_name_can_be_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``{env: NAME}`` finds it: named secrets stand in files, too."""
    from remediator.core.policies import SecretRef

    rendered = render({"secrets": {"named": {"SLACK_TOKEN": {"value": "xoxb"}}}})
    pod = rendered.one("Deployment")["spec"]["template"]["spec"]
    mount(rendered, pod, tmp_path)
    for name, value in environment(pod, tmp_path).items():
        monkeypatch.setenv(name, value)
    assert secret_reader(read_settings())(SecretRef(env="SLACK_TOKEN")) == "xoxb"


def test_generated_secrets_are_long_and_differ() -> None:
    """48 letters and digits each, other ones with each rendering that no cluster remembers."""
    first, second = (
        {key: base64.b64decode(value) for key, value in render({}, option).one("Secret")["data"].items()}
        for option in ("--set=logLevel=info", "--set=logLevel=debug")
    )
    assert set(first) == {"webhook-token", "api-token", "valkey-password"}
    assert all(len(value) == 48 and value.isalnum() for value in first.values())
    assert len({*first.values(), *second.values()}) == 6


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"replicaCount": 0}, "replicaCount"),
        ({"replicas": 2}, "replicas"),
        ({"mode": "on"}, "mode"),
        ({"policies": {"files": {"rules.yml": "x"}}}, "rules.yml"),
        ({"policies": {"files": {"a.yaml": "x"}, "existingConfigMap": "b"}}, "keep one of them"),
        ({"secrets": {"webhookToken": {"enabled": False}}}, "who sends webhooks"),
        ({"secrets": {"apiToken": {"value": "a", "existingSecret": "b"}}}, "keep one of them"),
        ({"secrets": {"named": {"lower": {"value": "a"}}}}, "lower"),
        ({"tls": {"clientCa": {"existingSecret": "a"}}}, "needs tls.existingSecret"),
        ({"redis": {"url": "http://redis"}}, "redis"),
        ({"redis": {"password": {"value": "x"}}}, "valkey.password"),
        ({"redis": {"url": "redis://r", "existingSecret": "x"}}, "keep one of them"),
        ({"redis": {"url": "redis://r", "tls": {"caKey": "x"}}}, "redis.tls.existingSecret"),
        ({"redis": {"prefix": "$(id)"}}, "prefix"),
        ({"prometheus": {"token": {"value": "x"}}}, "needs prometheus.url"),
        ({"alertmanager": {"token": {"value": "x"}}}, "needs alertmanager.urls"),
        ({"image": {"digest": "sha256:short"}}, "digest"),
    ],
)
def test_wrong_values_are_refused(values: Object, told: str) -> None:
    """Before anything is installed, with what is wrong."""
    assert told in refusal(values)


def test_the_schema_knows_every_value_and_each_has_a_comment() -> None:
    """And the other way round; the defaults fit; unknown names are refused at every level."""
    import json

    schema = json.loads(SCHEMA.read_text())
    text = (CHART / "values.yaml").read_text()
    defaults = YAML(typ="safe").load(text)
    Draft7Validator.check_schema(schema)
    assert list(Draft7Validator(schema).iter_errors(defaults)) == []
    known = {value.path for value in commented(text)}
    described = {path for path, one in _leaves(schema) if path != "global" and "description" in one}
    assert known == described
    undescribed = {path for path, one in _leaves(schema) if "description" not in one}
    assert undescribed == set()
    assert _paths(defaults, schema) == {path for path, _ in _leaves(schema)} - {"global"}


def _leaves(schema: Object, path: str = "") -> list[tuple[str, Object]]:
    """Values, by path: what has no named values of its own."""
    found: list[tuple[str, Object]] = []
    for name, one in schema["properties"].items():
        here = f"{path}{name}"
        found += _leaves(one, f"{here}.") if "properties" in one else [(here, one)]
    return found


def _paths(defaults: Object, schema: Object, path: str = "") -> set[str]:
    found: set[str] = set()
    for name, value in defaults.items():
        one = schema["properties"][name]
        found |= _paths(value, one, f"{path}{name}.") if "properties" in one else {f"{path}{name}"}
    return found


def test_the_chart_belongs_to_this_version() -> None:
    """One version of both."""
    known = YAML(typ="safe").load((CHART / "Chart.yaml").read_text())
    assert known["appVersion"] == known["version"] == __version__
    assert (ROOT / "chart").is_dir()
