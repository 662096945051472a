"""Steps, checks, diagnoses and channels as policy files write them: mappings with a single key.

The models follow from the registries: a new plugin is known here without a change.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, create_model, model_validator

from remediator.actions import ACTIONS
from remediator.channels.settings import CHANNEL_SETTINGS, SENDABLE
from remediator.checks import CHECKS
from remediator.core.plugins import EffectClass, Params
from remediator.core.policies import ChannelSpec, Check, Diagnosis, SecretRef, Step
from remediator.core.spans import Duration, PositiveDuration
from remediator.core.times import MINUTE, Millis, format_duration
from remediator.diagnoses import DIAGNOSES
from remediator.policy.model import AlsoWords, Model, OneOf, Unperformed, one_of
from remediator.policy.values import refusal

WAIT, PAUSE = "wait", "pause"
EFFECTS = tuple(EffectClass)
"""The classes of effects, the strictest last."""
EffectText = Literal["idempotent", "fenced", "once"]
AUTHORS = frozenset(("exec", "http", "job"))
"""Actions of which only their author knows what repeating them does: a weaker ``effect`` is believed."""


def _first_sentence(plugin: object) -> str:
    text = inspect.getdoc(plugin if isinstance(plugin, type) else type(plugin)) or ""
    return " ".join(text.split("\n\n")[0].split()).replace("``", "`")


def _docs(*registries: Mapping[str, object]) -> dict[str, str]:
    return {name: _first_sentence(plugin) for each in registries for name, plugin in each.items()}


def _unperformed(code: str, what: str, instead: str, names: Iterable[str]) -> dict[str, Unperformed]:
    return {name: Unperformed(code=code, instead=instead, lacks=f"{what} {name}") for name in names}


def _with_times(name: str, params: type[BaseModel]) -> type[BaseModel]:
    """A check's own parameters and, beside them, ``for`` and ``within``."""
    stable = Field(default=0, alias="for", description="It must have held for that long.")
    within = Field(
        default=5 * MINUTE,
        description="How long to wait for it. All are waited for as long as the longest of them.",
    )
    made: type[BaseModel] = create_model(
        f"{name}_check",
        __base__=params,
        __doc__=params.__doc__,
        time_stable=(Duration, stable),
        within=(PositiveDuration, within),
    )
    return made


class CheckBase(OneOf):
    """One check: its name and its parameters, `for` and `within` among them."""

    what: ClassVar[str] = "check"
    example: ClassVar[str] = "ready: {for: 30s}"


_CHECK_PARAMS: dict[str, type[Params]] = {name: check.params for name, check in CHECKS.items()}
_CHECK_DOCS = _docs(CHECKS)
CheckModel = one_of(
    CheckBase,
    "Check",
    {name: _with_times(name, params) for name, params in _CHECK_PARAMS.items()},
    docs=_CHECK_DOCS,
)


def _word_is_mapping(value: object) -> object:
    return {value: None} if isinstance(value, str) else value


_Words = (BeforeValidator(_word_is_mapping), AlsoWords())
_AwaitedCheck = Annotated[CheckModel, *_Words]  # type: ignore[valid-type]


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


class PauseModel(Model):
    """Do nothing for a while before the next step. To go on as soon as something holds, see `wait`.

    It changes nothing, so no guard is asked, and it outlives a restart. Where all alerts have resolved by its
    end and nothing was changed before it, the attempt ends with it.
    """

    example: ClassVar[str] = "pause: {for: 30s}"
    span: PositiveDuration = Field(alias="for", description="How long.")


IDLE_STEPS: Mapping[str, type[Model]] = {WAIT: WaitModel, PAUSE: PauseModel}
"""Steps that change nothing, by their names."""


class _ConditionBase(OneOf):
    """``when`` of a step: a check that is asked once, before the step."""

    what: ClassVar[str] = "check"
    example: ClassVar[str] = "promql: {query: 'up', above: 0}"


ConditionModel = one_of(_ConditionBase, "Condition", _CHECK_PARAMS, docs=_CHECK_DOCS)
_Condition = Annotated[ConditionModel, *_Words]  # type: ignore[valid-type]


def own_effect(action: str) -> EffectClass | None:
    """What may happen when the action is performed again; None: it changes nothing."""
    known = ACTIONS.get(action)
    return known.effect if known is not None else None


