"""Lints of what looks like a secret. It is never repeated."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from remediator.policy.lint_view import Note, View
from remediator.policy.nodes import Items, Node, Scalar, Table, scalars

# None of these may look at a text again and again: a file of a megabyte may be one word.
_SECRETS = (
    (re.compile(r"xox[abeprs]-[A-Za-z0-9-]{10,}"), "a Slack token"),
    (re.compile(r"\bAKIA[0-9A-Z]{16}\b"), "an AWS access key"),
    (re.compile(r"\bgh[pousr]_[A-Za-z0-9]{30,}"), "a GitHub token"),
    (re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----"), "a private key"),
    (re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\."), "a JSON web token"),
)
_TELLING = r"(?:pass(?:word|wd|phrase)?|token|secret|api[-_]?key|access[-_]?key|private[-_]?key)"
_OPTION = re.compile(rf"--?[a-z0-9_-]*{_TELLING}(?P<value>=.*)?", re.ASCII | re.IGNORECASE | re.DOTALL)
_ASSIGNED = re.compile(
    rf"(?:^|\s)[A-Z0-9_]{{0,60}}{_TELLING}[A-Z0-9_]{{0,60}}=(?P<value>\S+)", re.ASCII | re.IGNORECASE
)
_BEARER = re.compile(r"\b(?:bearer|basic)\s+(?P<value>[A-Za-z0-9+/=._~-]{8,})", re.ASCII | re.IGNORECASE)
_HEADER = re.compile(rf"^(?:authorization|cookie)$|{_TELLING}", re.ASCII | re.IGNORECASE)
_REFERENCE = ("$", "{{", "@", "/", "-")
"""How a value begins that is read elsewhere (a variable, a template, a file), or is another option."""


def secrets_in_text(view: View) -> Iterator[Note]:
    """P019: something that looks like a secret, anywhere."""
    told = view.draft.channels.items.values()  # of those that are wrong, their settings have said so
    channels = [scalar for item in told if item.model is not None for scalar in scalars(item.node)]
    entries = [entry for document in view.draft.documents for entry in document.entries]
    others = (scalar for entry in entries if entry.key.text != "channels" for scalar in scalars(entry.value))
    for scalar in (*channels, *others):
        kind = _secret_kind(scalar.text)
        if kind:
            text = f"this looks like {kind}: secrets do not belong here; revoke it, and refer to env or file"
            yield Note(at=scalar.at, code="P019", message=text)


def _secret_kind(text: str) -> str:
    if "://" in text and "@" in text:
        try:
            if urlsplit(text).password:
                return "a URL with a password"
        except ValueError:
            return ""
    return next((kind for pattern, kind in _SECRETS if pattern.search(text)), "")


def secrets_in_commands(view: View) -> Iterator[Note]:
    """B211: words of a command, and headers, that what stands before them tells to be secret."""
    for item in view.draft.runbooks.items.values():
        for scalar in _telling(item.node):
            if not _secret_kind(scalar.text):  # else it is told already
                text = (
                    "this looks like a secret: everybody who may read policies or processes would see it; "
                    "have the container read it from its environment or a file"
                )
                yield Note(at=scalar.at, code="B211", message=text)


def _telling(node: Node) -> Iterator[Scalar]:
    match node:
        case Items():
            for each in node.items:
                yield from _telling(each)
        case Table():
            for entry in node.entries:
                if entry.key.text in ("command", "args") and isinstance(entry.value, Items):
                    yield from _words(entry.value)
                elif entry.key.text == "headers" and isinstance(entry.value, Table):
                    yield from _headers(entry.value)
                else:
                    yield from _telling(entry.value)
        case Scalar():
            pass


def _words(command: Items) -> Iterator[Scalar]:
    before = False
    for word in command.items:
        if not isinstance(word, Scalar):
            continue
        option = _OPTION.fullmatch(word.text)
        values = [found["value"] for found in (*_ASSIGNED.finditer(word.text), *_BEARER.finditer(word.text))]
        if option is not None and option["value"] is not None:
            values.append(option["value"][1:])
        if before:
            values.append(word.text)
        if any(value and not value.startswith(_REFERENCE) for value in values):
            yield word
        before = option is not None and option["value"] is None


def _headers(headers: Table) -> Iterator[Scalar]:
    for entry in headers.entries:
        value = entry.value
        if not isinstance(value, Scalar) or not value.text or value.text.startswith(("$", "{{")):
            continue
        if _HEADER.search(entry.key.text) or _BEARER.search(value.text):
            yield value
