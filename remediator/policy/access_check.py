"""What a service account may do, held against what a policy needs: what is missing, and what is too wide."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import product

from remediator.core.access import EVERYTHING, Access, AccessReviewer, Granted
from remediator.core.policies import Mode, Policy
from remediator.policy.findings import Spot
from remediator.policy.lint_view import Note
from remediator.policy.lowering import lacking, say_lacks
from remediator.policy.rbac import Demands, demands

REVIEWS = frozenset(("authorization.k8s.io", "authentication.k8s.io"))
"""Groups in which everybody may ask about himself."""
SHOWN = 6


async def permission_findings(
    policy: Policy, reviewer: AccessReviewer, *, ceiling: Mode = Mode.AUTO
) -> tuple[Note, ...]:
    """L911 for each rule that lacks permissions: the daemon would lower it. Raises Refused, Retryable."""
    needed = demands(policy, ceiling=ceiling)
    lacks = lacking(needed, await reviewer.missing(needed))
    places = {rule.name: _spot(rule.where) for rule in policy.rules}
    return tuple(
        Note(
            at=places[rule],
            code="L911",
            message=f"rule '{rule}' lacks permissions: the daemon {say_lacks(own)}; "
            "grant what remediator rbac prints",
        )
        for rule, own in lacks.items()
    )


def _spot(where: str) -> Spot:
    """The place that a rule's ``where`` names."""
    path, line, column = where.rsplit(":", 2) if where.count(":") >= 2 else (where or "?", "1", "1")
    return Spot(path=path, line=int(line), column=int(column))


async def too_wide(needed: Demands, reviewer: AccessReviewer, namespaces: Collection[str]) -> tuple[str, ...]:
    """What was granted in these namespaces and no policy needs, in words. Raises Refused, Retryable."""
    found: dict[str, list[str]] = defaultdict(list)
    for namespace in sorted(namespaces):
        own = [access for access in needed if access.namespace in ("", namespace)]
        for granted in (await reviewer.granted(namespace)).rules:
            for text in excess(granted, own):
                if namespace not in found[text]:
                    found[text].append(namespace)
    return tuple(
        f"in {'namespace' if len(places) == 1 else 'namespaces'} {_listed(places)} we {text}"
        for text, places in sorted(found.items())
    )


def excess(granted: Granted, needed: Collection[Access]) -> Iterator[str]:
    """What one rule of RBAC allows beyond what is needed. Reviews of oneself are nobody's excess."""
    if granted.groups <= REVIEWS:
        return
    used = [access for access in needed if granted.allows(access)]
    if not used:
        yield f"may {_told(granted)}, which no policy needs"
    elif any(EVERYTHING in word for word in (*granted.verbs, *granted.groups, *granted.resources)):
        yield f"may {_told(granted)}, where single permissions are enough"
    else:
        yield from _single_excess(granted, used)


def _told(granted: Granted) -> str:
    """``get, list pods, configmaps``; the group where it is not the core's."""
    verbs, resources = _listed(sorted(granted.verbs)), _listed(sorted(granted.resources))
    groups = f" of group {_listed(sorted(granted.groups))}" if granted.groups != {""} else ""
    return f"{verbs} {resources}{groups}" + (f", {_listed(sorted(granted.names))}" if granted.names else "")


def _single_excess(granted: Granted, used: Collection[Access]) -> Iterator[str]:
    """Of a rule without ``*`` that something needs, what nothing needs."""
    wanted: dict[Access, set[str]] = defaultdict(set)
    for access in used:
        wanted[replace(access, namespace="", name="")].add(access.name)
    for group, resource, verb in product(*map(sorted, (granted.groups, granted.resources, granted.verbs))):
        one = Access(namespace="", group=group, resource=resource, verb=verb)
        names = wanted.get(one, set())
        if not names:
            yield f"may {one.what}, which no policy needs"
        elif "" in names:
            continue
        elif not granted.names:
            yield f"may {one.what} of any name, where {_listed(sorted(names))} is enough"
        elif unused := granted.names - names:
            yield f"may {one.what} {_listed(sorted(unused))}, which no policy needs"


def _listed(names: Sequence[str]) -> str:
    if len(names) <= SHOWN:
        return ", ".join(names)
    return f"{', '.join(names[:SHOWN])} and {len(names) - SHOWN} more"
