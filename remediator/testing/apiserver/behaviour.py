"""How the pods of a workload behave: what a test decides about a program that does not exist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from remediator.testing.apiserver.objects import Json, Key
from remediator.testing.apiserver.programs import Program


class Health(StrEnum):
    """What becomes of a pod's containers."""

    HEALTHY = "healthy"
    UNREADY = "unready"
    """Running, but the readiness probe fails."""
    CRASHING = "crashing"
    """Waiting in CrashLoopBackOff, for so long that it hardly ever runs. A crash loop from its first crash on
    is a ``Program``."""


Fate: TypeAlias = Health | Program
"""What becomes of a pod's containers: a state that lasts, or a program with runs that may end."""


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """The fate of a workload's pods, by when they were made.

    ``present``: the pods that are there now turn to this (None: they stay as they are).
    ``replaced``: new pods of the present template, such as after a pod was deleted (None: as ``present``).
    ``rolled_out``: pods of any later template, such as after a restart.
    ``ready_after``: seconds from creation to readiness (None: as the server's default).
    """

    present: Fate | None = None
    replaced: Fate | None = None
    rolled_out: Fate = Health.HEALTHY
    ready_after: float | None = None

    @classmethod
    def healthy(cls) -> Behaviour:
        """Everything is well, from now on."""
        return cls(present=Health.HEALTHY)

    @classmethod
    def heals_on_rollout(cls) -> Behaviour:
        """Broken now, healthy after the next rollout; deleting a pod does not help."""
        return cls(present=Health.CRASHING)

    @classmethod
    def heals_on_replacement(cls) -> Behaviour:
        """Broken now, and every new pod is healthy."""
        return cls(present=Health.CRASHING, replaced=Health.HEALTHY)

    @classmethod
    def stays_broken(cls) -> Behaviour:
        """Broken now, and a rollout does not help."""
        return cls(present=Health.CRASHING, rolled_out=Health.CRASHING)

    @classmethod
    def never_ready(cls) -> Behaviour:
        """Its pods run and never become ready, now and after any rollout."""
        return cls(present=Health.UNREADY, rolled_out=Health.UNREADY)

    @classmethod
    def bad_rollout(cls) -> Behaviour:
        """Present pods stay well; those of the next rollout never become ready."""
        return cls(rolled_out=Health.UNREADY)

    @classmethod
    def runs(cls, program: Program) -> Behaviour:
        """Its pods run this program, now and after any rollout."""
        return cls(present=program, rolled_out=program)

    @classmethod
    def named(cls, name: str) -> Behaviour:
        """One of the above by its name. Raises ValueError for another."""
        presets = {
            "healthy": cls.healthy,
            "heals_on_rollout": cls.heals_on_rollout,
            "heals_on_replacement": cls.heals_on_replacement,
            "stays_broken": cls.stays_broken,
            "never_ready": cls.never_ready,
            "bad_rollout": cls.bad_rollout,
        }
        if name not in presets:
            raise ValueError(f"no behaviour {name!r}; choose one of {', '.join(presets)}")
        return presets[name]()

    @classmethod
    def parse(cls, document: Mapping[str, object]) -> Behaviour:
        """From JSON: ``{"behaviour": NAME}``, ``{"program": PROGRAM}``, or the fields. Raises ValueError."""
        if "behaviour" in document:
            return cls.named(str(document["behaviour"]))
        if isinstance(program := document.get("program"), dict):
            return cls.runs(Program.parse(program))

        def fate(name: str) -> Fate | None:
            value = document.get(name)
            if isinstance(value, dict):
                return Program.parse(value)
            return None if value is None else Health(str(value))

        after = document.get("ready_after")
        return cls(
            present=fate("present"),
            replaced=fate("replaced"),
            rolled_out=fate("rolled_out") or Health.HEALTHY,
            ready_after=None if after is None else float(str(after)),
        )


@dataclass(kw_only=True)
class _Assigned:
    behaviour: Behaviour
    revision: str | None
    """Template hash of the workload when the behaviour was given; if there was none, the first seen."""


@dataclass(kw_only=True)
class Behaviours:
    """Who behaves how, and which images cannot be pulled. A workload that nobody spoke of is healthy."""

    _by_workload: dict[Key, _Assigned] = field(default_factory=dict)
    broken_images: dict[str, str] = field(default_factory=dict)
    """Images that cannot be pulled, and what the registry answers."""

    def assign(self, key: Key, behaviour: Behaviour, revision: str | None) -> None:
        """From now on, this workload (or bare pod) behaves so."""
        self._by_workload[key] = _Assigned(behaviour=behaviour, revision=revision)

    def _assigned(self, keys: Sequence[Key]) -> _Assigned | None:
        """What was said of the nearest of these owners."""
        return next((self._by_workload[key] for key in keys if key in self._by_workload), None)

    def fate_of(self, keys: Sequence[Key], revision: str) -> Fate | None:
        """What becomes of a new pod of these owners (nearest first) and this template; None: nobody said."""
        assigned = self._assigned(keys)
        if assigned is None:
            return None
        behaviour = assigned.behaviour
        if assigned.revision is None and behaviour.present is not None:
            assigned.revision = revision
        if revision == assigned.revision:
            return behaviour.replaced or behaviour.present or Health.HEALTHY
        return behaviour.rolled_out

    def ready_after(self, keys: Sequence[Key], default: float) -> float:
        """Seconds until a new pod with these owners reaches its state."""
        assigned = self._assigned(keys)
        after = None if assigned is None else assigned.behaviour.ready_after
        return default if after is None else after


def revision_of(pod: Json) -> str:
    """The template hash a pod was made from; empty for a bare pod."""
    labels = pod["metadata"].get("labels", {})
    if "pod-template-hash" in labels:
        return str(labels["pod-template-hash"])
    return str(labels.get("controller-revision-hash", "")).rpartition("-")[2]
