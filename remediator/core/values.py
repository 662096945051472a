"""Types of plugins' parameters that check more than their type, and say what to write instead.

``ctx.why`` and ``ctx.offset`` of their errors are how a finding gets its text and its place in the file.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from remediator.core.expressions import ExpressionError, expression
from remediator.core.text import plain

IS = "x-remediator-is"
"""In a JSON schema: what a text is, in words; it stays where a key has a description of its own."""

DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)


def refusal(why: str, offset: int = 0, code: str = "P013") -> PydanticCustomError:
    """An error at the value that is validated, so many characters into its text. ``code``: of the finding."""
    return PydanticCustomError(code, "{why}", {"why": why, "offset": offset})


def expect_text(value: object, code: str, example: str) -> str:
    """The value, if it is text. Raises PydanticCustomError."""
    if isinstance(value, str):
        return value
    shown = "nothing" if value is None else plain(str(value), 40)
    shown = "a list" if isinstance(value, list) else "a mapping" if isinstance(value, dict) else shown
    why = f"expected text such as {example}, found {shown}"
    raise PydanticCustomError(code, "{why}", {"why": why})


def said(description: str, *examples: object, **more: object) -> WithJsonSchema:
    """How a text of its own language looks in the JSON schema: what it is, examples, perhaps a pattern."""
    own = {"description": description, IS: description, "examples": list(examples)}
    return WithJsonSchema({"type": "string", **own, **more})


def _expression(text: str) -> str:
    try:
        expression(text)
    except ExpressionError as error:
        raise refusal(f"'{plain(text, 60)}' {error}", error.offset, "P021") from None
    return text


def _object_name(text: str) -> str:
    if text and DNS_LABEL.fullmatch(text) is None:
        why = "is not a name in Kubernetes; write up to 63 lower-case letters, digits and -"
        raise refusal(f"'{plain(text, 60)}' {why}")
    return text


def _auto(value: object) -> object:
    if not isinstance(value, bool) and value != "auto":
        raise refusal(f"'{plain(str(value), 60)}' is not possible here; write true, false or auto")
    return value


Regex = Annotated[str, AfterValidator(_expression)]
"""A regular expression that RE2 knows."""
ObjectName = Annotated[str, AfterValidator(_object_name)]
"""What containers and Services can be called; empty: it is not said."""
YesNoAuto = Annotated[bool | Literal["auto"], BeforeValidator(_auto)]
"""``true``, ``false`` or ``auto``."""
