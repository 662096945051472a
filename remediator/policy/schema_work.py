"""The shape of what is done: ``rules`` and ``runbooks``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from remediator.core.classify import TARGET
from remediator.core.policies import ApprovalTerms, AttemptLimits, Mode, Rule, Runbook, TargetSelector
from remediator.core.spans import Duration, PositiveDuration
from remediator.core.text import UNKNOWN
from remediator.core.times import HOUR, MINUTE, Millis
from remediator.policy.model import Model, OneOf, Unperformed, lacking
from remediator.policy.plugins import (
    CheckModel,
    DiagnosisModel,
    StepModel,
    disrupts,
    to_check,
    to_diagnosis,
    to_step,
)
from remediator.policy.raises import RaiseModel, Raises, Where, build_raises
from remediator.policy.templates import LabelTemplate, compile_template, sample_of
from remediator.policy.values import LabelName, MatcherText, Name, SelectorText, refusal

_NOWHERE = frozenset(("node",))
"""Kinds of objects that belong to no namespace."""


class TargetModel(Model):
    """``target`` of a rule: the one object that the labels of an alert name."""

    pod: SelectorText | None = Field(default=None, description="A pod: `namespace/name`.")
    deployment: SelectorText | None = Field(default=None, description="A Deployment: `namespace/name`.")
    statefulset: SelectorText | None = Field(default=None, description="A StatefulSet: `namespace/name`.")
    daemonset: SelectorText | None = Field(default=None, description="A DaemonSet: `namespace/name`.")
    replicaset: SelectorText | None = Field(default=None, description="A ReplicaSet: `namespace/name`.")
    job: SelectorText | None = Field(default=None, description="A Job: `namespace/name`.")
    node: SelectorText | None = Field(default=None, description="A node: its name.")

    @model_validator(mode="after")
    def _one_object(self) -> Self:
        kinds = [kind for kind in type(self).model_fields if getattr(self, kind) is not None]
        if len(kinds) != 1:
            raise refusal(
                "P013",
                "must name one object, such as {pod: '{{ labels.namespace }}/{{ labels.pod }}'}",
            )
        slashes = sample_of(self.selector).count("/")
        if slashes != (0 if kinds[0] in _NOWHERE else 1):
            how = "its name alone" if kinds[0] in _NOWHERE else "namespace/name"
            raise refusal(
                "P013", f"a {kinds[0]} is named by {how}: write {kinds[0]}: '{_EXAMPLES[slashes == 0]}'"
            )
        return self

    @property
    def kind(self) -> str:
        """Of which kind it is."""
        return next(kind for kind in type(self).model_fields if getattr(self, kind) is not None)

    @property
    def selector(self) -> LabelTemplate:
        """The template that names it."""
        found: LabelTemplate = getattr(self, self.kind)
        return found

    def build(self) -> TargetSelector:
        """The core value."""
        return TargetSelector(kind=self.kind, selector=self.selector)


_EXAMPLES = {True: "{{ labels.namespace }}/{{ labels.pod }}", False: "{{ labels.node }}"}


class RuleModel(Model):
    """An item of ``rules``: which alerts are meant, how severe they are and what may be done."""

    unperformed: ClassVar[Mapping[str, Unperformed]] = {
        "channels": Unperformed(
            code="N713", instead="nothing is written there; people are asked by the escalation alone"
        ),
    }
    name: Name = Field(description="Its name, which no other rule has.")
    match: list[MatcherText] = Field(
        description="Alertmanager matchers that must all hold; `[]` matches every alert."
    )
    severity: str = Field(description="The name of the severity that its incidents get.")
    service: SelectorText | None = Field(
        default=None,
        description="A template that selects the service. Default: label `service`, then `app`, then `job`.",
    )
    target: TargetModel | None = Field(
        default=None,
        description="The object that the labels name: the workload that owns it is what may be changed, in "
        "guards.namespaces; of a `node` it is the node itself, by actions on nodes alone. "
        "Labels of an exporter itself are told apart from `exported_` ones.",
    )
    group_by: Annotated[list[LabelName], Field(min_length=1)] = Field(
        default_factory=lambda: ["service"],
        description="Labels that tell incidents apart; `service` and `target` are what was selected. "
        "With `target` the default is `[target]`.",
    )
    hold: Duration = Field(
        default=0, description="How long an alert must fire before an incident opens at all."
    )
    mode: Literal["observe", "suggest", "approve", "auto"] = Field(
        default="observe",
        description="What the rule is trusted with; the daemon has a ceiling of its own. `approve`: a person "
        "is asked, within 15m unless the runbook's `approval` says otherwise.",
    )
    runbooks: list[str] = Field(
        default_factory=list,
        description="Names of runbooks, tried in order; the next only if the one before is not verified.",
    )
    raises: Raises = Field(
        default_factory=list,
        alias="raise",
        description="When its incidents become more severe: one entry, or a list.",
    )
    channels: list[str] = Field(
        default_factory=list, description="Names of the channels that are told of its incidents."
    )

    @model_validator(mode="after")
    def _grouped(self) -> Self:
        if TARGET in self.group_by and self.target is None:
            raise refusal("P012", "names target, but the rule has none; add target:", key="group_by")
        return self

    def build(self, where: Where) -> Rule:
        """The core value. ``where``: the places of its keys."""
        raises: RaiseModel | list[RaiseModel] = self.raises
        return Rule(
            name=self.name,
            matchers=tuple(self.match),
            severity=self.severity,
            service=self._service(),
            target=self.target.build() if self.target is not None else None,
            group_by=self._group_by(),
            hold=Millis(self.hold),
            mode=Mode(self.mode),
            runbooks=tuple(dict.fromkeys(self.runbooks)),
            raises=build_raises(raises, where),
            lacks=lacking(self),
            where=where(),
        )

    def _service(self) -> LabelTemplate | None:
        """With a target, the labels ``service``, ``app`` and ``job`` are mostly those of the exporter."""
        if self.service is None and self.target is not None:
            return compile_template(UNKNOWN)
        return self.service

    def _group_by(self) -> tuple[str, ...]:
        """With a target, by the object that is named."""
        named = self.target is not None and "group_by" not in self.model_fields_set
        return tuple(dict.fromkeys([TARGET] if named else self.group_by))


class LimitsModel(Model):
    """``limits`` of a runbook: how often it may be tried on one target."""

    attempts: Annotated[int, Field(ge=1, le=100)] = Field(
        default=3, description="How many attempts are made in any window of `per`."
    )
    per: PositiveDuration = Field(default=HOUR, description="The length of that window.")
    cooldown: Duration = Field(default=10 * MINUTE, description="The least time between two attempts.")


class ApprovalModel(Model):
    """``approval`` of a runbook: a person must agree before it changes anything."""

    asked_for: Annotated[list[str], Field(min_length=1)] = Field(
        alias="for",
        description="Names of the severities for which it is asked even where the rule is in mode `auto`.",
    )
    within: PositiveDuration = Field(description="How long an answer is waited for.")
    by: list[Annotated[str, Field(min_length=1, max_length=63)]] = Field(
        default_factory=list, description="Who may agree: people or roles. Default: anyone with an API token."
    )
    otherwise: Literal["page"] = Field(
        default="page", description="What happens without an answer in time: people are paged."
    )

    def build(self) -> ApprovalTerms:
        """The core value."""
        return ApprovalTerms(
            asked_for=tuple(dict.fromkeys(self.asked_for)),
            within=Millis(self.within),
            by=tuple(dict.fromkeys(self.by)),
        )


class RunbookModel(Model):
    """An entry of ``runbooks``: what is looked at, done and proven."""

    summary: str = Field(default="", description="What it does, in a sentence for people.")
    diagnose: list[DiagnosisModel] = Field(  # type: ignore[valid-type]
        default_factory=list, description="Diagnoses: what is looked at before anything is changed."
    )
    steps: Annotated[list[StepModel], Field(min_length=1)] = Field(  # type: ignore[valid-type]
        description="Actions, one after the other."
    )
    verify: list[CheckModel] = Field(  # type: ignore[valid-type]
        default_factory=list, description="Checks that must all hold for the attempt to be verified."
    )
    undo: Literal["never", "on_failure"] = Field(
        default="never", description="Whether what was changed is taken back after a failed verification."
    )
    limits: LimitsModel = Field(default=LimitsModel(), description="How often it may be tried on one target.")
    approval: ApprovalModel | None = Field(
        default=None,
        description="A person must agree before it changes anything. "
        "Where only the rule's `mode` asks, the rest holds too.",
    )
    during: list[str] = Field(
        default_factory=list,
        description="Names of time_intervals; it changes nothing outside of them. Default: at any time.",
    )

    def build(self, name: str) -> Runbook:
        """The core value."""
        limits = self.limits
        diagnose: list[OneOf] = self.diagnose
        steps: list[OneOf] = self.steps
        verify: list[OneOf] = self.verify
        done = tuple(map(to_step, steps))
        return Runbook(
            name=name,
            summary=self.summary,
            diagnose=tuple(map(to_diagnosis, diagnose)),
            steps=done,
            evidence=any(map(disrupts, done)),
            verify=tuple(map(to_check, verify)),
            undo=self.undo == "on_failure",
            limits=AttemptLimits(
                attempts=limits.attempts, per=Millis(limits.per), cooldown=Millis(limits.cooldown)
            ),
            during=tuple(dict.fromkeys(self.during)),
            approval=self.approval.build() if self.approval is not None else None,
            lacks=lacking(self),
        )
