"""What an incident is about: its service's workload, or the one that owns what its alerts name. Pure."""

from __future__ import annotations

from remediator.core.incident import Incident
from remediator.core.policies import Policy, Rule, Service, WorkloadRef
from remediator.core.roots import dependencies


def target_of(incident: Incident, rule: Rule | None, policy: Policy) -> WorkloadRef | None:
    """The workload that ``rule`` may change for the incident, if any."""
    if rule is not None and rule.target is not None:
        aim = incident.aim
        return aim.owner if aim is not None and not aim.trouble else None
    service = policy.services.get(incident.service)
    return service.workload if service is not None else None


def uid_of(incident: Incident, rule: Rule | None) -> str:
    """The UID that this workload was found with; empty where the catalog names it."""
    aim = incident.aim
    return aim.uid if rule is not None and rule.target is not None and aim is not None else ""


def is_sought(incident: Incident) -> bool:
    """Whether it is not known yet what the object that its alerts name belongs to."""
    aim = incident.aim
    return aim is not None and aim.owner is None and not aim.trouble


def astray(incident: Incident, rule: Rule | None) -> str:
    """Why the object that its alerts name leads to no workload; empty where it does, or names none."""
    if rule is None or rule.target is None:
        return ""
    aim = incident.aim
    if aim is None:
        return "its alerts name no target: they came before the rule had one"
    if aim.trouble:
        return aim.trouble
    return "" if aim.owner is not None else f"{aim.told}: which workload it belongs to is not known"


def service_of_owner(owner: WorkloadRef, policy: Policy) -> str | None:
    """The first entry of the catalog that names the workload."""
    return next((name for name, one in policy.services.items() if one.workload == owner), None)


def below_of(incident: Incident, rule: Rule | None, policy: Policy) -> tuple[Service, ...] | None:
    """What the incident's service depends on, directly and in turn, by name.

    None: no entry of the catalog is meant, as where alerts name an object whose owner has none.
    """
    name = incident.service
    if rule is not None and rule.target is not None:
        owner = target_of(incident, rule, policy)
        name = (service_of_owner(owner, policy) or "") if owner is not None else ""
    if name not in policy.services:
        return None
    return services_below(name, policy)


def services_below(name: str, policy: Policy) -> tuple[Service, ...]:
    """The entries of the catalog that a service depends on, directly and in turn, by name."""
    found = dependencies(name, policy.services)
    return tuple(policy.services.get(each, Service(name=each)) for each in sorted(found))
