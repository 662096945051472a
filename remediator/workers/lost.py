"""What follows when an entry becomes a dead letter: its incident hears of it, and so does the operator."""

from __future__ import annotations

from collections.abc import Sequence

from remediator.core import codec
from remediator.core.alerts import Lane
from remediator.core.codec import Recorded
from remediator.core.errors import Permanent
from remediator.core.incident import EffectId, IncidentId
from remediator.core.journal import (
    Act,
    Diagnose,
    EffectLost,
    EndIsolation,
    EndSilences,
    Locate,
    Notice,
    Page,
    Paged,
    PageResult,
    Undo,
    Verify,
    Weigh,
)
from remediator.core.store import Delivered


def lost_outcome(delivery: Delivered, reason: str) -> list[tuple[IncidentId, Recorded, Lane]]:
    """The event that tells the incident. None for events themselves: nobody waits for them."""
    try:
        lost = codec.unpack(delivery.kind, delivery.data)
    except Permanent:
        return []
    incident = IncidentId(delivery.incident)
    match lost:
        case Diagnose() | Act() | Undo() | Verify() | Weigh() | Locate() | EndIsolation() | EndSilences():
            return [(incident, EffectLost(effect=lost.id, reason=reason), Lane.URGENT)]
        case Page():
            refused = Paged(
                effect=lost.id, key=lost.key, kind=lost.kind, result=PageResult.REFUSED, detail=reason
            )
            return [(incident, refused, Lane.URGENT)]
        case _:
            return []


def notices_for(delivery: Delivered, reason: str, operator: Sequence[str]) -> list[Notice]:
    """A notice to each of the operator's channels. A notice that is itself lost is not noticed again."""
    if delivery.kind == Notice.__name__:
        return []
    about = f" of incident {delivery.incident}" if delivery.incident else ""
    return [
        Notice(
            id=EffectId(f"dead/{delivery.queue}/{delivery.id}/{channel}"),
            channel=channel,
            summary=f"remediator: a {delivery.kind}{about} became a dead letter",
            details={"reason": reason, "queue": delivery.queue, "what to do": "remediator dead-letters"},
        )
        for channel in operator
    ]
