"""How the things fare that a service depends on: what check and diagnosis ``dependencies`` have in common."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from remediator.core.errors import RemediatorError, StoreUnavailable
from remediator.core.plugins import Params, Permission, Sight
from remediator.core.policies import Service
from remediator.core.probing import PROBE_WITHIN, expected
from remediator.core.text import plain

MOST = 30
"""So many are looked at, in the order of their names; the rest of them is not known to be well."""
LONGEST = 100
"""Characters of what is told of one."""
WELL = ("2xx",)
"""What the health URL of one without a workload is to answer."""
UNSEEN = "it has neither workload nor health in the catalog, so it cannot be seen"
STRANGER = "no entry of the catalog is meant, so what it depends on is not known"


class BelowParams(Params):
    """Nothing needs to be said: the catalog says what a service depends on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What was seen of one dependency. ``well``: None where that cannot be found out."""

    name: str
    well: bool | None
    text: str

    def __str__(self) -> str:
        return plain(f"{self.name}: {'unknown: ' if self.well is None else ''}{self.text}", LONGEST)


def on_each_below(why: str) -> Permission:
    """To read the workloads that the service depends on, which the catalog names."""
    return Permission(
        group="apps", resource="{kind}s", verbs=("get",), named=("target",), below=True, why=why
    )


def depends_on_nothing(sight: Sight) -> str:
    """For people."""
    whose = sight.service.name if sight.service is not None else "it"
    return f"{whose} depends on nothing in the catalog"


def is_seen(service: Service) -> bool:
    """Whether the catalog says how to look at it."""
    return service.workload is not None or service.health is not None


async def see(service: Service, sight: Sight) -> Seen:
    """How one of them fares: a workload is to be ready, as check ``ready`` says; else its health URL answers.

    What goes wrong with looking is an answer, too. Raises StoreUnavailable.
    """
    try:
        if service.workload is not None:
            return await _see_workload(service, sight)
        if service.health is not None:
            return await _see_health(service, service.health, sight)
    except StoreUnavailable:
        raise
    except RemediatorError as error:
        return Seen(name=service.name, well=None, text=plain(str(error), LONGEST))
    return Seen(name=service.name, well=None, text=UNSEEN)


async def _see_workload(service: Service, sight: Sight) -> Seen:
    assert service.workload is not None
    if sight.cluster is None:
        return Seen(name=service.name, well=None, text="no cluster is configured")
    found = await sight.cluster.workload(service.workload)
    return Seen(name=service.name, well=found.is_ready, text=found.readiness)


async def _see_health(service: Service, url: str, sight: Sight) -> Seen:
    if sight.http is None:
        return Seen(name=service.name, well=None, text="nothing is configured to ask URLs with")
    answer = await sight.http.get(url, hosts=sight.hosts, within=PROBE_WITHIN)
    text = f"{plain(url, 60)} answered {answer.status}"
    return Seen(name=service.name, well=expected(answer.status, WELL), text=text)


def left_out(count: int) -> Seen:
    """What is said of those beyond ``MOST``."""
    return Seen(name=f"{count} more", well=None, text=f"of so many only {MOST} are looked at")


def worst_first(found: Iterable[Seen]) -> list[Seen]:
    """Those that fail, then those of which nothing is known, then those that are well; each by name."""
    return sorted(found, key=lambda each: ({False: 0, None: 1, True: 2}[each.well], each.name))
