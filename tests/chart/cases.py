"""The combinations in which the chart is rendered: the named ones, and every pair of two switches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import combinations, product
from typing import Any, TypeAlias

from ruamel.yaml import YAML

from tests.chart.rendering import CHART, Values

_ON: Mapping[str, Values] = {
    "replicas": {"replicaCount": 3},
    "names": {"fullnameOverride": "mender", "commonLabels": {"team": "sre"}},
    "mode": {"mode": "auto", "logLevel": "debug", "retention": "7d"},
    "policies": {
        "policies": {"existingConfigMap": "our-policies", "onChange": "roll"},
        "rbac": {"roles": [{"namespace": "", "rules": [
            {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}
        ]}]},
    },
    "account": {"serviceAccount": {"create": False, "name": "ours"}, "imagePullSecrets": [{"name": "pull"}]},
    "tokens": {"secrets": {
        "webhookToken": {"value": "a token"}, "apiToken": {"existingSecret": "ours", "key": "api"},
        "pagerdutyRoutingKey": {"value": "R0"}, "named": {"SLACK_TOKEN": {"value": "xoxb"}},
    }},
    "tls": {"tls": {"existingSecret": "cert", "clientCa": {"existingSecret": "authority"}}},
    "redis": {"redis": {
        "url": "rediss://redis.data:6379", "username": "us", "password": {"value": "p@ss"}, "prefix": "ours",
        "tls": {"existingSecret": "redis-tls", "caKey": "ca", "certKey": "crt", "keyKey": "key"},
    }},
    "peers": {
        "prometheus": {"url": "http://prometheus:9090", "token": {"value": "t"}},
        "alertmanager": {"urls": ["http://a:9093", "http://b:9093"], "token": {"existingSecret": "am"}},
    },
    "monitoring": {
        "serviceMonitor": {"enabled": True, "labels": {"release": "kps"}},
        "prometheusRule": {"enabled": True, "labels": {"release": "kps"}},
        "dashboards": {"enabled": True, "annotations": {"grafana_folder": "SRE"}},
    },
    "network": {"networkPolicy": {"egress": {"restrict": True}, "ingress": {
        "operations": [{"namespaceSelector": {}}], "webhooks": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]
    }}},
    "archive": {"archive": {"to": "stdout", "existingClaim": "kept"}},
    "placing": {
        "nodeSelector": {"disk": "ssd"}, "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {}}, "priorityClassName": "high", "podLabels": {"a": "b"},
        "podAnnotations": {"c": "d"}, "topologySpreadConstraints": [],
    },
    "extras": {
        "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
        "extraEnvFrom": [{"secretRef": {"name": "more"}}],
        "extraVolumes": [{"name": "more", "configMap": {"name": "more"}}],
        "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
    },
    "bare": {"podDisruptionBudget": {"enabled": False}, "rbac": {"create": False}},
}  # fmt: skip
"""One switch each. Two that speak of the same value are merged."""


def merged(*parts: Values) -> dict[str, Any]:
    """Maps within maps are united; of anything else the last counts."""
    result: dict[str, Any] = {}
    for part in parts:
        for key, value in part.items():
            here = result.get(key)
            both = isinstance(here, Mapping) and isinstance(value, Mapping)
            result[key] = merged(here, value) if both else value  # type: ignore[arg-type]
    return result


_Wanted: TypeAlias = tuple[tuple[str, ...], tuple[bool, ...]]
"""Two switches, and the position of each."""


def pairs() -> Iterator[tuple[str, ...]]:
    """Sets of switches in which every two are both on, each alone, and both off, in some. Greedy."""
    names = tuple(_ON)
    wanted: set[_Wanted] = set(product(combinations(names, 2), product((True, False), repeat=2)))
    while wanted:
        best = _best(names, wanted)
        wanted -= {each for each in wanted if _covers(best, each)}
        yield tuple(name for name in names if best[name])


def _covers(row: Mapping[str, bool], wanted: _Wanted) -> bool:
    (one, other), (first, second) = wanted
    return row[one] is first and row[other] is second


def _best(names: tuple[str, ...], wanted: set[_Wanted]) -> dict[str, bool]:
    """Start with what is still wanted, then give each switch the position that settles most."""
    (one, other), (first, second) = min(wanted)
    row = {one: first, other: second}
    for name in names:
        if name not in row:
            gains = {on: _gain({**row, name: on}, name, wanted) for on in (True, False)}
            row[name] = gains[True] >= gains[False]
    return row


def _gain(row: Mapping[str, bool], name: str, wanted: set[_Wanted]) -> int:
    return sum(
        name in each[0] and all(one in row for one in each[0]) and _covers(row, each) for each in wanted
    )


@cache
def cases() -> dict[str, Values]:
    """Every combination by its name."""
    found: dict[str, Values] = {"default": {}, "three replicas": {"replicaCount": 3}}
    for file in sorted((CHART / "ci").glob("*-values.yaml")):
        found[file.name.removesuffix("-values.yaml")] = YAML(typ="safe").load(file.read_text())
    for on in pairs():
        found["+".join(on) or "none"] = merged(*(_ON[name] for name in on))
    return found
