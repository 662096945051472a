"""In every combination the chart renders objects that a real API server takes, and that fit each other."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from remediator.app import DRAIN_WITHIN
from tests.chart.cases import cases, merged, pairs
from tests.chart.openapi import complaints
from tests.chart.rendering import CHART, NAMESPACE, Object, Rendered, Values, helm, render
from tests.chart.restricted import violations

EVERY = pytest.mark.parametrize("case", cases())


def test_helm_finds_nothing_to_say() -> None:
    """Strict lint, of the chart alone and with each of the values that are shipped beside it."""
    files = sorted((CHART / "ci").glob("*.yaml"))
    assert len(files) >= 3
    done = helm("lint", "--strict", str(CHART), *(f"--values={file}" for file in files[:1]))
    assert done.returncode == 0, done.stdout
    for file in files[1:]:
        done = helm("lint", "--strict", str(CHART), "--values", str(file))
        assert done.returncode == 0, done.stdout


def test_every_two_switches_meet_in_every_position() -> None:
    """Few renderings, all pairs: that is what the greedy search is for."""
    rows = [set(row) for row in pairs()]
    assert len(rows) < 20
    names = sorted({name for row in rows for name in row})
    for one in names:
        for other in names:
            if one < other:
                assert len({(one in row, other in row) for row in rows}) == 4, (one, other)


@EVERY
def test_objects_have_the_shape_that_kubernetes_asks_for(case: str) -> None:
    """Unknown fields included; no object twice; all of one namespace, or of where their Roles hold."""
    rendered = render(cases()[case])
    assert [text for one in rendered.objects for text in complaints(one)] == []
    names = [
        (one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in rendered.objects
    ]
    assert len(set(names)) == len(names)
    for kind, namespace, _ in names:
        if kind in ("ClusterRole", "ClusterRoleBinding"):
            assert namespace is None
        elif kind not in ("Role", "RoleBinding"):
            assert namespace == NAMESPACE


def test_the_shapes_are_really_checked() -> None:
    """An unknown field, a wrong type and a missing one are told, each with its place."""
    deployment = deepcopy(render().one("Deployment"))
    deployment["spec"]["replica"] = 1
    deployment["spec"]["template"]["spec"]["containers"][0]["args"] = "serve"
    del deployment["spec"]["selector"]
    assert len(list(complaints(deployment))) == 3
    rule = {"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule", "metadata": {"name": "x"}}
    assert list(complaints({**rule, "spec": {"groups": [{"name": "x", "rules": [{"expr": "1"}]}]}}))


@EVERY
def test_pods_fit_the_restricted_profile(case: str) -> None:
    """The daemon, the store and the hook of ``helm test``."""
    found = dict(render(cases()[case]).templates())
    assert any(name.startswith("Deployment/") for name in found)
    assert {name: list(violations(pod["spec"])) for name, pod in found.items()} == {
        name: [] for name in found
    }


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("hostNetwork", True),
        ("volumes", [{"name": "x", "hostPath": {"path": "/"}}]),
        ("securityContext", {}),
        ("securityContext.runAsUser", 0),
        ("securityContext.seccompProfile", {"type": "Unconfined"}),
        ("securityContext.sysctls", [{"name": "kernel.msgmax", "value": "1"}]),
        ("containers.0.ports", [{"containerPort": 1, "hostPort": 1}]),
        ("containers.0.securityContext", {}),
        ("containers.0.securityContext.privileged", True),
        ("containers.0.securityContext.allowPrivilegeEscalation", True),
        ("containers.0.securityContext.readOnlyRootFilesystem", False),
        ("containers.0.securityContext.runAsNonRoot", False),
        ("containers.0.securityContext.capabilities", {"drop": ["ALL"], "add": ["SYS_ADMIN"]}),
        ("containers.0.securityContext.procMount", "Unmasked"),
        ("containers.0.securityContext.appArmorProfile", {"type": "Unconfined"}),
        ("containers.0.securityContext.seLinuxOptions", {"user": "root"}),
        ("containers.0.livenessProbe.tcpSocket", {"host": "10.0.0.1", "port": 1}),
    ],
)
def test_the_profile_is_really_checked(where: str, value: Any) -> None:
    """Each control of the standard that a chart could break."""
    spec = deepcopy(render().one("Deployment")["spec"]["template"]["spec"])
    *way, last = where.split(".")
    at: Any = spec
    for key in way:
        at = at[int(key)] if key.isdigit() else at[key]
    at[last] = value
    assert list(violations(spec))


@EVERY
def test_objects_find_each_other(case: str) -> None:
    """Selectors select, ports have names, accounts, claims, maps and secrets of the release are there."""
    rendered = render(cases()[case])
    pods = [pod for _, pod in rendered.templates()]
    for one in rendered.objects:
        for selector, port in _looked_for(one):
            met = [pod for pod in pods if selector.items() <= pod["metadata"]["labels"].items()]
            assert met, f"{one['kind']}/{one['metadata']['name']} selects nothing by {selector}"
            if port is not None:
                assert all(port in _ports(pod) for pod in met), f"{one['kind']} names port {port}"
    for name, pod in rendered.templates():
        volumes = {volume["name"] for volume in pod["spec"].get("volumes", ())}
        claims = _claims(rendered, name)
        for container in pod["spec"]["containers"]:
            mounted = {mount["name"] for mount in container.get("volumeMounts", ())}
            assert mounted == volumes | claims, name
        assert _own(rendered) >= set(_named(pod["spec"], rendered)), name


def _claims(rendered: Rendered, name: str) -> set[str]:
    kind, _, own = name.partition("/")
    if kind != "StatefulSet":
        return set()
    return {each["metadata"]["name"] for each in rendered.one(kind, own)["spec"]["volumeClaimTemplates"]}


def _looked_for(one: Object) -> list[tuple[dict[str, str], str | None]]:
    """Selectors of pods, each with a port that they are to have."""
    spec = one.get("spec", {})
    match one["kind"]:
        case "Service":
            return [(spec["selector"], port["targetPort"]) for port in spec["ports"]]
        case "NetworkPolicy":
            return [
                (spec["podSelector"]["matchLabels"], port["port"])
                for rule in spec["ingress"]
                for port in rule["ports"]
            ]
        case "PodDisruptionBudget" | "Deployment" | "StatefulSet":
            return [(spec["selector"]["matchLabels"], None)]
        case _:
            return []


def _ports(pod: Object) -> set[str]:
    return {port["name"] for container in pod["spec"]["containers"] for port in container.get("ports", ())}


def _own(rendered: Rendered) -> set[tuple[str, str, str]]:
    """Every key that the release's own maps and secrets have."""
    return {
        (one["kind"], one["metadata"]["name"], key)
        for one in rendered.objects
        if one["kind"] in ("ConfigMap", "Secret")
        for key in one.get("data", {})
    }


