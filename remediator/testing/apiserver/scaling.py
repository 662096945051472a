"""The scale subresource of Deployments, ReplicaSets and StatefulSets."""

from __future__ import annotations

from remediator.testing.apiserver.applying import configuration
from remediator.testing.apiserver.bodies import Request, check_kind, parse_json
from remediator.testing.apiserver.kinds import Kind
from remediator.testing.apiserver.managers import APPLY, manager_of
from remediator.testing.apiserver.merging import applied
from remediator.testing.apiserver.objects import Json, clone
from remediator.testing.apiserver.patching import patched_object
from remediator.testing.apiserver.selectors import query_form
from remediator.testing.apiserver.statuses import (
    ApiError,
    Cause,
    bad_request,
    invalid,
    method_not_allowed,
    modified,
    not_found,
)
from remediator.testing.apiserver.writing import Writer, check_names


def scale_of(workload: Json) -> Json:
    """The Scale of a workload; a count of zero is left out of the spec, as the server does."""
    meta = {name: workload["metadata"][name] for name in ("name", "namespace", "uid", "resourceVersion")}
    meta["creationTimestamp"] = workload["metadata"]["creationTimestamp"]
    replicas = workload["spec"]["replicas"]
    status = {
        "replicas": workload["status"].get("replicas", 0),
        "selector": query_form(workload["spec"]["selector"]),
    }
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": meta,
        "spec": {"replicas": replicas} if replicas else {},
        "status": status,
    }


def handle_scale(writer: Writer, request: Request, kind: Kind) -> Json:
    """Get, replace or patch a Scale. Raises ApiError 4xx."""
    if request.asked.verb == "get":
        if writer.cluster.store.get(kind, (request.asked.namespace, request.asked.name)) is None:
            raise not_found(f"{kind.plural}/scale", kind.group, request.asked.name)
        return scale_of(writer.present(request, kind))
    if request.asked.verb not in {"update", "patch"}:
        raise method_not_allowed()
    dry_run = request.dry_run
    old = writer.present(request, kind)
    scale, body = _asked_scale(request, old)
    check_names(request, scale)
    wanted = clone(old)
    if request.is_apply:
        manager = manager_of(request, kind, APPLY, writer.cluster.timestamp())
        force = request.query.get("force") in {"true", "1"}
        count = {"spec": {"replicas": scale.get("spec", {}).get("replicas", 0)}}
        wanted = applied(count, old, kind.type_name, manager, force=force)
    version = scale["metadata"].get("resourceVersion")
    if version and version != old["metadata"]["resourceVersion"]:
        raise modified(kind.plural, kind.group, request.asked.name)
    replicas = scale.get("spec", {}).get("replicas", 0)
    if replicas < 0:
        cause = Cause.invalid("spec.replicas", str(replicas), "must be greater than or equal to 0")
        raise invalid("Scale", "autoscaling", request.asked.name, [cause])
    wanted["spec"]["replicas"] = replicas
    obj = writer.cluster.prepare_update(kind, wanted, old)
    return scale_of(writer.store(request, kind, obj, old, dry_run=dry_run, body=body))


def _asked_scale(request: Request, workload: Json) -> tuple[Json, object]:
    if request.is_apply:
        config = configuration(request)
        check_kind(config, "Scale", "autoscaling/v1")
        return config, config
    if request.asked.verb == "patch":
        return patched_object(request, scale_of(workload), "Scale")
    try:
        scale = parse_json(request.body)
    except ValueError as error:
        why = f"couldn't get version/kind; json parse error: {error}"
        raise bad_request(f"the object provided is unrecognized (must be of type Scale): {why}") from error
    if not isinstance(scale, dict):
        raise ApiError(400, "BadRequest", "the object provided is unrecognized (must be of type Scale)")
    return scale, scale
