"""Jobs that are made from a CronJob's template: their names, and how they are seen. See decision 0012."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from remediator.core.incident import EffectId
from remediator.core.objects import ObjectRef

JOB = "job"
"""The kind of a Job, as ``ObjectRef`` names it."""
STEP_ANNOTATION = "remediator/step"
"""On a Job: the step that it was made for. Names are short, and this tells whose it is."""
TEMPLATE_ANNOTATION = "remediator/template"
"""On a Job: the UID and the generation of the CronJob that its template was taken from."""
LONGEST_SOURCE = 52
"""Characters of a CronJob's name at most. Source: ``ValidateCronJobCreate`` of Kubernetes."""
DIGITS = 10
WAKE = "wake"


def job_name(source: str, step: EffectId) -> str:
    """The name of the Job that this step makes from that CronJob: the same however often it is performed.

    At most 63 characters: it becomes a label of the Job's pods.
    """
    digest = hashlib.sha256(step.encode()).hexdigest()[:DIGITS]
    return f"{source[:LONGEST_SOURCE].rstrip('-.')}-{digest}"


def wake_of(step: EffectId) -> EffectId:
    """Under which name the journal keeps that a step's Job, there and asleep, is about to be woken."""
    return EffectId(f"{step}/{WAKE}")


@dataclass(frozen=True, kw_only=True, slots=True)
class CronJob:
    """What makes Jobs. ``generation``: of its specification, its template included.

    ``suspended``: it makes none by itself. ``asleep``: its template says that its Jobs are made suspended.
    """

    name: str
    uid: str
    generation: int
    suspended: bool = False
    asleep: bool = False
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def template(self) -> str:
        """Names this very template."""
        return template_mark(self.uid, self.generation)


def template_mark(uid: str, generation: int) -> str:
    """What ``TEMPLATE_ANNOTATION`` says of a Job that was made from it."""
    return f"{uid}/{generation}"


class JobEnd(StrEnum):
    """How a Job ended."""

    COMPLETE = "complete"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A Job as it is. Counts are pods. ``ended`` None: not yet. ``reason``, ``message``: why it ended so.

    ``begun``: it was woken by the step that it was made for; one that was not is ``asleep``.
    """

    ref: ObjectRef
    uid: str
    begun: bool = False
    asleep: bool = False
    active: int = 0
    succeeded: int = 0
    failed: int = 0
    ended: JobEnd | None = None
    reason: str = ""
    message: str = ""
