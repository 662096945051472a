"""Policies and the permissions that they need, as values that the Helm chart takes. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence

from remediator.core.errors import Refused
from remediator.policy.manifests import Role, rules_as_yaml

LARGEST = 1_000_000
"""Bytes of all files together: a ConfigMap holds no more than 1 MiB, its names included."""
_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}", re.ASCII)
_LITERAL = re.compile(r"(?:[^ \n\t][^\n]*\n|\n)(?:[^\n]*\n)*", re.ASCII)
_STRANGE = re.compile(r"[^\n\t\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What YAML does not take unescaped; of line ends only the plain one."""


def as_values(roles: Sequence[Role], files: Mapping[str, str], head: Iterable[str] = ()) -> str:
    """``policies.files`` (left out where there are none) and ``rbac.roles``. ``head``: comments.

    Raises Refused when a ConfigMap cannot hold the files.
    """
    _check(files)
    pieces = [f"# {line}\n" for line in head]
    if files:
        pieces.append("policies:\n  files:\n")
        pieces += [f"    {json.dumps(name)}: {_text(text)}" for name, text in sorted(files.items())]
    pieces.append("rbac:\n  roles:\n" if roles else "rbac:\n  roles: []\n")
    for role in roles:
        pieces.append(f"    - namespace: {json.dumps(role.namespace)}\n      rules:\n")
        pieces.append(_indented(rules_as_yaml(role), 6))
    return "".join(pieces)


def _check(files: Mapping[str, str]) -> None:
    for name in files:
        if _KEY.fullmatch(name) is None:
            raise Refused(
                f"{name} cannot stand in a ConfigMap: it has no folders, and takes letters, digits, - _ . in "
                "names; move or rename the file, or mount the policies as a volume of your own"
            )
    size = sum(len(name.encode()) + len(text.encode()) for name, text in files.items())
    if size > LARGEST:
        raise Refused(
            f"the policies have {size} bytes, a ConfigMap holds {LARGEST}; mount them as a volume of your own"
        )


def _text(text: str) -> str:
    """A block where it reads back as it is, else quoted."""
    plain = _LITERAL.fullmatch(text) and not _STRANGE.search(text)
    if plain and not text.endswith("\n\n") and text.strip():
        return "|\n" + _indented(text, 6)
    return json.dumps(text) + "\n"


def _indented(text: str, by: int) -> str:
    return "".join(f"{' ' * by}{line}" if line.strip() else line for line in text.splitlines(keepends=True))
