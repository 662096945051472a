"""Lints of runbooks: whether what they prove is proven, and whether their limits limit anything."""

from __future__ import annotations

from collections.abc import Iterator

from remediator.actions import ACTIONS
from remediator.actions.silence import Silence
from remediator.core.incident import EffectId
from remediator.core.plugins import patience_of, settling_of
from remediator.core.policies import Check, Runbook, Step
from remediator.core.probing import authority, template_authority
from remediator.core.rollouts import ROLLING
from remediator.core.times import MINUTE, format_duration
from remediator.policy.findings import Spot
from remediator.policy.lint_below import BELOW
from remediator.policy.lint_view import Note, View
from remediator.policy.nodes import Scalar

OWN_SIGNALS = frozenset(("ready", "rollout", "endpoints", "recent_rollout"))
"""Checks that say how the change itself went, not whether the trouble is over."""
NO_INVERSE = frozenset(("exec", "job", "http")).union(
    name for name, action in ACTIONS.items() if not action.invertible
)
CHANGES_NOTHING = frozenset(("wait", "pause"))
GROUP_INTERVAL = 5 * MINUTE
"""After which Alertmanager tells of changes in a group, unless it is configured otherwise. How often it
repeats what it told (4h) does not count here: a repetition is the same episode and starts nothing."""


def unproven_runbooks(view: View) -> Iterator[Note]:
    """B202 and B203: runbooks whose success is not verified, or only by what the step itself controls."""
    for name, runbook in view.policy.runbooks.items():
        foreign = _foreign_probes(runbook, view)
        elsewhere = [check for check in runbook.verify if check.check == BELOW]
        others = [*foreign, *elsewhere]
        proofs = [check for check in runbook.verify if check.check not in OWN_SIGNALS and check not in others]
        if not runbook.verify:
            text = (
                f"runbook '{name}' has no verify: success must be proven; add "
                "verify: [{alert: {state: resolved, within: 10m}}]"
            )
            yield Note(at=view.spot("runbooks", name), code="B202", message=text)
        elif not proofs:
            own = sorted({check.check for check in runbook.verify if check not in others})
            what = [f"{' and '.join(own)}, which its own steps control"] if own else []
            what += ["http of another service"] if foreign else []
            what += [f"{BELOW}, which are other services"] if elsewhere else []
            text = (
                f"runbook '{name}' is verified by {', and by '.join(what)}; add alert: {{state: resolved, "
                "within: 10m}"
            )
            text = text.replace(", which its", " alone, which its") if own else text
            yield Note(at=view.spot("runbooks", name, "verify"), code="B203", message=text)


def _foreign_probes(runbook: Runbook, view: View) -> list[Check]:
    """The checks ``http`` that ask none of the services which the runbook is for."""
    probes = [
        (check, template_authority(url))
        for check in runbook.verify
        if check.check == "http" and isinstance(url := check.params.get("url"), str)
    ]
    names = view.selected(view.rules_of.get(runbook.name, ())) if probes else ()
    own = {authority(health) for name in names if (health := view.policy.services[name].health) is not None}
    return [check for check, host in probes if own and host not in own]


def impossible_checks(view: View) -> Iterator[Note]:
    """B204: a check that must hold for longer than it is waited for."""
    for name, runbook in view.policy.runbooks.items():
        asked = [
            (("verify", str(number), check.check), check, "within")
            for number, check in enumerate(runbook.verify)
        ]
        asked += [
            (("steps", str(number), "wait"), step.wait, "timeout")
            for number, step in enumerate(runbook.steps)
            if step.wait is not None
        ]
        for where, check, bound in asked:
            if check.stable >= check.within:
                text = (
                    f"{check.check} must hold for {format_duration(check.stable)} but is waited for only "
                    f"{format_duration(check.within)}; make {bound} longer than for"
                )
                at = view.spot("runbooks", name, *where)
                yield Note(at=at, code="B204", message=text)


def checks_that_hold_at_once(view: View) -> Iterator[Note]:
    """B207: pods that a rollout has not replaced yet are ready, and prove nothing of the new ones."""
    for name, runbook in view.policy.runbooks.items():
        rolling = ""
        for number, step in enumerate(runbook.steps):
            if step.action in ROLLING:
                rolling = step.action
            elif step.wait is not None and rolling:
                if step.wait.check == "rollout" or step.wait.stable:
                    rolling = ""
                elif step.wait.check in OWN_SIGNALS:
                    yield _at_once(view, name, ("steps", str(number), "wait"), step.wait, rolling)
        kinds = {check.check for check in runbook.verify}
        if rolling and "rollout" not in kinds and not kinds <= OWN_SIGNALS:  # which B203 tells
            for number, check in enumerate(runbook.verify):
                if check.check in OWN_SIGNALS and not check.stable:
                    yield _at_once(view, name, ("verify", str(number), check.check), check, rolling)


