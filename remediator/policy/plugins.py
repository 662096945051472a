"""Steps, checks, diagnoses and channels as policy files write them: mappings with a single key.

The models follow from the registries: a new plugin is known here without a change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
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

from remediator.actions import ACTIONS
from remediator.channels.settings import CHANNEL_SETTINGS
from remediator.checks import CHECKS
from remediator.core.policies import ChannelSpec, Check, Diagnosis, SecretRef, Step
from remediator.core.times import MINUTE, Millis
from remediator.diagnoses import DIAGNOSES
from remediator.policy.values import Duration, PositiveDuration, refusal

LATER_ACTIONS = frozenset(
    {"set_image", "set_resources", "isolate", "hpa", "cordon", "drain", "uncordon", "job", "exec", "http"}
    | {"silence", "pause"}
)
LATER_CHECKS = frozenset(("exec", "logs", "no_recurrence"))
LATER_DIAGNOSES = frozenset(("pvcs", "top", "exec", "traces"))
LATER_CHANNELS = frozenset(("slack", "statuspage", "jira", "email", "webhook", "apprise"))


class Model(BaseModel):
    """Base of every object: strict, frozen, no unknown keys.

    ``later``: keys of the policy language that this version does not support. They are refused as such,
    never silently ignored.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)
    later: ClassVar[frozenset[str]] = frozenset()


class OneOf(Model):
    """A mapping whose single key says what it is. Concrete ones are made by ``one_of``."""

    what: ClassVar[str] = ""
    example: ClassVar[str] = ""
    options: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _single(cls, data: object) -> object:
        if not isinstance(data, dict):
            raise refusal("P013", f"must be a mapping that names one {cls.what}, such as {{{cls.example}}}")
        if len(data) != 1:
            raise refusal(
                "P013", f"must name exactly one {cls.what}, not {len(data)}; write {{{cls.example}}}"
            )
        return data

    @property
    def chosen(self) -> tuple[str, BaseModel]:
        """The key and what stands under it."""
        (attribute,) = self.model_fields_set
        field = type(self).model_fields[attribute]
        value: BaseModel = getattr(self, attribute)
        return field.alias or attribute, value


def _empty_is_default(value: object) -> object:
    return {} if value is None else value


def one_of(
    title: str, what: str, options: Mapping[str, type[BaseModel]], later: Iterable[str], example: str
) -> type[OneOf]:
    """The model of a mapping with exactly one of the keys of ``options``."""
    fields = {
        f"option_{name}": (
            Annotated[model, BeforeValidator(_empty_is_default)],
            Field(default=None, alias=name),
        )
        for name, model in options.items()
    }
    made: type[OneOf] = create_model(title, __base__=OneOf, **fields)  # type: ignore[call-overload]
    made.options = frozenset(options)
    made.what, made.example, made.later = what, example, frozenset(later) - options.keys()
    return made


def _with_times(name: str, params: type[BaseModel]) -> type[BaseModel]:
    """A check's own parameters and, beside them, ``for`` and ``within``."""
    stable = Field(default=0, alias="for", description="It must have held for that long.")
    within = Field(default=5 * MINUTE, description="How long to wait for it.")
    made: type[BaseModel] = create_model(
        f"{name}_check", __base__=params, time_stable=(Duration, stable), within=(PositiveDuration, within)
    )
    return made


CheckModel = one_of(
    "Check",
    "check",
    {n: _with_times(n, c.params) for n, c in CHECKS.items()},
    LATER_CHECKS,
    "ready: {for: 30s}",
)


def _word_is_check(value: object) -> object:
    return {value: None} if isinstance(value, str) else value


class _AlsoWords:
    """Tells the JSON schema the words that stand for a check: those whose parameters all have defaults."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        fields = CheckModel.model_fields.values()
        options = {str(each.alias): each.annotation for each in fields}
        words = [
            name
            for name, model in options.items()
            if isinstance(model, type) and not any(f.is_required() for f in model.model_fields.values())
        ]
        return {"anyOf": [{"enum": words}, handler(schema)]}


_AwaitedCheck = Annotated[CheckModel, BeforeValidator(_word_is_check), _AlsoWords()]  # type: ignore[valid-type]


class WaitModel(Model):
    """Go on when a check holds; when it does not in time, the attempt has failed.

    It changes nothing, so no guard is asked. A check that needs no parameters can be written as a word.
    """

    example: ClassVar[str] = "wait: {for: ready, timeout: 5m}"
    what: _AwaitedCheck = Field(
        alias="for", description="The check: `ready`, or `{endpoints: {at_least: 2}}`."
    )
    timeout: PositiveDuration = Field(default=5 * MINUTE, description="How long to wait for it.")

    @model_validator(mode="after")
    def _one_end(self) -> WaitModel:
        what: OneOf = self.what
        if "within" in what.chosen[1].model_fields_set:
            raise refusal("P013", "'within' is for verify; say how long to wait under timeout: {timeout: 5m}")
        return self


WAIT = "wait"
StepModel = one_of(
    "Step",
    "action",
    {**{n: a.params for n, a in ACTIONS.items()}, WAIT: WaitModel},
    LATER_ACTIONS,
    "restart: {}",
)
DiagnosisModel = one_of(
    "Diagnosis", "diagnosis", {n: d.params for n, d in DIAGNOSES.items()}, LATER_DIAGNOSES, "pods: {}"
)
ChannelModel = one_of(
    "Channel",
    "kind of channel",
    CHANNEL_SETTINGS,
    LATER_CHANNELS,
    "pagerduty: {routing_key: {env: PAGERDUTY_ROUTING_KEY}}",
)


def _dumped(params: BaseModel) -> dict[str, Any]:
    return params.model_dump(mode="json", by_alias=True, exclude_none=True)


def to_step(model: OneOf) -> Step:
    """The core value of a step. Parameters are JSON-like."""
    name, params = model.chosen
    if isinstance(params, WaitModel):
        check = replace(to_check(params.what), within=Millis(params.timeout))
        return Step(action=name, params={"for": check.check, **check.params}, wait=check)
    return Step(action=name, params=_dumped(params))


def to_diagnosis(model: OneOf) -> Diagnosis:
    """The core value of a diagnosis."""
    name, params = model.chosen
    return Diagnosis(diagnosis=name, params=_dumped(params))


def to_check(model: OneOf) -> Check:
    """The core value of a check."""
    name, params = model.chosen
    own = _dumped(params)
    return Check(check=name, stable=own.pop("for"), within=own.pop("within"), params=own)


def to_channel(name: str, model: OneOf) -> ChannelSpec:
    """The core value of a channel: settings here, references to secrets there."""
    kind, settings = model.chosen
    given = {key: getattr(settings, key) for key in type(settings).model_fields}
    return ChannelSpec(
        name=name,
        kind=kind,
        settings={
            key: str(value) for key, value in given.items() if value and not isinstance(value, SecretRef)
        },
        secrets={key: value for key, value in given.items() if isinstance(value, SecretRef)},
    )
