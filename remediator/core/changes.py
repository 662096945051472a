"""The changes that may be asked for. ``Change`` is a closed union.

An action returns changes as data; the executor alone applies them. ``target`` is the workload that the step
is for. ``fenced_on`` is the object that carries the epoch and, but for pods, the mark: the workload, unless
said otherwise. ``uid`` is that object's. The changes of one step are fenced on one object.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from remediator.core.incident import EffectId
from remediator.core.isolation import say_until
from remediator.core.objects import HPA, ObjectRef
from remediator.core.policies import WorkloadRef
from remediator.core.programs import Program
from remediator.core.requests import HttpRequest
from remediator.core.silencing import WantedSilence
from remediator.core.text import plain
from remediator.core.times import Instant, Millis, format_duration

SHOWN = 200
"""Characters of what somebody else wrote that are told of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _OfWorkload:
    """What is fenced on the workload itself."""

    target: WorkloadRef
    uid: str

    @property
    def fenced_on(self) -> ObjectRef:
        """The workload."""
        return self.target


@dataclass(frozen=True, kw_only=True, slots=True)
class RestartWorkload(_OfWorkload):
    """Replace every pod of a workload, by its own rollout strategy.

    ``at`` becomes the template's ``kubectl.kubernetes.io/restartedAt``: the same effect applied twice
    changes nothing the second time.
    """

    at: Instant

    def __str__(self) -> str:
        return f"restart {self.target}"


@dataclass(frozen=True, kw_only=True, slots=True)
class ScaleWorkload(_OfWorkload):
    """Ask for another number of pods, if it still asks for ``seen`` now."""

    seen: int
    replicas: int

    def __str__(self) -> str:
        return f"scale {self.target} from {self.seen} to {self.replicas}"


@dataclass(frozen=True, kw_only=True, slots=True)
class RollBackWorkload(_OfWorkload):
    """Make the template of an earlier revision the workload's own again, as ``kubectl rollout undo``.

    ``source`` and ``source_uid`` name the object that keeps it. The template itself stays in the cluster: it
    can hold what must not be written down anywhere else.
    """

    generation: int
    """Of the specification it was planned from; when it is another by then, nothing is changed."""
    seen: int
    """The revision that ran then."""
    revision: int
    source: str
    source_uid: str

    def __str__(self) -> str:
        return f"roll {self.target} back from revision {self.seen} to {self.revision}"


@dataclass(frozen=True, kw_only=True, slots=True)
class _OfOnePod(_OfWorkload):
    """What takes exactly one pod away; its controller makes another. Doing it again changes nothing."""

    pod: str
    pod_uid: str
    ready: bool = True
    """Whether it was ready when that was planned: one that was not, and is by now, is left alone."""
    namespace: str = ""
    """Its own, where the target is a node, which is in none."""

    @property
    def space(self) -> str:
        """The namespace that it is in."""
        return self.namespace or self.target.namespace


@dataclass(frozen=True, kw_only=True, slots=True)
class DeletePod(_OfOnePod):
    """Delete exactly this pod."""

    def __str__(self) -> str:
        return f"delete pod {self.pod} of {self.target}"


@dataclass(frozen=True, kw_only=True, slots=True)
class EvictPod(_OfOnePod):
    """Evict exactly this pod, as its disruption budgets allow. ``grace``: how long it may take to end."""

    grace: Millis | None = None

    def __str__(self) -> str:
        if self.namespace:
            return f"evict pod {self.namespace}/{self.pod} from {self.target}"
        return f"evict pod {self.pod} of {self.target}"


@dataclass(frozen=True, kw_only=True, slots=True)
class SetContainerImage(_OfWorkload):
    """Give a container of the template another image, if it still stands there with the one ``seen``.

    ``index``: its place among the template's containers.
    """

    container: str
    index: int
    seen: str
    image: str

    def __str__(self) -> str:
        before = plain(self.seen, SHOWN) or "none"  # the API server takes any text for an image
        return f"set the image of {self.container} in {self.target} from {before} to {self.image}"


