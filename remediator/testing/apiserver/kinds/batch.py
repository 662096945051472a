"""Jobs."""

from __future__ import annotations

from collections.abc import Sequence

from remediator.testing.apiserver.kinds.base import META_FIELDS, Kind
from remediator.testing.apiserver.kinds.pod_template import default_template, validate_pod_spec
from remediator.testing.apiserver.objects import Json
from remediator.testing.apiserver.statuses import Cause


def _default_job(obj: Json) -> None:
    spec, meta = obj.setdefault("spec", {}), obj["metadata"]
    spec.setdefault("parallelism", 1)
    spec.setdefault("completions", 1)
    spec.setdefault("backoffLimit", 6)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("podReplacementPolicy", "TerminatingOrFailed")
    restart = "restartPolicy" in spec.get("template", {}).get("spec", {})
    default_template(spec)
    if not restart:
        del spec["template"]["spec"]["restartPolicy"]
    if spec.setdefault("manualSelector", False):
        return
    labels = spec["template"]["metadata"].setdefault("labels", {})
    for prefix in ("batch.kubernetes.io/", ""):
        labels.setdefault(f"{prefix}controller-uid", meta["uid"])
        labels.setdefault(f"{prefix}job-name", meta["name"])
    spec.setdefault("selector", {"matchLabels": {"batch.kubernetes.io/controller-uid": meta["uid"]}})
    if not meta.get("labels"):
        meta["labels"] = dict(labels)


def _validate_job(obj: Json) -> Sequence[Cause]:
    spec = obj["spec"]["template"]["spec"]
    found = list(validate_pod_spec(spec, "spec.template.spec"))
    policy = spec.get("restartPolicy")
    if policy is None:
        why = 'Required value: valid values: "OnFailure", "Never"'
        field = "spec.template.spec.restartPolicy"
        found.append(Cause(field=field, message=why, reason="FieldValueRequired"))
    elif policy not in {"OnFailure", "Never"}:
        known = '"OnFailure", "Never"'
        found.append(Cause.unsupported("spec.template.spec.restartPolicy", f'"{policy}"', known))
    return found


def _successful(obj: Json) -> str:
    return str(obj.get("status", {}).get("succeeded", 0))


JOBS = Kind(
    name="Job",
    plural="jobs",
    singular="job",
    group="batch",
    categories=("all",),
    fields=META_FIELDS | {"status.successful": _successful},
    defaults=_default_job,
    validate=_validate_job,
    initial=dict,
    spec_generation=True,
)
