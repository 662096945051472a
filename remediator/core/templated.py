"""Templates in runbooks, as far as the core knows them: which parameters hold one, and who renders them.

A plugin marks such a parameter by its type. Reading policy files checks the template, starting an attempt
renders it: both are a validation of the same model, with a ``TemplateUse`` as its context. Without one, as
when a step or a check is performed, the text stands for itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from remediator.core.errors import Refused
from remediator.core.text import plain

if TYPE_CHECKING:
    from remediator.core.incident import Incident
    from remediator.core.policies import Policy, Runbook, Service


class Escape(StrEnum):
    """What a value is written as where a template puts it.

    ``promql``: a part of a quoted string; ``url``: a part of a path segment or of a query's value; ``plain``:
    itself, for text that nothing interprets.
    """

    PLAIN = "plain"
    PROMQL = "promql"
    URL = "url"


class TemplateUse(Protocol):
    """What is made of a template while its parameters are validated."""

    def __call__(self, source: str, escape: Escape) -> str:
        """The text that stands for it. Raises PydanticCustomError (cannot be used) or Refused."""


@dataclass(frozen=True, slots=True)
class Templated:
    """Marks text that may hold a template."""

    escape: Escape

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_after_validator_function(self._use, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(schema), "format": "template"}

    def _use(self, text: str, info: ValidationInfo) -> str:
        use: TemplateUse | None = info.context
        return text if use is None else use(text, self.escape)


PlainTemplate = Annotated[str, Templated(Escape.PLAIN)]
PromqlTemplate = Annotated[str, Templated(Escape.PROMQL)]
UrlTemplate = Annotated[str, Templated(Escape.URL)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """What templates of a runbook may read, and nothing of it is a label's or an annotation's.

    ``service``: the incident's, a name of ``[A-Za-z0-9._-]{1,63}`` that strangers may choose; ``entry``: what
    the catalog says of it, if anything.
    """

    incident: str
    severity: str
    service: str
    entry: Service | None


class Renderer(Protocol):
    """Renders every template of a runbook. Pure: the same runbook and scope give the same text."""

    def __call__(self, runbook: Runbook, scope: Scope) -> Runbook:
        """The runbook as it will be performed. Raises Refused, saying which template cannot be rendered."""


def pin(runbook: Runbook, incident: Incident, policy: Policy) -> tuple[Runbook, str]:
    """The runbook as an attempt keeps it: rendered. As written, with the reason, where that cannot be."""
    scope = Scope(
        incident=incident.id,
        severity=incident.severity,
        service=incident.service,
        entry=policy.services.get(incident.service),
    )
    try:
        return policy.render(runbook, scope), ""
    except Refused as error:
        return runbook, plain(str(error), 300)
