"""``GET /openapi.json``: made from the very table that the requests are served by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from remediator import __version__
from remediator.core.incident import Delivery, Outcome, Phase, Status
from remediator.core.journal import Kind
from remediator.core.pauses import NAMED_KINDS
from remediator.core.policies import SEVERITIES, Mode
from remediator.http.asking import Param, Route

Schema = Mapping[str, Any]

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
TIME: Schema = {"type": "string", "format": "date-time"}
TEXTS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
FLAG: Schema = {"type": "boolean"}
SCOPE: Schema = {
    "type": ["object", "null"],
    "properties": {str(kind): TEXT for kind in NAMED_KINDS},
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": False,
    "description": "What is paused: one of its members; null: all changes.",
}


def _or_null(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


def _one_of(words: Iterable[str]) -> Schema:
    return {"type": "string", "enum": [str(word) for word in words]}


def _list_of(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


OBJECTS: Mapping[str, Mapping[str, Schema]] = {
    "Incident": {
        "id": TEXT,
        "service": TEXT,
        "severity": _one_of(SEVERITIES),
        "status": _one_of(status for status in Status if status is not Status.HELD),
        "rule": TEXT,
        "title": TEXT,
        "opened_at": TIME,
        "resolved_at": _or_null(TIME),
        "alerts": {**COUNT, "description": "How many of its alerts fire now."},
        "alerts_total": {**COUNT, "description": "How many there ever were."},
        "attempts": _list_of(_ref("Attempt")),
        "pages": _list_of(_ref("Page")),
        "isolated": {**_list_of(_ref("Isolation")), "description": "What its steps have isolated, or may."},
        "grouped_by": TEXTS,
        "reopened": COUNT,
        "target": {
            "oneOf": [_ref("Target"), {"type": "null"}],
            "description": "What its alerts name, where their rule has a target; else null.",
        },
        "attached_to": {
            **_or_null(TEXT),
            "description": "The open incident of something its service depends on, for which it waits.",
        },
        "level": {**COUNT, "description": "The escalation level that was last asked; 0: nobody."},
        "page_deadline_at": _or_null(TIME),
        "raise_at": {
            **_or_null(TIME),
            "description": "When its severity rises, should it still be open.",
        },
        "verified_at": _or_null(TIME),
        "acknowledged_by": _or_null(TEXT),
        "acknowledged_at": _or_null(TIME),
        "links": TEXTS,
        "policy": {**TEXT, "description": "Digest of the policy it was last decided under."},
    },
    "Target": {
        "named": TEXT,
        "workload": {**_or_null(TEXT), "description": "What owns it: namespace/kind/name."},
        "uid": _or_null(TEXT),
        "trouble": {**_or_null(TEXT), "description": "Why nothing is changed."},
    },
    "Attempt": {
        "number": COUNT,
        "runbook": TEXT,
        "rule": TEXT,
        "phase": _one_of(Phase),
        "outcome": {"type": ["string", "null"], "enum": [*(outcome.value for outcome in Outcome), None]},
        "reason": TEXT,
        "started_at": TIME,
        "ended_at": _or_null(TIME),
        "findings": _list_of(TEXT),
        "changes": _list_of(TEXT),
        "undone": _list_of(TEXT),
        "not_undone": {**_list_of(TEXT), "description": "What there was nothing to take back of, and why."},
        "left_in_place": {
            **_list_of(TEXT),
            "description": "What should have been taken back and was not, and why.",
        },
        "asks": {"anyOf": [_ref("Asks"), {"type": "null"}], "description": "What people are to agree to."},
        "approved_by": _or_null(TEXT),
        "approved_at": _or_null(TIME),
    },
    "Asks": {
        "digest": {**TEXT, "description": "Of the plan: an answer names it."},
        "plan": _list_of(TEXT),
        "by": {**_list_of(TEXT), "description": "Who may answer; nobody named: any operator."},
        "asked_at": TIME,
        "until": TIME,
    },
    "Isolation": {"workload": TEXT, "until": TIME},
    "Page": {
        "channel": TEXT,
        "level": COUNT,
        "reason": TEXT,
        "queued_at": TIME,
        "trigger": _one_of(Delivery),
        "resolve": {"type": ["string", "null"], "enum": [*(state.value for state in Delivery), None]},
        "accepted_at": _or_null(TIME),
        "asks": {**FLAG, "description": "Whether it is a question for approval, and no page."},
    },
    "Entry": {"at": TIME, "kind": _one_of(Kind), "text": TEXT, "data": {"type": "object"}},
    "Evidence": {
        "attempt": COUNT,
        "at": TIME,
        "pieces": _list_of(_ref("Piece")),
    },
    "Piece": {
        "source": TEXT,
        "about": {**TEXT, "description": "Whose, such as a pod and its container; empty: the target's own."},
        "trouble": {**_or_null(TEXT), "description": "Why nothing, or not all of it, is known."},
        "lines": _list_of(TEXT),
    },
    "Trust": {
        "rule": TEXT,
        "where": TEXT,
        "mode": {**_one_of(Mode), "description": "As its file says."},
        "in_force": {**_one_of(Mode), "description": "As far as ceiling, record and permissions leave it."},
        "lacks_permissions": {**TEXT, "description": "Why it only observes; empty: it lacks none."},
        "lowered": {"anyOf": [_ref("Lowering"), {"type": "null"}], "description": "By its own failures."},
        "attempts": COUNT,
        "counts": {"type": "object", "additionalProperties": COUNT},
        "failed_in_a_row": COUNT,
        "advice": {**TEXT, "description": "What its record speaks for; empty: nothing."},
    },
    "Lowering": {"to": _one_of(Mode), "why": TEXT, "at": TIME},
    "Pause": {
        "paused": {**FLAG, "description": "Whether all changes are paused."},
        "reason": _or_null(TEXT),
        "by": _or_null(TEXT),
        "since": _or_null(TIME),
        "until": _or_null(TIME),
        "pauses": {
            **_list_of(_ref("ScopedPause")),
            "description": "All that are in force, the widest first; the members beside are of all changes.",
        },
    },
    "ScopedPause": {"scope": SCOPE, "reason": TEXT, "by": TEXT, "since": TIME, "until": _or_null(TIME)},
    "Breaker": {
        "runbook": TEXT,
        "open": {**FLAG, "description": "Whether nobody has closed it: the runbook is not tried."},
        "opened_at": TIME,
        "failures": {**COUNT, "description": "Attempts that had failed when it opened."},
        "within": {**COUNT, "description": "Milliseconds in which they failed."},
        "by_attempt": {**TEXT, "description": "The incident and the number of the last of them."},
        "closed_at": _or_null(TIME),
        "closed_by": _or_null(TEXT),
        "note": TEXT,
    },
    "DeadLetter": {"id": TEXT, "at": TIME, "queue": TEXT, "reason": TEXT, "tries": COUNT, "payload": TEXT},
    "DeadLetterState": {"id": TEXT, "state": _one_of(("queued", "dropped"))},
    "Unmatched": {
        "fingerprint": TEXT,
        "labels": TEXTS,
        "annotations": TEXTS,
        "starts_at": TIME,
        "rule": {**TEXT, "description": "A rule to begin with, in YAML."},
    },
    "Explanation": {
        "policy": TEXT,
        "ceiling": TEXT,
        "live": {**FLAG, "description": "Whether it was looked at how things stand; always here."},
        "alerts": _list_of({"type": "object"}),
        "rejected": _list_of(TEXT),
    },
    "Health": {"healthy": FLAG},
    "Readiness": {"ready": FLAG},
    "Reload": {"digest": TEXT, "changed": FLAG, "rules": COUNT, "runbooks": COUNT, "services": COUNT},
    "Error": {"error": TEXT, "hint": TEXT},
}
"""Every member is always there."""
PLAIN: Mapping[str, tuple[str, Schema]] = {
    "Metrics": ("text/plain", TEXT),
    "OpenApi": ("application/json", {"type": "object"}),
}


def describe(routes: Iterable[Route]) -> dict[str, Any]:
    """The document, OpenAPI 3.1."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "remediator", "version": __version__},
        "paths": paths,
        "components": {
            "schemas": {name: _object(members) for name, members in OBJECTS.items()},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _object(members: Mapping[str, Schema]) -> dict[str, Any]:
    return {"type": "object", "properties": dict(members), "required": list(members)}


def _operation(route: Route) -> dict[str, Any]:
    kind, schema = PLAIN.get(route.answer, ("application/json", _ref(route.answer)))
    if route.listed:
        members = {"items": _list_of(schema), "next": _or_null(TEXT)}
        schema = _object(members)
    done = {"description": "Done.", "content": {kind: {"schema": schema}}}
    problems = dict(route.statuses)
    if route.role is not None:
        problems |= {401: "Credentials are required.", 403: "They are wrong, or do not reach that far."}
        problems |= {503: "The store does not answer now."}
    operation: dict[str, Any] = {
        "summary": route.summary,
        "parameters": [*_in_path(route.path), *map(_in_query, route.query)],
        "responses": {"200": done} | {str(code): _problem(text) for code, text in sorted(problems.items())},
    }
    if route.role is not None:
        operation["security"] = [{"token": []}]
        operation["description"] = f"For the role {route.role} and above."
    if route.body:
        properties = {param.name: {**param.schema, "description": param.text} for param in route.body}
        sent = {"schema": {"type": "object", "properties": properties}}
        operation["requestBody"] = {"content": {"application/json": sent}}
    return operation


def _in_path(path: str) -> list[dict[str, Any]]:
    if "{id}" not in path:
        return []
    return [{"name": "id", "in": "path", "required": True, "schema": TEXT}]


def _in_query(param: Param) -> dict[str, Any]:
    return {"name": param.name, "in": "query", "description": param.text, "schema": param.schema}


def _problem(text: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": _ref("Error")}}}
