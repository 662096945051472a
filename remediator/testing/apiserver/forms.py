"""The forms an answer can have, and which of them a client prefers: the Accept header."""

from __future__ import annotations

from enum import StrEnum

from remediator.testing.apiserver.statuses import ApiError, unsupported

_AVAILABLE = (
    "application/json, application/yaml, application/vnd.kubernetes.protobuf, "
    "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch"
)
_JSON = {"*/*", "application/*", "application/json"}


class Form(StrEnum):
    """What an object or a list is sent as."""

    WHOLE = ""
    PARTIAL = "PartialObjectMetadata"
    TABLE = "Table"


_NAMED = {"PartialObjectMetadata": Form.PARTIAL, "PartialObjectMetadataList": Form.PARTIAL}
_NAMED |= {"Table": Form.TABLE}


def preferred(accept: str, verb: str) -> Form:
    """The first form in the header that this server has for the verb.

    Raises ApiError 406 when it has none, 501 for a watch that must be a table.
    """
    wanted = [part.strip() for part in accept.split(",") if part.strip()]
    if not wanted:
        return Form.WHOLE
    for part in wanted:
        media, _, parameters = part.partition(";")
        named = dict(one.strip().partition("=")[::2] for one in parameters.split(";") if one)
        form = _NAMED.get(named.get("as", ""), Form.WHOLE)
        if media in _JSON and not (form is Form.TABLE and verb == "watch"):
            return form
    if any("as=Table" in part for part in wanted):
        raise unsupported("a watch in the Table form")
    message = f"406: Not Acceptable\n\nAvailable representations: {_AVAILABLE}"
    raise ApiError(406, "NotAcceptable", message, details={})
