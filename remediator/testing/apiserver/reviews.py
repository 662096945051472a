"""Reviews: objects that are asked and answered, and never stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from remediator.testing.apiserver.access import OPEN_PATHS, Access, Asked, Rule, User
from remediator.testing.apiserver.bodies import Request, check_kind, parse_json
from remediator.testing.apiserver.objects import Json
from remediator.testing.apiserver.roles import grants
from remediator.testing.apiserver.statuses import Cause, bad_request, invalid

_AUTHORIZATION = "authorization.k8s.io"
_AUTHENTICATION = "authentication.k8s.io"
_AUDIENCE = "https://kubernetes.default.svc"
_ATTRIBUTES = ("verb", "group", "resource", "subresource", "namespace", "name")
_SELF = [
    {
        "verbs": ["create"],
        "apiGroups": [_AUTHORIZATION],
        "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
    },
    {"verbs": ["create"], "apiGroups": [_AUTHENTICATION], "resources": ["selfsubjectreviews"]},
]
"""What ``system:basic-user`` gives everybody."""


def _without_empty(attributes: Json) -> Json:
    return {name: value for name, value in attributes.items() if value != ""}


def _access(access: Access, user: User, spec: Json) -> Json:
    """The status of a review of one action. Raises ApiError 422 when it asks for nothing."""
    attributes, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if (attributes is None) == (path is None):
        why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        cause = Cause.invalid("spec.resourceAttributes", '"null"', why)
        raise invalid("", _AUTHORIZATION, "", [cause])
    if path is None:
        assert attributes is not None
        asked = Asked(**{name: attributes.get(name, "") for name in _ATTRIBUTES})
    else:
        asked = Asked(verb=path.get("verb", ""), path=path.get("path", ""))
    verdict = access.verdict(user, asked)
    return {"allowed": verdict.allowed} | ({"reason": verdict.reason} if verdict.reason else {})


def _shown(spec: Json) -> Json:
    return {name: _without_empty(of) if isinstance(of, dict) else of for name, of in spec.items()}


def _self_access(access: Access, request: Request, body: Json) -> Json:
    spec = body.get("spec", {})
    return {"spec": _shown(spec), "status": _access(access, request.user, spec)}


def _subject_access(access: Access, request: Request, body: Json) -> Json:
    spec = body.get("spec", {})
    if not spec.get("user") and not spec.get("groups"):
        why = "at least one of user or group must be specified"
        raise invalid("", _AUTHORIZATION, "", [Cause.invalid("spec.user", '""', why)])
    user = access.named(str(spec.get("user", "")))
    return {"spec": _shown(spec), "status": _access(access, user, spec)}


def _self_rules(access: Access, request: Request, body: Json) -> Json:
    """What the user may do in a namespace, as far as rules say it."""
    user, namespace = request.user, body.get("spec", {}).get("namespace", "")
    if not namespace:
        raise bad_request("no namespace on request")
    resources = [*_SELF, *_own(user, namespace)]
    resources += [grant.rule for grant in grants(access.store, user.name, user.all_groups, namespace)]
    paths = [{"verbs": ["get"], "nonResourceURLs": sorted(urls)} for _, urls in OPEN_PATHS]
    if Rule() in user.rules:
        paths.insert(0, {"verbs": ["*"], "nonResourceURLs": ["*"]})
    return {
        "spec": {},
        "status": {"resourceRules": resources, "nonResourceRules": paths, "incomplete": False},
    }


def _own(user: User, namespace: str) -> Iterator[Json]:
    for rule in user.rules:
        if "*" in rule.namespaces or namespace in rule.namespaces:
            named = {} if "*" in rule.names else {"resourceNames": sorted(rule.names)}
            yield {
                "verbs": sorted(rule.verbs),
                "apiGroups": sorted(rule.groups),
                "resources": sorted(rule.resources),
            } | named


def _identity(user: User) -> Json:
    named: Json = {"username": user.name} | ({"uid": user.uid} if user.uid else {})
    return named | {"groups": list(user.all_groups)}


def _token(access: Access, request: Request, body: Json) -> Json:
    spec = body.get("spec", {})
    user = access.users.get(spec.get("token", ""))
    if user is None:
        status: Json = {"user": {}, "error": "invalid bearer token"}
    else:
        status = {"authenticated": True, "user": _identity(user), "audiences": [_AUDIENCE]}
    return {"spec": spec, "status": status}


def _self(access: Access, request: Request, body: Json) -> Json:
    return {"status": {"userInfo": _identity(request.user)}}


_REVIEWS: dict[tuple[str, str], tuple[str, Callable[[Access, Request, Json], Json]]] = {
    (_AUTHORIZATION, "selfsubjectaccessreviews"): ("SelfSubjectAccessReview", _self_access),
    (_AUTHORIZATION, "selfsubjectrulesreviews"): ("SelfSubjectRulesReview", _self_rules),
    (_AUTHORIZATION, "subjectaccessreviews"): ("SubjectAccessReview", _subject_access),
    (_AUTHORIZATION, "localsubjectaccessreviews"): ("LocalSubjectAccessReview", _subject_access),
    (_AUTHENTICATION, "tokenreviews"): ("TokenReview", _token),
    (_AUTHENTICATION, "selfsubjectreviews"): ("SelfSubjectReview", _self),
}


def is_review(asked: Asked) -> bool:
    """Whether this is asked and not stored."""
    return (asked.group, asked.resource) in _REVIEWS


def answer(access: Access, request: Request, now: str) -> Json:
    """The review with its status; ``now``: RFC 3339. Raises ApiError 400 or 422."""
    group = request.asked.group
    name, review = _REVIEWS[(group, request.asked.resource)]
    try:
        body = parse_json(request.body)
    except ValueError as error:
        raise bad_request(str(error)) from error
    if not isinstance(body, dict):
        raise bad_request(f"the object provided is unrecognized (must be of type {name})")
    check_kind(body, name, f"{group}/v1")
    # A review that tells who is asking is dated; the others have no time of their own.
    meta = {"creationTimestamp": now if review is _self else None}
    head: Json = {"kind": name, "apiVersion": f"{group}/v1", "metadata": meta}
    return head | review(access, request, body)
