"""The two grammars of Alertmanager's matchers; ``matchers`` decides between them.

Sources: ``matcher/parse`` (UTF-8) and ``pkg/labels`` (classic) of prometheus/alertmanager, 0.27 and newer.
Both are as lenient and as strict as the original, oddities included: a policy must mean what the same line
means in an Alertmanager route.
"""

from __future__ import annotations

import re
from typing import NamedTuple, NoReturn

SPACE = "\t\n\v\f\r \u0085\u00a0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
"""What Go's unicode.IsSpace calls white space; Python's own notion differs."""

RESERVED = SPACE + "{}!=~,\"'`\\"
"""What cannot stand in a bare name or value."""

_TOKEN = re.compile(
    "|".join(
        (
            rf"(?P<space>[{SPACE}]+)",
            r'(?P<quoted>"(?:[^"\\]|\\.)*+")',
            r"(?P<op>!=|!~|=~|=)",
            r"(?P<punctuation>[{},])",
            rf"(?P<bare>[^{re.escape(RESERVED)}]+)",
        )
    ),
    re.DOTALL,
)
_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\\"])|x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))|[^\\\n]"
)
_SIMPLE_ESCAPES = dict(zip('abfnrtv\\"', b'\a\b\f\n\r\t\v\\"', strict=True))
_CLASSIC_SPACE = "\t\n\f\r "  # what \\s means in Go's regular expressions
_CLASSIC = re.compile(rf"[{_CLASSIC_SPACE}]*([a-zA-Z_:][a-zA-Z0-9_:]*)[{_CLASSIC_SPACE}]*(=~|=|!=|!~)")
_CLASSIC_ESCAPES = {"n": "\n", '"': '"', "\\": "\\"}
_EXAMPLE = 'write a matcher such as alertname="PostgresDown" or namespace=~"fintech-.*"'


class MatcherSyntaxError(ValueError):
    """The text is no matcher. ``offset`` is the position of the trouble in it, in characters from 0."""

    def __init__(self, problem: str, *, offset: int, hint: str = _EXAMPLE) -> None:
        super().__init__(f"{problem}; {hint}")
        self.problem = problem
        self.offset = offset
        self.hint = hint


class NotClassicError(Exception):
    """The text is outside the classic grammar."""


class Parsed(NamedTuple):
    """A matcher as written; ``offset`` is where its value starts."""

    name: str
    op: str
    value: str
    offset: int


def parse_utf8(text: str) -> list[Parsed]:
    """The matchers of ``text`` in the UTF-8 grammar. Raises MatcherSyntaxError."""
    return _Parser(text).parse()


def parse_classic_list(text: str) -> list[Parsed]:
    """Matchers separated by commas; a comma in double quotes separates nothing. Raises NotClassicError.

    Source: ``labels.ParseMatchers``.
    """
    start = 1 if text.startswith("{") else 0
    end = len(text) - 1 if text.endswith("}") and len(text) > start else len(text)
    parts: list[tuple[str, int]] = []
    quoted = escaped = False
    for at in range(start, end):
        character = text[at]
        if character == "," and not quoted:
            parts.append((text[start:at], start))
            start = at + 1
        elif character == '"':
            quoted ^= not escaped
            escaped = False
        elif character != ",":  # a quoted comma leaves the backslash before it in force
            escaped = character == "\\" and not escaped
    if text[start:end].strip(SPACE):
        rest = text[start:end].lstrip(SPACE)
        parts.append((rest.rstrip(SPACE), end - len(rest)))
    return [parse_classic(part, offset) for part, offset in parts]


def parse_classic(text: str, offset: int = 0) -> Parsed:
    """The one matcher of ``text``, which stands at ``offset``. Raises NotClassicError.

    Source: ``labels.ParseMatcher``.
    """
    found = _CLASSIC.match(text)
    if found is None:
        raise NotClassicError
    raw = text[found.end() :].lstrip(_CLASSIC_SPACE)
    at = offset + len(text) - len(raw)
    return Parsed(found[1], found[2], _unescape_classic(raw.rstrip(_CLASSIC_SPACE)), at)


