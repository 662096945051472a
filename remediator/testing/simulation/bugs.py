"""Bugs planted on purpose, and the promise that each breaks: a checker that misses one proves nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from remediator.core.policies import Policy
from remediator.testing.simulation.cluster import SimCluster
from remediator.testing.simulation.outside import SimAlertmanagers
from remediator.testing.simulation.planted_journeys import (
    AcknowledgesFirst,
    AgreesToAnything,
    PagesFirst,
    TakesUnknownForGood,
)
from remediator.testing.simulation.planted_ports import BorrowsEpochs, RemembersSilences
from remediator.testing.simulation.planted_stores import STORES
from remediator.testing.simulation.policies import CROWDED
from remediator.testing.simulation.recording import RecordingStore
from remediator.testing.simulation.replica import Gate, Replica
from remediator.testing.simulation.tracing import Traced

BUGS: dict[str, str] = {
    "acknowledge-before-commit": "P",
    "page-before-commit": "P11",
    "timer-popped-before-its-event": "P",
    "raises-forgotten": "P",
    "silences-remembered": "P3",
    "pods-meant-anew": "P7",
    "once-done-again": "P7",
    "lease-without-epoch": "P8",
    "epoch-borrowed": "P8",
    "limit-outside-the-script": "P10",
    "spent-limits-given-back": "P10",
    "policy-of-birth": "P13",
    "named-pauses-forgotten": "P13",
    "resolution-remembered": "P13",
    "agrees-to-anything": "P13",
    "unknown-taken-for-good": "P14",
    "doubt-untold": "timeline",
}
"""What a violation that finds it begins with; ``P``: whatever it breaks first."""


ABOUT: Mapping[str, str] = {
    "silences-remembered": "silence",
    "once-done-again": "once",
    "limit-outside-the-script": CROWDED,
    "agrees-to-anything": "approval",
}
"""What every run is about, too, in which one of these is planted: elsewhere it is rarely seen."""


def planted_in_policy(bug: str | None, policy: Policy) -> Policy:
    """What a daemon goes by: with one bug, as if nothing raised a severity by itself."""
    if bug != "raises-forgotten":
        return policy
    severities = {name: replace(severity, raises=()) for name, severity in policy.severities.items()}
    return replace(policy, severities=severities)


def planted_journey(bug: str | None) -> type[Traced]:
    """The journey of every replica."""
    classes: dict[str | None, type[Traced]] = {
        "acknowledge-before-commit": AcknowledgesFirst,
        "page-before-commit": PagesFirst,
        "agrees-to-anything": AgreesToAnything,
        "unknown-taken-for-good": TakesUnknownForGood,
    }
    return classes.get(bug, Traced)


def planted_store(bug: str | None, store: RecordingStore, replica: Replica) -> object:
    """The store as one replica reaches it."""
    kind = STORES.get(bug or "")
    return Gate(replica, "store", store) if kind is None else kind(store, replica)


def planted_executor(bug: str | None, gate: Gate, cluster: SimCluster) -> object:
    """The executor of one replica."""
    return BorrowsEpochs(gate, cluster) if bug == "epoch-borrowed" else gate


def planted_alertmanagers(bug: str | None, alertmanagers: SimAlertmanagers) -> object:
    """What one replica asks for silences."""
    return RemembersSilences(alertmanagers) if bug == "silences-remembered" else alertmanagers
