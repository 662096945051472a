"""Lists, page by page: no more than one page of the server's JSON is ever held."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from remediator.adapters.kubernetes.api import Api, Deadline
from remediator.adapters.kubernetes.faults import Call, Expired

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """What is listed. ``resource``: as RBAC names it, such as ``replicasets.apps``; ``path``: where it is.

    ``namespace`` is empty for all of them. ``labels`` and ``fields`` are selectors of the server; ``most``:
    reading ends with the page that brings that many objects.
    """

    resource: str
    namespace: str
    path: str
    labels: str = ""
    fields: str = ""
    most: int | None = None

    def page(self, size: int, following: str) -> Call:
        """The request for a page; ``following`` is the server's token of where the one before ended."""
        query = {
            "labelSelector": self.labels,
            "fieldSelector": self.fields,
            "limit": str(size),
            "continue": following,
        }
        where = f"in namespace {self.namespace}" if self.namespace else "in the whole cluster"
        return Call(
            method="GET",
            path=self.path,
            doing=f"list {self.resource.partition('.')[0]} {where}",
            needs=f"list {self.resource} {where}",
            query=tuple((name, value) for name, value in query.items() if value),
            repeatable=True,
        )


async def collect(
    api: Api, listing: Listing, make: Callable[[Any], T | None], deadline: Deadline
) -> tuple[T, ...]:
    """What ``make`` makes of each object, None left out. Raises NotFound, Refused, Retryable."""
    try:
        return await _read(api, listing, make, deadline)
    except Expired:  # the pages took longer than the server remembers: once more, from the start
        return await _read(api, listing, make, deadline)


async def _read(
    api: Api, listing: Listing, make: Callable[[Any], T | None], deadline: Deadline
) -> tuple[T, ...]:
    found: list[T] = []
    following, seen = "", 0
    while True:
        made, following, size = await _page(api, listing.page(api.limits.page, following), make, deadline)
        found += made
        seen += size
        if not following or (listing.most is not None and seen >= listing.most):
            return tuple(found)


async def _page(
    api: Api, call: Call, make: Callable[[Any], T | None], deadline: Deadline
) -> tuple[list[T], str, int]:
    """What was made of one page, where the next begins, and how many objects it had.

    A function of its own, so that the page's JSON is gone before the next one is asked for.
    """
    page = await api.call(call, deadline)
    items = page.get("items") or ()
    made = [one for one in map(make, items) if one is not None]
    return made, (page.get("metadata") or {}).get("continue") or "", len(items)
