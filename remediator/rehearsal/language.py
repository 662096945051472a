"""The shape of ``*_test.yaml``: one model per object, in the words of the files."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from remediator.core.times import Stamp, parse_stamp
from remediator.policy.values import Duration, Namespace, PositiveDuration, WorkloadText, refusal

WRONG, LATER = "T813", "T811"
RUNNING = "running"

Count = Annotated[int, Field(ge=0, le=1_000_000)]


class Words(BaseModel):
    """Base of every object of a test: strict, frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


def _several(value: object) -> object:
    """One of a kind may be written without the list around it."""
    return value if isinstance(value, list) else [value]


def _values(value: object) -> object:
    """A query gives a number, several, or nothing."""
    return [] if value is None else _several(value)


def _stamp(value: object) -> Stamp:
    try:
        return parse_stamp(value if isinstance(value, str) else "that")
    except ValueError as error:
        raise refusal(WRONG, str(error)) from None


Labels = Annotated[dict[str, str], Field(min_length=1)]
LabelSets = Annotated[list[Labels], BeforeValidator(_several)]
Texts = Annotated[list[str], BeforeValidator(_several)]
Values = Annotated[list[float], BeforeValidator(_values)]
Queries = dict[str, Values]


class WorkloadWords(Words):
    """A workload as it is until a step changes it."""

    workload: WorkloadText
    namespace: Namespace | None = None
    replicas: Count | None = None
    ready: Count | None = None
    missing: bool = False
    ignored: bool = False
    paused: bool = False
    budget: Count | None = None


Workloads = Annotated[list[WorkloadWords], BeforeValidator(_several)]
KINDS = ("step", "check", "diagnosis", "channel")
_ONLY_FOR = {
    "takes": ("step",),
    "after": ("check",),
    "finds": ("diagnosis",),
    "runbook": ("step", "check", "diagnosis"),
}
_RESULTS = {"step": ("ok", "failed", "unknown"), "channel": ("ok", "refused", "retry"), "diagnosis": ()}


class OutcomeWords(Words):
    """What the world answers to one step, check, diagnosis or channel."""

    step: str | None = None
    check: str | None = None
    diagnosis: str | None = None
    channel: str | None = None
    runbook: str | None = None
    result: str | None = None
    takes: PositiveDuration | None = None
    after: PositiveDuration | None = None
    finds: Texts | None = None

    @property
    def kind(self) -> str:
        """Which of ``KINDS`` it is about."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @model_validator(mode="after")
    def _one(self) -> Self:
        named = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(named) != 1:
            raise refusal(WRONG, f"must name exactly one of {', '.join(KINDS)}: {{step: scale, takes: 20s}}")
        for key, kinds in _ONLY_FOR.items():
            if getattr(self, key) is not None and named[0] not in kinds:
                raise refusal(WRONG, f"'{key}' is not for a {named[0]}, only for {' and '.join(kinds)}")
        possible = _RESULTS.get(named[0], _RESULTS["step"])
        if self.result is not None and self.result not in possible:
            shown = ", ".join(possible) or "only finds: [...]"
            raise refusal(WRONG, f"'{self.result}' is no result of a {named[0]}; write one of: {shown}")
        return self


Outcomes = Annotated[list[OutcomeWords], BeforeValidator(_several)]
DEEDS = (
    *("fire", "resolve", "acknowledge", "close", "pause", "resume", "query", "cluster", "outcome"),
    *("approve", "reject"),
)
"""What can happen at a moment."""
PEOPLE = ("acknowledge", "close")
"""Those that are about one incident."""


class MomentWords(Words):
    """Something that Alertmanager, people or the world do at a moment."""

    at: Duration
    fire: LabelSets | None = None
    annotations: dict[str, str] | None = None
    resolve: LabelSets | None = None
    acknowledge: str | None = None
    close: str | None = None
    service: str | None = None
    pause: str | None = None
    resume: Literal[True] | None = None
    query: Queries | None = None
    cluster: Workloads | None = None
    outcome: Outcomes | None = None
    approve: str | None = None
    reject: str | None = None

    @property
    def deed(self) -> str:
        """Which of ``DEEDS`` it is."""
        return next(deed for deed in DEEDS if getattr(self, deed) is not None)

    @model_validator(mode="after")
    def _one(self) -> Self:
        named = [deed for deed in DEEDS if getattr(self, deed) is not None]
        if len(named) != 1:
            raise refusal(WRONG, f"must say exactly one of {', '.join(DEEDS[:-2])} beside at")
        if named[0] in ("approve", "reject"):
            raise refusal(
                LATER, f"this version asks for no approval: nothing could be {named[0]}ed; remove it"
            )
        if self.service is not None and named[0] not in PEOPLE:
            raise refusal(WRONG, f"'service' says whose incident people mean; {named[0]} needs none")
        if self.annotations is not None and named[0] != "fire":
            raise refusal(WRONG, f"'annotations' belong to an alert that fires, not to {named[0]}")
        return self


AttemptOutcome = Literal[
    "running", "verified", "failed", "blocked", "unknown", "observed", "suggested", "abandoned"
]
StatusWord = Literal["open", "remediating", "verifying", "escalated", "resolved"]


class AttemptWords(Words):
    """An attempt that is expected."""

    runbook: str
    outcome: AttemptOutcome | None = None


class ExpectWords(Words):
    """What must be so at a moment. What is not mentioned does not matter."""

    at: Duration
    service: str | None = None
    incidents: Count | None = None
    rule: str | None = None
    severity: str | None = None
    status: StatusWord | None = None
    raised_to: str | None = None
    reopened: Count | None = None
    attempts: list[AttemptWords] | None = None
    changes: Texts | None = None
    blocked_by: Texts | None = None
    pages: dict[str, Count] | None = None
    level: Count | None = None
    timeline: Texts | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set - {"at", "service"}:
            raise refusal(WRONG, "says what is to be so: severity: SEV-1, pages: {oncall: 1}, status: …")
        return self


class TestWords(Words):
    """One test."""

    name: Annotated[str, Field(min_length=1, max_length=300)]
    start: Annotated[Stamp, BeforeValidator(_stamp)] | None = None
    mode: Literal["observe", "suggest", "approve", "auto"] = "auto"
    cluster: Workloads = Field(default_factory=list)
    query: Queries = Field(default_factory=dict)
    alerts: list[MomentWords] = Field(default_factory=list)
    outcomes: Outcomes = Field(default_factory=list)
    expect: Annotated[list[ExpectWords], Field(min_length=1)]
