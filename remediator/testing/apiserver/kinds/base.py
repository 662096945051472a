"""What the server knows of a kind. Another kind is another file beside this one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from remediator.testing.apiserver.objects import Json
from remediator.testing.apiserver.statuses import Cause

Validate: TypeAlias = Callable[[Json], Sequence[Cause]]
ValidateUpdate: TypeAlias = Callable[[Json, Json], Sequence[Cause]]

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


def _metadata(name: str) -> Callable[[Json], str]:
    return lambda obj: str(obj["metadata"].get(name, ""))


META_FIELDS: dict[str, Callable[[Json], str]] = {
    "metadata.name": _metadata("name"),
    "metadata.namespace": _metadata("namespace"),
}


def _nothing(obj: Json) -> None:
    """No defaults."""


def _fine(*_: Json) -> Sequence[Cause]:
    return ()


def _same(obj: Json) -> Json:
    """Stored as it is served."""
    return obj


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One resource of the API and the rules its objects follow.

    ``defaults`` fills an object in place, ``validate`` and ``validate_update`` name what is wrong with it,
    ``initial`` is the status a new object starts with (None: it has none), ``spec_generation`` says whether
    ``metadata.generation`` counts changes of the spec (``annotation_generation``: of the annotations too),
    ``returns_object``: a delete answers the object. ``unconditional``: a replacement needs no
    resourceVersion. ``create_on_update``: a replacement of nothing creates it. ``propagation``: what becomes
    of the dependents when a delete does not say.

    A second version of a kind is ``stored_as`` the first: ``inward`` makes an object of it the stored form,
    ``outward`` the other way; ``fields`` read the stored form. ``schema`` names the type in ``schema.json``
    where it is not the kind's name.
    """

    name: str
    plural: str
    singular: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    fields: Mapping[str, Callable[[Json], str]] = field(default_factory=lambda: META_FIELDS)
    defaults: Callable[[Json], None] = _nothing
    validate: Validate = _fine
    validate_update: ValidateUpdate = _fine
    initial: Callable[[], Json] | None = None
    spec_generation: bool = False
    annotation_generation: bool = False
    returns_object: bool = False
    scalable: bool = False
    status_subresource: bool = True
    graceful: bool = False
    unconditional: bool = True
    create_on_update: bool = False
    propagation: str = "Background"
    schema: str = ""
    stored_as: Kind | None = None
    inward: Callable[[Json], Json] = _same
    outward: Callable[[Json], Json] = _same

    @property
    def api_version(self) -> str:
        """``apps/v1``, or ``v1`` in the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> tuple[str, str]:
        """Group and plural: what the store files it under."""
        return self.base.group, self.base.plural

    @property
    def base(self) -> Kind:
        """The kind its objects are stored as: itself, but for second versions."""
        return self.stored_as or self

    @property
    def type_name(self) -> str:
        """Its type in ``schema.json``."""
        return self.schema or self.name