def _at_once(view: View, name: str, where: tuple[str, ...], check: Check, action: str) -> Note:
    text = (
        f"{check.check} may hold at once after {action}, while the pods of before are still there; wait for "
        "rollout as well, or say for how long it must hold: for: 1m"
    )
    return Note(at=view.spot("runbooks", name, *where), code="B207", message=text)


def short_cooldowns(view: View) -> Iterator[Note]:
    """B208: cooldowns that are over before the outage can be told again."""
    for name, runbook in view.policy.runbooks.items():
        cooldown = runbook.limits.cooldown
        rule = max(view.rules_of.get(name, ()), key=lambda each: each.hold, default=None)
        if rule is not None and rule.hold > cooldown:
            why = f"rule '{rule.name}' holds for {format_duration(rule.hold)} before it acts again"
        elif cooldown < GROUP_INTERVAL:
            usual = format_duration(GROUP_INTERVAL)
            why = f"Alertmanager tells of changes every {usual} unless its group_interval says otherwise"
        else:
            continue
        text = (
            f"the cooldown of {format_duration(cooldown)} is over before the same outage can come back: "
            f"{why}; make it longer"
        )
        yield Note(at=_limit(view, name, "cooldown"), code="B208", message=text)


def idle_attempts(view: View) -> Iterator[Note]:
    """B209: with that cooldown, so many attempts never begin within the window."""
    for name, runbook in view.policy.runbooks.items():
        limits = runbook.limits
        if limits.attempts > 1 and (limits.attempts - 1) * limits.cooldown >= limits.per:
            text = (
                f"{limits.attempts} attempts never begin within {format_duration(limits.per)} when "
                f"{format_duration(limits.cooldown)} lie between two; allow fewer, or count over longer"
            )
            yield Note(at=_limit(view, name, "attempts"), code="B209", message=text)


def steps_after_the_alert(view: View) -> Iterator[Note]:
    """B212: steps that depend on all alerts being over, when nothing is changed any more."""
    for name, runbook in view.policy.runbooks.items():
        for number, step in enumerate(runbook.steps):
            if step.acts and step.when is not None and step.when.check == "alert":
                text = (
                    f"{step.action} is never performed: once no alert fires nothing is changed, so that "
                    "cannot be what the step waits for; remove when, or ask something else"
                )
                at = view.spot("runbooks", name, "steps", str(number), "when")
                yield Note(at=at, code="B212", message=text)


def _limit(view: View, name: str, key: str) -> Spot:
    """Where a limit stands; else where the limits do, or the runbook's name."""
    written = view.node("runbooks", name, "limits", key) is not None
    return view.spot("runbooks", name, "limits", *([key] if written else []))


def undo_of_nothing(view: View) -> Iterator[Note]:
    """B210: something is to be undone on failure, and nothing can be."""
    for name, runbook in view.policy.runbooks.items():
        undo = view.node("runbooks", name, "undo")
        if not isinstance(undo, Scalar) or undo.text != "on_failure":
            continue
        changing = [step.action for step in runbook.steps if step.action not in CHANGES_NOTHING]
        if NO_INVERSE.issuperset(changing):
            shown = " and ".join(dict.fromkeys(changing))
            why = f"{shown} cannot be taken back" if changing else "no step changes anything"
            text = f"nothing can be undone: {why}; write undo: never"
            yield Note(at=undo.at, code="B210", message=text)


def only_silent(view: View) -> Iterator[Note]:
    """B213: what it does about an outage is that fewer people hear of it."""
    for name, runbook in view.policy.runbooks.items():
        changing = [step.action for step in runbook.steps if step.acts]
        if changing and set(changing) == {Silence.name}:
            text = f"runbook '{name}' silences alerts and repairs nothing; add the step that does"
            yield Note(at=view.spot("runbooks", name, "steps"), code="B213", message=text)


def verification_window(runbook: Runbook) -> int:
    """The longest it can take to know, in milliseconds: waits follow each other, checks go side by side."""
    steps = sum(map(longest, runbook.steps))
    return steps + max((check.within for check in runbook.verify), default=0)


def longest(step: Step) -> int:
    """How long a step may take by itself, in milliseconds: one that waits, pauses, or begins something."""
    if step.wait is not None:
        return step.wait.within
    if step.pause is not None:
        return step.pause
    action = ACTIONS.get(step.action)
    settling = settling_of(action, step.params, EffectId(""))
    patience = patience_of(action, step.params) or 0
    return patience if settling is None else patience + settling.within