def _unescape_classic(raw: str) -> str:
    opened = raw.startswith('"')
    body = raw[1:] if opened else raw
    value: list[str] = []
    at, closed = 0, not opened
    while at < len(body):
        character = body[at]
        if character == "\\" and at + 1 < len(body):
            value.append(_CLASSIC_ESCAPES.get(body[at + 1], body[at : at + 2]))
            at += 1
        elif character == '"':
            if closed or at + 1 < len(body):
                raise NotClassicError
            closed = True
        else:
            value.append(character)
        at += 1
    if not closed:
        raise NotClassicError
    return "".join(value)


class _Token(NamedTuple):
    kind: str  # "quoted", "bare", "op", "{", "}", "," or "" at the end
    text: str
    offset: int


class _Parser:
    """The UTF-8 grammar: ``[{] [matcher {, matcher} [,]] [}]``."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokenize(text)
        self._next = 0

    def parse(self) -> list[Parsed]:
        found: list[Parsed] = []
        braces = self._accept("{") is not None
        while self._peek().kind not in ("}", ""):
            found.append(self._matcher())
            if self._accept(",") is None and self._peek().kind not in ("}", ""):
                self._fail("expected a comma or the end here", "put the whole value in double quotes")
        if braces and self._accept("}") is None:
            self._fail("the opening brace is never closed", "add } at the end, or leave out both braces")
        if self._peek().kind == "}" and not braces:
            self._fail("a closing brace without an opening one", "add { in front, or leave out both braces")
        if self._peek().kind:
            self._fail("there is more text after the closing brace", "remove it")
        return found

    def _matcher(self) -> Parsed:
        name = self._accept("bare", "quoted")
        if name is None:
            self._fail("expected a label name here", _EXAMPLE)
        op = self._accept("op")
        if op is None:
            self._fail("expected an operator here", "write one of = != =~ !~ after the label name")
        value = self._accept("bare", "quoted")
        if value is None:
            self._fail("expected a value here", 'write the value in double quotes; the empty one is ""')
        return Parsed(_unquote(name), op.text, _unquote(value), value.offset)

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _accept(self, *kinds: str) -> _Token | None:
        token = self._tokens[self._next]
        if token.kind not in kinds:
            return None
        self._next += 1
        return token

    def _fail(self, problem: str, hint: str) -> NoReturn:
        raise MatcherSyntaxError(problem, offset=self._peek().offset, hint=hint)


def _tokenize(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise _bad_character(text, at)
        kind = found.lastgroup or ""
        if kind != "space":
            tokens.append(_Token(found[0] if kind == "punctuation" else kind, found[0], at))
        at = found.end()
    return [*tokens, _Token("", "", at)]


def _bad_character(text: str, at: int) -> MatcherSyntaxError:
    if text[at] == '"':
        return MatcherSyntaxError(
            "the double quote is never closed", offset=at, hint='close it, and write \\" for a quote inside'
        )
    if text[at] == "!":
        return MatcherSyntaxError("! is not an operator", offset=at, hint="write != or !~")
    return MatcherSyntaxError(
        f"{text[at]!r} cannot stand outside double quotes",
        offset=at,
        hint="put the whole value in double quotes",
    )


def _unquote(token: _Token) -> str:
    """The text of a token. Source: Go's ``strconv.Unquote`` for double quotes."""
    if token.kind != "quoted":
        return token.text
    out, at, end = bytearray(), 1, len(token.text) - 1
    while at < end:
        found = _ESCAPE.match(token.text, at, end)
        code = None if found is None else _character(found)
        if found is None or code is None:
            raise MatcherSyntaxError(
                f"{token.text[at : at + 2]!r} is no escape in double quotes",
                offset=token.offset + at,
                hint=r"write \\ for a backslash, \n for a line feed and \" for a quote",
            )
        out += code
        at = found.end()
    try:
        return out.decode()
    except UnicodeDecodeError:
        raise MatcherSyntaxError(
            "the escapes make no valid UTF-8", offset=token.offset, hint="write the characters themselves"
        ) from None


def _character(found: re.Match[str]) -> bytes | None:
    """The bytes that one character or escape stands for; None if there is no such character."""
    simple, byte, octal, short, long = found.groups()
    if simple is not None:
        return bytes([_SIMPLE_ESCAPES[simple]])
    if byte is not None or octal is not None:
        number = int(byte, 16) if byte is not None else int(octal, 8)
        return bytes([number]) if number < 256 else None
    if short is not None or long is not None:
        point = int(short or long, 16)
        return chr(point).encode() if point < 0xD800 or 0xDFFF < point < 0x110000 else None
    return found[0].encode()
