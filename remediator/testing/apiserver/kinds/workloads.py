"""Deployments, ReplicaSets, StatefulSets, DaemonSets and the revisions they keep."""

from __future__ import annotations

from collections.abc import Sequence

from remediator.testing.apiserver.kinds.base import Kind
from remediator.testing.apiserver.kinds.pod_template import (
    default_template,
    validate_selector_update,
    validate_workload,
)
from remediator.testing.apiserver.objects import Json
from remediator.testing.apiserver.statuses import Cause

_STATEFUL_MUTABLE = {
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
    "revisionHistoryLimit",
}


def _default_deployment(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    default_template(spec)
    strategy = spec.setdefault("strategy", {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    _drop_false(spec, "paused")


def _drop_false(spec: Json, key: str) -> None:
    if spec.get(key) is False:
        del spec[key]


def _default_replica_set(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    default_template(spec)


def _default_stateful_set(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    default_template(spec)
    spec.setdefault("podManagementPolicy", "OrderedReady")
    strategy = spec.setdefault("updateStrategy", {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        strategy.setdefault("rollingUpdate", {}).setdefault("partition", 0)
    spec.setdefault("revisionHistoryLimit", 10)
    retention = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
    retention.setdefault("whenDeleted", "Retain")
    retention.setdefault("whenScaled", "Retain")


def _default_daemon_set(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    default_template(spec)
    strategy = spec.setdefault("updateStrategy", {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", 1)
        rolling.setdefault("maxSurge", 0)
    spec.setdefault("revisionHistoryLimit", 10)
    annotations = obj["metadata"].setdefault("annotations", {})
    annotations["deprecated.daemonset.template.generation"] = str(obj["metadata"].get("generation", 1))


def _stateful_update(new: Json, old: Json) -> Sequence[Cause]:
    keys = {*new["spec"], *old["spec"]} - _STATEFUL_MUTABLE
    if all(new["spec"].get(key) == old["spec"].get(key) for key in keys):
        return ()
    why = (
        "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
        "'updateStrategy', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
    )
    return (Cause.forbidden("spec", why),)


DEPLOYMENTS = Kind(
    name="Deployment",
    plural="deployments",
    singular="deployment",
    group="apps",
    short_names=("deploy",),
    categories=("all",),
    defaults=_default_deployment,
    validate=validate_workload,
    validate_update=validate_selector_update,
    initial=dict,
    spec_generation=True,
    annotation_generation=True,
    scalable=True,
)
REPLICA_SETS = Kind(
    name="ReplicaSet",
    plural="replicasets",
    singular="replicaset",
    group="apps",
    short_names=("rs",),
    categories=("all",),
    defaults=_default_replica_set,
    validate=validate_workload,
    validate_update=validate_selector_update,
    initial=lambda: {"replicas": 0},
    spec_generation=True,
    scalable=True,
)
STATEFUL_SETS = Kind(
    name="StatefulSet",
    plural="statefulsets",
    singular="statefulset",
    group="apps",
    short_names=("sts",),
    categories=("all",),
    defaults=_default_stateful_set,
    validate=validate_workload,
    validate_update=_stateful_update,
    initial=lambda: {"replicas": 0, "availableReplicas": 0},
    spec_generation=True,
    scalable=True,
)
DAEMON_SETS = Kind(
    name="DaemonSet",
    plural="daemonsets",
    singular="daemonset",
    group="apps",
    short_names=("ds",),
    categories=("all",),
    defaults=_default_daemon_set,
    validate=validate_workload,
    validate_update=validate_selector_update,
    initial=lambda: {
        "currentNumberScheduled": 0,
        "numberMisscheduled": 0,
        "desiredNumberScheduled": 0,
        "numberReady": 0,
    },
    spec_generation=True,
)
REPLICATION_CONTROLLERS = Kind(
    name="ReplicationController",
    plural="replicationcontrollers",
    singular="replicationcontroller",
    verbs=("get", "list", "watch"),
)
"""There never is one: it can be looked for, as ``kubectl get all`` does, and not made."""
CONTROLLER_REVISIONS = Kind(
    name="ControllerRevision",
    plural="controllerrevisions",
    singular="controllerrevision",
    group="apps",
    status_subresource=False,
)
