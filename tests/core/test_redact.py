"""Secrets never reach the timeline: what is taken out of a log's lines, and what stays."""

from __future__ import annotations

import time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from remediator.core.redact import HIDDEN, hide_keys, json_may_hold_secret, redact

SECRET = "hunter2-S3cr3t"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.SflKxwRJSMeKKF2QT4f"


@pytest.mark.parametrize(
    "line",
    [
        f"Authorization: Bearer {SECRET}",
        f'"authorization":"Basic {SECRET}"',
        f"authorization={SECRET} path=/",
        f"Proxy-Authorization: Basic {SECRET}",
        f"calling with bearer {SECRET} failed",
        f"password={SECRET}",
        f"DB_PASSWORD: {SECRET}",
        f"db.password = {SECRET}, user=x",
        f'{{"user":"x","password":"{SECRET}","n":1}}',
        f'{{"password": "with \\" quote {SECRET}"}}',
        f'msg="login {{\\"password\\":\\"{SECRET}\\"}}"',
        f"'secret': 'some {SECRET}'",
        f"client_secret => {SECRET}",
        f"?access_token={SECRET}&page=2",
        f"X-Api-Key: {SECRET}",
        f"AccountKey={SECRET};EndpointSuffix=core",
        f"Set-Cookie: session={SECRET}; Path=/",
        f"aws_secret_access_key = {SECRET}",
        f"starting server --token {SECRET} --port 80",
        f"\x1b[36mpassword\x1b[0m={SECRET}",
        f"postgres://app:{SECRET}@db:5432/shop is down",
        f"redis://:{SECRET}@cache:6379/0",
        f"https://{SECRET}@github.com/x/y.git",
        f"amqp://app:{SECRET}/with/slash@mq:5672/",
        f"amqp://app:123{SECRET}/with/slash@mq:5672/",
        f"connecting to mysql://a:{SECRET}@one and mysql://b:{SECRET}@two",
        f"-----BEGIN RSA PRIVATE KEY-----\\n{SECRET}\\n-----END RSA PRIVATE KEY-----",
        f"key -----BEGIN PRIVATE KEY-----{SECRET}",
    ],
)
def test_what_is_obviously_secret_is_hidden(line: str) -> None:
    """In headers, assignments, JSON, URLs, flags, coloured or not."""
    shown = redact(line)
    assert SECRET not in shown
    assert "S3cr3t" not in shown
    assert HIDDEN in shown


@pytest.mark.parametrize(
    "secret",
    ["AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE", TOKEN, "ghp_" + "a" * 36, "xoxb-1234567890-abcdefghij"],
)
def test_tokens_are_known_by_their_shape(secret: str) -> None:
    """Wherever they stand."""
    assert redact(f"refused {secret}, giving up") == f"refused {HIDDEN}, giving up"


@pytest.mark.parametrize(
    "line",
    [
        'FATAL: password authentication failed for user "app"',
        "GET http://web.shop:8080/health?mail=a@b.c 500",
        "2026-11-23T04:43:33Z ERROR could not reach https://api.example.com:443/v1/users",
        "panic: runtime error: index out of range [3] with length 3",
        "mail to ops@example.com was refused",
        "-----BEGIN CERTIFICATE-----",
        "token expired",
        "the bearer of bad news",
        "cache key=user:17 missed",
    ],
)
def test_what_tells_of_trouble_stays(line: str) -> None:
    """Nothing is hidden where nothing is secret."""
    assert redact(line) == line


def test_what_stands_around_a_secret_stays() -> None:
    """So that a person can still see what went wrong, and where."""
    line = f'level=error msg="no answer" url=postgres://app:{SECRET}@db:5432/shop password={SECRET} took=3s'
    wanted = f'level=error msg="no answer" url=postgres://{HIDDEN}@db:5432/shop password={HIDDEN} took=3s'
    assert redact(line) == wanted


KEY = [
    "-----BEGIN EC PRIVATE KEY-----",
    "MHcCAQEEIBYk2RsVQmVy0TXQ",
    "oAoGCCqGSM49AwEHoUQDQgAE==",
    "-----END EC PRIVATE KEY-----",
]


@pytest.mark.parametrize("cut", [slice(0, 4), slice(1, 4), slice(2, 4), slice(0, 2), slice(0, 3)])
@pytest.mark.parametrize("prefix", ["", "04:43:33 INFO "])
def test_keys_over_many_lines_are_hidden(cut: slice, prefix: str) -> None:
    """Whole, without their beginning, without their end; and no other line is."""
    key = [prefix + line for line in KEY[cut]]
    lines = ["loading key", *key, "could not load it"]
    assert hide_keys(lines) == ("loading key", *[HIDDEN] * len(key), "could not load it")


def test_lines_without_a_key_are_left_alone() -> None:
    """A certificate is no secret, and a long word no key."""
    lines = ("-----BEGIN CERTIFICATE-----", "MHcCAQEEIBYk2RsVQmVy0TXQ", "-----END CERTIFICATE-----", "b" * 40)
    assert hide_keys(lines) == lines


@pytest.mark.parametrize("escape", [r"\u003c", r"\u003e", r"\u0026", r"\u2028", r"\u2029", r"\n", r"\""])
def test_what_go_escapes_hides_nothing(escape: str) -> None:
    """Alertmanager writes these into every other annotation: they alone are no reason to read the JSON."""
    assert not json_may_hold_secret(f'{{"summary":"up{escape}1 for 5m"}}'.encode())


HIDING_CODES = [
    rf"\u{code}" for code in ("0070", "003d", "003C", "0027", "0020", "2027", "202a", "202A", "3028", "d83d")
]


@pytest.mark.parametrize(
    "escape",
    [*HIDING_CODES, r"\t", r"\r", r"\b", r"\f"],
)
def test_any_other_escape_may_hide_a_secret(escape: str) -> None:
    """A letter of ``password`` can be written so, or the space before it."""
    assert json_may_hold_secret(f'{{"summary":"{escape}assword of"}}'.encode())


@pytest.mark.parametrize("after", ["", "x", "0028"])
def test_an_escaped_backslash_is_in_doubt(after: str) -> None:
    """Whether a letter behind it belongs to an escape cannot be told without reading: then it is read."""
    assert json_may_hold_secret(f'{{"path":"C:\\\\u0020{after}"}}'.encode())


@given(st.text(), st.text(alphabet="abcxyzABCXYZ019", min_size=12))
def test_no_context_gives_a_password_away(before: str, secret: str) -> None:
    """Whatever stands on the line before it."""
    assume(secret not in before)
    assert secret not in redact(f"{before} password={secret}")


def test_no_line_takes_long() -> None:
    """Linear, whatever a program writes."""
    lines = [
        "password" * 2_000,
        "a://" * 4_000,
        '"password":"' + "\\" * 16_000,
        "-----BEGIN " * 1_500,
        "Bearer " * 2_000,
    ]
    started = time.process_time()
    for line in lines:
        redact(line)
        hide_keys([line])
    assert time.process_time() - started < 1.0
