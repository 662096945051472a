"""What can be asked of the operations listener, in one table: served from it and described by it."""

from __future__ import annotations

from remediator.core.pauses import NAMED_KINDS
from remediator.core.policies import SEVERITIES
from remediator.http.api import STATUSES, Api
from remediator.http.approving import Approving
from remediator.http.asking import LONGEST_PAGE, Param, Route
from remediator.http.auth import Role
from remediator.http.breaking import Breaking
from remediator.http.openapi import SCOPE, TIME
from remediator.http.ops import Ops
from remediator.http.pausing import Pausing
from remediator.http.trusting import Trusting

_LIMIT = Param(
    name="limit",
    text="How many, at most.",
    schema={"type": "integer", "minimum": 1, "maximum": LONGEST_PAGE, "default": 100},
)
_FILTERS = (
    Param(name="status", text="Of that status.", schema={"type": "string", "enum": list(STATUSES)}),
    Param(name="severity", text="Of that severity.", schema={"type": "string", "enum": list(SEVERITIES)}),
    Param(name="service", text="Of that service."),
    _LIMIT,
    Param(name="cursor", text="next of the page before."),
)
_BY = Param(name="by", text="Ignored: the author is who asks.")
_NOTE = (Param(name="note", text="Why; it goes to the timeline."), _BY)
_ANSWER = (
    Param(name="digest", text="Of the plan that is meant, as it is shown with the attempt that asks."),
    *_NOTE,
)
_NOTE_OF_BREAKER = (Param(name="note", text="Why; it is kept with the breaker."), _BY)
_PAUSE = (
    Param(name="reason", text="Why; required."),
    Param(
        name="scope",
        text='What is paused, such as {"service": "web"}; without it all changes.',
        schema=SCOPE,
    ),
    Param(name="for", text="How long, such as 2h; without it until resumed."),
    Param(name="until", text="In place of for: when it ends.", schema=TIME),
    _BY,
)
_LIFTED = (Param(name="scope", text="In place of the query.", schema=SCOPE),)
_RESUME = tuple(
    Param(name=str(kind), text=f"The {kind} that is paused; without any, all changes.")
    for kind in NAMED_KINDS
)
_BAD = {400: "A parameter or the body is wrong; error names it."}
_NO_INCIDENT = {404: "There is no such incident."}
_NO_LETTER = {404: "There is no such dead letter."}
_LATER = {202: "It is durable, but the incident has not heard of it yet."}


def operations(ops: Ops) -> list[Route]:
    """Health, metrics and reload."""
    return [
        Route(method="GET", path="/-/healthy", handler=ops.healthy, role=None,
              summary="Whether it runs.", answer="Health"),
        Route(method="GET", path="/-/ready", handler=ops.ready, role=None,
              summary="Whether alerts should be sent here.", answer="Readiness",
              statuses={503: "Not ready; error says why."}),
        Route(method="GET", path="/metrics", handler=ops.metrics, role=None,
              summary="Metrics for Prometheus.", answer="Metrics"),
        Route(method="POST", path="/-/reload", handler=ops.reload, role=Role.ADMIN,
              summary="Read the policies anew: all of them, or none.", answer="Reload",
              statuses={422: "They have errors; those from before stay in force."}),
    ]  # fmt: skip


def incidents(api: Api) -> list[Route]:
    """Incidents."""
    return [
        Route(method="GET", path="/v1/incidents", handler=api.incidents, role=Role.VIEWER,
              summary="Incidents, newest first.", answer="Incident", listed=True, query=_FILTERS,
              statuses=_BAD),
        Route(method="GET", path="/v1/incidents/{id}", handler=api.incident, role=Role.VIEWER,
              summary="One incident.", answer="Incident", statuses=_NO_INCIDENT),
        Route(method="GET", path="/v1/incidents/{id}/timeline", handler=api.timeline, role=Role.VIEWER,
              summary="Everything that happened, oldest first.", answer="Entry", listed=True,
              statuses=_NO_INCIDENT),
        Route(method="GET", path="/v1/incidents/{id}/evidence", handler=api.evidence, role=Role.VIEWER,
              summary="What was kept before anything was changed: logs, events, usage, revisions.",
              answer="Evidence", listed=True, statuses=_NO_INCIDENT),
        Route(method="POST", path="/v1/incidents/{id}/acknowledge", handler=api.acknowledge,
              role=Role.OPERATOR, summary="Take it on: nothing climbs any more.", answer="Incident",
              body=_NOTE, statuses={**_LATER, **_BAD, **_NO_INCIDENT, 409: "It is resolved already."}),
        Route(method="POST", path="/v1/incidents/{id}/resolve", handler=api.resolve, role=Role.OPERATOR,
              summary="Declare it over.", answer="Incident", body=_NOTE,
              statuses={**_LATER, **_BAD, **_NO_INCIDENT, 409: "Alerts still fire, or an attempt runs."}),
    ]  # fmt: skip


