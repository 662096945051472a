"""Templates in runbooks, as far as the core knows them: which parameters hold one, and who renders them.

A plugin marks such a parameter by its type. Reading policy files checks the template, starting an attempt
renders it: both are a validation of the same model, with a ``TemplateUse`` as its context. Without one, as
when a step or a check is performed, the text stands for itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Protocol

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema


class Escape(StrEnum):
    """What a value is written as where a template puts it.

    ``promql``: a part of a quoted string; ``url``: a part of a path segment or of a query's value;
    ``json``: a part of a string of JSON; ``plain``: itself, for text that nothing interprets.
    """

    PLAIN = "plain"
    PROMQL = "promql"
    URL = "url"
    JSON = "json"


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
JsonTemplate = Annotated[str, Templated(Escape.JSON)]
UrlTemplate = Annotated[str, Templated(Escape.URL)]
