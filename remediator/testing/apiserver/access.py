"""Who asks, and what they may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from remediator.testing.apiserver.objects import Json
from remediator.testing.apiserver.statuses import ApiError, Cause, forbidden, invalid, unauthorized

_EVERYTHING = frozenset({"*"})
_OPEN_PATHS = {"/version", "/healthz", "/livez", "/readyz"}
_SELF_REVIEWS = {"selfsubjectaccessreviews", "selfsubjectrulesreviews"}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What is allowed, as in an RBAC role; ``*`` stands for all. A subresource is ``deployments/scale``."""

    verbs: frozenset[str] = _EVERYTHING
    groups: frozenset[str] = _EVERYTHING
    resources: frozenset[str] = _EVERYTHING
    namespaces: frozenset[str] = _EVERYTHING
    names: frozenset[str] = _EVERYTHING

    def allows(self, asked: Asked) -> bool:
        """Whether this rule alone suffices. A list over all namespaces needs ``*``."""
        pairs = (
            (self.verbs, asked.verb),
            (self.groups, asked.group),
            (self.resources, asked.resource_path),
            (self.namespaces, asked.namespace),
            (self.names, asked.name),
        )
        return all("*" in allowed or value in allowed for allowed, value in pairs)


@dataclass(frozen=True, kw_only=True)
class User:
    """Somebody with a token. Without rules, every verb on everything but Secrets is allowed."""

    name: str
    rules: tuple[Rule, ...] = (Rule(),)

    @property
    def anonymous(self) -> bool:
        """Whether no token was sent."""
        return self.name == ANONYMOUS


ANONYMOUS = "system:anonymous"
NOBODY = User(name=ANONYMOUS, rules=())


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a request wants to do, taken from its method and path."""

    verb: str
    path: str = ""
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    extra: tuple[str, ...] = field(default=())

    @property
    def resource_path(self) -> str:
        """``deployments`` or ``deployments/scale``."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


def authenticate(users: Mapping[str, User], authorization: str | None) -> User:
    """The user of a bearer token. Raises ApiError 401 for a token nobody has."""
    if not authorization:
        return NOBODY
    scheme, _, token = authorization.partition(" ")
    user = users.get(token.strip()) if scheme.lower() == "bearer" else None
    if user is None:
        raise unauthorized()
    return user


def allowed(user: User, asked: Asked) -> bool:
    """Whether the user's rules allow it. Secrets are nobody's: what the daemon never needs, it never gets."""
    if not asked.resource:
        return not user.anonymous or asked.path.rstrip("/") in _OPEN_PATHS
    if asked.resource == "secrets" and not asked.group:
        return False
    if asked.resource in _SELF_REVIEWS and not user.anonymous:
        return True
    return any(rule.allows(asked) for rule in user.rules)


def authorize(user: User, asked: Asked) -> None:
    """Raises ApiError 403, in the words of RBAC, when the user may not."""
    if allowed(user, asked):
        return
    if not asked.resource:
        why = f'forbidden: User "{user.name}" cannot {asked.verb} path "{asked.path}"'
        raise ApiError(403, "Forbidden", why, details={})
    scope = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    what = f'resource "{asked.resource_path}" in API group "{asked.group}"'
    why = f'User "{user.name}" cannot {asked.verb} {what} {scope}'
    raise forbidden(asked.resource, asked.group, asked.name, why)


def _without_empty(attributes: Json) -> Json:
    return {name: value for name, value in attributes.items() if value != ""}


def review(user: User, body: Json) -> Json:
    """The answer to a SelfSubjectAccessReview. Raises ApiError 422 when it asks for nothing."""
    spec = body.get("spec", {})
    attributes, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if (attributes is None) == (path is None):
        why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        cause = Cause.invalid("spec.resourceAttributes", '"null"', why)
        raise invalid("", "authorization.k8s.io", "", [cause])
    if attributes is not None:
        names = ("verb", "group", "resource", "subresource", "namespace", "name")
        asked = Asked(**{name: attributes.get(name, "") for name in names})
    else:
        asked = Asked(verb=path.get("verb", ""), path=path.get("path", ""))
    return {
        "kind": "SelfSubjectAccessReview",
        "apiVersion": "authorization.k8s.io/v1",
        "metadata": {"creationTimestamp": None},
        "spec": {name: _without_empty(inner) for name, inner in spec.items()},
        "status": {"allowed": allowed(user, asked)},
    }