def approvals(approving: Approving) -> list[Route]:
    """What waits for a person's agreement."""
    known = {**_LATER, **_BAD, **_NO_INCIDENT}
    nothing = {409: "Nothing waits for it: answered, too late, over, or another plan by now."}
    return [
        Route(method="POST", path="/v1/incidents/{id}/approve", handler=approving.approve, role=Role.OPERATOR,
              summary="Agree to the plan with that digest; every guard is asked all the same.",
              answer="Incident", body=_ANSWER, statuses={**known, **nothing}),
        Route(method="POST", path="/v1/incidents/{id}/reject", handler=approving.reject, role=Role.OPERATOR,
              summary="Refuse the plan: nothing of it is done.", answer="Incident", body=_ANSWER,
              statuses={**known, **nothing}),
    ]  # fmt: skip


def trust(trusting: Trusting) -> list[Route]:
    """How far rules are trusted."""
    return [
        Route(method="GET", path="/v1/trust", handler=trusting.trust, role=Role.VIEWER,
              summary="Every rule with its record, the mode in force and what is advised.", answer="Trust",
              listed=True),
        Route(method="POST", path="/v1/trust/{id}/restore", handler=trusting.restore, role=Role.OPERATOR,
              summary="Trust a rule again that its failures have lowered.", answer="Trust", body=_NOTE,
              statuses={**_BAD, 404: "There is no such rule.", 409: "It is not lowered."}),
    ]  # fmt: skip


def pauses(pausing: Pausing) -> list[Route]:
    """The kill switch."""
    return [
        Route(method="GET", path="/v1/pause", handler=pausing.pauses, role=Role.VIEWER,
              summary="The kill switch as it stands.", answer="Pause"),
        Route(method="PUT", path="/v1/pause", handler=pausing.pause, role=Role.OPERATOR,
              summary="Stop changes: all of them, or those of a scope.", answer="Pause", body=_PAUSE,
              statuses={**_BAD, 409: "Too many scopes are paused."}),
        Route(method="DELETE", path="/v1/pause", handler=pausing.resume, role=Role.OPERATOR,
              summary="Lift one pause: that of all changes, or that of a scope.", answer="Pause",
              query=_RESUME, body=_LIFTED, statuses={**_BAD, 404: "That scope is not paused."}),
    ]  # fmt: skip


def breakers(breaking: Breaking) -> list[Route]:
    """Runbooks that are not tried any more."""
    return [
        Route(method="GET", path="/v1/breakers", handler=breaking.breakers, role=Role.VIEWER,
              summary="Runbooks that failed too often, and breakers that were closed lately.",
              answer="Breaker", listed=True),
        Route(method="POST", path="/v1/breakers/{id}/close", handler=breaking.close,
              role=Role.OPERATOR, summary="Let the runbook be tried again.", answer="Breaker",
              body=_NOTE_OF_BREAKER, statuses={**_BAD, 404: "That breaker is not open."}),
    ]  # fmt: skip


def controls(api: Api) -> list[Route]:
    """What waits for a person, and explanations."""
    return [
        Route(method="GET", path="/v1/dead-letters", handler=api.dead_letters, role=Role.VIEWER,
              summary="What could not be processed, newest first.", answer="DeadLetter", listed=True,
              query=(_LIMIT,), statuses=_BAD),
        Route(method="POST", path="/v1/dead-letters/{id}/retry", handler=api.retry, role=Role.OPERATOR,
              summary="Put it back into its queue.", answer="DeadLetterState",
              statuses={**_NO_LETTER, 409: "It never came from a queue."}),
        Route(method="DELETE", path="/v1/dead-letters/{id}", handler=api.drop, role=Role.ADMIN,
              summary="Forget it.", answer="DeadLetterState", statuses=_NO_LETTER),
        Route(method="GET", path="/v1/unmatched", handler=api.unmatched, role=Role.VIEWER,
              summary="Alerts that no rule matched, each with a rule to begin with.", answer="Unmatched",
              listed=True, query=(_LIMIT,), statuses=_BAD),
        Route(method="POST", path="/v1/explain", handler=api.explain, role=Role.VIEWER,
              summary="What would become of a notification. Changes nothing.", answer="Explanation",
              statuses={**_BAD, 413: "Too much at once."}),
    ]  # fmt: skip
