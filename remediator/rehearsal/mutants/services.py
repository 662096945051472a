"""The catalog broken: what depends on what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from remediator.core.policies import Policy
from remediator.core.roots import dependencies
from remediator.rehearsal.mutants.base import Mutant
from remediator.rehearsal.places import Places


def mutants_of_services(policy: Policy, places: Places) -> Iterator[Mutant]:
    """Every name under ``depends_on`` dropped, unless the others lead there as well."""
    for name, service in policy.services.items():
        for number, other in enumerate(service.depends_on):
            at = places.find("services", name, "depends_on", str(number))
            rest = tuple(one for one in service.depends_on if one != other)
            services = {**policy.services, name: replace(service, depends_on=rest)}
            if at is None or dependencies(name, services) == dependencies(name, policy.services):
                continue
            hint = f"fire an alert of {other}, then one of {name}, and expect attached_to: {other}"
            yield Mutant(
                section="services",
                subject=f"service {name}",
                where=str(at),
                change=f"no longer depends on {other}",
                hint=hint,
                policy=replace(policy, services=services),
                touches=("services", name),
            )
