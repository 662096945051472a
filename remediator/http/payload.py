"""Alertmanager's webhook body (version 4): from bytes to a notification, or a reason why not.

The body is hostile until proven otherwise. What makes it ambiguous or unsafe as a whole refuses all of it;
one unusable alert among usable ones is set aside and the rest goes on.

Parsing is the hot path. ``json`` with hooks was measured against ``pydantic_core.from_json`` and against
pydantic models: the C scanner with a hook for duplicate keys costs about as much as the faster parser plus
any exact search for duplicates, and checking flat, known keys by hand costs a third of a model.
``python -m benchmarks`` shows what it costs beside a bare handler.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NoReturn, cast

from remediator.core.alerts import Alert, AlertStatus, Fingerprint, Notification, Rejected
from remediator.core.times import Stamp, parse_stamp

MAX_DEPTH = 16
"""How deep objects and arrays may nest; a notification of Alertmanager nests four deep."""
MAX_LABELS = 64
MAX_TEXTS = 256
"""Labels or annotations of one alert that are read at all; labels are limited further."""
MAX_VALUE_BYTES = 4096
"""The longest label or annotation value, in bytes of UTF-8."""
MAX_RAW_BYTES = 65_536
"""How much of an unusable alert is kept."""

_NOTHING: dict[str, str] = {}
_MAX_DIGITS = 64  # of an integer; converting thousands of digits takes time that grows with their square
_MAX_TIME = 64  # characters of a time
_ZERO_TIME = "0001-01-01T00:00:00Z"  # how Go writes a time that is not set
_ZERO_STAMP = parse_stamp(_ZERO_TIME)
_STATUSES = {"firing": AlertStatus.FIRING, "resolved": AlertStatus.RESOLVED}
_ENVELOPE_MAPS = ("groupLabels", "commonLabels", "commonAnnotations")
_ENVELOPE = frozenset(
    ("version", "receiver", "status", "alerts", "groupKey", "externalURL", "truncatedAlerts", *_ENVELOPE_MAPS)
)
_ALERT = frozenset(("status", "labels", "annotations", "startsAt", "endsAt", "generatorURL", "fingerprint"))
_FINGERPRINT = re.compile("[0-9a-f]{1,64}")
_UNSAFE_ESCAPE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")  # may be NUL or half of a pair; or neither


class BadPayload(ValueError):
    """The whole body is unusable; ``reason`` says why. Sending it again will not help."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _BadAlert(Exception):
    """One alert is unusable; its text is the reason."""


def parse_notification(body: bytes) -> Notification:
    """The notification in ``body``. Raises BadPayload."""
    return understand(parse_json(body), body)


def understand(root: dict[str, Any], body: bytes) -> Notification:
    """The notification that ``parse_json`` found in ``body``, or in a part of it. Raises BadPayload."""
    if b"\\u" in body and _UNSAFE_ESCAPE.search(body) is not None:  # the first is a fast no, the usual one
        _inspect(root, 1)
    elif not root.keys() <= _ENVELOPE:
        _inspect_unknown(root, _ENVELOPE, 2)
    _check_envelope(root)
    alerts: list[Alert] = []
    rejected: list[Rejected] = []
    for raw in root["alerts"]:
        try:
            alerts.append(_alert(raw))
        except _BadAlert as error:
            rejected.append(_reject(raw, str(error)))
    return Notification(
        receiver=root["receiver"],
        group_key=root["groupKey"],
        external_url=root.get("externalURL", ""),
        truncated=root.get("truncatedAlerts", 0),
        alerts=tuple(alerts),
        rejected=tuple(rejected),
    )


def read_alert(raw: Mapping[str, Any]) -> Alert | None:
    """An alert that was asked for instead of delivered, in the form of one in a webhook, held to the same.

    None: it is unusable.
    """
    try:
        _inspect(raw, 3)
        return _alert(raw)
    except (_BadAlert, BadPayload):
        return None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadPayload("an object holds a key twice")
    return found


