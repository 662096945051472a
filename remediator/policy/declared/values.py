"""The small languages of declared parameters: images, quantities, programs."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer

from remediator.core.templated import PlainTemplate
from remediator.core.text import plain
from remediator.core.times import format_duration
from remediator.policy.values import PositiveDuration, read_matcher, refusal, said

_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_HOST = (
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
_IMAGE = re.compile(
    rf"(?:{_HOST}(?::[0-9]{{1,5}})?/)?{_PART}(?:/{_PART})*(?::\w[\w.-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?",
    re.ASCII,
)
"""Source: distribution/reference ``regexp.go``."""
_LONGEST_IMAGE = 500
_QUANTITY = re.compile(
    r"([0-9]{1,18}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})(m|k|[MGTPE]|[KMGTPE]i|e[+-]?[0-9]{1,2})?", re.ASCII
)
"""Source: Kubernetes ``api/resource/quantity.go``, without signs and the smallest suffixes."""
_FACTORS = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate(("k", "M", "G", "T", "P", "E"), 1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)},
}


def _image(value: object) -> str:
    how = "write one such as registry.example.com/shop/web:1.4.2"
    if not isinstance(value, str):
        raise refusal("P026", f"expected the reference of an image; {how}")
    if len(value) > _LONGEST_IMAGE or _IMAGE.fullmatch(value) is None:
        raise refusal("P026", f"'{plain(value, 60)}' is no reference of an image; {how}")
    return value


def _quantity(value: object) -> str:
    how = "write one such as 500m, 2, 512Mi or 1.5Gi"
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str):
        raise refusal("P025", f"expected a quantity; {how}")
    if _QUANTITY.fullmatch(text) is None:
        raise refusal("P025", f"'{plain(text, 60)}' is no quantity of Kubernetes; {how}")
    if not amount(text):
        raise refusal("P025", f"a quantity of nothing starves what asks for it; {how}")
    return text


def amount(quantity: str) -> Decimal:
    """How much a quantity is, in its base unit."""
    found = _QUANTITY.fullmatch(quantity)
    if found is None:
        raise ValueError(f"{quantity!r} is no quantity")
    suffix = found[2] or ""
    factor = Decimal(f"1{suffix}") if suffix.startswith("e") else _FACTORS[suffix]
    return Decimal(found[1]) * factor


ImageText = Annotated[
    str,
    BeforeValidator(_image),
    said("The reference of an image, with a tag or a digest.", "registry.example.com/shop/web:1.4.2"),
]
QuantityText = Annotated[
    str,
    BeforeValidator(_quantity),
    said("A quantity of Kubernetes.", "500m", "2", "512Mi", "1.5Gi", type=["string", "integer"]),
]
Argument = Annotated[PlainTemplate, Field(max_length=2_000)]
Command = Annotated[list[Argument], Field(min_length=1, max_length=64)]
"""A program and its arguments, one by one: no shell reads them."""
Span = Annotated[PositiveDuration, PlainSerializer(format_duration, return_type=str, when_used="json")]
"""A Prometheus duration longer than nothing, told as it is written."""
MatcherSource = Annotated[
    str,
    BeforeValidator(lambda value: str(read_matcher(value))),
    said("A matcher of Alertmanager.", 'alertname="PostgresDown"', pattern="(=|!~)"),
]
