"""What an action, a check, a diagnosis and a channel are. Each lives in one file of its own package.

A plugin owns its parameters (a pydantic model whose field descriptions become the reference), the
permissions it needs, its documentation (the class docstring) and a tested example.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

from remediator.core.changes import Change
from remediator.core.cluster import ClusterReader, Need, Snapshot
from remediator.core.errors import Refused
from remediator.core.incident import EffectId
from remediator.core.journal import CheckResult, PageKind
from remediator.core.lag import AlertingRule
from remediator.core.policies import Check, Service, WorkloadRef
from remediator.core.programs import ProgramRunner
from remediator.core.roots import Root
from remediator.core.times import Instant, Millis


class Params(BaseModel):
    """Base of every plugin's parameters: strict, frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @property
    def needs(self) -> frozenset[Need]:
        """What these parameters of an action need of the target, beyond what it always needs."""
        return frozenset()


class NoParams(Params):
    """For plugins that need nothing to be said."""


def objection(code: str, why: str) -> PydanticCustomError:
    """What a parameter's own validator raises. ``code``: a code of findings, such as P013."""
    return PydanticCustomError(code, "{why}", {"why": why})


@dataclass(frozen=True, kw_only=True, slots=True)
class Permission:
    """One line of a Kubernetes Role: ``verbs`` on ``group/resource`` and what they are for.

    ``resource`` may be ``{kind}s``, after the target's kind, or ``{revisions}``, which keeps the target's
    revisions. Where the plugin is used decides the rest: what a step needs to make its change is needed only
    by rules that may act.
    """

    group: str
    resource: str
    verbs: tuple[str, ...]
    why: str
    named: tuple[str, ...] = ()
    """Which object it is, where that is known beforehand: what the first of these parameters that is given
    says; ``target`` is the target's own name. Lists, watches and creations cannot be held to names."""
    kinds: tuple[str, ...] = ()
    """Needed only for targets of these kinds, such as ``deployment``; empty: for all."""
    given: tuple[str, str] | None = None
    """Needed only where that parameter has that value; None: whatever is said."""
    acting: bool = False
    """Needed only to change something: a rule that only looks, or suggests, goes without."""
    disrupting: bool = False
    """Of a guard: needed only for steps that may take healthy pods away."""
    claiming: bool = False
    """Of a guard: needed only for steps whose changes carry their epoch on the target itself."""
    cluster_wide: bool = False
    """The resource is in no namespace, such as nodes."""
    catalog: bool = False
    """Of a guard: on the kinds of all workloads that it compares, in their namespaces, not of the target."""
    below: bool = False
    """Of a check or a diagnosis: on the workloads that the service depends on, directly and in turn, each as
    ``target`` in its own namespace, not on the target."""


def on_target(verb: str, why: str, *, acting: bool = False) -> Permission:
    """A permission on the target itself, a workload that is known by name."""
    return Permission(
        group="apps", resource="{kind}s", verbs=(verb,), named=("target",), acting=acting, why=why
    )


def no_inverse(action: str) -> Refused:
    """What ``inverse`` of an action raises whose changes nothing takes back."""
    return Refused(f"{action} has no inverse: what it did cannot be taken back")


class EffectClass(StrEnum):
    """What may happen when an effect is performed again after a crash."""

    IDEMPOTENT = "idempotent"
    FENCED = "fenced"
    ONCE = "once"


TARGET = "target"
"""What most changes are fenced on: the workload that the step is for."""
NOTHING = ""
"""What is fenced on nothing that could be fenced: no epoch is written, and nothing shows it afterwards."""


class Action(Protocol):
    """One kind of step. Turns parameters and a snapshot into changes; never touches the cluster.

    ``needs``: what must be read of the target for that, beside the workload itself. ``permissions``: what it
    takes beyond what the guards take, which read the target and claim it. ``fenced_on``: the kind of object
    that carries epoch and mark, ``target`` or such as ``horizontalpodautoscaler``: what is not the target it
    claims under permissions of its own. ``invertible``: whether its changes can be taken back.
    """

    name: ClassVar[str]
    params: ClassVar[type[Params]]
    permissions: ClassVar[tuple[Permission, ...]]
    effect: ClassVar[EffectClass]
    needs: ClassVar[frozenset[Need]]
    fenced_on: ClassVar[str]
    invertible: ClassVar[bool]
    example: ClassVar[str]

    def disrupts(self, params: Params) -> bool:
        """Whether it may take healthy pods away."""

    def plan(self, params: Params, seen: Snapshot, *, at: Instant) -> tuple[Change, ...]:
        """The changes it asks for.

        Raises Refused when the target's state makes the action senseless, Retryable when that cannot be told
        yet.
        """

    def inverse(self, change: Change, now: Snapshot) -> Change:
        """The change that undoes one of its own, which was made: a change holds what it was planned from.

        ``now``: the target as it is, with what the action needs of it. Raises Refused where there is no
        inverse, and where what the change set is not so any more: it is somebody else's by now.
        """


@runtime_checkable
class Settling(Protocol):
    """An action whose change is made long before it is known how it ends: it begins something."""

    def settles(self, params: Params, step: EffectId) -> Check | None:
        """What tells that it is over: one of ``checks.SETTLING``, asked again and again; None: it is at once.

        Where that answers ``final`` and does not hold, or does not hold ``within`` its time, the step failed.
        """


