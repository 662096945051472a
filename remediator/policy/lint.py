"""What a careful reviewer would say of policy files that are well-formed.

Each lint is a function that looks at one kind of trouble and yields notes; ``docs/policies.md`` lists the
codes. Lints also run over files with errors, as far as these can be understood.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from remediator.policy.findings import Findings
from remediator.policy.lint_objects import (
    dependency_cycles,
    impossible_checks,
    levels_never_reached,
    pages_nobody,
    secrets_in_text,
    shared_workloads,
    unproven_runbooks,
    unused_objects,
)
from remediator.policy.lint_probes import nothing_to_ask, strange_hosts
from remediator.policy.lint_rules import (
    contradictions,
    deadlines_too_short,
    outside_namespaces,
    rules_never_winning,
    unknown_services,
)
from remediator.policy.lint_view import Note, View

LINTS: tuple[Callable[[View], Iterator[Note]], ...] = (
    rules_never_winning,
    contradictions,
    unknown_services,
    deadlines_too_short,
    outside_namespaces,
    unproven_runbooks,
    impossible_checks,
    strange_hosts,
    nothing_to_ask,
    unused_objects,
    pages_nobody,
    levels_never_reached,
    dependency_cycles,
    shared_workloads,
    secrets_in_text,
)


def lint(view: View, out: Findings) -> None:
    """Report everything that the lints say."""
    for look in LINTS:
        for note in look(view):
            out.add(note.at, note.code, note.message, note.level)
