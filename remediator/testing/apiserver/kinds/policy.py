"""PodDisruptionBudgets."""

from __future__ import annotations

from remediator.testing.apiserver.kinds.base import Kind

POD_DISRUPTION_BUDGETS = Kind(
    name="PodDisruptionBudget",
    plural="poddisruptionbudgets",
    singular="poddisruptionbudget",
    group="policy",
    short_names=("pdb",),
    initial=lambda: {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0},
    spec_generation=True,
)
