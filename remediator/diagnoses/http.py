"""``http``: how the service's health URL answers."""

from __future__ import annotations

from typing import ClassVar

from remediator.core.plugins import Params, Permission, Sight
from remediator.core.probing import ProbeParams, probe
from remediator.core.redact import redact
from remediator.core.text import plain


class HttpAnswers:
    """The status that a GET of the service's health URL has, and the beginning of its body.

    What is obviously a secret there is hidden, as in logs.
    """

    name: ClassVar[str] = "http"
    params: ClassVar[type[Params]] = ProbeParams
    permissions: ClassVar[tuple[Permission, ...]] = ()
    example: ClassVar[str] = "http: {}"

    async def look(self, params: Params, sight: Sight) -> tuple[str, ...]:
        """One line."""
        assert isinstance(params, ProbeParams)
        found = await probe(params, sight)
        if isinstance(found, str):
            return (f"http: {found}",)
        url, answer = found
        said = f": {plain(redact(answer.text))}" if answer.text else ", with nothing in it"
        return (f"{plain(url, 80)} answered {answer.status}{said}",)
