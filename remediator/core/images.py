"""References of container images, such as ``registry.example.com/shop/web:1.4.2``.

Source: distribution/reference ``regexp.go``.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from remediator.core.text import plain
from remediator.core.values import said

CODE = "P026"
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_HOST = (
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
_IMAGE = re.compile(
    rf"(?:{_HOST}(?::[0-9]{{1,5}})?/)?{_PART}(?:/{_PART})*(?::\w[\w.-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?",
    re.ASCII,
)
_LONGEST = 500


def _image(value: object) -> str:
    how = "write one such as registry.example.com/shop/web:1.4.2"
    if not isinstance(value, str):
        raise _refusal(f"expected the reference of an image; {how}")
    if len(value) > _LONGEST or _IMAGE.fullmatch(value) is None:
        raise _refusal(f"'{plain(value, 60)}' is no reference of an image; {how}")
    return value


def _refusal(why: str) -> PydanticCustomError:
    return PydanticCustomError(CODE, "{why}", {"why": why})


ImageText = Annotated[
    str,
    BeforeValidator(_image),
    said("The reference of an image, with a tag or a digest.", "registry.example.com/shop/web:1.4.2"),
]
