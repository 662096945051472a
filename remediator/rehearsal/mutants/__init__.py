"""A policy broken in every way that a slip of the pen could, one way at a time. Files are never changed."""

from __future__ import annotations

from collections.abc import Sequence

from remediator.core.policies import Policy
from remediator.rehearsal.cases import Labels
from remediator.rehearsal.mutants.base import Mutant
from remediator.rehearsal.mutants.guards import mutants_of_guards
from remediator.rehearsal.mutants.intervals import mutants_of_intervals
from remediator.rehearsal.mutants.people import mutants_of_escalations, mutants_of_severities
from remediator.rehearsal.mutants.rules import mutants_of_order, mutants_of_rules
from remediator.rehearsal.mutants.runbooks import mutants_of_runbooks
from remediator.rehearsal.mutants.services import mutants_of_services
from remediator.rehearsal.places import Places

__all__ = ["Mutant", "all_mutants"]


def all_mutants(policy: Policy, places: Places, fired: Sequence[Labels]) -> tuple[Mutant, ...]:
    """Every mutant, by section and in the order of the files.

    ``fired``: labels that the tests let fire, which tell where the order of rules matters.
    """
    return (
        *mutants_of_rules(policy, places),
        *mutants_of_order(policy, fired),
        *mutants_of_runbooks(policy, places),
        *mutants_of_guards(policy, places),
        *mutants_of_services(policy, places),
        *mutants_of_intervals(policy, places),
        *mutants_of_severities(policy, places),
        *mutants_of_escalations(policy, places),
    )
