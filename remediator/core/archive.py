"""The intake archive: what was taken in, one JSON line for each notification.

    {"v": 1, "received_at": "2026-11-23T04:24:11.090Z", "notification": {…}, "rejected": ["…"]}

``notification`` is a webhook body of Alertmanager (version 4): as it came or, where alerts of it became dead
letters or something in it looks like a secret, written anew from what was understood of it. ``rejected`` says
why alerts became dead letters, and is left out where none did. Labels and annotations are texts of strangers:
what looks like a secret is hidden.
``v`` grows when a reader of the lines before could misunderstand the new ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from pydantic_core import to_json

from remediator.core.alerts import Alert, AlertStatus, Notification
from remediator.core.redact import HIDDEN, hide_keys, json_may_hold_secret, may_hold_secret, redact
from remediator.core.times import Instant, format_instant

VERSION = 1
_HEAD = b'{"v":%d,"received_at":"' % VERSION
NOT_ENDED = "0001-01-01T00:00:00Z"
"""How Alertmanager writes the end of an alert that fires."""


class Archive(Protocol):
    """Keeps what was taken in."""

    def keep(self, body: bytes, *, whole: bool) -> None:
        """Write a webhook's body down, some time soon. ``whole``: none of its alerts became a dead letter.

        Never waits, never raises: what cannot be kept is counted.
        """


class ArchiveObserver(Protocol):
    """Who hears how the archive fares. Called from a thread of its own."""

    def archived(self, count: int) -> None:
        """Notifications were written."""

    def not_archived(self, count: int, reason: str) -> None:
        """Notifications are lost to the archive; nothing else is."""


Kept = tuple[bytes, bool, Instant]
"""A webhook's body, whether it is to be kept whole, and when it was taken in."""
_BLANK = bytes.maketrans(b"\r\n", b"  ")


def archive_lines(kept: Sequence[Kept], parse: Callable[[bytes], Notification]) -> Iterator[bytes]:
    """The lines of some notifications, with their line feeds, in their order.

    All bodies are searched for secrets at once: seldom does one hold any. ``parse`` understands a body that
    was understood before.
    """
    clean = not json_may_hold_secret(b"\n".join(body for body, _, _ in kept))
    for body, whole, at in kept:
        if whole and (clean or not json_may_hold_secret(body)):
            if b"\n" in body or b"\r" in body:  # between tokens alone: in strings they are escaped
                body = body.translate(_BLANK).strip()
            yield b'%s%s","notification":%s}\n' % (_HEAD, format_instant(at).encode(), body)
        else:
            yield archive_line(parse(body), at)


def archive_line(notification: Notification, at: Instant) -> bytes:
    """The line of a notification that was taken in ``at``, written anew, with its line feed."""
    texts = "\n".join(_texts(notification))
    shown = _shown if may_hold_secret(texts) else _as_it_is
    firing = any(alert.status is AlertStatus.FIRING for alert in notification.alerts)
    line: dict[str, Any] = {
        "v": VERSION,
        "received_at": format_instant(at),
        "notification": {
            "version": "4",
            "groupKey": shown("", notification.group_key),
            "truncatedAlerts": notification.truncated,
            "status": str(AlertStatus.FIRING if firing else AlertStatus.RESOLVED),
            "receiver": shown("", notification.receiver),
            "externalURL": shown("", notification.external_url),
            "alerts": [_alert(alert, shown) for alert in notification.alerts],
        },
    }
    if notification.rejected:
        line["rejected"] = [_shown("", each.reason) for each in notification.rejected]
    return to_json(line) + b"\n"


def _texts(notification: Notification) -> Iterator[str]:
    """Everything that strangers wrote."""
    yield notification.group_key
    yield notification.receiver
    yield notification.external_url
    for alert in notification.alerts:
        yield alert.generator_url
        for texts in (alert.labels, alert.annotations):
            for name, value in texts.items():
                yield _as_key(name)
                yield value


class _Shown(Protocol):
    def __call__(self, name: str, text: str) -> str: ...


def _alert(alert: Alert, shown: _Shown) -> dict[str, object]:
    return {
        "status": str(alert.status),
        "labels": _pairs(alert.labels, shown),
        "annotations": _pairs(alert.annotations, shown),
        "startsAt": alert.starts_at,
        "endsAt": alert.ends_at or NOT_ENDED,
        "generatorURL": shown("", alert.generator_url),
        "fingerprint": alert.fingerprint,
    }


def _pairs(texts: Mapping[str, str], shown: _Shown) -> Mapping[str, str]:
    return texts if shown is _as_it_is else {name: shown(name, text) for name, text in texts.items()}


def _as_key(name: str) -> str:
    """What the name of a value says of it, asked as of any other text."""
    return f'{name}":"x"'


def _as_it_is(name: str, text: str) -> str:
    return text


def _shown(name: str, text: str) -> str:
    """A text without its secrets; all of it is one where its name says so."""
    if text and redact(_as_key(name)).endswith(f":{HIDDEN}"):
        return HIDDEN
    return "\n".join(redact(line) for line in hide_keys(text.split("\n")))
