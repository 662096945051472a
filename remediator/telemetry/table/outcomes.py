"""What is told of incidents, attempts and people."""

from __future__ import annotations

from remediator.core.incident import Outcome
from remediator.core.journal import PageResult
from remediator.telemetry.table import labels as on
from remediator.telemetry.table.row import Group, Label, Origin, Row, Type

UNDONE = ("undone", "left")
ENDINGS = ("verified", "paged", "alone")
ASKED = ("asked", "changed", "approved", "rejected", "expired")
VERDICTS = ("allows", "blocks", "withholds", "asks")

INCIDENTS = Row(
    name="incidents_total",
    type=Type.COUNTER,
    told="Incidents opened.",
    use="How much happens at all. Beside it, `pages_avoided_total` is what the daemon is worth.",
    labels=(on.SEVERITY,),
)
INCIDENTS_OPEN = Row(
    name="incidents_open",
    type=Type.GAUGE,
    told="Incidents that are not resolved.",
    use="What is going on now. One that stays open for days has an alert that should be silenced or mended.",
    labels=(on.SEVERITY,),
    origin=Origin.DEPLOYMENT,
)
INCIDENTS_OVERDUE = Row(
    name="incidents_overdue",
    type=Type.GAUGE,
    told="Open incidents of which a promise of their severity is broken already: nobody has taken it on and "
    "no fix is verified (`acknowledge`), or it is not over (`resolve`). Of the 500 first that are found.",
    use="Alarmed by `RemediatorPromiseMissed`. `GET /v1/incidents` names them.",
    labels=(on.SEVERITY, on.PROMISED),
    origin=Origin.DEPLOYMENT,
)
INCIDENTS_RESOLVED = Row(
    name="incidents_resolved_total",
    type=Type.COUNTER,
    told="Incidents that are over: after a verified fix that nobody was paged for (`verified`), with people "
    "paged or asked (`paged`), or with neither (`alone`).",
    use="By service: where the daemon does the work, and where people still do.",
    labels=(on.SEVERITY, on.SERVICE, Label(name="how", closed=ENDINGS)),
)
INCIDENTS_REOPENED = Row(
    name="incidents_reopened_total",
    type=Type.COUNTER,
    told="Incidents that fired again after they were over, by the rule that opened them.",
    use="Flapping. Lengthen the rule's `hold` or the alert's `for`, or find the cause that the fix does not.",
    labels=(on.SERVICE, on.RULE),
)
RESPONSE = Row(
    name="response_seconds",
    type=Type.HISTOGRAM,
    told="From the incident's opening to the phase; `detect`: from the alert's start to the opening.",
    use="Its quantiles, which the recording rules `remediator:response_seconds:*` hold ready, beside "
    "`severity_promise_seconds`.",
    labels=(on.SEVERITY, on.PHASE),
    buckets=on.RESPONSES,
)
PROMISE = Row(
    name="severity_promise_seconds",
    type=Type.GAUGE,
    told="What the policy in force promises: `respond_within` (`acknowledge`) and `resolve_within` "
    "(`resolve`).",
    use="The line on a panel of `response_seconds`. A severity that promises nothing has no series.",
    labels=(on.SEVERITY, on.PROMISED),
    zeros=False,
)
BREACHES = Row(
    name="sla_breaches_total",
    type=Type.COUNTER,
    told="Phases that took longer than the severity promises. Counted when the phase is over; until then "
    "see `incidents_overdue`.",
    use="Each is a late answer to somebody. Too many: more runbooks, or another promise.",
    labels=(on.SEVERITY, on.PROMISED),
)
RAISED = Row(
    name="severity_raised_total",
    type=Type.COUNTER,
    told="Open incidents that became more severe.",
    use="Often and at once: the rule's first severity is too low.",
    labels=(Label(name="from", closed=on.SEVERITY.closed), Label(name="to", closed=on.SEVERITY.closed)),
    zeros=False,
)
ATTACHED = Row(
    name="incidents_attached_total",
    type=Type.COUNTER,
    told="Incidents that began to wait for one of what they depend on.",
    use="Which service takes others down with it.",
    labels=(Label(name="root", bound=on.SERVICE.bound),),
)
LOCATED = Row(
    name="targets_located_total",
    type=Type.COUNTER,
    told="Objects that alerts name, by whether their workload was found.",
    use="`none` again and again: the rule's `target` names what is not in the cluster.",
    labels=(Label(name="outcome", closed=("found", "none")),),
)
ATTEMPTS = Row(
    name="attempts_total",
    type=Type.COUNTER,
    told="Attempts ended. `observed` and `suggested`: what would have been done.",
    use="The share of `verified` says whether a runbook earns its place. Its series are there from the "
    "attempt's start.",
    labels=(on.RUNBOOK, on.SERVICE, Label(name="outcome", closed=tuple(Outcome))),
)
UNDONES = Row(
    name="attempts_undone_total",
    type=Type.COUNTER,
    told="Attempts whose changes were to be taken back: all that there was is `undone`, or something is "
    "`left`.",
    use="`left`: something changed is in place that proved no good. People were paged; look.",
    labels=(on.RUNBOOK, on.SERVICE, Label(name="outcome", closed=UNDONE)),
)
ATTEMPT_DURATION = Row(
    name="attempt_duration_seconds",
    type=Type.HISTOGRAM,
    told="From an attempt's start to its end, however it ended.",
    use="The upper quantiles belong below `unless_verified_within`, or people are paged before it can work.",
    labels=(on.RUNBOOK,),
    buckets=on.ATTEMPTS,
)
STEPS = Row(
    name="steps_total",
    type=Type.COUNTER,
    told="Steps performed, or not.",
    use="`unknown` and `retry` tell of a slow or unreachable API server.",
    labels=(
        Label(name="action", bound="the actions of this version; `undo:<action>`; `end:isolate`"),
        Label(name="outcome", bound="`done`, `begun`, `skipped`, `blocked`, `withheld`, `asks`, `failed`, "
              "`unknown`, `retry`"),
    ),
)  # fmt: skip
GUARDS = Row(
    name="guard_verdicts_total",
    type=Type.COUNTER,
    told="Answers of guards. `withholds`: the rule only observes or suggests; `asks`: a person must agree.",
    use="The guard that blocks most is the one to look at. Guard `lease`: somebody else was at work on the "
    "target.",
    labels=(Label(name="guard", bound="the guards of this version"), Label(name="verdict", closed=VERDICTS)),
)
APPROVALS = Row(
    name="approvals_total",
    type=Type.COUNTER,
    told="Plans that people were asked to agree to, and what became of the question.",
    use="Many `expired`: nobody sees the question. Nearly all `approved`: the rule may have earned `auto`.",
    labels=(Label(name="outcome", closed=ASKED),),
)
PAGES = Row(
    name="pages_total",
    type=Type.COUNTER,
    told="Pages handed to channels.",
    use="`retry` and `refused` are alarmed by `RemediatorChannelFailing`.",
    labels=(on.CHANNEL, Label(name="outcome", closed=tuple(PageResult))),
)
PAGES_AVOIDED = Row(
    name="pages_avoided_total",
    type=Type.COUNTER,
    told="Incidents resolved by a verified fix without paging anybody.",
    use="The number to show.",
    labels=(on.SEVERITY,),
)
ESCALATIONS = Row(
    name="escalations_total",
    type=Type.COUNTER,
    told="Times that a level was asked.",
    use="Level 2 and above: the first did not answer in time.",
    labels=(Label(name="level", bound="the levels of the policies' escalations"),),
)
GROUP = Group(
    title="Outcomes",
    text="What came of the alerts: incidents, attempts, pages.",
    rows=(
        INCIDENTS, INCIDENTS_OPEN, INCIDENTS_OVERDUE, INCIDENTS_RESOLVED, INCIDENTS_REOPENED, RESPONSE,
        PROMISE, BREACHES, RAISED, ATTACHED, LOCATED, ATTEMPTS, UNDONES, ATTEMPT_DURATION, STEPS, GUARDS,
        APPROVALS, PAGES, PAGES_AVOIDED, ESCALATIONS,
    ),
)  # fmt: skip
