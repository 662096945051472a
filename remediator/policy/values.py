"""The small languages inside policy files: durations, matchers, rates, workloads, names, templates.

Each is a pydantic type that turns what the file says into its core value and refuses with a message that
says what to write instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import BeforeValidator, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from remediator.core.matchers import Matcher, MatcherSyntaxError, parse_matcher
from remediator.core.policies import Rate, Share
from remediator.core.probing import authority
from remediator.core.templated import Escape
from remediator.core.text import plain
from remediator.core.times import Millis, parse_duration
from remediator.policy.placing import compile_placed
from remediator.policy.templates import LabelTemplate, TemplateRefused, compile_template

WORKLOAD_KINDS = ("deployment", "statefulset", "daemonset")
NAME = re.compile(r"[A-Za-z0-9._-]{1,63}", re.ASCII)
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)
_DNS_NAME = re.compile(
    r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", re.ASCII
)
_SHARE = re.compile(r"([0-9]{1,3})%", re.ASCII)
_RATE = re.compile(r"([0-9]{1,6})/([0-9a-z]{1,40})", re.ASCII)


def refusal(code: str, why: str, offset: int | None = None) -> PydanticCustomError:
    """An error at the value that is validated, or ``offset`` characters into its text."""
    where = {} if offset is None else {"offset": offset}
    return PydanticCustomError(code, "{why}", {"why": why, **where})


def _text(value: object, code: str, example: str) -> str:
    if not isinstance(value, str):
        shown = "nothing" if value is None else plain(str(value), 40)
        shown = "a list" if isinstance(value, list) else "a mapping" if isinstance(value, dict) else shown
        raise refusal(code, f"expected text such as {example}, found {shown}")
    return value


def _mode(value: object) -> object:
    if value == "approve":
        raise refusal("P011", "mode approve is not supported in this version; write suggest")
    return value


def _duration(value: object) -> int:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise refusal("P014", f"{value} has no unit; write a duration such as 90s, 15m, 1h30m or 7d")
    text = _text(value, "P014", "90s, 15m, 1h30m or 7d")
    if len(text) > 60:
        raise refusal("P014", "that is no duration; write a number and a unit, such as 90s, 15m, 1h30m or 7d")
    try:
        return parse_duration(text)
    except ValueError as error:
        raise refusal("P014", plain(str(error), 300)) from None


def _positive_duration(value: object) -> int:
    span = _duration(value)
    if span == 0:
        raise refusal("P014", "must be longer than 0s; write a duration such as 90s, 15m, 1h30m or 7d")
    return span


def _matcher(value: object) -> Matcher:
    text = _text(value, "P015", 'alertname="PostgresDown"')
    try:
        return parse_matcher(text)
    except MatcherSyntaxError as error:
        raise refusal("P015", f"not a matcher: {plain(str(error), 300)}", error.offset) from None


def _selector(value: object) -> LabelTemplate:
    text = _text(value, "P016", "'{{ labels.app }}'")
    try:
        return compile_template(text)
    except TemplateRefused as error:
        raise refusal("P016", plain(str(error), 300), error.offset) from None


def check_template(source: str, escape: Escape) -> str:
    """``core.templated.TemplateUse`` while files are read: the text as it is, if it is a template."""
    try:
        compile_placed(source, escape)
    except TemplateRefused as error:
        raise refusal("P016", plain(str(error), 300), error.offset) from None
    return source


def _health(value: object) -> str:
    how = "write a URL such as http://web.shop:8080/health"
    text = _text(value, "P013", "http://web.shop:8080/health")
    for mark in ("{{", "{%", "{#"):
        if (offset := text.find(mark)) >= 0:
            why = f"a health URL holds no template: it is what makes probes safe; {how}"
            raise refusal("P016", why, offset)
    try:
        authority(text)
    except ValueError as error:
        raise refusal("P013", f"{error}; {how}") from None
    return text


def _rate(value: object) -> Rate:
    text = _text(value, "P013", "10/1h")
    found = _RATE.fullmatch(text)
    if found is None:
        raise refusal("P013", f"'{plain(text, 60)}' is not a rate; write a count and a window, such as 10/1h")
    count, per = int(found[1]), Millis(_positive_duration(found[2]))
    if count == 0:
        raise refusal("P013", "a rate of 0 allows nothing; write at least 1, or leave the namespace out")
    return Rate(count=count, per=per)


def _share(value: object) -> Share:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 100_000:
        return Share(value=value, percent=False)
    text = _text(value, "P013", "40% or 2")
    found = _SHARE.fullmatch(text)
    if found is None or int(found[1]) > 100:
        raise refusal(
            "P013", f"'{plain(text, 60)}' is no share of pods; write a percentage or a number: 40% or 2"
        )
    return Share(value=int(found[1]), percent=True)


def _workload(value: object) -> tuple[str, str]:
    text = _text(value, "P013", "deployment/auth-service")
    kind, slash, name = text.partition("/")
    kinds = "|".join(WORKLOAD_KINDS)
    if not slash or kind not in WORKLOAD_KINDS:
        raise refusal("P013", f"'{plain(text, 60)}' is not a workload; write {kinds}, a slash and its name")
    if _DNS_NAME.fullmatch(name) is None:
        why = f"'{plain(name, 60)}' is not a name in Kubernetes; write lower-case letters, digits, - and ."
        raise refusal("P013", why, len(kind) + 1)
    return kind, name


def _protected(value: object) -> str:
    return "/".join(_workload(value))


def _named(pattern: re.Pattern[str], what: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        text = _text(value, "P018", what)
        if pattern.fullmatch(text) is None:
            raise refusal("P018", f"'{plain(text, 60)}' is not a name here; write {what}")
        return text

    return check


def _label_name(value: object) -> str:
    text = _text(value, "P013", "service")
    if not text or text == "...":
        raise refusal("P013", f"'{text}' names no label; list each label to group by, such as [service]")
    return text


_STRING = {"type": "string"}

Duration = Annotated[int, BeforeValidator(_duration), WithJsonSchema(_STRING)]
PositiveDuration = Annotated[int, BeforeValidator(_positive_duration), WithJsonSchema(_STRING)]
MatcherText = Annotated[Matcher, PlainValidator(_matcher), WithJsonSchema(_STRING)]
SelectorText = Annotated[LabelTemplate, PlainValidator(_selector), WithJsonSchema(_STRING)]
ModeText = Annotated[Literal["observe", "suggest", "auto"], BeforeValidator(_mode)]
HealthText = Annotated[str, BeforeValidator(_health)]
RateText = Annotated[Rate, PlainValidator(_rate), WithJsonSchema(_STRING)]
ShareText = Annotated[Share, PlainValidator(_share), WithJsonSchema({"type": ["string", "integer"]})]
WorkloadText = Annotated[tuple[str, str], PlainValidator(_workload), WithJsonSchema(_STRING)]
ProtectedText = Annotated[str, BeforeValidator(_protected)]
Name = Annotated[str, BeforeValidator(_named(NAME, "1 to 63 of A-Z a-z 0-9 . _ -"))]
Namespace = Annotated[
    str, BeforeValidator(_named(_DNS_LABEL, "a namespace: up to 63 lower-case letters, digits and -"))
]
LabelName = Annotated[str, BeforeValidator(_label_name)]