def _named(spec: Object, rendered: Rendered) -> list[tuple[str, str, str]]:
    """What a pod wants of the release's own maps and secrets; others are the user's."""
    ours = {(one["kind"], one["metadata"]["name"]) for one in rendered.objects}
    wanted: list[tuple[str, str, str]] = []
    for volume in spec.get("volumes", ()):
        sources = volume.get("projected", {}).get("sources", ()) or [volume]
        for source in sources:
            secret = source.get("secret", {})
            name = secret.get("name", secret.get("secretName"))
            if ("Secret", name) in ours:
                wanted += [("Secret", name, item["key"]) for item in secret["items"]]
    return wanted


def daemon(values: Values | None = None, *options: str) -> Object:
    """The spec of the daemon's pods."""
    spec: Object = render(values, *options).one("Deployment")["spec"]["template"]["spec"]
    return spec


def test_three_replicas_and_a_drain_that_takes_one() -> None:
    """Rolled one by one with none less than asked, spread, and drained one at a time."""
    rendered = render({"replicaCount": 3})
    spec = rendered.one("Deployment")["spec"]
    assert spec["replicas"] == 3
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert rendered.one("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    spread = daemon({"replicaCount": 3})["topologySpreadConstraints"]
    assert [each["topologyKey"] for each in spread] == [
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    ]
    assert {str(each["labelSelector"]) for each in spread} == {str(spec["selector"])}


def test_it_ends_gracefully() -> None:
    """Longer than the time until nothing is sent any more, and the time the daemon takes for its work."""
    slow = daemon({"preStopSeconds": 7, "terminationGracePeriodSeconds": 20})
    assert slow["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"] == 7
    assert slow["terminationGracePeriodSeconds"] == 27
    usual = daemon()
    waits = usual["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert usual["terminationGracePeriodSeconds"] > waits + DRAIN_WITHIN + 5
    old = daemon({}, "--kube-version=1.25.0")["containers"][0]["lifecycle"]["preStop"]
    assert old == {"exec": {"command": ["sleep", "5"]}}


def test_probes_ask_what_is_open_to_everybody() -> None:
    """Of the operations listener: the kubelet has no token, and shows no client certificate."""
    container = daemon({"tls": {"existingSecret": "t", "clientCa": {"existingSecret": "c"}}})["containers"][0]
    asked = {
        name: (container[name]["httpGet"]["path"], container[name]["httpGet"]["port"])
        for name in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert asked == {
        "startupProbe": ("/-/healthy", "operations"),
        "livenessProbe": ("/-/healthy", "operations"),
        "readinessProbe": ("/-/ready", "operations"),
    }


def test_a_change_that_needs_other_pods_makes_them() -> None:
    """Policies and secrets are read anew, unless a roll is asked for; where the store is, is not."""

    def marks(values: Values) -> Object:
        meta = render(values).one("Deployment")["spec"]["template"]["metadata"]
        return {key: value for key, value in meta["annotations"].items() if key.startswith("checksum/")}

    one, other = ({"policies": {"files": {"a.yaml": text}}} for text in ("a: 1\n", "a: 2\n"))
    assert marks(one) == marks(other) == marks({}) == {}
    rolled = [marks(merged(each, {"policies": {"onChange": "roll"}})) for each in (one, other)]
    assert rolled[0]["checksum/policies"] != rolled[1]["checksum/policies"]
    assert marks({"secrets": {"webhookToken": {"value": "given"}}}) == {}
    urls = ("redis://:one@a:6379", "redis://:two@a:6379", "redis://:two@b:6379")
    first, second, third = (marks({"redis": {"url": url}})["checksum/store"] for url in urls)
    assert first == second, "no digest of a password stands where everybody may look"
    assert second != third