class StepBase(OneOf):
    """One step: an action and its parameters, and beside it when it is done and what repeating it does."""

    what: ClassVar[str] = "action"
    example: ClassVar[str] = "restart: {}"
    when: _Condition | None = Field(
        default=None,
        description="A check, asked once before the step, which is left out unless it holds. Where that "
        "cannot be found out, the attempt is blocked, and people are asked.",
    )
    effect: EffectText | None = Field(
        default=None,
        description="What repeating it after a crash does: nothing (`idempotent`), nothing as it is refused "
        "(`fenced`), or harm (`once`: it is never repeated). Default: what the action says of itself.",
    )

    @model_validator(mode="after")
    def _honest(self) -> Self:
        action = self.chosen[0]
        own = own_effect(action)
        if self.effect is None:
            return self
        if own is None:
            raise refusal("P013", f"{action} changes nothing, so it has none; remove effect", key="effect")
        if EFFECTS.index(EffectClass(self.effect)) < EFFECTS.index(own) and action not in AUTHORS:
            raise refusal(
                "P024",
                f"{action} is {own}, and effect can only be stricter; write {own} or remove it",
                key="effect",
            )
        return self


class _DiagnosisBase(OneOf):
    """One diagnosis: its name and its parameters."""

    what: ClassVar[str] = "diagnosis"
    example: ClassVar[str] = "pods: {}"


class _ChannelBase(OneOf):
    """An entry of ``channels``: its kind and its settings."""

    what: ClassVar[str] = "kind of channel"
    example: ClassVar[str] = "pagerduty: {routing_key: {env: PAGERDUTY_ROUTING_KEY}}"


StepModel = one_of(
    StepBase,
    "Step",
    {name: action.params for name, action in ACTIONS.items()} | dict(IDLE_STEPS),
    docs=_docs(ACTIONS, IDLE_STEPS),
    unperformed={},
)
DiagnosisModel = one_of(
    _DiagnosisBase,
    "Diagnosis",
    {name: diagnosis.params for name, diagnosis in DIAGNOSES.items()},
    docs=_docs(DIAGNOSES),
    unperformed={},
)
ChannelModel = one_of(
    _ChannelBase,
    "Channel",
    CHANNEL_SETTINGS,
    docs={name: _first_sentence(settings) for name, settings in CHANNEL_SETTINGS.items()},
    unperformed=_unperformed(
        "N719",
        "",
        "a page to it is refused and becomes a dead letter, and the next level is asked",
        CHANNEL_SETTINGS.keys() - SENDABLE,
    ),
)


def _dumped(params: BaseModel) -> dict[str, Any]:
    return params.model_dump(mode="json", by_alias=True, exclude_none=True)


def to_step(model: OneOf) -> Step:
    """The core value of a step. Parameters are JSON-like."""
    name, params = model.chosen
    asked = getattr(model, "when", None)
    when = None if asked is None else _condition(asked)
    if isinstance(params, WaitModel):
        check = replace(to_check(params.what), within=Millis(params.timeout))
        return Step(action=name, params={"for": check.check, **check.params}, wait=check, when=when)
    if isinstance(params, PauseModel):
        span = {"for": format_duration(params.span)}
        return Step(action=name, params=span, pause=Millis(params.span), when=when)
    said = model.effect if isinstance(model, StepBase) else None
    effect = said if said != own_effect(name) else None
    return Step(action=name, params=_dumped(params), when=when, effect=effect)


def _condition(model: OneOf) -> Check:
    """The check of ``when``: it is asked once, so for how long it must hold is of no interest."""
    name, params = model.chosen
    return Check(check=name, params=_dumped(params))


def disrupts(step: Step) -> bool:
    """Whether it may take healthy pods away; when that cannot be told before its templates are rendered."""
    action = ACTIONS.get(step.action)
    if action is None:
        return False
    try:
        return action.disrupts(action.params.model_validate(dict(step.params)))
    except ValidationError:
        return True


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
    fields = type(settings).model_fields
    given = {field.alias or key: getattr(settings, key) for key, field in fields.items()}
    return ChannelSpec(
        name=name,
        kind=kind,
        settings={
            key: ", ".join(value) if isinstance(value, list) else str(value)
            for key, value in given.items()
            if value and not isinstance(value, SecretRef)
        },
        secrets={key: value for key, value in given.items() if isinstance(value, SecretRef)},
    )
