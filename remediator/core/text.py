"""Text written by strangers, made safe to show to people."""

from __future__ import annotations

import re

_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]+")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,63}", re.ASCII)

UNKNOWN = "unknown"


def plain(text: str, limit: int = 200) -> str:
    """``text`` on one line, at most ``limit`` characters.

    Without control, ANSI, bidirectional and zero-width characters, so that it can forge no log line and
    move no cursor.
    """
    safe = _UNSAFE.sub(" ", text).strip()
    return safe if len(safe) <= limit else safe[: limit - 1] + "…"


def safe_name(text: str) -> str:
    """``text`` if it is a name of 1 to 63 of ``[A-Za-z0-9._-]``, else ``unknown``."""
    return text if is_name(text) else UNKNOWN


def is_name(text: str) -> bool:
    """Whether it is 1 to 63 of ``[A-Za-z0-9._-]``, as rules, runbooks and services are named."""
    return _NAME.fullmatch(text) is not None
