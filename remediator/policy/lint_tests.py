"""Lints of what the policies' own tests leave out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from remediator.core.classify import Classifier
from remediator.core.policies import Mode
from remediator.policy.lint_view import Note, View


def untested_rules(view: View, fired: Iterable[Mapping[str, str]]) -> Iterator[Note]:
    """R110: a rule that acts by itself while no test fires an alert that it wins.

    ``fired``: the labels of every alert that a test fires.
    """
    wanted = [rule for rule in view.acting if rule.mode is Mode.AUTO]
    if not wanted or not view.sound:
        return
    classify = Classifier(view.policy)
    won = {rule.name for labels in fired if (rule := classify.rule(labels)) is not None}
    for rule in wanted:
        if rule.name not in won:
            text = (
                f"rule '{rule.name}' acts by itself, and no test in *_test.yaml fires an alert that it wins; "
                "add one"
            )
            yield Note(at=view.spot("rules", rule.name, "mode"), code="R110", message=text)
