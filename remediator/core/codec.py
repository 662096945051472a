"""Values to JSON and back, as the store and the API carry them."""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from typing import Any

from pydantic import TypeAdapter, ValidationError

from remediator.core import journal
from remediator.core.alerts import Alert
from remediator.core.errors import Permanent
from remediator.core.evidence import Evidence
from remediator.core.incident import Incident
from remediator.core.journal import Effect, Entry, Message, Outcomes

Recorded = (
    journal.TimerDue
    | Outcomes
    | journal.Acknowledged
    | journal.PlanApproved
    | journal.PlanRejected
    | journal.Closed
)
"""Events that travel as themselves. ``Fired`` and ``Resolved`` travel as the alert they are made from."""

ALERT = "Alert"
"""The kind under which an alert travels on the intake's lanes."""

_INCIDENT = TypeAdapter(Incident)
_ALERT = TypeAdapter(Alert)
_ENTRY = TypeAdapter(Entry)
_EVIDENCE = TypeAdapter(Evidence)
_KINDS: dict[str, TypeAdapter[Any]] = {
    cls.__name__: TypeAdapter(cls)
    for cls in (
        journal.TimerDue,
        journal.Diagnosed,
        journal.Acted,
        journal.Checked,
        journal.Weighed,
        journal.Located,
        journal.Paged,
        journal.Acknowledged,
        journal.PlanApproved,
        journal.PlanRejected,
        journal.Closed,
        journal.EffectLost,
        journal.Diagnose,
        journal.Act,
        journal.Undo,
        journal.EndIsolation,
        journal.EndSilences,
        journal.Verify,
        journal.Weigh,
        journal.Locate,
        journal.Page,
        journal.Notice,
    )
}


def incident_json(incident: Incident) -> str:
    """The incident as one JSON object."""
    return _INCIDENT.dump_json(incident).decode()


def incident_from(text: str | bytes) -> Incident:
    """Reverse of ``incident_json``. Raises Permanent when it is from a version that cannot be read."""
    try:
        return _INCIDENT.validate_json(text)
    except ValidationError as error:
        raise Permanent(f"an incident in the store cannot be read: {error.errors()[0]['msg']}") from error


def alert_json(alert: Alert) -> str:
    """The alert as one JSON object."""
    return _ALERT.dump_json(alert).decode()


def alert_from(text: str | bytes) -> Alert:
    """Reverse of ``alert_json``. Raises Permanent."""
    try:
        return _ALERT.validate_json(text)
    except ValidationError as error:
        raise Permanent(f"an alert in the store cannot be read: {error.errors()[0]['msg']}") from error


def entry_json(entry: Entry) -> str:
    """The timeline entry as one JSON object."""
    return _ENTRY.dump_json(entry).decode()


def entry_from(text: str | bytes) -> Entry:
    """Reverse of ``entry_json``."""
    return _ENTRY.validate_json(text)


def evidence_text(evidence: Evidence) -> str:
    """The evidence as it is kept: JSON, compressed, in letters. Logs shrink to a tenth."""
    return b64encode(zlib.compress(_EVIDENCE.dump_json(evidence), 6)).decode()


def evidence_from(text: str | bytes) -> Evidence:
    """Reverse of ``evidence_text``. Raises Permanent when it is from a version that cannot be read."""
    try:
        return _EVIDENCE.validate_json(zlib.decompress(b64decode(text)))
    except (ValueError, zlib.error) as error:  # pydantic's is a ValueError
        raise Permanent("evidence in the store cannot be read") from error


def pack(value: Recorded | Effect | Message) -> tuple[str, str]:
    """The kind and the JSON of an event, an effect or a message."""
    kind = type(value).__name__
    return kind, _KINDS[kind].dump_json(value).decode()


def unpack(kind: str, text: str | bytes) -> Any:
    """Reverse of ``pack``. Raises Permanent for kinds and contents that are not known here."""
    adapter = _KINDS.get(kind)
    if adapter is None:
        raise Permanent(f"{kind!r} in the store is of a kind that this version does not know")
    try:
        return adapter.validate_json(text)
    except ValidationError as error:
        raise Permanent(f"a {kind} in the store cannot be read: {error.errors()[0]['msg']}") from error
