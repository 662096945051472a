"""One pod on its node, as its kubelet remembers it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from remediator.testing.apiserver.announcing import announce
from remediator.testing.apiserver.cluster import Cluster
from remediator.testing.apiserver.controllers import pod_status
from remediator.testing.apiserver.controllers.pods import is_ready
from remediator.testing.apiserver.kinds import PODS
from remediator.testing.apiserver.logs import Logs
from remediator.testing.apiserver.objects import Json, Key, clone, deleting
from remediator.testing.apiserver.programs import Program, Run


@dataclass
class Frozen:
    """What dead kubelets have missed, by node."""

    acts: dict[str, list[Callable[[], None]]] = field(default_factory=dict)

    def later(
        self, cluster: Cluster, node: str, delay: float, act: Callable[[], None], *, deadline: bool
    ) -> None:
        """Act after so many seconds; on a dead node, when its kubelet is back."""

        def fire() -> None:
            if node in cluster.dead_nodes:
                self.acts.setdefault(node, []).append(act)
            else:
                act()

        cluster.after(delay, fire, deadline=deadline)

    def thaw(self, node: str) -> None:
        """Let it happen."""
        for act in self.acts.pop(node, ()):
            act()


@dataclass(kw_only=True)
class Life:
    """A pod that runs a program, until it is deleted or given another.

    By container: ``failures`` (ends in a row, for the back-off), ``since`` (the clock at the start of the
    present run), ``runs`` (runs before it).
    """

    cluster: Cluster
    logs: Logs
    frozen: Frozen
    key: Key
    uid: str
    node: str
    program: Program
    over: bool = False
    failures: dict[str, int] = field(default_factory=dict)
    since: dict[str, float] = field(default_factory=dict)
    runs: dict[str, int] = field(default_factory=dict)

    def run_of(self, container: str) -> Run:
        """The present run of a container."""
        return self.program.run(self.runs.get(container, 0), container)

    def fail(self, container: str) -> int:
        """Note another end of a container; how many it has had in a row."""
        self.failures[container] = self.failures.get(container, 0) + 1
        return self.failures[container]

    def soon(self, seconds: float, act: Callable[[Json], None], *, settle: bool = False) -> None:
        """Act on a copy of the pod after so many seconds of the cluster, unless the life is over by then.

        ``settle``: a cluster is not at rest before.
        """

        def fire() -> None:
            present = self.cluster.store.get(PODS, self.key)
            if not self.over and present is not None and not deleting(present):
                act(clone(present))

        delay = seconds * self.cluster.pace.second
        self.frozen.later(self.cluster, self.node, delay, fire, deadline=not settle)

    def report(self, pod: Json, *, sandbox: bool = True) -> None:
        """Write the status that follows from the containers."""
        pod_status.refresh(pod, self.cluster.timestamp(), sandbox=sandbox)
        before = self.cluster.store.get(PODS, self.key)
        if is_ready(pod) and (before is None or not is_ready(before)):
            self.cluster.moments[self.uid] = self.cluster.clock()
        self.cluster.store.put(PODS, pod)

    def tell(self, pod: Json, container: str, reason: str, message: str, *, warning: bool = False) -> None:
        """Tell something about a container."""
        announce(
            self.cluster,
            pod,
            "kubelet",
            reason,
            message,
            warning=warning,
            host=self.node,
            container=container,
        )
