"""Quantities of Kubernetes, such as ``500m`` or ``1.5Gi``.

Source: Kubernetes ``api/resource/quantity.go``, without signs and the smallest suffixes.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from remediator.core.text import plain
from remediator.core.values import said

CODE = "P025"
_QUANTITY = re.compile(
    r"([0-9]{1,18}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})(m|k|[MGTPE]|[KMGTPE]i|e[+-]?[0-9]{1,2})?", re.ASCII
)
_FACTORS = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate(("k", "M", "G", "T", "P", "E"), 1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)},
}


def amount(quantity: str) -> Decimal:
    """How much a quantity is, in its base unit. Raises ValueError."""
    found = _QUANTITY.fullmatch(quantity)
    if found is None:
        raise ValueError(f"{quantity!r} is no quantity")
    suffix = found[2] or ""
    factor = Decimal(f"1{suffix}") if suffix.startswith("e") else _FACTORS[suffix]
    return Decimal(found[1]) * factor


def measured(quantity: str) -> Decimal:
    """As ``amount``, of what was measured: it may be counted in ``u`` (10^-6) or ``n`` (10^-9) as well.

    Raises ValueError.
    """
    exponent = {"u": -6, "n": -9}.get(quantity[-1:])
    return amount(quantity) if exponent is None else amount(quantity[:-1]).scaleb(exponent)


def say_bytes(size: Decimal) -> str:
    """Bytes for people, in the largest binary unit of which there is at least one: ``412Mi``, ``1.5Gi``."""
    for power, unit in reversed(tuple(enumerate(("Ki", "Mi", "Gi", "Ti", "Pi"), 1))):
        if size >= 1024**power:
            number = size / 1024**power
            return (f"{number:.1f}".removesuffix(".0") if number < 10 else f"{number:.0f}") + unit
    return f"{size:.0f}"


def say_cores(cores: Decimal) -> str:
    """Processors for people: ``250m``, ``1.5``."""
    if cores < 1:
        return f"{cores * 1000:.0f}m"
    return f"{cores:.1f}".removesuffix(".0") if cores < 10 else f"{cores:.0f}"


def same_amount(one: object, other: object) -> bool:
    """Whether two quantities are as much, however they are written; what cannot be read is only itself."""
    if one is None or other is None:
        return one is other
    try:
        return amount(str(one)) == amount(str(other))
    except ValueError:
        return str(one) == str(other)


def exceeds(least: object, most: object) -> bool:
    """Whether one quantity is more than another, where both are there and can be read."""
    try:
        return least is not None and most is not None and amount(str(least)) > amount(str(most))
    except ValueError:
        return False


def _quantity(value: object) -> str:
    how = "write one such as 500m, 2, 512Mi or 1.5Gi"
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str):
        raise _refusal(f"expected a quantity; {how}")
    if _QUANTITY.fullmatch(text) is None:
        raise _refusal(f"'{plain(text, 60)}' is no quantity of Kubernetes; {how}")
    if not amount(text):
        raise _refusal(f"a quantity of nothing starves what asks for it; {how}")
    return text


def _refusal(why: str) -> PydanticCustomError:
    return PydanticCustomError(CODE, "{why}", {"why": why})


QuantityText = Annotated[
    str,
    BeforeValidator(_quantity),
    said("A quantity of Kubernetes.", "500m", "2", "512Mi", "1.5Gi", type=["string", "integer"]),
]
