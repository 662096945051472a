"""The eviction subresource of pods: a deletion that asks the disruption budgets first.

Source: ``pkg/registry/core/pod/storage/eviction.go`` of Kubernetes. What surprises there surprises here: a
budget is charged before the preconditions of the deletion are looked at, and it takes time until the pod is
marked: others see the one without the other.
"""

from __future__ import annotations

from remediator.testing.apiserver.bodies import DeleteOptions, Request, parse_json
from remediator.testing.apiserver.cluster import Cluster
from remediator.testing.apiserver.controllers.budgets import budgets_of, note_allowed
from remediator.testing.apiserver.controllers.machines import with_disruption
from remediator.testing.apiserver.controllers.pods import is_ready
from remediator.testing.apiserver.kinds import POD_DISRUPTION_BUDGETS, PODS
from remediator.testing.apiserver.objects import Json, clone, deleting, key_of
from remediator.testing.apiserver.statuses import ApiError, bad_request
from remediator.testing.apiserver.writing import Writer, check_preconditions

_VERSIONS = {"policy/v1", "policy/v1beta1"}
_UNPROTECTED = {"Succeeded", "Failed", "Pending"}
"""Phases in which no budget protects a pod."""
_BUSY = 10
"""Seconds after which to ask again while a budget is being worked on."""
_MESSAGE = "Cannot evict pod as it would violate the pod's disruption budget."
_WHY = {"reason": "EvictionByEvictionAPI", "message": "Eviction API: evicting"}


async def evict(writer: Writer, request: Request) -> Json:
    """Evict the pod the request names; the answer is a Status. Raises ApiError 400, 404, 409, 429 or 500."""
    eviction = _parse(request)
    if eviction.get("metadata", {}).get("name") != request.asked.name:
        raise bad_request("name in URL does not match name in Eviction object")
    try:
        options = DeleteOptions.made(request, eviction.get("deleteOptions") or {})
    except (ValueError, TypeError, AttributeError) as error:
        raise bad_request(str(error)) from error
    pod = writer.present(request, PODS)
    if not deleting(pod) and pod["status"].get("phase") not in _UNPROTECTED:
        charged = _ask_budgets(writer.cluster, pod, dry_run=options.dry_run)
        if charged and not options.dry_run:
            await writer.cluster.pause()
            pod = writer.present(request, PODS)
    if not options.dry_run:
        check_preconditions(PODS, pod, options)
        pod = writer.cluster.store.put(PODS, with_disruption(writer.cluster, pod, _WHY))
    writer.delete_object(request, PODS, pod, options)
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def _parse(request: Request) -> Json:
    subject = "the object provided is unrecognized (must be of type Eviction)"
    try:
        body = parse_json(request.body)
    except ValueError as error:
        shown = request.body.decode("utf-8", "replace") or "<empty>"
        why = f"couldn't get version/kind; json parse error: {error} ({shown})"
        raise bad_request(f"{subject}: {why}") from error
    if not isinstance(body, dict):
        raise bad_request(subject)
    found = (body.get("apiVersion", "policy/v1"), body.get("kind", "Eviction"))
    if found[0] not in _VERSIONS or found[1] != "Eviction":
        raise bad_request(f'{found[1]} in version "{found[0]}" cannot be handled as a Eviction')
    return body


def _ask_budgets(cluster: Cluster, pod: Json, *, dry_run: bool) -> bool:
    """Charge the budget of the pod; whether it has one. Raises ApiError 429, or 500 when it has several."""
    budgets = budgets_of(cluster, pod)
    if len(budgets) > 1:
        why = (
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        )
        raise ApiError(500, "", why)
    for budget in budgets:
        if not is_ready(pod) and _lets_broken_go(budget):
            return False
        _charge(cluster, budget, pod["metadata"]["name"], dry_run=dry_run)
    return bool(budgets)


def _lets_broken_go(budget: Json) -> bool:
    """Whether a pod that is not ready may go whatever the budget says."""
    if budget["spec"].get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    status = budget["status"]
    return bool(status["currentHealthy"] >= status["desiredHealthy"] > 0)


def _charge(cluster: Cluster, budget: Json, pod: str, *, dry_run: bool) -> None:
    name, status = budget["metadata"]["name"], budget["status"]
    if status.get("observedGeneration", 0) < budget["metadata"]["generation"]:
        why = f"The disruption budget {name} is still being processed by the server."
        raise _refused(why, retry_after=_BUSY)
    if status["disruptionsAllowed"] == 0:
        needs, has = status["desiredHealthy"], status["currentHealthy"]
        raise _refused(f"The disruption budget {name} needs {needs} healthy pods and has {has} currently")
    if dry_run:
        return
    changed = clone(status)
    changed["disruptionsAllowed"] -= 1
    changed["disruptedPods"] = {**changed.get("disruptedPods", {}), pod: cluster.timestamp()}
    if changed["disruptionsAllowed"] == 0:
        note_allowed(cluster, changed, budget)
    cluster.set_status(POD_DISRUPTION_BUDGETS, key_of(budget), changed)


def _refused(why: str, *, retry_after: int | None = None) -> ApiError:
    details: Json = {"causes": [{"reason": "DisruptionBudget", "message": why}]}
    if retry_after is not None:
        details["retryAfterSeconds"] = retry_after
    return ApiError(429, "TooManyRequests", _MESSAGE, details=details, retry_after=retry_after)
