"""What a policy needs of the cluster, as objects that ``kubectl apply`` takes: Roles and what binds them."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from remediator.core.access import Access
from remediator.policy.rbac import Demands, Purpose

Json: TypeAlias = dict[str, Any]
API = "rbac.authorization.k8s.io"
LABELS = {"app.kubernetes.io/name": "remediator", "app.kubernetes.io/managed-by": "remediator-rbac"}
SHOWN_RULES = 6
SHOWN_NAMES = 6
"""More rules, or objects, than that are counted, not named, in a comment."""
_PLAIN = re.compile(r"[a-z][a-z0-9./-]*", re.ASCII)
_WORDS = frozenset(("true", "false", "yes", "no", "on", "off", "null", "y", "n"))
"""What YAML does not take for text, in one version or another."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """The service account of the daemon."""

    namespace: str
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """A part of a runbook that needs a line, by which rules, and for which of its ``names``."""

    purpose: Purpose
    names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One rule of a Role: one verb on one resource. Without ``names`` it holds for all objects."""

    group: str
    resource: str
    verb: str
    names: tuple[str, ...]
    reasons: tuple[Reason, ...]

    def as_rule(self) -> Json:
        """As RBAC writes it."""
        rule: Json = {"apiGroups": [self.group], "resources": [self.resource]}
        if self.names:
            rule["resourceNames"] = list(self.names)
        return rule | {"verbs": [self.verb]}


@dataclass(frozen=True, kw_only=True, slots=True)
class Role:
    """What is needed in one namespace; in the whole cluster where that is empty."""

    namespace: str
    lines: tuple[Line, ...]


def roles_of(needed: Demands) -> tuple[Role, ...]:
    """A Role for each namespace, in order; a ClusterRole at the front only where something is in none."""
    grouped: dict[str, dict[tuple[str, str, str], list[Access]]] = defaultdict(lambda: defaultdict(list))
    for access in needed:
        grouped[access.namespace][access.group, access.resource, access.verb].append(access)
    return tuple(
        Role(
            namespace=namespace,
            lines=tuple(_line(alike, needed) for _, alike in sorted(lines.items())),
        )
        for namespace, lines in sorted(grouped.items())
    )


def _line(alike: Sequence[Access], needed: Demands) -> Line:
    """One rule of accesses that differ by name alone. Needed of all objects, names say no more."""
    every = any(not access.name for access in alike)
    whose: dict[tuple[str, str, str], tuple[dict[str, None], dict[str, None]]] = {}
    for access in alike:
        for purpose in needed[access]:
            key = (purpose.runbook, purpose.part, purpose.why)
            rules, names = whose.setdefault(key, ({}, {}))
            rules.update(dict.fromkeys(purpose.rules))
            names[access.name] = None
    one = alike[0]
    return Line(
        group=one.group,
        resource=one.resource,
        verb=one.verb,
        names=() if every else tuple(access.name for access in alike),
        reasons=tuple(
            Reason(
                purpose=Purpose(rules=tuple(rules), runbook=runbook, part=part, why=why),
                names=tuple(sorted(filter(None, names))),
            )
            for (runbook, part, why), (rules, names) in whose.items()
        ),
    )


def manifests(roles: Iterable[Role], account: Account) -> tuple[Json, ...]:
    """Each Role with the RoleBinding that gives it to the account."""
    return tuple(one for role in roles for one in _pair(role, account))


def _pair(role: Role, account: Account) -> tuple[Json, Json]:
    kind = "Role" if role.namespace else "ClusterRole"
    meta: Json = {"name": account.name if role.namespace else f"{account.namespace}:{account.name}"}
    if role.namespace:
        meta["namespace"] = role.namespace
    meta["labels"] = LABELS
    head = {"apiVersion": f"{API}/v1"}
    subject = {"kind": "ServiceAccount", "name": account.name, "namespace": account.namespace}
    return (
        {**head, "kind": kind, "metadata": meta, "rules": [line.as_rule() for line in role.lines]},
        {
            **head,
            "kind": f"{kind}Binding",
            "metadata": meta,
            "roleRef": {"apiGroup": API, "kind": kind, "name": meta["name"]},
            "subjects": [subject],
        },
    )


def as_yaml(roles: Sequence[Role], account: Account, head: Iterable[str] = ()) -> str:
    """The manifests as YAML, every rule with a comment that says what it is for. ``head``: comments."""
    pieces = ["".join(f"# {line}\n" for line in head)]
    for role in roles:
        granting, binding = _pair(role, account)
        text = _document({key: value for key, value in granting.items() if key != "rules"})
        pieces += [f"---\n{text}rules:\n{rules_as_yaml(role)}", f"---\n{_document(binding)}"]
    return "".join(pieces)


def rules_as_yaml(role: Role) -> str:
    """The rules of a Role as a list in YAML, indented by two, each with what it is for."""
    return "".join(f"{_comment(line)}{_rule(line.as_rule())}" for line in role.lines)


def _comment(line: Line) -> str:
    return "".join(f"  # {text}\n" for text in comments(line))


def comments(line: Line) -> Iterator[str]:
    """What a line is for: each runbook with the rules that try it, then its parts."""
    told: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[Purpose]] = defaultdict(list)
    for reason in line.reasons:
        names = () if reason.names == line.names else reason.names
        told[reason.purpose.runbook, reason.purpose.rules, names].append(reason.purpose)
    for (runbook, rules, names), purposes in told.items():
        on = f" on {_listed(names, SHOWN_NAMES)}" if names else ""
        yield f"{runbook}{on}, for {'rule' if len(rules) == 1 else 'rules'} {_listed(rules, SHOWN_RULES)}:"
        for purpose in purposes:
            yield f"  {purpose.part}: {purpose.why}"


def _listed(names: Sequence[str], most: int) -> str:
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[: most - 1])} and {len(names) - most + 1} more"


def _rule(rule: Json) -> str:
    lines = [f"{key}: [{', '.join(map(_scalar, values))}]" for key, values in rule.items()]
    return "".join(f"  {'- ' if number == 0 else '  '}{line}\n" for number, line in enumerate(lines))


def _document(obj: Mapping[str, Any], indent: str = "") -> str:
    """Mappings of texts, mappings and lists of mappings: all that a binding is made of."""
    text = ""
    for key, value in obj.items():
        if isinstance(value, Mapping):
            text += f"{indent}{key}:\n{_document(value, indent + '  ')}"
        elif isinstance(value, list):
            text += f"{indent}{key}:\n"
            for each in value:
                first, *rest = _document(each).splitlines()
                text += "".join(f"{indent}{line}\n" for line in (f"- {first}", *(f"  {one}" for one in rest)))
        else:
            text += f"{indent}{key}: {_scalar(str(value))}\n"
    return text


def _scalar(text: str) -> str:
    if text in ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "ServiceAccount"):
        return text
    return text if _PLAIN.fullmatch(text) and text not in _WORDS else json.dumps(text)
