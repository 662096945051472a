"""Times on the wire: read as Go's ``time.Parse`` reads them, with its error texts, and written in UTC.

Source: ``Time`` and ``MicroTime`` of ``k8s.io/apimachinery/pkg/apis/meta/v1``.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

_SECONDS = "2006-01-02T15:04:05Z07:00"
_MICROS = "2006-01-02T15:04:05.000000Z07:00"
_HEAD = (
    ("2006", r"\d{4}"),
    ("-", "-"),
    ("01", r"\d\d"),
    ("-", "-"),
    ("02", r"\d\d"),
    ("T", "T"),
    ("15", r"\d\d"),
    (":", ":"),
    ("04", r"\d\d"),
    (":", ":"),
    ("05", r"\d\d"),
)
_ZONE = ("Z07:00", r"Z|[+-]\d\d:\d\d")
_LAYOUTS = {
    "time": (_SECONDS, (*_HEAD, ("", r"(?:\.\d+)?"), _ZONE)),
    "microtime": (_MICROS, (*_HEAD, (".000000", r"\.\d{6}"), _ZONE)),
}


def normal_time(text: str, kind: str) -> str:
    """A ``time`` (whole seconds) or ``microtime`` in UTC. Raises ValueError in the words of Go's parser."""
    layout, elements = _LAYOUTS[kind]
    at = 0
    for shown, pattern in elements:
        match = re.compile(pattern).match(text, at)
        if match is None:
            raise ValueError(f'parsing time "{text}" as "{layout}": cannot parse "{text[at:]}" as "{shown}"')
        at = match.end()
    if at < len(text):
        raise ValueError(f'parsing time "{text}": extra text: "{text[at:]}"')
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC)
    except ValueError as error:
        raise ValueError(f'parsing time "{text}": {error}') from error
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ" if kind == "time" else "%Y-%m-%dT%H:%M:%S.%fZ")
