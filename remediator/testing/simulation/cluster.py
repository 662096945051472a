"""The simulated cluster: one state for all replicas, and a record of everything that changes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from remediator.core.changes import (
    Change,
    ClusterChange,
    DeletePod,
    EvictPod,
    Fence,
    RunJob,
    RunProgram,
    SendRequest,
    SilenceChange,
)
from remediator.core.cluster import EFFECT_ANNOTATION, EPOCH_ANNOTATION, Autoscaler, Marked, epoch_of
from remediator.core.errors import Fenced, NotFound, Refused, Retryable
from remediator.core.jobs import JOB, Job
from remediator.core.objects import HPA, ObjectRef
from remediator.core.policies import WorkloadRef
from remediator.core.programs import Ended, Program
from remediator.testing.simulation.history import PREPARING, Changed, Claimed, History
from remediator.testing.simulation.jobs import TAKES, SimJobs, ref_of
from remediator.testing.simulation.machines import Machine
from remediator.testing.simulation.sights import autoscaler_of, snapshot_of

CURES = ("ScaleWorkload", "RestoreWorkload", "SetAutoscalerBounds")
"""Changes of numbers. They mend what can be mended although the pods that were sick stay."""
ROLLOUTS = ("RestartWorkload", "RollBackWorkload", "SetContainerImage", "SetContainerResources")


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Who asks for a change: which replica, when, and for how long it stood frozen shortly before."""

    replica: str
    asked_at: float
    frozen_for: float


