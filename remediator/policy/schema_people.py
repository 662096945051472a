"""The shape of what concerns people: severities, escalations, operator, templates, heartbeat, drills."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Discriminator, Field, RootModel, Tag, model_validator

from remediator.core.policies import (
    Escalation,
    Level,
    PageNever,
    PageNow,
    PagePolicy,
    PageUnlessVerified,
    Severity,
)
from remediator.core.spans import PositiveDuration
from remediator.core.times import Millis
from remediator.policy.cron import CronText
from remediator.policy.model import WHOLE, Model, Unperformed
from remediator.policy.raises import RaiseModel, Raises, Where, build_raises
from remediator.policy.texts import PeopleText
from remediator.policy.values import MatcherText, Namespace, WebAddress, refusal


class UnlessVerifiedModel(Model):
    """``page``: remediate first, and page if that is not verified in time."""

    unless_verified_within: PositiveDuration = Field(
        description="How long after it opened a fix must be verified, or people are paged."
    )


def _page_form(value: object) -> str:
    return "mapping" if isinstance(value, dict) else "word"


Page = Annotated[
    Annotated[Literal["now", "never"], Tag("word")] | Annotated[UnlessVerifiedModel, Tag("mapping")],
    Discriminator(_page_form),
]


def _to_page(page: str | UnlessVerifiedModel) -> PagePolicy:
    if isinstance(page, UnlessVerifiedModel):
        return PageUnlessVerified(within=Millis(page.unless_verified_within))
    return PageNow() if page == "now" else PageNever()


class WarRoomModel(Model):
    """``war_room`` of a severity: where people meet."""

    link: WebAddress | None = Field(default=None, description="The web address of the call.")
    channel: str | None = Field(
        default=None, min_length=1, description="The chat channel, such as `#sev1-incident`."
    )
    roles: list[Annotated[str, Field(min_length=1, max_length=63)]] = Field(
        default_factory=list, description="The roles that are to be taken, such as commander."
    )

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if self.link is None and self.channel is None:
            raise refusal("P012", "says nowhere to meet; add link: or channel:")
        return self


class MilestonesModel(Model):
    """``milestones`` of a severity: by when, counted from the opening, what must be done."""

    declare: PositiveDuration | None = Field(
        default=None, description="By when the incident is declared to people."
    )
    diagnose: PositiveDuration | None = Field(default=None, description="By when its cause is known.")
    mitigate: PositiveDuration | None = Field(default=None, description="By when something is done about it.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        given = [(name, span) for name in _MILESTONES if (span := getattr(self, name)) is not None]
        if not given:
            raise refusal("P012", "names no milestone; write one such as diagnose: 15m")
        for (first, early), (second, late) in pairwise(given):
            if late < early:
                why = f"{second} comes before {first}; a milestone follows the one before it"
                raise refusal("P013", why, key=second)
        return self


_MILESTONES = ("declare", "diagnose", "mitigate")


class SeverityModel(Model):
    """An entry of ``severities``: one of SEV-1 to SEV-4, and what it promises."""

    unperformed: ClassVar[Mapping[str, Unperformed]] = {
        "channels": Unperformed(
            code="N713", instead="nothing is written there; people are asked by the escalation alone"
        ),
        "war_room": Unperformed(code="N714", instead="nobody is invited; people open it by hand"),
        "customers": Unperformed(
            code="N715",
            only="`allow`",
            instead="customers are told nothing",
            meant=lambda severity: severity.customers == "allow",
        ),
        "postmortem_within": Unperformed(code="N716", instead="nobody is reminded of the post-mortem"),
        "milestones": Unperformed(code="N717", instead="nobody is reminded when one is missed"),
    }
    summary: str = Field(default="", description="What the severity means, in a sentence for people.")
    respond_within: PositiveDuration | None = Field(
        default=None,
        description="How long after it opened, or opened again, a person must have acknowledged it.",
    )
    resolve_within: PositiveDuration | None = Field(
        default=None, description="How long after it opened, or opened again, the incident must be over."
    )
    update_every: PositiveDuration | None = Field(
        default=None, description="How often those who wait are told how it stands."
    )
    page: Page = Field(
        default="never",
        description="When people are paged: at once, never, or unless a fix is verified in time.",
    )
    escalation: str | None = Field(
        default=None, description="The name of the escalation that is paged; needed unless `page` is `never`."
    )
    raises: Raises = Field(
        default_factory=list,
        alias="raise",
        description="When an incident of this severity gets a more severe one: one entry, or a list.",
    )
    channels: list[str] = Field(
        default_factory=list, description="Names of the channels that are told of its incidents."
    )
    war_room: WarRoomModel | None = Field(default=None, description="Where people meet.")
    customers: Literal["allow", "never"] = Field(
        default="never", description="Whether its incidents may be told to customers."
    )
    postmortem_within: PositiveDuration | None = Field(
        default=None, description="How long after it is over a post-mortem must be written."
    )
    milestones: MilestonesModel | None = Field(
        default=None, description="By when its incidents are declared, diagnosed and mitigated."
    )

    def build(self, name: str, where: Where) -> Severity:
        """The core value. ``where``: the places of its keys."""
        raises: RaiseModel | list[RaiseModel] = self.raises
        return Severity(
            name=name,
            summary=self.summary,
            respond_within=_span(self.respond_within),
            resolve_within=_span(self.resolve_within),
            update_every=_span(self.update_every),
            page=_to_page(self.page),
            escalation=self.escalation,
            raises=build_raises(raises, where),
        )


def _span(span: int | None) -> Millis | None:
    return None if span is None else Millis(span)


class LevelModel(Model):
    """One level of an escalation."""

    level: Annotated[int, Field(ge=1, le=20)] = Field(description="Its number, from 1 without a gap.")
    channels: Annotated[list[str], Field(min_length=1)] = Field(
        description="Names of the channels that are paged, all at once."
    )
    acknowledge_within: PositiveDuration | None = Field(
        default=None,
        description="How long after a channel took the page somebody must acknowledge it, or the next level "
        "is asked. Without it the level is the last that is reached without a person.",
    )
    progress_within: PositiveDuration | None = Field(
        default=None,
        description="How long after somebody acknowledged the incident must be over, or the next level is "
        "asked.",
    )


class EscalationModel(RootModel[Annotated[list[LevelModel], Field(min_length=1)]]):
    """An entry of ``escalations``: its levels, from 1 without a gap."""

    @model_validator(mode="after")
    def _numbered(self) -> Self:
        numbers = [level.level for level in self.root]
        if numbers != list(range(1, len(numbers) + 1)):
            shown = ", ".join(map(str, numbers[:20]))
            raise refusal(
                "P013", f"the levels are numbered {shown}; number them from 1 upwards without a gap"
            )
        return self

    def build(self, name: str) -> Escalation:
        """The core value."""
        return Escalation(
            name=name,
            levels=tuple(
                Level(
                    level=each.level,
                    channels=tuple(dict.fromkeys(each.channels)),
                    acknowledge_within=_span(each.acknowledge_within),
                    progress_within=_span(each.progress_within),
                )
                for each in self.root
            ),
        )


class OperatorModel(Model):
    """``operator``: who hears of the daemon's own trouble."""

    channels: Annotated[list[str], Field(min_length=1)] = Field(
        description="Names of the channels that are paged, all at once."
    )


class TemplateModel(RootModel[PeopleText]):
    """An entry of ``templates``: a text for people."""

    unperformed: ClassVar[Mapping[str, Unperformed]] = {
        WHOLE: Unperformed(code="N720", instead="nothing is written from it"),
    }


class HeartbeatModel(RootModel[Annotated[list[MatcherText], Field(min_length=1)]]):
    """``heartbeat``: the matchers of an alert that must keep arriving."""

    unperformed: ClassVar[Mapping[str, Unperformed]] = {
        WHOLE: Unperformed(code="N721", instead="nobody is paged when it stops; watch for it elsewhere too"),
    }


class DrillsModel(Model):
    """``drills``: outages that are made on purpose, to practise."""

    unperformed: ClassVar[Mapping[str, Unperformed]] = {
        WHOLE: Unperformed(code="N722", instead="none is made by itself"),
    }

    namespaces: Annotated[list[Namespace], Field(min_length=1)] = Field(
        description="The only namespaces in which one is made."
    )
    schedule: CronText = Field(
        description="When one is made: minute, hour, day of the month, month and day of the week, in UTC."
    )
