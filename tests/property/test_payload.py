"""What must hold of every webhook body, whatever is in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from remediator.core.alerts import AlertStatus, Notification
from remediator.http.payload import MAX_DEPTH, MAX_VALUE_BYTES, BadPayload, parse_notification

RECORDING = Path(__file__).parent.parent / "recordings" / "alertmanager" / "am033_firing.json"
ENVELOPE: dict[str, Any] = json.loads(RECORDING.read_bytes())
ALERT: dict[str, Any] = ENVELOPE["alerts"][0]

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
numbers = st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=10,
)
names = texts.filter(bool)
stamps = st.datetimes().map(lambda at: f"{at.isoformat()}Z")
alerts = st.fixed_dictionaries(
    {
        "status": st.just("firing"),
        "labels": st.dictionaries(names, texts, min_size=1, max_size=5),
        "annotations": st.dictionaries(texts, texts, max_size=5),
        "startsAt": stamps,
        "endsAt": st.just("0001-01-01T00:00:00Z"),
        "generatorURL": texts,
        "fingerprint": st.text("0123456789abcdef", min_size=1, max_size=64),
    }
)


def verdict(body: bytes) -> Notification | str:
    try:
        return parse_notification(body)
    except BadPayload as error:
        return error.reason


def accepted(body: bytes) -> Notification:
    found = verdict(body)
    assert isinstance(found, Notification), found
    return found


def encode(document: object) -> bytes:
    return json.dumps(document).encode()


def nest(depth: int) -> object:
    """Arrays in arrays, ``depth`` of them."""
    found: object = 1
    for _ in range(depth):
        found = [found]
    return found


@given(st.binary() | values.map(encode))
def test_any_body_is_understood_or_refused_with_a_reason(body: bytes) -> None:
    found = verdict(body)
    assert isinstance(found, Notification) or len(found) > 10


@given(st.lists(alerts, max_size=5), st.booleans())
def test_what_was_sent_is_what_is_read(sent: list[dict[str, Any]], ascii_only: bool) -> None:
    document = {**ENVELOPE, "alerts": sent}
    found = accepted(json.dumps(document, ensure_ascii=ascii_only).encode())
    assert found.rejected == ()
    assert [alert.labels for alert in found.alerts] == [each["labels"] for each in sent]
    assert [alert.annotations for alert in found.alerts] == [each["annotations"] for each in sent]
    assert [alert.fingerprint for alert in found.alerts] == [each["fingerprint"] for each in sent]
    assert {alert.status for alert in found.alerts} <= {AlertStatus.FIRING}


@given(st.lists(st.tuples(st.sampled_from([*ALERT, "other"]), values), min_size=1, max_size=3))
def test_P15_a_changed_alert_never_harms_its_neighbours(changes: list[tuple[str, object]]) -> None:
    body = encode({**ENVELOPE, "alerts": [ALERT, {**ALERT, **dict(changes)}, ALERT]})
    found = accepted(body)
    assert len(found.alerts) + len(found.rejected) == 3
    assert len(found.alerts) >= 2


@given(st.sampled_from(list(ENVELOPE)), values)
def test_a_changed_envelope_is_understood_or_refused(key: str, value: object) -> None:
    found = verdict(encode({**ENVELOPE, key: value}))
    assert isinstance(found, Notification) or key in found


@given(st.sampled_from(["envelope", "alert", "labels"]), st.integers(1, 40))
def test_depth_is_bounded_wherever_it_is_hidden(where: str, depth: int) -> None:
    """The root is one deep, a new key of it two, of an alert four, and a label five."""
    hidden = nest(depth)
    if where == "envelope":
        body, total = encode({**ENVELOPE, "other": hidden}), depth + 1
    elif where == "alert":
        body, total = encode({**ENVELOPE, "alerts": [{**ALERT, "other": hidden}]}), depth + 3
    else:
        body, total = encode({**ENVELOPE, "alerts": [{**ALERT, "labels": {"a": hidden}}]}), depth + 4
    found = verdict(body)
    assert isinstance(found, str) is (total > MAX_DEPTH)
    assert isinstance(found, Notification) or "deep" in found


@given(st.data())
def test_a_key_given_twice_is_refused_wherever_it_stands(data: st.DataObject) -> None:
    text = encode({**ENVELOPE, "other": {"x": {"y": 1}}}).decode()
    starts = [at for at, character in enumerate(text) if character == "{" and text[at + 1] == '"']
    at = data.draw(st.sampled_from(starts)) + 1
    key = json.JSONDecoder().raw_decode(text, at)[0]
    found = verdict(f"{text[:at]}{json.dumps(key)}: null, {text[at:]}".encode())
    assert found == "an object holds a key twice"


@given(st.sampled_from(["\\u0000", "\\ud800", "\\uDFFF", "\\ud83dx"]), st.booleans(), st.data())
def test_text_that_no_store_keeps_is_refused_wherever_it_stands(
    escape: str, literal: bool, data: st.DataObject
) -> None:
    """The same characters behind an escaped backslash are harmless text."""
    text = encode({**ENVELOPE, "other": [{"x": "y"}]}).decode()
    version = text.index('"4"')
    strings = [
        at for at, c in enumerate(text) if c == '"' and text[at - 1] in "{[ " and text[at + 1].islower()
    ]
    at = (
        data.draw(st.sampled_from([at for at in strings if at > version or text[at + 1 : at + 6] == "other"]))
        + 1
    )
    found = verdict(f"{text[:at]}{'x' + chr(92) if literal else ''}{escape}{text[at:]}".encode())
    if literal:
        assert isinstance(found, Notification) or "NUL" not in found
    else:
        assert isinstance(found, str)
        assert "NUL" in found or "surrogate" in found


@given(st.sampled_from(["a", "ä", "€", "🙂"]), st.integers(-2, 2), st.sampled_from(["labels", "annotations"]))
def test_the_longest_value_is_counted_in_bytes(character: str, more: int, where: str) -> None:
    size = len(character.encode())
    value = character * (MAX_VALUE_BYTES // size + more)
    found = accepted(encode({**ENVELOPE, "alerts": [{**ALERT, where: {"a": value}}]}))
    assert len(found.rejected) == (len(value.encode()) > MAX_VALUE_BYTES)
