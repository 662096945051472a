"""The answer to ``Locate``: which workload owns the object, or why none is known."""

from __future__ import annotations

from remediator.core.errors import RemediatorError, Retryable, StoreUnavailable
from remediator.core.incident import EffectId
from remediator.core.journal import Located
from remediator.core.naming import say_object
from remediator.core.objects import ObjectRef
from remediator.core.owners import Finder, find_owner
from remediator.core.times import Instant

FIND_WITHIN = 20.0
"""Seconds that whoever asks gives all objects on the way."""


async def find(effect: EffectId, ref: ObjectRef, began: Instant | None, finder: Finder | None) -> Located:
    """Look for it; whether that is allowed was asked before. Raises StoreUnavailable."""
    if finder is None:
        reason = f"{say_object(ref)} cannot be looked for: no cluster is configured"
        return Located(effect=effect, reason=reason)
    try:
        owner = await find_owner(finder, ref, began)
    except StoreUnavailable:
        raise
    except RemediatorError as error:
        return Located(effect=effect, reason=str(error), again=isinstance(error, Retryable))
    return Located(effect=effect, owner=owner.ref, uid=owner.uid)


def found_late(effect: EffectId, ref: ObjectRef) -> Located:
    """There was no answer in time."""
    reason = f"{say_object(ref)} could not be looked for: no answer within {FIND_WITHIN:.0f}s"
    return Located(effect=effect, reason=reason, again=True)