@runtime_checkable
class Gradual(Protocol):
    """An action whose changes are made one by one, each when there is room for it."""

    def patience(self, params: Params) -> Millis:
        """For how long the step is put off and performed again before it has failed."""


@runtime_checkable
class FromCronJob(Protocol):
    """An action that runs the template of a CronJob, which it must see to plan."""

    def cron_job(self, params: Params) -> str:
        """The name of the CronJob, in the target's namespace."""


def settling_of(action: Action | None, params: Mapping[str, object], step: EffectId) -> Check | None:
    """What tells that the step is over, where it only begins something. ``params``: as the step has them."""
    offers: object = action
    if action is None or not isinstance(offers, Settling):
        return None
    return offers.settles(action.params.model_validate(dict(params)), step)


def patience_of(action: Action | None, params: Mapping[str, object]) -> Millis | None:
    """For how long the step is put off at most; None: as any other. ``params``: as the step has them."""
    offers: object = action
    if action is None or not isinstance(offers, Gradual):
        return None
    return offers.patience(action.params.model_validate(dict(params)))


def cron_job_of(action: Action, params: Params) -> str:
    """The name of the CronJob that it must see to plan; empty: none."""
    wants: object = action
    return wants.cron_job(params) if isinstance(wants, FromCronJob) else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpAnswer:
    """An answer to a probe. ``text`` is the beginning of its body, plain and bounded."""

    status: int
    text: str


class HttpProber(Protocol):
    """Asks services whether they are well."""

    async def get(self, url: str, *, hosts: Collection[str], within: float) -> HttpAnswer:
        """GET ``url`` in at most ``within`` seconds; a redirect is an answer and is not followed.

        Raises Refused when its ``host:port`` is none of ``hosts`` or leads where no service is; Retryable.
        """


class Metrics(Protocol):
    """Asks Prometheus. Raises Refused (a bad query) and Retryable."""

    async def query(self, promql: str) -> tuple[tuple[Mapping[str, str], float], ...]:
        """The samples of an instant query: each series' labels and its value now. Scalars have no labels."""


class IncidentAlerts(Protocol):
    """Asks Alertmanagers about the alerts of the incident."""

    async def over(self) -> tuple[int, str]:
        """How many are over, though that was not delivered; and why that cannot be told, or empty."""


class AlertRules(Protocol):
    """Asks Prometheus for the rules that make alerts. Raises Refused and Retryable."""

    async def alerting_rules(self, names: Collection[str] = ()) -> tuple[AlertingRule, ...]:
        """Those of these names, and perhaps others; no names: all."""


class OpenIncidents(Protocol):
    """Knows which incidents are open. Raises StoreUnavailable."""

    async def open_about(self, names: Sequence[str]) -> tuple[Root, ...]:
        """Open incidents of any of these services; of each the one that comes first before others."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sight:
    """What checks and diagnoses may look at. What is None is not configured.

    ``hosts``: the ``host:port`` of every health URL in the catalog, which HTTP probes may reach. ``at``: now;
    ``opened_at``: when the incident opened. Without them times are told as they are, not how long ago.
    """

    cluster: ClusterReader | None
    target: WorkloadRef | None
    firing: int
    """Member alerts of the incident that fire now, read from the episodes."""
    service: Service | None = None
    metrics: Metrics | None = None
    http: HttpProber | None = None
    alerts: IncidentAlerts | None = None
    hosts: frozenset[str] = frozenset()
    at: Instant | None = None
    opened_at: Instant | None = None
    rolled: bool = False
    """The attempt itself may have rolled out the target: its newest revision tells nothing of before."""
    programs: ProgramRunner | None = None
    """Runs programs in pods of the target. Every guard of a change is asked before it does."""
    alerts_at: Instant | None = None
    """When an alert of the incident last fired, or resolved."""
    below: tuple[Service, ...] | None = None
    """What the service depends on, directly and in turn, by name; None: no entry of the catalog is meant."""
    incidents: OpenIncidents | None = None


class CheckPlugin(Protocol):
    """One kind of verification. What it cannot find out it answers with ``holds=None``."""

    name: ClassVar[str]
    params: ClassVar[type[Params]]
    permissions: ClassVar[tuple[Permission, ...]]
    example: ClassVar[str]

    async def ask(self, params: Params, sight: Sight) -> CheckResult:
        """Whether it holds now, and what was seen."""


class DiagnosisPlugin(Protocol):
    """One thing to look at before acting."""

    name: ClassVar[str]
    params: ClassVar[type[Params]]
    permissions: ClassVar[tuple[Permission, ...]]
    example: ClassVar[str]

    async def look(self, params: Params, sight: Sight) -> tuple[str, ...]:
        """What was found, a line each, at most 20."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelMessage:
    """What a channel is to say. All texts are already plain."""

    kind: PageKind
    dedup_key: str
    summary: str
    severity: str
    source: str
    links: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, str] = field(default_factory=dict)


class Channel(Protocol):
    """A way to reach people. Raises Retryable, Refused or Unknown."""

    async def send(self, message: ChannelMessage) -> str:
        """Deliver; answers what the peer said of it, for the timeline."""
