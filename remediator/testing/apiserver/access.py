"""Who asks, and what they may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from remediator.testing.apiserver.objects import Json
from remediator.testing.apiserver.roles import grants
from remediator.testing.apiserver.statuses import ApiError, forbidden, unauthorized
from remediator.testing.apiserver.store import Store

_EVERYTHING = frozenset({"*"})
_PUBLIC = ("/healthz", "/livez", "/readyz", "/version", "/version/")
_APIS = ("/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*")
OPEN_PATHS = (
    ("system:discovery", (*_APIS, *_PUBLIC)),
    ("system:public-info-viewer", _PUBLIC),
    ("system:service-account-issuer-discovery", ("/.well-known", "/.well-known/*")),
)
"""Paths everybody with a token may read, by the role (bound under the same name) that says so."""
_SELF_REVIEWS = {"selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"}
AUTHENTICATED = "system:authenticated"


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
            (self.namespaces, asked.namespace),
            (self.names, asked.name),
        )
        if not all("*" in allowed or value in allowed for allowed, value in pairs):
            return False
        anywhere = {"*", asked.resource_path} | ({f"*/{asked.subresource}"} if asked.subresource else set())
        return bool(anywhere & self.resources)


@dataclass(frozen=True, kw_only=True)
class User:
    """Somebody with a token. Without rules, every verb on everything but Secrets is allowed."""

    name: str
    rules: tuple[Rule, ...] = (Rule(),)
    uid: str = ""
    groups: tuple[str, ...] = ()

    @property
    def all_groups(self) -> tuple[str, ...]:
        """Its groups, and the one of everybody with a token."""
        return (*self.groups, "system:unauthenticated" if self.anonymous else AUTHENTICATED)

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


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether something is allowed, and the binding that allows it (empty for the user's own rules)."""

    allowed: bool
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Access:
    """Who may do what: by the rules a user came with, and by the roles that are bound in the cluster."""

    users: Mapping[str, User]
    store: Store

    def verdict(self, user: User, asked: Asked) -> Verdict:
        """Secrets are nobody's: what the daemon never needs, it never gets."""
        if not asked.resource:
            return _verdict_on_path(user, asked)
        if asked.resource == "secrets" and not asked.group:
            return Verdict(allowed=False)
        if asked.resource in _SELF_REVIEWS and not user.anonymous:
            return Verdict(allowed=True)
        if any(rule.allows(asked) for rule in user.rules):
            return Verdict(allowed=True)
        for grant in grants(self.store, user.name, user.all_groups, asked.namespace):
            if as_rule(grant.rule).allows(asked):
                return Verdict(allowed=True, reason=grant.reason)
        return Verdict(allowed=False)

    def authorize(self, user: User, asked: Asked) -> None:
        """Raises ApiError 403, in the words of RBAC, when the user may not."""
        if self.verdict(user, asked).allowed:
            return
        if not asked.resource:
            why = f'forbidden: User "{user.name}" cannot {asked.verb} path "{asked.path}"'
            raise ApiError(403, "Forbidden", why, details={})
        scope = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
        what = f'resource "{asked.resource_path}" in API group "{asked.group}"'
        why = f'User "{user.name}" cannot {asked.verb} {what} {scope}'
        raise forbidden(asked.resource, asked.group, asked.name, why)

    def named(self, name: str) -> User:
        """The user of that name; somebody without own rules where nobody has it."""
        found = [user for user in self.users.values() if user.name == name]
        return found[0] if found else User(name=name, rules=())


def _verdict_on_path(user: User, asked: Asked) -> Verdict:
    if Rule() in user.rules:
        return Verdict(allowed=True)
    for role, paths in OPEN_PATHS:
        if user.anonymous and paths != _PUBLIC:
            continue
        if asked.verb == "get" and any(_on_path(path, asked.path) for path in paths):
            group = "system:unauthenticated" if user.anonymous else AUTHENTICATED
            by = f'ClusterRoleBinding "{role}" of ClusterRole "{role}" to Group "{group}"'
            return Verdict(allowed=True, reason=f"RBAC: allowed by {by}")
    return Verdict(allowed=False)


def _on_path(allowed: str, path: str) -> bool:
    return path.startswith(allowed[:-1]) if allowed.endswith("*") else path == allowed


def as_rule(rule: Json) -> Rule:
    """A rule of a role; where it holds is known by its binding."""
    return Rule(
        verbs=frozenset(rule.get("verbs", ())),
        groups=frozenset(rule.get("apiGroups", ())),
        resources=frozenset(rule.get("resources", ())),
        names=frozenset(rule.get("resourceNames") or ["*"]),
    )
