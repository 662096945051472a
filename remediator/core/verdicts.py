"""What a guard is asked, what it may look at, and its verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from remediator.core.aiming import target_of, uid_of
from remediator.core.alertmanagers import Suppression
from remediator.core.approval import must_ask
from remediator.core.breakers import Breaker
from remediator.core.changes import Change, EvictPod
from remediator.core.cluster import Autoscaler, Budget, Pod, Workload
from remediator.core.errors import Refused
from remediator.core.incident import Attempt, EffectId, Incident, Phase
from remediator.core.owners import Named
from remediator.core.pauses import Pause, PauseScope, Subject
from remediator.core.plugins import Permission
from remediator.core.policies import Mode, Policy, Rule, Service, Step, WorkloadRef
from remediator.core.roots import Root
from remediator.core.silencing import Author
from remediator.core.standing import Lowering
from remediator.core.store import Lease, Limit, LimitUse
from remediator.core.storms import Openings
from remediator.core.times import Instant, Millis
from remediator.core.trust import LOWERED_TO


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangeRequest:
    """One step that wants to change something. ``policy`` is always the newest loaded."""

    incident: Incident
    attempt: Attempt
    step: Step
    effect: EffectId
    at: Instant
    policy: Policy
    ceiling: Mode
    cap: Mode = Mode.AUTO
    """How far any rule is trusted with the service now: less while its error budget is nearly spent."""
    lowered: Lowering | None = None
    """That its attempts have failed too often for the rule to be trusted as its file says."""
    expires: bool = False
    """It ends what an earlier change began, whose time is over: whether an alert fires does not matter."""

    @property
    def rule(self) -> Rule | None:
        """The rule that asked for it, if it is still in the policy."""
        return self.policy.rule(self.attempt.rule)

    @property
    def mode(self) -> Mode | None:
        """How far the rule is trusted here: at most as far as the daemon is, and as the service's budget and
        the rule's record leave. None: it is gone."""
        rule = self.rule
        if rule is None:
            return None
        mode = rule.mode.capped(self.ceiling).capped(self.cap)
        return mode if self.lowered is None else mode.capped(LOWERED_TO)

    @property
    def withheld(self) -> bool:
        """Whether nothing will be changed, whatever the guards say: the rule is not trusted to act."""
        return self.mode in (Mode.OBSERVE, Mode.SUGGEST) or self.asks

    @property
    def needs_approval(self) -> bool:
        """Whether a person has to agree, however the attempt stands. That it ends was agreed to with it."""
        mode = self.mode
        return (
            not self.expires
            and mode is not None
            and must_ask(mode, self.attempt.runbook, self.incident.severity)
        )

    @property
    def asks(self) -> bool:
        """Whether nothing is changed only because nobody has agreed yet."""
        return self.needs_approval and self.attempt.approved is None

    @property
    def author(self) -> Author:
        """Which step it is, for what other systems are to say of it."""
        return Author(step=self.effect, runbook=self.attempt.runbook.name)

    @property
    def service(self) -> Service | None:
        """The catalog's entry, if there is one."""
        return self.policy.services.get(self.incident.service)

    @property
    def target(self) -> WorkloadRef | None:
        """The workload that the catalog names for the service, or that owns what the alerts name.

        What takes back or ends an earlier change is for the workload that was changed. What the alerts name
        may lead to another one by then: the incident was reopened, or its alerts name two objects.
        """
        returns = self.expires or self.attempt.phase is Phase.UNDOING
        located = self.attempt.located if returns else None
        return located or target_of(self.incident, self.rule, self.policy)

    @property
    def target_uid(self) -> str:
        """The UID that the target was found with; empty where the catalog names it."""
        return self.attempt.target_uid or uid_of(self.incident, self.rule)

    @property
    def subject(self) -> Subject:
        """What it is about, for pauses: also where the catalog or the rule is gone."""
        target, service = self.target, self.service
        namespace = target.namespace if target is not None else service.namespace if service else None
        return Subject(
            namespace=namespace or "",
            service=self.incident.service,
            rule=self.attempt.rule,
            runbook=self.attempt.runbook.name,
        )

    @property
    def member(self) -> str:
        """Under which name the attempt takes its limits: the same after a crash."""
        return f"{self.incident.id}/{self.attempt.number}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """A number that a guard compared: ``observed`` of at most ``allowed``, counted in any span ``within``.

    ``what``: what is counted, such as ``pods unavailable``; ``of``: out of how many, where there is a whole.
    """

    what: str
    observed: int
    allowed: int
    of: int | None = None
    within: Millis | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What a guard says, with what it observed and what it allows.

    ``withholds``: it is not the state of the world that forbids the change, but the trust put in the rule;
    what would have been done is told. ``asks``: unless a person agrees. ``retry_after``: it may be otherwise
    after that many milliseconds.
    """

    guard: str
    allowed: bool
    text: str
    withholds: bool = False
    asks: bool = False
    retry_after: Millis | None = None
    measures: tuple[Measure, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Evicted:
    """Whose a pod is that a drain evicts. ``owner`` None: nobody's.

    ``workload``: that owner as it is, where it is one whose pods are counted; ``healthy``: how many of them
    are ready and not on their way out; ``budgets``: those over them.
    """

    owner: Named | None = None
    workload: Workload | None = None
    healthy: int = 0
    budgets: tuple[Budget, ...] = ()


class Pointless(Refused):
    """The action itself says that it makes no sense on the target as it is."""


class NotAskedError(Exception):
    """These ports do not reach that far: the guard can only be asked when acting."""


class GuardPorts(Protocol):
    """What guards may look at and take. What cannot be read raises, and a guard that cannot read blocks."""

    async def paused(self, scopes: Sequence[PauseScope]) -> tuple[Pause, ...]:
        """Those of the scopes that are paused now."""

    def clock_trouble(self) -> str | None:
        """Why the store's clock is not to be trusted now, or None."""

    async def now(self) -> Instant:
        """The store's clock."""

    async def firing(self) -> int:
        """How many alerts that the attempt's rule brought fire now, read from the store."""

    async def suppression(self) -> Suppression | None:
        """What keeps the incident's alerts quiet in Alertmanager; None: none is configured."""

    async def open_about(self, names: Sequence[str]) -> Sequence[Root]:
        """Open incidents of these services, read from the store."""

    async def astray(self) -> str:
        """Why the object that the alerts name leads to no workload; empty where it does, or none is named."""

    async def workload(self, target: WorkloadRef) -> Workload:
        """The target as it is now."""

    async def workloads(self, refs: Sequence[WorkloadRef]) -> Sequence[Workload]:
        """Those of them that exist, as they are now."""

    async def nodes(self) -> Sequence[Workload]:
        """Every node of the cluster as it is now."""

    async def plan(self) -> Sequence[Change]:
        """The changes that the step asks for, as the target is now. Raises Pointless."""

    async def pods(self) -> Sequence[Pod]:
        """The target's pods as they are now."""

    async def evicted(self, change: EvictPod) -> Evicted:
        """Whose the pod is that a drain evicts, and how that workload is now. Raises NotFound: it is gone."""

    async def budgets(self) -> Sequence[Budget]:
        """The disruption budgets over the target's pods."""

    async def autoscalers(self) -> Sequence[Autoscaler]:
        """Those of the target that the step was planned from."""

    async def lease(self, target: str) -> Lease | str:
        """The lease on the target, or who holds it."""

    async def use_limits(self, limits: Sequence[Limit], member: str) -> list[LimitUse]:
        """How the limits stand; taken when none is exceeded."""

    async def openings(self, span: Millis) -> Openings:
        """The incidents that opened, or opened again, in the last ``span``."""

    async def breaker(self, runbook: str) -> Breaker | None:
        """The breaker of that runbook, if it is open."""

    async def query(self, promql: str) -> Sequence[tuple[Mapping[str, str], float]]:
        """What Prometheus answers: each series' labels and its value now."""

    async def dry_run(self) -> Sequence[str]:
        """Plan the step and have the server check each change; the changes in words."""


class Guard(Protocol):
    """One reason not to act.

    ``asks``: what it makes sure of, for explanations. ``again``: asked once more right before each change.
    ``permissions``: what it reads of the cluster itself, and what is taken on its word.
    """

    name: ClassVar[str]
    asks: ClassVar[str]
    again: ClassVar[bool]
    permissions: ClassVar[tuple[Permission, ...]]

    async def judge(self, request: ChangeRequest, ports: GuardPorts) -> Verdict:
        """Look, and say yes or no with the reason."""


@runtime_checkable
class Bounded(Protocol):
    """A guard whose bounds the policy alone tells."""

    def bounds(self, request: ChangeRequest) -> tuple[str, ...]:
        """What it allows, in words, such as ``changes of service web 3/1h``."""
