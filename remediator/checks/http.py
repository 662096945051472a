"""``http``: a URL of the catalog answers as it should."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from remediator.core.journal import CheckResult
from remediator.core.plugins import HttpAnswer, Params, Permission, Sight
from remediator.core.probing import ProbeParams, Statuses, expected, probe
from remediator.core.templated import PlainTemplate
from remediator.core.text import plain


class HttpParams(ProbeParams):
    """Parameters of ``http``."""

    expect: Statuses = Field(
        default=["200"], description="The status, a range such as 2xx, or a list of them. Default: 200."
    )
    contains: PlainTemplate | None = Field(
        default=None, min_length=1, description="Text that must stand in the first 16 KiB of the body."
    )


class HttpCheck:
    """Holds while a GET of the service's health URL answers with the expected status and text.

    Asked by the daemon itself, once a round: no redirect is followed, and hosts are those of the catalog's
    health URLs. No answer is no failure but unknown: it may be the daemon that is cut off.
    """

    name: ClassVar[str] = "http"
    params: ClassVar[type[Params]] = HttpParams
    permissions: ClassVar[tuple[Permission, ...]] = ()
    example: ClassVar[str] = "http: {path: /health/ready, expect: 2xx, contains: ok, for: 30s}"

    async def ask(self, params: Params, sight: Sight) -> CheckResult:
        """Asks the URL once."""
        assert isinstance(params, HttpParams)
        found = await probe(params, sight)
        if isinstance(found, str):
            return CheckResult(holds=None, observed=found)
        url, answer = found
        return CheckResult(holds=meets(params, answer), observed=_observed(params, plain(url, 80), answer))


def meets(params: HttpParams, answer: HttpAnswer) -> bool:
    """Whether this is the answer that was expected."""
    return expected(answer.status, params.expect) and (
        params.contains is None or params.contains in answer.text
    )


def _observed(params: HttpParams, url: str, answer: HttpAnswer) -> str:
    wanted = " or ".join(params.expect)
    text = f"{url} answered {answer.status}, wanted {wanted}"
    if params.contains is not None:
        has = "with" if params.contains in answer.text else "without"
        text += f"; {has} {plain(params.contains, 40)!r}"
    return text
