"""What is told of the policies: which rules match, how far they are trusted, what they have earned."""

from __future__ import annotations

from remediator.core.incident import Outcome
from remediator.core.policies import Mode
from remediator.core.trust import Advice, Mark
from remediator.telemetry.table import labels as on
from remediator.telemetry.table.row import Group, Label, Origin, Row, Type

WHAT = (*Outcome, *Mark)
MODE = Label(name="mode", closed=tuple(Mode))

MATCHES = Row(
    name="rule_matches_total",
    type=Type.COUNTER,
    told="Alerts that a rule won.",
    use="The noisiest alerts. A rule of `rule_info` without a series matched nothing since the start.",
    labels=(on.RULE, on.SEVERITY),
)
RULE_INFO = Row(
    name="rule_info",
    type=Type.GAUGE,
    told="1 for each rule in force. `mode`: what it is trusted with now, the ceiling, missing permissions "
    "and its own failures included.",
    use="To be joined: `remediator_rule_record * on (rule) group_left (mode) remediator_rule_info`.",
    labels=(on.RULE, on.SEVERITY, MODE),
    origin=Origin.DEPLOYMENT,
)
RULES = Row(
    name="rules",
    type=Type.GAUGE,
    told="Rules in force by what they are trusted with now.",
    use="How far up the trust ladder the policies are.",
    labels=(MODE,),
    origin=Origin.DEPLOYMENT,
)
RECORD = Row(
    name="rule_record",
    type=Type.GAUGE,
    told="The record of a rule, for as long as the store lives: how its attempts ended, which verified ones "
    "`recurred`, and what hindsight says of those that only observed or suggested. Read twice a minute.",
    use="`right`, `needless`, `unclear`, `held_back`: whether it would have been right to act. It only "
    "grows: `increase()` of it is right, and survives restarts.",
    labels=(on.RULE, Label(name="what", closed=WHAT)),
    origin=Origin.DEPLOYMENT,
)
ADVICE = Row(
    name="rule_advice",
    type=Type.GAUGE,
    told="1 for what a rule's record speaks for: `to_approve` and `to_auto` (it has earned more), "
    "`hold_longer`, `goes_wrong` and `does_not_last` (it has not), `restore` (it is held to less by its "
    "failures).",
    use="Candidates for promotion and demotion. `remediator trust` tells them in words; a person changes "
    "the file.",
    labels=(on.RULE, Label(name="advice", closed=tuple(Advice))),
    origin=Origin.DEPLOYMENT,
)
LOWERED = Row(
    name="rules_lowered",
    type=Type.GAUGE,
    told="Rules that only observe, because the daemon lacks permissions.",
    use="Alarmed by `RemediatorRulesLowered`. `remediator rbac` prints the Role that they need.",
)
DEMOTED = Row(
    name="rules_demoted",
    type=Type.GAUGE,
    told="Rules that are held to approve, because their attempts failed too often.",
    use="Alarmed by `RemediatorRulesDemoted`. `remediator trust` names them and why.",
    origin=Origin.DEPLOYMENT,
)
BREAKER = Row(
    name="breaker_open",
    type=Type.GAUGE,
    told="Whether a runbook is not tried any more because it failed too often, of those that ever did.",
    use="Alarmed by `RemediatorBreakerOpen`. `remediator breakers` says why, `remediator close` closes it.",
    labels=(on.RUNBOOK,),
    origin=Origin.DEPLOYMENT,
)
RELOADS = Row(
    name="policy_reloads_total",
    type=Type.COUNTER,
    told="Policies read: loaded, unchanged, or refused.",
    use="Beside incidents: did it begin with a change of the policies?",
    labels=(Label(name="outcome", closed=("loaded", "unchanged", "refused")),),
)
RELOADED = Row(
    name="policy_last_reload_successful",
    type=Type.GAUGE,
    told="Whether the files could be read the last time that they were.",
    use="Alarmed by `RemediatorReloadFailed`.",
)
RELOADED_AT = Row(
    name="policy_last_reload_success_timestamp_seconds",
    type=Type.GAUGE,
    told="When they could last be read.",
    use="How old the policy in force is at least.",
)
POLICY_INFO = Row(
    name="policy_info",
    type=Type.GAUGE,
    told="1, for the policy in force.",
    use="More than one digest among replicas for longer than a roll-out: one of them reads other files.",
    labels=(Label(name="digest", bound="one: the policy in force"),),
)
GROUP = Group(
    title="Policies",
    text="Which rules match, how far they are trusted, and what they have earned.",
    rows=(
        MATCHES, RULE_INFO, RULES, RECORD, ADVICE, LOWERED, DEMOTED, BREAKER, RELOADS, RELOADED, RELOADED_AT,
        POLICY_INFO,
    ),
)  # fmt: skip
