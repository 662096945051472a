"""What a careful reviewer would say of policy files that are well-formed.

Each lint is a function that looks at one kind of trouble and yields notes; ``codes`` lists what they can be.
Lints also run over files with errors, as far as these can be understood. Each takes time in proportion to
what the files hold, so that ten thousand rules are checked as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from remediator.policy.codes import level_of
from remediator.policy.findings import Findings
from remediator.policy.lint_below import nothing_below, unseen_below
from remediator.policy.lint_catalog import dependency_cycles, services_never_selected, shared_workloads
from remediator.policy.lint_escalations import (
    deadlines_too_short,
    idle_raises,
    late_answers,
    levels_never_reached,
    pages_nobody,
    promises_in_order,
    unused_severities,
)
from remediator.policy.lint_guards import (
    extreme_shares,
    idle_budget,
    idle_rates,
    misspelt_protection,
    no_namespace,
    only_protected,
    outside_namespaces,
)
from remediator.policy.lint_intervals import (
    empty_intervals,
    endless_freeze,
    frozen_windows,
    zones_of_machines,
)
from remediator.policy.lint_matchers import (
    contradictions,
    idle_matchers,
    rules_never_winning,
    twice_in_a_rule,
)
from remediator.policy.lint_probes import nothing_to_ask, strange_hosts
from remediator.policy.lint_rules import (
    checks_of_nodes,
    idle_modes,
    long_holds,
    nothing_to_act_upon,
    objects_together,
    silent_rules,
    strange_targets,
    unheard_questions,
    unknown_services,
)
from remediator.policy.lint_runbooks import (
    checks_that_hold_at_once,
    idle_attempts,
    impossible_checks,
    only_silent,
    short_cooldowns,
    steps_after_the_alert,
    undo_of_nothing,
    unproven_runbooks,
)
from remediator.policy.lint_secrets import secrets_in_commands, secrets_in_text
from remediator.policy.lint_unused import unused_objects
from remediator.policy.lint_view import Note, View

Lint = Callable[[View], Iterator[Note]]

NEEDED: tuple[Lint, ...] = (
    *(pages_nobody, unproven_runbooks, impossible_checks, dependency_cycles, secrets_in_text),
)
"""Those that find errors, without which a daemon must not start."""
ADVICE: tuple[Lint, ...] = (
    *(rules_never_winning, contradictions, idle_matchers, twice_in_a_rule),
    *(unknown_services, silent_rules, idle_modes, unheard_questions, long_holds, nothing_to_act_upon),
    *(checks_that_hold_at_once, steps_after_the_alert, undo_of_nothing, short_cooldowns, idle_attempts),
    *(only_silent, objects_together, strange_targets, checks_of_nodes),
    *(strange_hosts, nothing_to_ask, secrets_in_commands),
    *(nothing_below, unseen_below),
    *(deadlines_too_short, unused_severities, late_answers, promises_in_order),
    *(levels_never_reached, idle_raises, unused_objects),
    *(outside_namespaces, no_namespace, only_protected, misspelt_protection, extreme_shares, idle_rates),
    idle_budget,
    *(empty_intervals, endless_freeze, frozen_windows, zones_of_machines),
    *(shared_workloads, services_never_selected),
)


def lint(view: View, out: Findings, *, advise: bool = True) -> None:
    """Report what the lints say. Without ``advise``, only what keeps a daemon from starting."""
    for look in (*NEEDED, *(ADVICE if advise else ())):
        report(look(view), out)


def report(notes: Iterable[Note], out: Findings) -> None:
    """Put remarks among the findings."""
    for note in notes:
        out.add(note.at, note.code, note.message, note.level or level_of(note.code))
