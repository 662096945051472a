"""The small languages inside policy files: durations, matchers, rates, workloads, names, templates.

Each is a pydantic type that turns what the file says into its core value and refuses with a message that
says what to write instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from remediator.core.matcher_text import read_matcher
from remediator.core.matchers import Matcher
from remediator.core.objects import NODE
from remediator.core.policies import Rate, Share
from remediator.core.probing import authority
from remediator.core.spans import SOME, read_positive_duration
from remediator.core.templated import Escape
from remediator.core.text import plain
from remediator.core.times import Millis
from remediator.core.values import IS, expect_text, said
from remediator.policy.placing import compile_placed
from remediator.policy.queries import QueryError, check_query
from remediator.policy.templates import LabelTemplate, TemplateRefused, compile_template

WORKLOAD_KINDS = ("deployment", "statefulset", "daemonset")
NAME = re.compile(r"[A-Za-z0-9._-]{1,63}", re.ASCII)
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)
_DNS_NAME = re.compile(
    r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", re.ASCII
)
_POD_TEXT = re.compile(f"{_DNS_LABEL.pattern}/[a-z0-9]([-a-z0-9.]{{0,251}}[a-z0-9])?", re.ASCII)
_SHARE = re.compile(r"([0-9]{1,3})%", re.ASCII)
_PERCENTAGE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)%", re.ASCII)
_RATE = re.compile(r"([0-9]{1,6})/([0-9a-z]{1,40})", re.ASCII)


def refusal(
    code: str,
    why: str,
    offset: int | None = None,
    *,
    key: str = "",
    nearest: tuple[str, str] | None = None,
) -> PydanticCustomError:
    """An error at the value that is validated, ``offset`` characters into its text, or at a ``key`` in it.

    ``nearest``: a word, and the name of the vocabulary in which one like it is looked for once the error is
    shown (a hostile file has many errors that never are).
    """
    context: dict[str, object] = {"why": why}
    if offset is not None:
        context["offset"] = offset
    if key:
        context["key"] = key
    if nearest is not None:
        context["word"], context["vocabulary"] = nearest
    return PydanticCustomError(code, "{why}", context)


def _selector(value: object) -> LabelTemplate:
    text = expect_text(value, "P016", "'{{ labels.app }}'")
    try:
        return compile_template(text)
    except TemplateRefused as error:
        raise refusal("P016", plain(str(error), 300), error.offset) from None


def check_template(source: str, escape: Escape) -> str:
    """``core.templated.TemplateUse`` while files are read: the text as it is, if it may stand there."""
    try:
        sample = compile_placed(source, escape).sample
    except TemplateRefused as error:
        raise refusal("P016", plain(str(error), 300), error.offset) from None
    if escape is Escape.PROMQL:
        _check_promql(source, sample)
    return source


def _check_promql(source: str, sample: str) -> None:
    try:
        check_query(sample)
    except QueryError as error:
        offset = max(source.find(error.quoted), 0) if error.quoted else 0
        why = f"Prometheus would not understand this query: {error}; try it in Prometheus first"
        raise refusal("P020", why, offset) from None


def _health(value: object) -> str:
    how = "write a URL such as http://web.shop:8080/health"
    text = expect_text(value, "P013", "http://web.shop:8080/health")
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
    text = expect_text(value, "P013", "10/1h")
    found = _RATE.fullmatch(text)
    if found is None:
        raise refusal("P013", f"'{plain(text, 60)}' is not a rate; write a count and a window, such as 10/1h")
    count, per = int(found[1]), Millis(read_positive_duration(found[2]))
    if count == 0:
        raise refusal("P013", "a rate of 0 allows nothing; write at least 1, or leave the namespace out")
    return Rate(count=count, per=per)


def _share(value: object) -> Share:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 100_000:
        return Share(value=value, percent=False)
    text = expect_text(value, "P013", "40% or 2")
    found = _SHARE.fullmatch(text)
    if found is None or int(found[1]) > 100:
        raise refusal(
            "P013", f"'{plain(text, 60)}' is no share of pods; write a percentage or a number: 40% or 2"
        )
    return Share(value=int(found[1]), percent=True)


def _workload(value: object) -> tuple[str, str]:
    text = expect_text(value, "P013", "deployment/auth-service")
    kind, slash, name = text.partition("/")
    kinds = "|".join(WORKLOAD_KINDS)
    if not slash or kind not in WORKLOAD_KINDS:
        raise refusal("P013", f"'{plain(text, 60)}' is not a workload; write {kinds}, a slash and its name")
    if _DNS_NAME.fullmatch(name) is None:
        why = f"'{plain(name, 60)}' is not a name in Kubernetes; write lower-case letters, digits, - and ."
        raise refusal("P013", why, len(kind) + 1)
    return kind, name


def _protected(value: object) -> str:
    """A workload or, in no namespace, a node."""
    kind, slash, name = (value if isinstance(value, str) else "").partition("/")
    if slash and kind == NODE and _DNS_NAME.fullmatch(name) is not None:
        return f"{kind}/{name}"
    return "/".join(_workload(value))


def _named(pattern: re.Pattern[str], what: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        text = expect_text(value, "P018", what)
        if pattern.fullmatch(text) is None:
            raise refusal("P018", f"'{plain(text, 60)}' is not a name here; write {what}")
        return text

    return check


def _label_name(value: object) -> str:
    text = expect_text(value, "P013", "service")
    if not text or text == "...":
        raise refusal("P013", f"'{text}' names no label; list each label to group by, such as [service]")
    return text


def _web_address(value: object) -> str:
    how = "write a web address such as https://zoom.us/incident"
    text = expect_text(value, "P013", "https://zoom.us/incident")
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - reading it is what checks it
    except ValueError:
        raise refusal("P013", f"not a URL; {how}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or plain(text, len(text) + 1) != text:
        raise refusal("P013", f"not an http:// or https:// URL; {how}")
    if parts.username is not None or parts.password is not None:
        raise refusal("P019", f"a URL must not carry a user name or password; {how}")
    return text


def _percentage(value: object) -> float:
    text = expect_text(value, "P013", "99.95%")
    found = _PERCENTAGE.fullmatch(text)
    if found is None or not 0 < float(found[1]) < 100:
        why = f"'{plain(text, 60)}' is no percentage between 0% and 100%; write one such as 99.95%"
        raise refusal("P013", why)
    return float(found[1])


_URL = "^[Hh][Tt][Tt][Pp][Ss]?://"

MatcherText = Annotated[
    Matcher,
    PlainValidator(read_matcher),
    said("A matcher of Alertmanager: RE2, anchored, a missing label is empty.", 'alertname="PostgresDown"',
         'namespace=~"fintech-.*"', pattern="(=|!~)"),
]  # fmt: skip
SelectorText = Annotated[
    LabelTemplate,
    PlainValidator(_selector),
    said("A template over the labels of an alert.", "{{ labels.app }}", "{{ labels.app or labels.service }}"),
]
HealthText = Annotated[
    str,
    BeforeValidator(_health),
    said("A URL without a template and without a user name.", "http://web.shop:8080/health",
         pattern=_URL),
]  # fmt: skip
WebAddress = Annotated[
    str,
    BeforeValidator(_web_address),
    said("A web address for people.", "https://zoom.us/incident", pattern=_URL),
]
RateText = Annotated[
    Rate,
    PlainValidator(_rate),
    said(
        "A count in any window of that length.",
        "10/1h",
        "1/10m",
        pattern=f"^(?=0*[1-9])[0-9]{{1,6}}/{SOME}$",
    ),
]
ShareText = Annotated[
    Share,
    PlainValidator(_share),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": "^(0?[0-9]{1,2}|100)%$"},
                {"type": "integer", "minimum": 0},
            ],
            "description": "A percentage of pods, or their number.",
            IS: "A percentage of pods, or their number.",
            "examples": ["40%", 2],
        }
    ),
]
PercentText = Annotated[
    float,
    BeforeValidator(_percentage),
    said("A percentage between 0% and 100%.", "99.95%", pattern="^[0-9]{1,3}([.][0-9]{1,6})?%$"),
]
_WORKLOAD_IS = said(
    "A workload: its kind, a slash and its name.",
    "deployment/auth-service",
    "statefulset/postgres",
    pattern=f"^({'|'.join(WORKLOAD_KINDS)})/[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
)
WorkloadText = Annotated[tuple[str, str], PlainValidator(_workload), _WORKLOAD_IS]
ProtectedText = Annotated[
    str,
    BeforeValidator(_protected),
    said(
        "A workload: its kind, a slash and its name. Or a node: `node/` and its name.",
        "statefulset/postgres",
        "node/worker-1",
        pattern=f"^({'|'.join((*WORKLOAD_KINDS, NODE))})/[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
    ),
]
Name = Annotated[
    str,
    BeforeValidator(_named(NAME, "1 to 63 of A-Z a-z 0-9 . _ -")),
    said("A name.", "service-down", pattern="^[A-Za-z0-9._-]{1,63}$"),
]
Namespace = Annotated[
    str,
    BeforeValidator(_named(_DNS_LABEL, "a namespace: up to 63 lower-case letters, digits and -")),
    said("A Kubernetes namespace.", "fintech-services", pattern="^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"),
]
NodeName = Annotated[
    str,
    BeforeValidator(_named(_DNS_NAME, "a node: lower-case letters, digits, - and .")),
    said("The name of a node.", "worker-1", pattern="^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$"),
]
PodText = Annotated[
    str,
    BeforeValidator(_named(_POD_TEXT, "a pod: its namespace, a slash and its name")),
    said(
        "A pod: its namespace, a slash and its name.",
        "shop/web-5d9c7-1",
        pattern="^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?/[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$",
    ),
]
LabelName = Annotated[str, BeforeValidator(_label_name), said("The name of a label.", "service", minLength=1)]
