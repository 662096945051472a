"""A fake Kubernetes API server, held to recordings of a real one (v1.32).

It serves namespaces, nodes, pods (with logs), services and their endpoints, ConfigMaps, the workloads, jobs,
autoscalers, disruption budgets, quotas, limit ranges, volumes and claims, events, leases, roles and access
reviews, with the controllers behind most of them. What it does not do it answers with 501 and says so.
``python -m remediator.testing.apiserver`` runs it as a process.

Pods run programs that a test describes (``Behaviour.runs(Program.crashes(exit_code=7))``), images can be
unavailable, kubelets die, commands print what a test says: ``stage`` lists it all, and ``control`` offers it
to other processes. Time is scaled by ``Pace``.
"""

from __future__ import annotations

from remediator.testing.apiserver.access import Rule, User
from remediator.testing.apiserver.behaviour import Behaviour, Health
from remediator.testing.apiserver.cluster import Pace
from remediator.testing.apiserver.executing import Command, Output
from remediator.testing.apiserver.faults import Fault, FaultKind, Faults
from remediator.testing.apiserver.ledger import Arrival, Effect, Ledger
from remediator.testing.apiserver.programs import Program, Run
from remediator.testing.apiserver.server import ADMIN, TOKEN, FakeApiServer

__all__ = [
    "ADMIN",
    "TOKEN",
    "Arrival",
    "Behaviour",
    "Command",
    "Effect",
    "FakeApiServer",
    "Fault",
    "FaultKind",
    "Faults",
    "Health",
    "Ledger",
    "Output",
    "Pace",
    "Program",
    "Rule",
    "Run",
    "User",
]
