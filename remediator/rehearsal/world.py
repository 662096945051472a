"""What the world answers in a rehearsal: cluster, Prometheus, HTTP, channels, checks and diagnoses.

By default everything works at once: a target is as its runbook expects, every step is done, every check
holds as soon as it is asked, every channel takes every page. What is said otherwise is a ``script`` value.
"""

from __future__ import annotations

import heapq
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar, cast

from remediator.checks import CHECKS
from remediator.checks.http import HttpParams
from remediator.checks.promql import PromqlParams
from remediator.core.below import BelowParams
from remediator.core.budgets import errors_in
from remediator.core.cluster import ClusterReader, Executor
from remediator.core.errors import Refused, Retryable
from remediator.core.incident import Attempt, Incident
from remediator.core.journal import Act, Undo
from remediator.core.plugins import (
    ChannelMessage,
    CheckPlugin,
    DiagnosisPlugin,
    HttpProber,
    Metrics,
    Params,
    Sight,
)
from remediator.core.policies import ChannelSpec, WorkloadRef
from remediator.core.programs import ProgramRunner
from remediator.core.requests import HttpSender
from remediator.core.silencing import Silencer
from remediator.core.times import Instant, Millis
from remediator.diagnoses import DIAGNOSES
from remediator.rehearsal.answers import SaidCheck, SaidDiagnosis, WellHttp, WellMetrics
from remediator.rehearsal.cluster import Bystanders, StagedCluster, WellCluster
from remediator.rehearsal.programs import StagedPrograms
from remediator.rehearsal.requests import StagedSender
from remediator.rehearsal.script import (
    ChannelOutcome,
    CheckOutcome,
    DiagnosisOutcome,
    Hearing,
    NodeFacts,
    Outcome,
    Result,
    StepOutcome,
    WorkloadFacts,
)
from remediator.rehearsal.silencing import StagedAlertmanager, StagedSilencer

T = TypeVar("T")
Values = tuple[float, ...]
"""Of the series that a query gives; none at all when it is empty."""
Working = tuple[Incident, Attempt, Act | Undo | None]
"""For which incident and attempt the daemon is at work, and at which step."""
OPPOSITE = {Result.OK: Result.FAILED, Result.FAILED: Result.OK, Result.UNKNOWN: Result.OK}


