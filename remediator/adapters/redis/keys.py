"""Every key of one deployment. All share the hash tag ``{prefix}``, so one script may touch any of them."""

from __future__ import annotations

from remediator.core.alerts import Fingerprint
from remediator.core.incident import EffectId, GroupKey, IncidentId
from remediator.core.policies import SEVERITIES
from remediator.core.store import Queue


class Keys:
    """The names of keys under one prefix."""

    def __init__(self, prefix: str) -> None:
        root = f"{{{prefix}}}:"
        self._root = root
        self.dead = f"{root}dead"
        self.timers = f"{root}timers"
        self.index = f"{root}incidents"
        self.ends = f"{root}ends"
        self.calm = f"{root}calm"
        """Incidents whose events travel on the normal lane; all others are urgent."""
        self.epochs = f"{root}epochs"
        self.pauses = f"{root}pauses"
        """The scopes that are paused by name, scored with when that ends."""
        self.breakers = f"{root}breakers"
        """Runbooks whose breaker was opened: scored inf while it is, then with when that is forgotten."""
        self.openings = f"{root}openings"
        """Incidents that opened, scored with when."""
        self.trust = f"{root}trust"
        """What is counted of each rule, and how many of its attempts failed in a row."""
        self.lowered = (f"{root}lowered", f"{root}lowered:docs")
        """Rules that are trusted with less than their files say: scored with since when; and why."""
        self.touch = f"{root}touch"
        self.clock = f"{root}clock"
        """The time at the last look at the timers: how a clock that jumped back is noticed."""
        self.unused = f"{root}unused"
        """Stands where a script reads a key that a call has no use for."""
        self.unmatched = (f"{root}unmatched", f"{root}unmatched:docs", f"{root}unmatched:turn")
        self.listed = (f"{root}listed", f"{root}listed:labels")
        """When an Alertmanager last listed an alert, and its labels."""
        self.open = {severity: f"{root}open:{severity}" for severity in SEVERITIES}
        self._queues = {queue: f"{root}queue:{queue}" for queue in Queue}
        self._tries = {queue: f"{root}tries:{queue}" for queue in Queue}
        self._episode = f"{root}episode:"

    def queue(self, queue: Queue) -> str:
        """The stream."""
        return self._queues[queue]

    def tries(self, queue: Queue) -> str:
        """Entry id to how often it was handed out without being settled."""
        return self._tries[queue]

    def episode(self, fingerprint: Fingerprint) -> str:
        """The register of one alert's episodes."""
        return self._episode + fingerprint

    def incident(self, incident: IncidentId) -> tuple[str, str, str, str]:
        """The incident's value, its firing members, its timeline, its evidence."""
        return (
            f"{self._root}incident:{incident}",
            f"{self._root}members:{incident}",
            f"{self._root}timeline:{incident}",
            f"{self._root}evidence:{incident}",
        )

    def group(self, group: GroupKey) -> str:
        """Points to the newest incident of the group."""
        return f"{self._root}group:{group}"

    def about(self, name: str) -> str:
        """The open incidents about a service or a workload, what comes first first."""
        return f"{self._root}about:{name}"

    def lease(self, target: str) -> str:
        """Who may change the target."""
        return f"{self._root}lease:{target}"

    def limit(self, name: str) -> str:
        """The members of one sliding window."""
        return f"{self._root}limit:{name}"

    def pause(self, named: str) -> str:
        """That the scope of that path is paused; empty: that everything is."""
        return f"{self._root}pause:{named}" if named else f"{self._root}pause"

    def breaker(self, runbook: str) -> str:
        """That the breaker of that runbook is open, or was, and why."""
        return f"{self._root}breaker:{runbook}"

    def failures(self, runbook: str) -> str:
        """Attempts of that runbook that failed, scored with when."""
        return f"{self._root}failures:{runbook}"

    def told(self, notice: EffectId) -> str:
        """That a notice was enqueued."""
        return f"{self._root}told:{notice}"

    def intent(self, effect: EffectId) -> str:
        """What the journal says of one effect."""
        return f"{self._root}intent:{effect}"
