"""The containers of every pod: started once it is on a node, or given another fate while they run."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from remediator.testing.apiserver.behaviour import Fate, Health, revision_of
from remediator.testing.apiserver.cluster import Cluster
from remediator.testing.apiserver.controllers import pod_status, runs
from remediator.testing.apiserver.controllers.images import pull
from remediator.testing.apiserver.controllers.life import Frozen, Life
from remediator.testing.apiserver.controllers.pods import owners
from remediator.testing.apiserver.kinds import PODS
from remediator.testing.apiserver.logs import Logs
from remediator.testing.apiserver.objects import Json, clone, key_of
from remediator.testing.apiserver.programs import Program, Run

_LONG_CRASHING = 5
"""Restarts of a container that has crashed for long."""
_FATES = {Health.HEALTHY: Program(), Health.UNREADY: Program(runs=(Run(ready=False),))}


@dataclass
class Containers:
    """Counts the addresses it hands out."""

    logs: Logs
    frozen: Frozen = field(default_factory=Frozen)
    _lives: dict[str, Life] = field(default_factory=dict)
    _addresses: int = 0

    def forget(self, uid: str) -> None:
        """Nothing that was to happen to the containers of this pod happens any more."""
        if (life := self._lives.pop(uid, None)) is not None:
            life.over = True

    def _live(self, cluster: Cluster, pod: Json, fate: Fate) -> Life:
        uid = pod["metadata"]["uid"]
        self.forget(uid)
        program = fate if isinstance(fate, Program) else _FATES[fate]
        life = self._lives[uid] = Life(
            cluster=cluster,
            logs=self.logs,
            frozen=self.frozen,
            key=key_of(pod),
            uid=uid,
            node=pod["spec"]["nodeName"],
            program=program,
        )
        return life

    def start(self, cluster: Cluster, pod: Json) -> None:
        """Start every container of a pod for the first time."""
        fate = cluster.behaviours.fate_of(owners(cluster, pod), revision_of(pod)) or _usual(pod)
        self._addresses += 1
        address = f"10.244.{self._addresses // 250 % 250}.{self._addresses % 250 + 2}"
        started = clone(pod)
        started["status"] |= {"podIP": address, "podIPs": [{"ip": address}]}
        if fate is Health.CRASHING:
            cluster.store.put(PODS, _long_crashing(started, cluster.timestamp()))
            return
        life = self._live(cluster, pod, fate)
        begun = []
        for container in pod["spec"]["containers"]:
            name = container["name"]
            if pull(life, started, container, again=partial(_begin_late, life, name)):
                runs.begin(life, started, name)
                begun.append(name)
        life.report(started)
        for name in begun:
            runs.follow(life, started, name)

    def probe_anew(self, pod: Json) -> None:
        """A kubelet that was started again knows of no probe that succeeded."""
        if (life := self._lives.get(pod["metadata"]["uid"])) is not None:
            for container in pod["spec"]["containers"]:
                runs.probe_anew(life, container)

    def turn(self, cluster: Cluster, pod: Json, fate: Fate) -> None:
        """Give a running pod another fate, from now on."""
        changed, now = clone(pod), cluster.timestamp()
        if fate is Health.CRASHING:
            self.forget(pod["metadata"]["uid"])
            cluster.store.put(PODS, _long_crashing(changed, now))
            return
        life = self._live(cluster, pod, fate)
        for container in changed["spec"]["containers"]:
            status = pod_status.status_of(changed, container["name"])
            if "running" not in status["state"]:
                status["state"] = pod_status.running(now)
            status |= {"ready": life.run_of(container["name"]).ready, "started": True}
            life.since[container["name"]] = cluster.clock()
        life.report(changed)
        for container in changed["spec"]["containers"]:
            runs.follow(life, changed, container["name"])


def _usual(pod: Json) -> Fate:
    """What becomes of a pod that nobody spoke of: the pods of Jobs come to an end, others run on."""
    finite = any(one["kind"] == "Job" for one in pod["metadata"].get("ownerReferences", ()))
    return Program.completes() if finite else Health.HEALTHY


def _begin_late(life: Life, name: str, pod: Json) -> None:
    runs.begin(life, pod, name)
    life.report(pod)
    runs.follow(life, pod, name)


def _long_crashing(pod: Json, now: str) -> Json:
    """The pod as one whose containers have crashed for long; changed in place, and returned."""
    for container in pod["spec"]["containers"]:
        status = pod_status.status_of(pod, container["name"])
        status["state"] = pod_status.terminated(1, "Error", started=now, finished=now)
        runs.hold_back(pod, container["name"], runs.LONGEST)
        restarts = max(_LONG_CRASHING, status["restartCount"])
        status |= {"ready": False, "started": False, "restartCount": restarts}
    return pod_status.refresh(pod, now)
