"""Lints of what check and diagnosis ``dependencies`` would look at."""

from __future__ import annotations

from collections.abc import Iterator

from remediator.core.aiming import services_below
from remediator.core.below import MOST, is_seen
from remediator.core.policies import Policy, Runbook
from remediator.guards.target import static_objection
from remediator.policy.lint_view import Note, View

BELOW = "dependencies"
NAMED = 3


def nothing_below(view: View) -> Iterator[Note]:
    """B214: it is asked what services depend on, and none that the runbook is for depends on anything."""
    if not view.draft.whole:
        return
    for name, runbook in view.policy.runbooks.items():
        asked = [*_checks(runbook), *_diagnoses(runbook)]
        known = view.selected(view.rules_of.get(name, ())) if asked else ()
        if not known or any(view.policy.services[each].depends_on for each in known):
            continue
        for keys in asked:
            text = (
                f"runbook '{name}' asks about what the service depends on, but no service that it is for "
                "depends on anything, so that proves nothing; add depends_on to the services, or remove it"
            )
            yield Note(at=view.spot("runbooks", name, *keys), code="B214", message=text)


def unseen_below(view: View) -> Iterator[Note]:
    """B215: a check that is never known to hold, because something that a service depends on is not seen."""
    if not view.draft.whole:
        return
    for name, runbook in view.policy.runbooks.items():
        checks = tuple(_checks(runbook))
        known = sorted(view.selected(view.rules_of.get(name, ()))) if checks else ()
        why = [text for each in known if (text := _unseen(each, view.policy))]
        if not why:
            continue
        more = f", and so for {len(why) - NAMED} more" if len(why) > NAMED else ""
        text = f"{BELOW} is never known to hold: {'; '.join(why[:NAMED])}{more}"
        for keys in checks:
            yield Note(at=view.spot("runbooks", name, *keys), code="B215", message=text)


def _unseen(service: str, policy: Policy) -> str:
    """What stands in the way for a service; empty where nothing does, or where nothing is changed anyway."""
    if static_objection(service, policy.services[service].workload, policy.guards):
        return ""
    below = services_below(service, policy)
    if len(below) > MOST:
        return f"{service} depends on {len(below)} services, and {MOST} are looked at"
    unseen = [each.name for each in below if not is_seen(each)]
    if not unseen:
        return ""
    named = ", ".join(unseen[:NAMED]) + (", …" if len(unseen) > NAMED else "")
    return f"{service} depends on {named}: add workload or health there"


def _checks(runbook: Runbook) -> Iterator[tuple[str, ...]]:
    """The keys that lead to each such check."""
    for number, check in enumerate(runbook.verify):
        if check.check == BELOW:
            yield "verify", str(number), BELOW
    for number, step in enumerate(runbook.steps):
        for keys, asked in ((("when",), step.when), (("wait", "for"), step.wait)):
            if asked is not None and asked.check == BELOW:
                yield "steps", str(number), *keys, BELOW


def _diagnoses(runbook: Runbook) -> Iterator[tuple[str, ...]]:
    for number, look in enumerate(runbook.diagnose):
        if look.diagnosis == BELOW:
            yield "diagnose", str(number), BELOW
