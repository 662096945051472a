"""Namespaces, Pods, Services, Endpoints and ConfigMaps."""

from __future__ import annotations

import re
from collections.abc import Sequence

from remediator.testing.apiserver.kinds.base import ALL_VERBS, META_FIELDS, Kind
from remediator.testing.apiserver.kinds.pod_template import default_pod_spec, validate_pod_spec
from remediator.testing.apiserver.objects import Json, digest
from remediator.testing.apiserver.statuses import Cause

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


def validate_name(obj: Json) -> Sequence[Cause]:
    """Names are lower-case subdomains."""
    name = str(obj["metadata"].get("name", ""))
    if _SUBDOMAIN.match(name) and len(name) <= 253:
        return ()
    return (Cause.invalid("metadata.name", f'"{name}"', _SUBDOMAIN_RULE),)


def _default_namespace(obj: Json) -> None:
    labels = obj["metadata"].setdefault("labels", {})
    labels["kubernetes.io/metadata.name"] = obj["metadata"]["name"]
    obj["spec"] = {"finalizers": ["kubernetes"]} | obj.get("spec", {})


def _default_pod(obj: Json) -> None:
    for entry in obj.get("status", {}).get("conditions", ()):
        entry.setdefault("lastProbeTime", None)
        entry.setdefault("lastTransitionTime", None)
    spec = obj.setdefault("spec", {})
    default_pod_spec(spec)
    for container in spec.get("containers", ()):
        if limits := container["resources"].get("limits"):
            container["resources"]["requests"] = limits | container["resources"].get("requests", {})
    spec.setdefault("serviceAccountName", "default")
    spec.setdefault("serviceAccount", spec["serviceAccountName"])
    spec.setdefault("priority", 0)
    spec.setdefault("enableServiceLinks", True)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    spec.setdefault("tolerations", [_tolerate("not-ready"), _tolerate("unreachable")])


def _tolerate(what: str) -> Json:
    key = f"node.kubernetes.io/{what}"
    return {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}


def _validate_pod(obj: Json) -> Sequence[Cause]:
    return list(validate_pod_spec(obj.get("spec", {}), "spec"))


def _pod_update(new: Json, old: Json) -> Sequence[Cause]:
    """Of a running pod only images, deadlines and tolerations can change."""

    def fixed(obj: Json) -> Json:
        spec = {key: value for key, value in obj["spec"].items() if key not in _POD_MUTABLE}
        return spec | {"containers": [{**entry, "image": ""} for entry in spec.get("containers", ())]}

    if fixed(new) == fixed(old):
        return ()
    why = (
        "pod updates may not change fields other than `spec.containers[*].image`,"
        "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to "
        "existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "
        "previously negative)"
    )
    return (Cause.forbidden("spec", why),)


_POD_MUTABLE = {"initContainers", "activeDeadlineSeconds", "tolerations", "nodeName"}


def _default_service(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    for port in spec.get("ports", ()):
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port.get("port"))
    if spec.setdefault("type", "ClusterIP") == "ClusterIP" and "clusterIP" not in spec:
        number = sum(ord(letter) for letter in digest(obj["metadata"]["name"]))
        spec["clusterIP"] = f"10.96.{number // 254 % 254}.{number % 254 + 1}"
    if "clusterIP" in spec:
        spec.setdefault("clusterIPs", [spec["clusterIP"]])
    spec.setdefault("sessionAffinity", "None")
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    spec.setdefault("internalTrafficPolicy", "Cluster")


NAMESPACES = Kind(
    name="Namespace",
    plural="namespaces",
    singular="namespace",
    namespaced=False,
    short_names=("ns",),
    verbs=tuple(verb for verb in ALL_VERBS if verb != "deletecollection"),
    fields=META_FIELDS | {"status.phase": lambda obj: str(obj.get("status", {}).get("phase", ""))},
    defaults=_default_namespace,
    validate=validate_name,
    initial=lambda: {"phase": "Active"},
    returns_object=True,
)
PODS = Kind(
    name="Pod",
    plural="pods",
    singular="pod",
    short_names=("po",),
    categories=("all",),
    fields=META_FIELDS
    | {
        "status.phase": lambda obj: str(obj.get("status", {}).get("phase", "")),
        "status.podIP": lambda obj: str(obj.get("status", {}).get("podIP", "")),
        "spec.nodeName": lambda obj: str(obj["spec"].get("nodeName", "")),
        "spec.restartPolicy": lambda obj: str(obj["spec"].get("restartPolicy", "")),
        "spec.schedulerName": lambda obj: str(obj["spec"].get("schedulerName", "")),
        "spec.serviceAccountName": lambda obj: str(obj["spec"].get("serviceAccountName", "")),
    },
    defaults=_default_pod,
    validate=_validate_pod,
    validate_update=_pod_update,
    initial=lambda: {"phase": "Pending", "qosClass": "BestEffort"},
    returns_object=True,
    graceful=True,
)
SERVICES = Kind(
    name="Service",
    plural="services",
    singular="service",
    short_names=("svc",),
    categories=("all",),
    defaults=_default_service,
    initial=lambda: {"loadBalancer": {}},
)
ENDPOINTS = Kind(
    name="Endpoints",
    plural="endpoints",
    singular="endpoints",
    short_names=("ep",),
    status_subresource=False,
)
CONFIG_MAPS = Kind(
    name="ConfigMap",
    plural="configmaps",
    singular="configmap",
    short_names=("cm",),
    validate=validate_name,
    status_subresource=False,
)
