"""The shape of ``*_test.yaml``: one model per object, in the words of the files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from remediator.core.pauses import NAMED_KINDS
from remediator.core.spans import Duration, PositiveDuration
from remediator.core.times import Stamp, parse_stamp
from remediator.policy.values import Name, Namespace, NodeName, PodText, WorkloadText, refusal

WRONG = "T813"
RUNNING, APPROVING = "running", "approving"

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


@dataclass(frozen=True, slots=True)
class _AlsoOne:
    """Tells the JSON schema of a list that one of its items may stand for it, or ``nothing`` at all."""

    nothing: bool = False

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        made = handler(schema)
        nothing: list[JsonSchemaValue] = [{"type": "null"}] if self.nothing else []
        return {"anyOf": [made["items"], made, *nothing]}


_SEVERAL = (BeforeValidator(_several), _AlsoOne())


LATEST = parse_stamp("9000-01-01T00:00:00Z")
"""The last moment at which a test can begin: three centuries later there still is a date."""


def _stamp(value: object) -> Stamp:
    try:
        found = parse_stamp(value if isinstance(value, str) else "that")
    except ValueError as error:
        raise refusal(WRONG, str(error)) from None
    if found > LATEST:
        raise refusal(WRONG, "a test cannot begin after the year 9000; write an earlier time")
    return found


Labels = Annotated[dict[str, str], Field(min_length=1)]
LabelSets = Annotated[list[Labels], *_SEVERAL]
Texts = Annotated[list[str], *_SEVERAL]
Values = Annotated[list[float], BeforeValidator(_values), _AlsoOne(nothing=True)]
Queries = dict[str, Values]


class AutoscalerWords(Words):
    """The bounds of an autoscaler."""

    least: Count = Field(default=1, alias="min", description="How many pods it asks for at least.")
    most: Count = Field(alias="max", description="How many pods it asks for at most.")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.least > self.most:
            raise refusal(WRONG, f"min {self.least} is more than max {self.most}; swap them")
        return self


class WorkloadWords(Words):
    """A workload as it is until a step changes it."""

    workload: WorkloadText = Field(description="Which: its kind, a slash and its name.")
    namespace: Namespace | None = Field(
        default=None, description="Its namespace, where the catalog does not tell it."
    )
    replicas: Count | None = Field(default=None, description="How many pods it asks for.")
    ready: Count | None = Field(default=None, description="How many of them are ready.")
    restarted: Count = Field(
        default=0, description="How many of the ready ones ended before and run again, as after OOMKilled."
    )
    missing: bool = Field(default=False, description="It is not there.")
    ignored: bool = Field(default=False, description="It has opted out, by annotation.")
    paused: bool = Field(default=False, description="Its rollouts are paused.")
    forbidden: bool = Field(default=False, description="The API server does not let us change it.")
    budget: Count | None = Field(
        default=None, description="How many of its pods a PodDisruptionBudget lets go."
    )
    isolated: Count | None = Field(
        default=None, description="It was isolated, and remembers that it had so many pods."
    )
    autoscaler: AutoscalerWords | None = Field(
        default=None, description="A HorizontalPodAutoscaler scales it, between these bounds."
    )
    images: dict[str, str] = Field(
        default_factory=dict, description="The images of its containers, by their names."
    )
    measured: bool = Field(
        default=True, description="A metrics API tells what its pods use: the unready ones the most."
    )
    rolled_out: PositiveDuration | None = Field(
        default=None,
        description="How long before the incident opened its present revision was rolled out.",
    )
    kept_by: Literal["flux", "argocd"] | None = Field(
        default=None, description="A GitOps controller keeps all of it as its source says."
    )


class NodeWords(Words):
    """A node as it is until a step changes it."""

    node: NodeName = Field(description="Its name.")
    ready: bool = Field(default=True, description="Its kubelet says that it is ready.")
    cordoned: Literal["us", "somebody"] | None = Field(
        default=None, description="It takes no pods, because we, or somebody else, cordoned it."
    )
    control_plane: bool = Field(default=False, description="It is of the control plane.")
    pods: Annotated[list[PodText], *_SEVERAL] = Field(
        default_factory=list,
        description="Pods that run there, each with its namespace; they belong to the workload whose name "
        "they begin with. Default: none.",
    )
    last: bool = Field(default=False, description="No other node is there. Default: two more are.")
    missing: bool = Field(default=False, description="It is not there.")
    ignored: bool = Field(default=False, description="It has opted out, by annotation.")
    forbidden: bool = Field(default=False, description="The API server does not let us change it.")


Nodes = Annotated[list[NodeWords], *_SEVERAL]
Workloads = Annotated[list[WorkloadWords], *_SEVERAL]
KINDS = ("step", "check", "diagnosis", "channel", "undo")
_ONLY_FOR = {
    "takes": ("step", "undo"),
    "after": ("check",),
    "finds": ("diagnosis",),
    "runbook": ("step", "undo", "check", "diagnosis"),
}
_RESULTS = {"step": ("ok", "failed", "unknown"), "channel": ("ok", "refused", "retry"), "diagnosis": ()}


class OutcomeWords(Words):
    """What the world answers to one step, undo, check, diagnosis or channel."""

    step: str | None = Field(default=None, description="The action that it is about.")
    undo: str | None = Field(
        default=None, description="The action whose changes are taken back, which it is about."
    )
    check: str | None = Field(default=None, description="The check that it is about.")
    diagnosis: str | None = Field(default=None, description="The diagnosis that it is about.")
    channel: str | None = Field(default=None, description="The name of the channel that it is about.")
    runbook: str | None = Field(default=None, description="Only in this runbook. Default: in every one.")
    result: str | None = Field(
        default=None,
        description="`ok`, `failed` or `unknown`; of a channel `ok`, `refused` or `retry`. Default: `ok`.",
    )
    takes: PositiveDuration | None = Field(default=None, description="How long a step takes.")
    after: PositiveDuration | None = Field(
        default=None,
        description="How long after it is first asked a check answers so; before, it answers the opposite.",
    )
    finds: Texts | None = Field(default=None, description="What a diagnosis finds, a line each.")

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


Outcomes = Annotated[list[OutcomeWords], *_SEVERAL]
DEEDS = (
    *("fire", "resolve", "acknowledge", "close", "pause", "resume", "silence", "close_breaker"),
    *("query", "cluster", "nodes", "outcome"),
    *("approve", "reject"),
)
"""What can happen at a moment."""
PEOPLE = ("acknowledge", "close", "approve", "reject")
"""Those that are about one incident."""


class ScopeWords(Words):
    """What is paused: one of these."""

    namespace: Namespace | None = Field(default=None, description="Changes of targets in it.")
    service: Name | None = Field(default=None, description="Changes of this service.")
    rule: Name | None = Field(default=None, description="Changes that this rule asks for.")
    runbook: Name | None = Field(default=None, description="Changes of this runbook.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(getattr(self, kind) is not None for kind in NAMED_KINDS) != 1:
            raise refusal(WRONG, f"must name exactly one of {', '.join(NAMED_KINDS)}: {{service: web}}")
        return self


class MomentWords(Words):
    """Something that Alertmanager, people or the world do at a moment."""

    at: Duration = Field(description="When, counted from the beginning of the test.")
    fire: LabelSets | None = Field(
        default=None, description="The labels of an alert that fires, or a list of them."
    )
    annotations: dict[str, str] | None = Field(default=None, description="Annotations of what fires.")
    resolve: LabelSets | None = Field(
        default=None, description="The labels of an alert that fires no longer, as they fired."
    )
    acknowledge: str | None = Field(default=None, description="A person acknowledges the incident: who.")
    close: str | None = Field(default=None, description="A person declares the incident over: who.")
    service: str | None = Field(
        default=None, description="Whose incident people mean, where several are open."
    )
    pause: str | None = Field(
        default=None, description="A person stops changes: why. All of them, unless `scope` says which."
    )
    resume: Literal[True] | None = Field(
        default=None, description="They are allowed again: all of them, or those of the same `scope`."
    )
    close_breaker: Name | None = Field(
        default=None, description="A person lets a runbook be tried again that failed too often: which."
    )
    scope: ScopeWords | None = Field(
        default=None, description="Which changes are paused or allowed again. Default: all."
    )
    silence: LabelSets | None = Field(
        default=None,
        description="A person silences alerts with these labels in Alertmanager. Labels, or a list of them.",
    )
    span: PositiveDuration | None = Field(
        default=None,
        alias="for",
        description="When a pause or a silence ends by itself. Default: when it is resumed; never.",
    )
    query: Queries | None = Field(default=None, description="What queries give from now on.")
    cluster: Workloads | None = Field(default=None, description="How workloads are from now on.")
    nodes: Nodes | None = Field(default=None, description="How nodes are from now on.")
    outcome: Outcomes | None = Field(default=None, description="What the world answers from now on.")
    approve: str | None = Field(
        default=None, description="A person agrees to the plan that the incident waits with: who."
    )
    reject: str | None = Field(
        default=None, description="A person refuses the plan that the incident waits with: who."
    )

    @property
    def deed(self) -> str:
        """Which of ``DEEDS`` it is."""
        return next(deed for deed in DEEDS if getattr(self, deed) is not None)

    @model_validator(mode="after")
    def _one(self) -> Self:
        named = [deed for deed in DEEDS if getattr(self, deed) is not None]
        if len(named) != 1:
            raise refusal(WRONG, f"must say exactly one of {', '.join(DEEDS)} beside at")
        if self.service is not None and named[0] not in PEOPLE:
            raise refusal(WRONG, f"'service' says whose incident people mean; {named[0]} needs none")
        if self.scope is not None and named[0] not in ("pause", "resume"):
            raise refusal(WRONG, f"'scope' says what is paused or resumed; {named[0]} has none")
        if self.span is not None and named[0] not in ("pause", "silence"):
            raise refusal(WRONG, f"'for' says how long a pause or a silence lasts; {named[0]} has none")
        if self.annotations is not None and named[0] != "fire":
            raise refusal(WRONG, f"'annotations' belong to an alert that fires, not to {named[0]}")
        return self


AttemptOutcome = Literal[
    "running", "approving", "verified", "failed", "blocked", "unknown", "observed", "suggested", "abandoned"
]
StatusWord = Literal["open", "remediating", "verifying", "escalated", "resolved"]


class AttemptWords(Words):
    """An attempt that is expected."""

    runbook: str = Field(description="The name of the runbook.")
    outcome: AttemptOutcome | None = Field(
        default=None, description="What became of it. Default: whatever it was."
    )


class ExpectWords(Words):
    """What must be so at a moment. What is not mentioned does not matter."""

    at: Duration = Field(description="When, counted from the beginning of the test.")
    service: str | None = Field(default=None, description="Whose incident is meant, where there are several.")
    incidents: Count | None = Field(default=None, description="How many incidents there are.")
    rule: str | None = Field(
        default=None, description="The name of the rule that gave the incident its severity."
    )
    severity: str | None = Field(default=None, description="The severity it has.")
    status: StatusWord | None = Field(default=None, description="The status it has.")
    raised_to: str | None = Field(default=None, description="A severity that it has been raised to.")
    reopened: Count | None = Field(default=None, description="How often it was reopened.")
    attached_to: str | None = Field(
        default=None,
        description="The service whose open incident it waits for, because it depends on it; "
        "`nothing`: it waits for none.",
    )
    attempts: list[AttemptWords] | None = Field(
        default=None, description="All its attempts, in their order; `[]`: none."
    )
    changes: Texts | None = Field(
        default=None, description="Everything that was changed, in any order; `[]`: nothing."
    )
    blocked_by: Texts | None = Field(default=None, description="Names of guards that blocked an attempt.")
    pages: dict[str, Count] | None = Field(
        default=None, description="How often each of these channels has been paged until then."
    )
    level: Count | None = Field(
        default=None, description="The escalation level that was last asked; 0: nobody."
    )
    timeline: Texts | None = Field(default=None, description="Texts that stand in its timeline.")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set - {"at", "service"}:
            raise refusal(WRONG, "says what is to be so: severity: SEV-1, pages: {oncall: 1}, status: …")
        return self


class TestWords(Words):
    """One test."""

    name: Annotated[str, Field(min_length=1, max_length=300)] = Field(
        description="What must be so, in a sentence."
    )
    start: Annotated[Stamp, BeforeValidator(_stamp)] | None = Field(
        default=None, description="When it begins, as an RFC 3339 time. Default: it does not matter."
    )
    mode: Literal["observe", "suggest", "approve", "auto"] = Field(
        default="auto", description="The daemon's ceiling on every rule's mode."
    )
    trust: dict[str, Literal["observe", "suggest", "approve", "auto"]] = Field(
        default_factory=dict,
        description="Rules that are trusted with another mode in this test, as they may be one day.",
    )
    cluster: Workloads = Field(
        default_factory=list,
        description="How workloads are when it begins. Default: they are there and well.",
    )
    nodes: Nodes = Field(
        default_factory=list, description="How nodes are when it begins. Default: they are ready."
    )
    query: Queries = Field(default_factory=dict, description="What queries give when it begins.")
    alerts: list[MomentWords] = Field(
        default_factory=list, description="What Alertmanager, people and the world do, each at its time."
    )
    outcomes: Outcomes = Field(
        default_factory=list, description="What the world answers. Default: everything works at once."
    )
    expect: Annotated[list[ExpectWords], Field(min_length=1)] = Field(
        description="What must be so, each at its time; what is not mentioned does not matter."
    )