@dataclass(frozen=True, kw_only=True, slots=True)
class SetContainerResources(_OfWorkload):
    """Give a container of the template other resources, if it still stands there with those ``seen``.

    ``seen`` and ``resources`` are the container's whole ``resources``, as the API server writes them; None:
    it had none. What is not asked for is kept.
    """

    container: str
    index: int
    seen: Mapping[str, Any] | None
    resources: Mapping[str, Any]

    def __str__(self) -> str:
        return f"set the resources of {self.container} in {self.target}: {'; '.join(self.told)}"

    @property
    def told(self) -> tuple[str, ...]:
        """What becomes other, such as ``limits.memory: 1Gi -> 2Gi``."""
        before = self.seen or {}
        return tuple(
            plain(f"{bound}.{name}: {(before.get(bound) or {}).get(name, 'none')} -> {value}", SHOWN)
            for bound in ("requests", "limits")
            for name, value in (self.resources.get(bound) or {}).items()
            if (before.get(bound) or {}).get(name) != value
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class IsolateWorkload(_OfWorkload):
    """Ask for no pods, if it still asks for ``seen`` now, and write that number and the end onto the object.

    ``memory``: what is written there now, a number that no longer holds; None: nothing is.
    """

    seen: int
    until: Instant
    span: Millis | None = None
    """How long that was when it was planned, for people."""
    memory: str | None = None

    def __str__(self) -> str:
        end = f"until {say_until(self.until)}" if self.span is None else f"for {format_duration(self.span)}"
        return f"isolate {self.target}: scale it from {self.seen} to 0, {end} at most"


@dataclass(frozen=True, kw_only=True, slots=True)
class RestoreWorkload(_OfWorkload):
    """Ask for ``replicas`` pods, if it still asks for ``seen`` now, and take off what its isolation wrote.

    ``memory`` and ``until`` are those annotations as they are now; None: there is none.
    """

    seen: int
    replicas: int
    memory: str
    until: str | None = None

    def __str__(self) -> str:
        if self.seen == self.replicas:
            return f"take the memory of its isolation off {self.target}, which asks for {self.seen} already"
        return f"restore {self.target}: scale it from {self.seen} to {self.replicas}"


@dataclass(frozen=True, kw_only=True, slots=True)
class CordonNode(_OfWorkload):
    """Let no new pods be placed on a node where they are, and write onto it that we did so, and when.

    ``mark``: that moment, as text. ``memory``: what an earlier cordon of ours left there, which is over;
    None: nothing.
    """

    mark: str
    memory: str | None = None

    def __str__(self) -> str:
        return f"cordon {self.target}"


@dataclass(frozen=True, kw_only=True, slots=True)
class UncordonNode(_OfWorkload):
    """Let pods be placed on a node again, if it is cordoned as ``memory`` says: by us, and when."""

    memory: str

    def __str__(self) -> str:
        return f"uncordon {self.target}"


@dataclass(frozen=True, kw_only=True, slots=True)
class SetAutoscalerBounds:
    """Set how many pods an autoscaler asks for at least and at most, if its bounds are still those seen.

    ``target``: the workload that it scales. ``name`` and ``uid``: its own; it carries epoch and mark itself.
    """

    target: WorkloadRef
    uid: str
    name: str
    seen_least: int
    seen_most: int
    least: int
    most: int

    @property
    def fenced_on(self) -> ObjectRef:
        """The autoscaler."""
        return ObjectRef(kind=HPA, namespace=self.target.namespace, name=self.name)

    def __str__(self) -> str:
        before, after = f"{self.seen_least} to {self.seen_most}", f"{self.least} to {self.most}"
        return f"set the bounds of hpa/{self.name} of {self.target} from {before} pods to {after}"


@dataclass(frozen=True, kw_only=True, slots=True)
class RunJob(_OfWorkload):
    """Run the template of a CronJob once, if it still is that CronJob with that specification.

    The Job's name follows from the step. It is made asleep first, and woken by this change: that is fenced on
    the Job itself, whose UID, ``job_uid``, is known only then. The workload is not touched.
    """

    source: str
    source_uid: str
    generation: int
    timeout: Millis
    job_uid: str = ""

    def __str__(self) -> str:
        return f"run cronjob/{self.source} once, for {format_duration(self.timeout)} at most"


@dataclass(frozen=True, kw_only=True, slots=True)
class RunProgram(_OfWorkload):
    """Run a program in one pod of the workload. It tests no epoch and leaves no mark: it is done once."""

    program: Program

    def __str__(self) -> str:
        return f"{self.program} of {self.target}"


@dataclass(frozen=True, kw_only=True, slots=True)
class SendRequest(_OfWorkload):
    """Let the service of the workload, or another of the catalog, do something. It is sent once.

    ``expect``: the statuses, and ranges such as ``2xx``, that mean that it was done.
    """

    request: HttpRequest
    expect: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.request} for {self.target}"


@dataclass(frozen=True, kw_only=True, slots=True)
class CreateSilence(_OfWorkload):
    """Silence in Alertmanager, while the workload is worked on, until an end that is known from the start."""

    silence: WantedSilence

    def __str__(self) -> str:
        span = format_duration(Millis(self.silence.ends_at - self.silence.starts_at))
        return f"silence {_silenced(self.silence)} for {span}"


@dataclass(frozen=True, kw_only=True, slots=True)
class EndSilence(_OfWorkload):
    """End a silence that a step created, before its time is over."""

    silence: WantedSilence

    def __str__(self) -> str:
        return f"end the silence of {_silenced(self.silence)}"


def _silenced(silence: WantedSilence) -> str:
    """What it is about; by its fingerprint too where its labels cannot be told as they are."""
    shown = plain(silence.told, SHOWN)
    whole = silence.alert is None or shown == silence.told
    return shown if whole else f"alert {silence.alert} {shown}"


WorkloadChange = (
    RestartWorkload
    | ScaleWorkload
    | RollBackWorkload
    | SetContainerImage
    | SetContainerResources
    | IsolateWorkload
    | RestoreWorkload
    | CordonNode
    | UncordonNode
)
"""Changes of the workload, or the node, itself: they test its epoch and leave their effect's mark on it."""
MarkedChange = WorkloadChange | SetAutoscalerBounds
"""Changes of one object: they test its epoch and leave their effect's mark on it."""
PodChange = DeletePod | EvictPod
"""Changes of one pod. They name it by its UID and leave no mark: a pod that is gone is the mark."""
ClusterChange = MarkedChange | PodChange | RunJob
"""Changes of objects of the cluster: made by its ``Executor``."""
SilenceChange = CreateSilence | EndSilence
"""Changes of what Alertmanager sends: made there, and found there again."""
Change = ClusterChange | RunProgram | SendRequest | SilenceChange
"""Who makes which is said in one place, ``workers.performers``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fence:
    """Under which epoch and for which effect a change is made."""

    epoch: int
    effect: EffectId
