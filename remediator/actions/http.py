"""``http``: let a service of the catalog do something."""

from __future__ import annotations

import json
import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from remediator.core.changes import Change, SendRequest
from remediator.core.cluster import Need, Snapshot
from remediator.core.errors import Refused
from remediator.core.plugins import NOTHING, EffectClass, Params, Permission, no_inverse, objection
from remediator.core.probing import ProbeParams, Statuses, probe_url
from remediator.core.requests import HttpRequest
from remediator.core.secret_refs import Secret
from remediator.core.spans import Span
from remediator.core.templated import JsonTemplate
from remediator.core.times import MINUTE, SECOND, Instant, Millis

LONGEST_ANSWER = MINUTE
_PLACEHOLDER = re.compile(r"\{\{.*?\}\}", re.DOTALL)


def _json(text: str) -> str:
    """The text, if it is JSON whatever its templates say: each stands within a string and cannot leave it."""
    try:
        if text:
            json.loads(_PLACEHOLDER.sub("x", text))
    except (ValueError, RecursionError):
        why = "the body is no JSON, or a template stands outside of its strings"
        raise objection("P013", f'{why}; write {{"service": "{{{{ service.name }}}}"}}') from None
    return text


class HttpActionParams(ProbeParams):
    """Parameters of ``http``."""

    method: Literal["POST", "PUT", "PATCH", "DELETE"] = Field(default="POST", description="How it is asked.")
    body: Annotated[JsonTemplate, Field(max_length=2_000), AfterValidator(_json)] = Field(
        default="", description="What is sent, as JSON. Templates may stand in its strings."
    )
    token: Secret | None = Field(
        default=None, description="A bearer token that is sent along, as a reference to a secret."
    )
    expect: Statuses = Field(
        default=["2xx"], description="The status, a range such as 2xx, or a list of them. Default: 2xx."
    )
    timeout: Annotated[Span, Field(le=LONGEST_ANSWER)] = Field(
        default=10 * SECOND,
        description="How long an answer may take, at most 1m; its outcome is unknown after that.",
    )


class Http:
    """Ask a service of the catalog to do something, by HTTP; hosts are those of health URLs.

    Once: the step is its idempotency key (`Idempotency-Key`), and it is never sent again after a crash or a
    lost answer. What became of it is unknown then, and people are asked. No redirect is followed.
    It has no inverse.
    """

    name: ClassVar[str] = "http"
    params: ClassVar[type[Params]] = HttpActionParams
    permissions: ClassVar[tuple[Permission, ...]] = ()
    effect: ClassVar[EffectClass] = EffectClass.ONCE
    needs: ClassVar[frozenset[Need]] = frozenset()
    fenced_on: ClassVar[str] = NOTHING
    invertible: ClassVar[bool] = False
    example: ClassVar[str] = "http: {path: /circuit-breakers/reset, method: POST, expect: 2xx}"

    def disrupts(self, params: Params) -> bool:
        """No pod is taken away. What the service does is its author's to know."""
        return False

    def plan(self, params: Params, seen: Snapshot, *, at: Instant) -> tuple[Change, ...]:
        """One request. Raises Refused where the catalog names no health URL for the service."""
        assert isinstance(params, HttpActionParams)
        url = probe_url(params, seen.service)
        if url is None:
            raise Refused("the service has no health URL in the catalog: there is nobody to ask")
        request = HttpRequest(
            method=params.method,
            url=url,
            body=params.body,
            token=params.token,
            within=Millis(params.timeout),
        )
        target = seen.workload
        return (SendRequest(target=target.ref, uid=target.uid, request=request, expect=tuple(params.expect)),)

    def inverse(self, change: Change, now: Snapshot) -> Change:
        """None: nobody knows what takes back what a service did. Raises Refused."""
        raise no_inverse(self.name)
