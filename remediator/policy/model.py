"""What every object of policy files has in common: strict models, and what of them is not performed yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, ClassVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    create_model,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from remediator.policy.values import refusal

Path = tuple[str | int, ...]
"""The keys, and places in lists, that lead to something within an object, in the words of the files."""


WHOLE = ""
"""The key of ``Model.unperformed`` that stands for the object itself."""


def _always(model: BaseModel) -> bool:
    return True


@dataclass(frozen=True, kw_only=True, slots=True)
class Unperformed:
    """A key that is read and checked, and that this version does not perform.

    ``code``: of the notice; ``instead``: what happens, as the end of its sentence. ``only``: the value that
    is meant, where others are performed. ``lacks``: in words what a
    runbook, a rule or a guard lacks by it: then changes are blocked. ``meant``: whether the object as it is
    asks for it at all.
    """

    code: str
    instead: str
    only: str = ""
    lacks: str = ""
    meant: Callable[[Any], bool] = _always


class Model(BaseModel):
    """Base of every object: strict, frozen, no unknown keys.

    ``unperformed``: what becomes of keys, as the files write them, that this version does not perform.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)
    unperformed: ClassVar[Mapping[str, Unperformed]] = {}


class OneOf(Model):
    """A mapping whose single key says what it is. Concrete ones are made by ``one_of``.

    ``options``: these keys; ``beside``: keys that may stand next to the chosen one.
    """

    what: ClassVar[str] = ""
    example: ClassVar[str] = ""
    options: ClassVar[frozenset[str]] = frozenset()
    beside: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _single(cls, data: object) -> object:
        if not isinstance(data, dict):
            raise refusal("P013", f"must be a mapping that names one {cls.what}, such as {{{cls.example}}}")
        named = [key for key in data if key in cls.options]
        others = [key for key in data if key not in cls.options and key not in cls.beside]
        if len(named) != 1 and not (not named and len(others) == 1):
            number = len(named) + len(others)
            raise refusal("P013", f"must name exactly one {cls.what}, not {number}; write {{{cls.example}}}")
        return data

    @property
    def chosen(self) -> tuple[str, BaseModel]:
        """The key and what stands under it."""
        fields = type(self).model_fields
        (attribute,) = (name for name in self.model_fields_set if name.startswith(_OPTION))
        value: BaseModel = getattr(self, attribute)
        return fields[attribute].alias or attribute, value


_OPTION = "option_"


def _empty_is_default(value: object) -> object:
    return {} if value is None else value


def one_of(
    base: type[OneOf],
    title: str,
    options: Mapping[str, type[BaseModel]],
    *,
    docs: Mapping[str, str],
    unperformed: Mapping[str, Unperformed] = MappingProxyType({}),
) -> type[OneOf]:
    """The model of a mapping with exactly one of the keys of ``options``, and what ``base`` says beside it.

    ``docs``: what each key means.
    """
    fields = {
        f"{_OPTION}{name}": (
            Annotated[model, BeforeValidator(_empty_is_default)],
            Field(default=None, alias=name, description=docs[name]),
        )
        for name, model in options.items()
    }
    made: type[OneOf] = create_model(  # type: ignore[call-overload]
        title, __base__=base, __doc__=base.__doc__, **fields
    )
    made.options = frozenset(options)
    made.beside = frozenset(field.alias or name for name, field in base.model_fields.items())
    made.unperformed = {**base.unperformed, **unperformed}
    return made


class AlsoWords:
    """Tells the JSON schema of a ``OneOf`` that a word may stand for an option that needs nothing."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        made = handler(schema)
        options = handler.resolve_ref_schema(made)["properties"]
        words = [
            name for name, each in options.items() if not handler.resolve_ref_schema(each).get("required")
        ]
        return {"anyOf": [{"enum": words}, made]}


def not_performed(model: BaseModel, path: Path = ()) -> Iterator[tuple[Path, Unperformed, object]]:
    """Everything that an object asks for and that is not performed: where, what of it, and its value."""
    unperformed: Mapping[str, Unperformed] = getattr(model, "unperformed", {})
    if WHOLE in unperformed:
        yield path, unperformed[WHOLE], model
    for name, field in type(model).model_fields.items():
        if name not in model.model_fields_set:
            continue
        key, value = field.alias or name, getattr(model, name)
        here = path if name == "root" else (*path, key)
        known = unperformed.get(key)
        if known is not None and known.meant(model):
            yield here, known, value
        yield from _within(value, here)


def _within(value: object, path: Path) -> Iterator[tuple[Path, Unperformed, object]]:
    if isinstance(value, BaseModel):
        yield from not_performed(value, path)
    elif isinstance(value, list | tuple):
        for number, each in enumerate(value):
            yield from _within(each, (*path, number))


def lacking(model: BaseModel) -> tuple[str, ...]:
    """What keeps the object from changing anything in this version, in words, each once."""
    return tuple(dict.fromkeys(each.lacks for _, each, _ in not_performed(model) if each.lacks))
