"""Jobs and the CronJobs that make them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from remediator.testing.apiserver.kinds.base import META_FIELDS, Kind
from remediator.testing.apiserver.kinds.pod_template import default_template, validate_pod_spec
from remediator.testing.apiserver.objects import Json
from remediator.testing.apiserver.statuses import Cause

_LABEL_LENGTH = 63
_FIELD = re.compile(r"[*?]|[0-9A-Za-z*?/,-]+\Z")


def _default_job(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    _default_job_spec(spec)
    if not spec["manualSelector"]:
        _tell_apart(obj)


def _default_job_spec(spec: Json) -> None:
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = spec["parallelism"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", 6)
    spec.setdefault("manualSelector", False)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("podReplacementPolicy", "TerminatingOrFailed")
    template = spec.get("template", {}).get("spec", {})
    restarts = "restartPolicy" in template
    default_template(spec)
    if not restarts:
        # A job has to say it: what a pod defaults to is not allowed here.
        del spec["template"]["spec"]["restartPolicy"]


def _tell_apart(obj: Json) -> None:
    """Its pods are told from those of other jobs by its uid, under old labels and new."""
    uid, name = obj["metadata"]["uid"], obj["metadata"]["name"]
    own = {
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": name,
        "controller-uid": uid,
        "job-name": name,
    }
    labels = obj["spec"]["template"]["metadata"].setdefault("labels", {})
    labels |= own
    obj["spec"].setdefault("selector", {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}})
    if not obj["metadata"].get("labels"):
        obj["metadata"]["labels"] = dict(labels)


def _validate_job(obj: Json) -> Sequence[Cause]:
    found: list[Cause] = []
    for path, labels in (
        ("metadata.labels", obj["metadata"].get("labels", {})),
        ("spec.template.labels", obj["spec"]["template"]["metadata"].get("labels", {})),
    ):
        for _, value in sorted(labels.items()):
            if len(value) > _LABEL_LENGTH:
                why = f"must be no more than {_LABEL_LENGTH} characters"
                found.append(Cause.invalid(path, f'"{value}"', why))
    return found + _validate_job_spec(obj["spec"], "spec")


def _validate_job_spec(spec: Json, path: str) -> list[Cause]:
    found: list[Cause] = []
    for name in ("parallelism", "completions", "backoffLimit", "activeDeadlineSeconds"):
        if spec.get(name, 0) < 0:
            why = "must be greater than or equal to 0"
            found.append(Cause.invalid(f"{path}.{name}", str(spec[name]), why))
    pod, here = spec["template"]["spec"], f"{path}.template.spec"
    found += validate_pod_spec(pod, here)
    if "restartPolicy" not in pod:
        message, reason = 'Required value: valid values: "OnFailure", "Never"', "FieldValueRequired"
        found.append(Cause(field=f"{here}.restartPolicy", message=message, reason=reason))
    elif pod["restartPolicy"] not in {"OnFailure", "Never"}:
        allowed = '"OnFailure", "Never"'
        found.append(Cause.unsupported(f"{here}.restartPolicy", f'"{pod["restartPolicy"]}"', allowed))
    return found


def _job_update(new: Json, old: Json) -> Sequence[Cause]:
    """What a job runs is fixed once it may run."""
    found = []
    for name, shown in (
        ("completions", str(new["spec"].get("completions"))),
        ("selector", "v1.LabelSelector{...}"),
        ("template", "core.PodTemplateSpec{...}"),
        ("completionMode", f'"{new["spec"].get("completionMode")}"'),
    ):
        if new["spec"].get(name) != old["spec"].get(name):
            found.append(Cause.invalid(f"spec.{name}", shown, "field is immutable"))
    return found


def _default_cron_job(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("concurrencyPolicy", "Allow")
    spec.setdefault("suspend", False)
    spec.setdefault("successfulJobsHistoryLimit", 3)
    spec.setdefault("failedJobsHistoryLimit", 1)
    job = spec.setdefault("jobTemplate", {})
    job.setdefault("metadata", {}).setdefault("creationTimestamp", None)
    default_template(job.setdefault("spec", {}))


def _validate_cron_job(obj: Json) -> Sequence[Cause]:
    spec = obj["spec"]
    schedule = str(spec.get("schedule", ""))
    found = list(_validate_schedule(schedule))
    if spec["concurrencyPolicy"] not in {"Allow", "Forbid", "Replace"}:
        shown, allowed = f'"{spec["concurrencyPolicy"]}"', '"Allow", "Forbid", "Replace"'
        found.append(Cause.unsupported("spec.concurrencyPolicy", shown, allowed))
    return found + _validate_job_spec(spec["jobTemplate"]["spec"], "spec.jobTemplate.spec")


def _validate_schedule(schedule: str) -> Sequence[Cause]:
    if not schedule:
        return (Cause.required("spec.schedule"),)
    fields = schedule.split()
    if schedule.startswith("@"):
        return ()
    shown = f'"{schedule}"'
    if len(fields) != 5:
        listed = " ".join(fields)
        why = f"expected exactly 5 fields, found {len(fields)}: [{listed}]"
        return (Cause.invalid("spec.schedule", shown, why),)
    for text in fields:
        if not _FIELD.match(text):
            return (Cause.invalid("spec.schedule", shown, f"failed to parse int from {text}"),)
    return ()


JOBS = Kind(
    name="Job",
    plural="jobs",
    singular="job",
    group="batch",
    categories=("all",),
    fields=META_FIELDS | {"status.successful": lambda obj: str(obj.get("status", {}).get("succeeded", 0))},
    defaults=_default_job,
    validate=_validate_job,
    validate_update=_job_update,
    initial=dict,
    spec_generation=True,
    propagation="Orphan",
)
CRON_JOBS = Kind(
    name="CronJob",
    plural="cronjobs",
    singular="cronjob",
    group="batch",
    short_names=("cj",),
    categories=("all",),
    defaults=_default_cron_job,
    validate=_validate_cron_job,
    initial=dict,
    spec_generation=True,
)