def _integer(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise BadPayload(f"an integer has more than {_MAX_DIGITS} digits")
    return int(text)


def _number(text: str) -> float:
    found = float(text)
    if found - found != 0:
        raise BadPayload("a number is too large to be represented")
    return found


def _constant(text: str) -> NoReturn:
    raise BadPayload(f"{text} is not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_integer, parse_float=_number, parse_constant=_constant
)


def parse_json(body: bytes) -> dict[str, Any]:
    """The JSON object that ``body`` is, without duplicate keys and numbers beyond reason.

    Raises BadPayload.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise BadPayload(f"the body is not valid UTF-8 at byte {error.start}") from None
    if not text.startswith("{"):
        text = text.lstrip(" \t\n\r")
        if not text.startswith("{"):
            raise BadPayload("the body is not a JSON object" if text else "the body is empty")
    try:
        root, end = _DECODER.raw_decode(text)
    except json.JSONDecodeError as error:
        raise BadPayload(f"the body is not valid JSON: {error}") from None
    except RecursionError:
        raise BadPayload(f"the body nests more than {MAX_DEPTH} deep") from None
    if end != len(text) and text[end:].strip(" \t\n\r"):
        raise BadPayload(f"the body goes on after the JSON object, at character {end}")
    assert isinstance(root, dict)
    return root


def _inspect_unknown(found: dict[str, Any], known: frozenset[str], depth: int) -> None:
    """Look into the values, ``depth`` deep, of keys that nobody knows; the known ones are flat."""
    for key, value in found.items():
        if key not in known and isinstance(value, dict | list):
            _inspect(value, depth)


def _inspect(value: object, depth: int) -> None:
    """Refuse what nests too deep and text that no store can keep; ``value`` itself is ``depth`` deep."""
    level: list[object] = [value]
    while level:
        below: list[object] = []
        for each in level:
            if isinstance(each, str):
                _check_text(each)
            elif isinstance(each, dict):
                below += each
                below += each.values()
            elif isinstance(each, list):
                below += each
        if depth > MAX_DEPTH and any(isinstance(each, dict | list) for each in level):
            raise BadPayload(f"the body nests more than {MAX_DEPTH} deep")
        level = below
        depth += 1


def _check_text(text: str) -> None:
    if "\0" in text:
        raise BadPayload("a string holds the character NUL")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadPayload("a string holds a lone surrogate") from None


def _check_envelope(root: dict[str, Any]) -> None:
    version, status, alerts = root.get("version"), root.get("status"), root.get("alerts")
    if version != "4":
        raise BadPayload(f'version is not "4" but {_show(version)}')
    if type(root.get("receiver")) is not str:
        raise BadPayload(f"receiver is not a string but {_show(root.get('receiver'))}")
    if type(root.get("groupKey")) is not str:
        raise BadPayload(f"groupKey is not a string but {_show(root.get('groupKey'))}")
    if type(root.get("externalURL", "")) is not str:
        raise BadPayload(f"externalURL is not a string but {_show(root['externalURL'])}")
    if type(status) is not str or status not in _STATUSES:
        raise BadPayload(f"status is neither firing nor resolved but {_show(status)}")
    if type(alerts) is not list:
        raise BadPayload(f"alerts is not an array but {_show(alerts)}")
    for key in _ENVELOPE_MAPS:
        if key in root and _length(root[key]) is None:
            raise BadPayload(f"{key} is not an object of strings but {_show(root[key])}")
    truncated = root.get("truncatedAlerts", 0)
    if type(truncated) is not int or truncated < 0:
        raise BadPayload(f"truncatedAlerts is not a count but {_show(truncated)}")


def _length(value: object) -> int | None:
    """How many characters the values of an object of strings have; None if it is no such thing."""
    if type(value) is not dict:
        return None
    try:
        return len("".join(value.values()))  # a fifth of the time of looking at each
    except TypeError:
        return None


def _alert(raw: object) -> Alert:
    """One alert. Raises _BadAlert, and BadPayload where it nests too deep."""
    if type(raw) is not dict:
        raise _BadAlert(f"the alert is not an object but {_show(raw)}")
    if not raw.keys() <= _ALERT:
        _inspect_unknown(raw, _ALERT, 4)
    status = raw.get("status")
    known = _STATUSES.get(status) if type(status) is str else None
    if known is None:
        raise _BadAlert(f"status is neither firing nor resolved but {_show(status)}")
    fingerprint = raw.get("fingerprint")
    if type(fingerprint) is not str or _FINGERPRINT.fullmatch(fingerprint) is None:
        raise _BadAlert(f"fingerprint is not 1 to 64 lower-case hexadecimal digits but {_show(fingerprint)}")
    generator = raw.get("generatorURL", "")
    if type(generator) is not str:
        raise _BadAlert(f"generatorURL is not a string but {_show(generator)}")
    return Alert(
        fingerprint=Fingerprint(fingerprint),
        status=known,
        labels=_labels(raw.get("labels")),
        annotations=_texts("annotation", raw.get("annotations", _NOTHING)),
        starts_at=_time("startsAt", raw.get("startsAt")),
        ends_at=_end(known, raw.get("endsAt")),
        generator_url=generator,
    )


def _labels(value: object) -> dict[str, str]:
    labels = _texts("label", value)
    if not labels:
        raise _BadAlert("the alert has no labels")
    if len(labels) > MAX_LABELS:
        raise _BadAlert(f"the alert has {len(labels)} labels, more than {MAX_LABELS}")
    if "" in labels:
        raise _BadAlert("a label has no name")
    return labels


def _texts(kind: str, value: object) -> dict[str, str]:
    """Names and values, each of them short enough, and not thousands of them."""
    length = _length(value)
    if length is None:
        raise _BadAlert(f"{kind}s is not an object of strings but {_show(value)}")
    texts = cast("dict[str, str]", value)
    if len(texts) > MAX_TEXTS:
        raise _BadAlert(f"the alert has {len(texts)} {kind}s, more than {MAX_TEXTS}")
    if len("".join(texts)) * 4 > MAX_VALUE_BYTES and any(len(n.encode()) > MAX_VALUE_BYTES for n in texts):
        raise _BadAlert(f"the name of a {kind} is longer than {MAX_VALUE_BYTES} bytes")
    if length * 4 > MAX_VALUE_BYTES:  # a character takes at most four bytes; only then is a closer look due
        for name, each in texts.items():
            if len(each.encode()) > MAX_VALUE_BYTES:
                raise _BadAlert(f"the {kind} {_show(name)} is longer than {MAX_VALUE_BYTES} bytes")
    return texts


_stamp = lru_cache(maxsize=256)(parse_stamp)  # alerts of one evaluation start at one time, and come again


def _time(key: str, value: object) -> Stamp:
    if type(value) is not str or len(value) > _MAX_TIME:
        raise _BadAlert(f"{key} is not an RFC 3339 time but {_show(value)}")
    try:
        return _stamp(value)
    except ValueError as error:
        raise _BadAlert(f"{key}: {error}") from None


def _end(status: AlertStatus, value: object) -> Stamp | None:
    """When it ended: never, while it fires, whatever is said; a resolved alert must say."""
    if status is AlertStatus.FIRING:
        if value is not None and value != _ZERO_TIME:
            _time("endsAt", value)
        return None
    end = _time("endsAt", value)
    if end == _ZERO_STAMP:
        raise _BadAlert("the alert is resolved, but endsAt says that it has not ended")
    return end


def _reject(raw: object, reason: str) -> Rejected:
    _inspect(raw, 3)
    text = json.dumps(raw, ensure_ascii=False).encode()
    return Rejected(reason=reason, raw=text[:MAX_RAW_BYTES].decode(errors="ignore"))


def _show(value: object) -> str:
    """A value in a message: its beginning if it is a scalar, else only what it is."""
    if value is None or isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, str):
        return json.dumps(value[:40]) + ("…" if len(value) > 40 else "")
    return "an array" if isinstance(value, Sequence) else "an object"