class SimCluster:
    """``fences``: whether it tests epochs (it must)."""

    def __init__(
        self,
        history: History,
        on_heal: Callable[[str], None],
        call_later: Callable[[float, Callable[[], None]], object],
        *,
        fences: bool = True,
    ) -> None:
        self.machines: dict[str, Machine] = {}
        self.jobs = SimJobs(fences=fences)
        self.blind: set[str] = set()
        """What does not answer just now: ``cluster``, ``prometheus``, ``alertmanager``."""
        self._history, self._on_heal, self._call_later = history, on_heal, call_later
        self._fences = fences

    @property
    def now(self) -> float:
        """Virtual seconds."""
        return self._history.now()

    def see(self, what: str) -> None:
        """Raises Retryable while that does not answer."""
        if what in self.blind:
            raise Retryable(f"{what} does not answer")

    def add(self, machine: Machine) -> None:
        """A workload exists from now on."""
        self.machines[machine.ref.path] = machine

    def machine(self, ref: ObjectRef) -> Machine:
        """The workload of that name, or the one that the autoscaler scales. Raises NotFound."""
        if ref.kind == HPA:
            ref = WorkloadRef(kind="deployment", namespace=ref.namespace, name=ref.name)
        machine = self.machines.get(ref.path)
        if machine is None or (ref.kind == HPA and not machine.traits.scaled):
            raise NotFound(f"{ref} does not exist")
        return machine

    def dead(self) -> int:
        """How many workloads that are to have pods have none that is ready."""
        return sum(m.desired > 0 and not m.ready(self.now) for m in self.machines.values())

    # --- what its executor, its programs and its services do ---

    def dry_run(self, change: ClusterChange) -> None:
        """Raises Refused where admission would take no such change."""
        self.permit(self.machine(change.target), str(change))

    def permit(self, machine: Machine, what: str) -> None:
        """Raises Refused where nobody lets us do that."""
        if machine.traits.refuses:
            raise Refused(f"we are not let: {what}")

    def claim(self, ref: ObjectRef, fence: Fence) -> Marked:
        """Write the epoch, unless a newer one is there."""
        if ref.kind == JOB:
            claimed: Marked = self.jobs.claim(ref, fence)
        else:
            kept = self._annotations(ref)
            if self._fences and epoch_of(kept) > fence.epoch:
                raise Fenced(f"{ref} carries epoch {epoch_of(kept)}, ours is {fence.epoch}")
            kept[EPOCH_ANNOTATION] = str(fence.epoch)
            claimed = self._marked(ref)
        self._history.add(Claimed(target=ref.path, epoch=fence.epoch, at=self.now))
        return claimed

    def prepare(self, change: RunJob, fence: Fence) -> Job:
        """The step's Job, asleep, under its epoch."""
        self.jobs.source(change.source)
        job = self.jobs.prepare(change, fence, fails=self.machine(change.target).traits.fails)
        if job.began is None:
            self.claim(job.ref, fence)
        return job.seen(self.now)

    def apply(self, change: ClusterChange, fence: Fence, caller: Caller) -> None:
        """Make it, if the epoch still is the caller's; or take a pod away, whoever asks."""
        machine = self.machine(change.target)
        before, wanted = self._settled_ready(machine, caller), machine.desired
        match change:
            case DeletePod() | EvictPod():
                on, pod = "", change.pod_uid
                self._hold_to_budget(machine, change)
                rolled = machine.remove(change, self.now)
                if not rolled:
                    return
            case RunJob():
                on, pod = ref_of(change, fence).path, ""
                rolled = self.jobs.wake(change, fence, self.now)
                if rolled and not machine.traits.fails:
                    self._call_later(TAKES, lambda: self._cure(machine))
            case _:
                on, pod = change.fenced_on.path, ""
                kept = self._annotations(change.fenced_on)
                if self._fences and epoch_of(kept) != fence.epoch:
                    raise Fenced(f"{change.fenced_on} carries epoch {epoch_of(kept)}, ours is {fence.epoch}")
                rolled = machine.make(change, self.now)
                kept[EFFECT_ANNOTATION] = fence.effect
        took = max(0, before - machine.ready(self.now)) if rolled else 0
        if type(change).__name__ in ROLLOUTS:  # its strategy takes no more at its worst moment
            took = min(took, max(0, min(before, before - (wanted - machine.traits.unavailable))))
        self._record(
            change,
            fence.effect,
            caller,
            rolled=rolled,
            on=on,
            epoch=fence.epoch,
            pod=pod,
            took=took,
            wanted=wanted,
        )
        if type(change).__name__ in CURES:
            self._cure(machine)
        self._heal(machine)

    def run(self, program: Program, effect: str, caller: Caller, *, looks: bool) -> Ended:
        """A program runs in one of its pods; it may be one that only ``looks``. Raises NotFound."""
        machine = self.machine(program.of)
        if not any(pod.uid == program.uid for pod in machine.pods):
            raise NotFound(f"pod {program.pod} is gone")
        change = RunProgram(target=program.of, uid="", program=program)
        self._record(change, effect, caller, rolled=not looks, looks=looks)
        if looks:
            return Ended(exit_code=int(machine.broken))
        if machine.traits.fails:
            return Ended(exit_code=1)
        self._cure(machine)
        return Ended(exit_code=0)

    def act(self, change: SendRequest, key: str, caller: Caller) -> int:
        """A service does something; its status."""
        machine = self.machine(change.target)
        self._record(change, key, caller, rolled=True)
        if machine.traits.fails:
            return 500
        self._cure(machine)
        return 200

    def quiet(self, change: SilenceChange, effect: str, caller: Caller, *, rolled: bool) -> None:
        """Alertmanager silences something for a step, or does so no more."""
        self._record(change, effect, caller, rolled=rolled)

    def epoch_of(self, ref: ObjectRef) -> int:
        """Under which epoch that object is now."""
        return epoch_of(self._annotations(ref))

    # --- within ---

    def _annotations(self, ref: ObjectRef) -> dict[str, str]:
        machine = self.machine(ref)
        return machine.scaler_annotations if ref.kind == HPA else machine.annotations

    def _marked(self, ref: ObjectRef) -> Marked:
        machine = self.machine(ref)
        seen: Autoscaler | Marked = (
            autoscaler_of(machine) if ref.kind == HPA else snapshot_of(machine, self.now)
        )
        return seen

    def _settled_ready(self, machine: Machine, caller: Caller) -> int:
        """How many of its pods have been ready for so long that the caller must have seen it."""
        since = self.now - caller.asked_at + PREPARING + caller.frozen_for
        return min(machine.ready(self.now), machine.ready(self.now - since))

    def _hold_to_budget(self, machine: Machine, change: DeletePod | EvictPod) -> None:
        """As the API server does: evictions of what is ready, and nothing else. Raises Retryable."""
        pod = next((one for one in machine.pods if one.uid == change.pod_uid), None)
        spent = machine.traits.disruptions is not None and machine.traits.disruptions < 1
        if isinstance(change, EvictPod) and pod is not None and machine.pod_ready(pod, self.now) and spent:
            raise Retryable(f"429: a disruption budget does not let {change.pod} go")

    def _cure(self, machine: Machine) -> None:
        if machine.broken and machine.heals and machine.pods:
            machine.mend(self.now)
            self._on_heal(machine.ref.name)

    def _heal(self, machine: Machine) -> None:
        if machine.broken and machine.pods and not any(pod.sick for pod in machine.pods):
            machine.mend(self.now)
            self._on_heal(machine.ref.name)

    def _record(
        self,
        change: Change,
        effect: str,
        caller: Caller,
        *,
        rolled: bool,
        on: str = "",
        epoch: int = 0,
        pod: str = "",
        looks: bool = False,
        took: int = 0,
        wanted: int = 0,
    ) -> None:
        self._history.add(
            Changed(
                target=change.target.path,
                effect=effect,
                action=type(change).__name__,
                replica=caller.replica,
                rolled=rolled,
                asked_at=caller.asked_at,
                at=self.now,
                frozen_for=caller.frozen_for,
                on=on,
                epoch=epoch,
                pod=pod,
                looks=looks,
                took=took,
                wanted=wanted,
            )
        )