class World:
    """Everything around the daemon. Belongs to one stage.

    ``version`` grows with everything that could change an answer. ``alertmanager``: whether there is one.
    """

    def __init__(
        self,
        outcomes: Iterable[Outcome] = (),
        *,
        workloads: Iterable[WorkloadFacts | NodeFacts] = (),
        queries: Mapping[str, Values] | None = None,
        alertmanager: bool = False,
        strangers: bool = False,
    ) -> None:
        """``strangers``: pods that belong to no workload that is known have one, after their own name."""
        self.strangers = strangers
        self.version = 0
        self.now: Callable[[], Instant] = lambda: Instant(0)
        self.workloads: Sequence[WorkloadRef] = ()
        self.working: Callable[[], Working | None] = lambda: None
        self.sleep: Callable[[Millis], Awaitable[None]] = _nobody_waits
        self._said: list[tuple[Outcome, ...]] = [tuple(outcomes)]
        """What was said together, the newest first."""
        self._queries: dict[str, Values] = {_squeezed(q): v for q, v in (queries or {}).items()}
        self._asked_first: dict[tuple[str, int, str, int, str], Instant] = {}
        self._changes: list[Instant] = []
        self._cluster = StagedCluster(self)
        for facts in workloads:
            self._cluster.tell(facts)
        self.reader: ClusterReader = self._cluster
        self.executor: Executor = self._cluster
        self.metrics: Metrics = self
        self.alertmanager: StagedAlertmanager | None = None
        self.silencer: Silencer | None = None
        if alertmanager:
            self.be_silenced()
        self.http: HttpProber = WellHttp(200, "ok")
        self.programs: ProgramRunner = StagedPrograms(self)
        self.sender: HttpSender = StagedSender(self)
        self.checks: Mapping[str, CheckPlugin] = {
            name: cast("CheckPlugin", SaidCheck(plugin, self)) for name, plugin in CHECKS.items()
        }
        self.diagnoses: Mapping[str, DiagnosisPlugin] = {
            name: cast("DiagnosisPlugin", SaidDiagnosis(plugin, self)) for name, plugin in DIAGNOSES.items()
        }

    def be_silenced(self) -> None:
        """Have an Alertmanager: something is to be silenced there."""
        if self.alertmanager is None:
            self.alertmanager = StagedAlertmanager(lambda: self.now())
            self.silencer = StagedSilencer(self, self.alertmanager)

    # --- what is said of it ---

    @property
    def takes_time(self) -> bool:
        """Whether some step is not done at once."""
        return any(said.takes for said in self._of(StepOutcome))

    def touched(self, path: str) -> int:
        """How often that workload was changed: what its checks answer depends on it."""
        return self._cluster.touched(path)

    def forbidden(self, target: WorkloadRef) -> bool:
        """Whether the server does not let us change that workload."""
        return self._cluster.forbids(target)

    def tell(self, *said: Outcome | WorkloadFacts | NodeFacts) -> None:
        """From now on all of this holds, before what was said earlier."""
        for facts in said:
            if isinstance(facts, WorkloadFacts | NodeFacts):
                self._cluster.tell(facts)
        self._said.insert(0, tuple(each for each in said if not isinstance(each, WorkloadFacts | NodeFacts)))
        self.version += 1

    def tell_query(self, promql: str, values: Values) -> None:
        """From now on a query that is this, or begins so, gives these values."""
        self._queries[_squeezed(promql)] = values
        self.version += 1

    def next_change(self) -> Instant | None:
        """When an answer changes next by itself."""
        while self._changes and self._changes[0] <= self.now():
            heapq.heappop(self._changes)
            self.version += 1  # whoever asked before it is to ask again
        return self._changes[0] if self._changes else None

    def changes_at(self, at: Instant) -> None:
        """Then an answer becomes another by itself."""
        heapq.heappush(self._changes, at)

    # --- what it answers ---

    def attempt(self) -> tuple[Incident, Attempt] | None:
        """The attempt that the daemon is at work for."""
        working = self.working()
        return None if working is None else working[:2]

    def _of(self, kind: type[T]) -> Iterator[T]:
        """What was said of one kind, what counts most first."""
        return (each for together in self._said for each in together if isinstance(each, kind))

    def _about(self, runbook: str | None, attempt: Attempt | None) -> bool:
        return runbook is None or (attempt is not None and attempt.runbook.name == runbook)

    def step_said(self) -> StepOutcome | None:
        """What was said of the step that is being performed."""
        working = self.working()
        if working is None:
            return None
        _, attempt, act = working
        if act is None:
            return None
        action = attempt.runbook.steps[act.step].action
        return next(
            (
                said
                for said in self._of(StepOutcome)
                if said.step == action
                and said.undo is isinstance(act, Undo)
                and self._about(said.runbook, attempt)
            ),
            None,
        )

    def step_expects(self) -> tuple[str, ...]:
        """The statuses that the step which is being performed expects, where it sends a request."""
        working = self.working()
        if working is None or working[2] is None:
            return ()
        expects = working[1].runbook.steps[working[2].step].params.get("expect")
        return tuple(map(str, expects)) if isinstance(expects, list) else ()

    def diagnosis_said(self, name: str) -> tuple[str, ...] | None:
        """What was said that the diagnosis finds."""
        working = self.attempt()
        attempt = working[1] if working is not None else None
        for said in self._of(DiagnosisOutcome):
            if said.diagnosis == name and self._about(said.runbook, attempt):
                return said.finds
        return None

    def check_said(self, name: str) -> Result | None:
        """What was said that the check answers now."""
        working = self.attempt()
        if working is None:
            return None
        incident, own = working
        said = self._checks_said(name, own)
        if not said:
            return None
        since = self._first(incident.id, own, name)
        elapsed = self.now() - since
        for outcome in said:
            if outcome.after > elapsed:
                self.changes_at(Instant(since + outcome.after))
        due = [outcome for outcome in said if outcome.after <= elapsed]
        if due:
            latest = max(outcome.after for outcome in due)
            return next(outcome.result for outcome in due if outcome.after == latest)
        return OPPOSITE[min(said, key=lambda outcome: outcome.after).result]

    def _checks_said(self, name: str, attempt: Attempt) -> list[CheckOutcome]:
        """What was last said of the check. Said together, each holds from its own moment on."""
        for together in self._said:
            said = [each for each in together if isinstance(each, CheckOutcome) and each.check == name]
            if found := [each for each in said if self._about(each.runbook, attempt)]:
                return found
        return []

    def _first(self, incident: str, attempt: Attempt, check: str) -> Instant:
        key = (incident, attempt.number, attempt.phase.value, attempt.step, check)
        return self._asked_first.setdefault(key, self.now())

    def sight(
        self, params: Params, sight: Sight
    ) -> tuple[ClusterReader | None, Metrics | None, HttpProber | None]:
        """What a check of which nothing was said looks at: it holds, unless facts or values say otherwise."""
        cluster: ClusterReader | None = self.beside(params, sight).cluster
        if cluster is sight.cluster and not self._cluster.is_told(sight.target):
            cluster = WellCluster(self._cluster)
        metrics, http = sight.metrics, sight.http
        if isinstance(params, PromqlParams) and self._values(params.query) is None:
            metrics = WellMetrics(params)
        if isinstance(params, HttpParams):
            http = WellHttp.for_params(params)
        return cluster, metrics, http

    def beside(self, params: Params, sight: Sight) -> Sight:
        """What is seen by whoever looks beside the target: no runbook expects any trouble there."""
        if not isinstance(params, BelowParams) or sight.cluster is None:
            return sight
        return replace(sight, cluster=Bystanders(self._cluster))

    async def query(self, promql: str) -> tuple[tuple[Mapping[str, str], float], ...]:
        """What was said that the query gives; no series when nothing was.

        Over the window of a service's objective its errors were what they are said to be now; none, if
        nothing is said.
        """
        if (errors := errors_in(promql)) is not None:
            said = self._values(errors)
            return tuple(({}, value) for value in ((0.0,) if said is None else said))
        return tuple(({}, value) for value in self._values(promql) or ())

    def _values(self, promql: str) -> Values | None:
        asked = _squeezed(promql)
        begun = [known for known in self._queries if asked.startswith(known)]
        return self._queries[max(begun, key=len)] if begun else None

    def channel(self, spec: ChannelSpec) -> _SaidChannel:
        """The channel of that specification; its secrets are never read."""
        return _SaidChannel(self, spec.name)

    def channel_said(self, name: str) -> Hearing:
        """What was said of the channel."""
        return next(
            (said.result for said in self._of(ChannelOutcome) if said.channel == name),
            Hearing.OK,
        )


class _SaidChannel:
    """``core.plugins.Channel``."""

    def __init__(self, world: World, name: str) -> None:
        self._world, self._name = world, name

    async def send(self, message: ChannelMessage) -> str:
        """As the Protocol says."""
        match self._world.channel_said(self._name):
            case Hearing.REFUSED:
                raise Refused("the rehearsal lets the channel refuse it")
            case Hearing.RETRY:
                raise Retryable("the rehearsal lets the channel ask for patience")
            case Hearing.OK:
                return "taken"


def _squeezed(promql: str) -> str:
    return "".join(promql.split())


async def _nobody_waits(span: Millis) -> None:
    raise AssertionError("this world stands on no stage")
