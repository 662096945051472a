"""Refusals: the ``Status`` objects of a real API server, word for word where they are deterministic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from remediator.testing.apiserver.objects import Json


@dataclass(frozen=True, kw_only=True)
class Cause:
    """One thing that is wrong with an object, and where."""

    field: str
    message: str
    reason: str = "FieldValueInvalid"

    @classmethod
    def invalid(cls, field: str, value: str, why: str) -> Cause:
        """A value that may not stand there; ``value`` is written as Go would print it."""
        return cls(field=field, message=f"Invalid value: {value}: {why}")

    @classmethod
    def required(cls, field: str) -> Cause:
        """A value that is missing."""
        return cls(field=field, message="Required value", reason="FieldValueRequired")

    @classmethod
    def forbidden(cls, field: str, why: str) -> Cause:
        """A value that may not be set or changed."""
        return cls(field=field, message=f"Forbidden: {why}", reason="FieldValueForbidden")

    @classmethod
    def unsupported(cls, field: str, value: str, allowed: str) -> Cause:
        """A value outside a closed set."""
        message = f"Unsupported value: {value}: supported values: {allowed}"
        return cls(field=field, message=message, reason="FieldValueNotSupported")

    def as_json(self) -> Json:
        """As it stands in ``details.causes``."""
        return {"reason": self.reason, "message": self.message, "field": self.field}


class ApiError(Exception):
    """A request that is answered with a ``Status`` instead of an object."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: Json | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message
        self.details, self.retry_after = details, retry_after
        self.continue_token: str | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        """Retry-After, where the server names a delay (seconds)."""
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}

    def body(self) -> Json:
        """The ``Status`` object."""
        meta = {"continue": self.continue_token} if self.continue_token else {}
        status: Json = {"kind": "Status", "apiVersion": "v1", "metadata": meta, "status": "Failure"}
        status["message"] = self.message
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = self.details
        return {**status, "code": self.code}


def success(name: str, group: str, kind: str, uid: str) -> Json:
    """What a delete answers when it does not answer the object."""
    details = _details(name, group, kind) | {"uid": uid}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def _details(name: str, group: str, kind: str) -> Json:
    pairs = (("name", name), ("group", group), ("kind", kind))
    return {key: value for key, value in pairs if value}


def qualified(resource: str, group: str) -> str:
    """``deployments.apps``, or ``pods`` in the core group."""
    return f"{resource}.{group}" if group else resource


def not_found(resource: str, group: str, name: str) -> ApiError:
    """No object of that name."""
    message = f'{qualified(resource, group)} "{name}" not found'
    return ApiError(404, "NotFound", message, details=_details(name, group, resource))


def no_such_resource() -> ApiError:
    """The group is known, the version or resource is not."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", details={})


def already_exists(resource: str, group: str, name: str) -> ApiError:
    """A create of something that is there."""
    message = f'{qualified(resource, group)} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, details=_details(name, group, resource))


def modified(resource: str, group: str, name: str) -> ApiError:
    """The resourceVersion in the request is not the present one."""
    why = "the object has been modified; please apply your changes to the latest version and try again"
    return conflict(resource, group, name, why)


def conflict(resource: str, group: str, name: str, why: str) -> ApiError:
    """A precondition does not hold."""
    message = f'Operation cannot be fulfilled on {qualified(resource, group)} "{name}": {why}'
    return ApiError(409, "Conflict", message, details=_details(name, group, resource))


def other_uid(resource: str, group: str, key: tuple[str, str], wanted: str, present: str) -> ApiError:
    """A replacement of another object than the one that is there; ``key``: namespace and name."""
    path = "/".join(part for part in ("/registry", resource, *key) if part)
    failed = f"Precondition failed: UID in precondition: {wanted}, UID in object meta: {present}"
    error = f"StorageError: invalid object, Code: 4, Key: {path}, ResourceVersion: 0"
    return conflict(resource, group, key[1], f"{error}, AdditionalErrorMsg: {failed}")


def unauthorized() -> ApiError:
    """A token that nobody has."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def forbidden(resource: str, group: str, name: str, why: str, *, causes: Sequence[Cause] = ()) -> ApiError:
    """Not allowed, by rights or by admission."""
    subject = qualified(resource, group) + (f' "{name}"' if name else "")
    details = _details(name, group, resource)
    if causes:
        details["causes"] = [cause.as_json() for cause in causes]
    return ApiError(403, "Forbidden", f"{subject} is forbidden: {why}", details=details)


def denied(resource: str, group: str, name: str, policy: str, message: str) -> ApiError:
    """Refused by a ValidatingAdmissionPolicy, whose binding has the same name."""
    text = f"ValidatingAdmissionPolicy '{policy}' with binding '{policy}' denied request: {message}"
    details = _details(name, group, resource) | {"causes": [{"message": text}]}
    shown = f'{qualified(resource, group)} "{name}" is forbidden: {text}'
    return ApiError(422, "Invalid", shown, details=details)


def failed_webhook(name: str, url: str, host: str) -> ApiError:
    """An admission webhook that has to be asked and cannot be reached."""
    call = f'failed to call webhook: Post "{url}": dial tcp: lookup {host}: no such host'
    text = f'failed calling webhook "{name}": {call}'
    shown = f"Internal error occurred: {text}"
    return ApiError(500, "InternalError", shown, details={"causes": [{"message": text}]})


def invalid(kind: str, group: str, name: str, causes: Sequence[Cause]) -> ApiError:
    """An object that breaks the rules of its kind."""
    texts = list(dict.fromkeys(f"{cause.field}: {cause.message}" for cause in causes))
    text = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    details = _details(name, group, kind) | {"causes": [cause.as_json() for cause in causes]}
    return ApiError(422, "Invalid", f'{qualified(kind, group)} "{name}" is invalid: {text}', details=details)


def invalid_patch(shown: str, why: str) -> ApiError:
    """A patch whose result is no object of its kind; ``shown`` is the offending text."""
    cause = Cause.invalid("patch", json_quote(shown), why)
    return invalid("", "", "", [cause])


def invalid_options(options: str, cause: Cause) -> ApiError:
    """A query parameter outside its range."""
    return invalid(options, "meta.k8s.io", "", [cause])


def rejected_patch() -> ApiError:
    """A json-patch that cannot be applied: a failed test, a missing path, an unknown operation."""
    return ApiError(
        422, "Invalid", "the server rejected our request due to an error in our request", details={}
    )


def bad_request(message: str) -> ApiError:
    """Malformed."""
    return ApiError(400, "BadRequest", message)


def method_not_allowed() -> ApiError:
    """A known path, another method."""
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message, details={})


def expired(message: str) -> ApiError:
    """Older than the history that is kept."""
    return ApiError(410, "Expired", message)


def unsupported(what: str) -> ApiError:
    """Kubernetes can do it, this fake cannot: said plainly, so that no test passes by accident."""
    return ApiError(501, "NotImplemented", f"{what} is not supported by this fake API server")


def json_quote(text: str) -> str:
    """A text as Go's %q prints it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
