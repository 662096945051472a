"""What a step that silences plans, and what others make of its silence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from remediator.actions.silence import LONGEST, MOST_ALERTS, Silence, SilenceParams
from remediator.adapters.silences import Membership
from remediator.core.alertmanagers import Listed, State, merge_active, suppressors
from remediator.core.alerts import Alert, Fingerprint
from remediator.core.approval import digest_changes
from remediator.core.changes import CreateSilence, EndSilence
from remediator.core.cluster import Need, Snapshot
from remediator.core.errors import Refused, Retryable
from remediator.core.incident import EffectId
from remediator.core.matchers import MatchOp
from remediator.core.policies import Step
from remediator.core.silencing import Author
from remediator.core.times import MINUTE
from remediator.policy.diffs import diff_changes, diff_step
from tests.core.builders import NOW, alert
from tests.core.test_actions import workload
from tests.core.test_alertmanagers import entry, listing, silence
from tests.property.test_hostile_labels import HOSTILE

AUTHOR = Author(step=EffectId("2026-11-23-0213-web/1/0"), runbook="restart")
MARK = "remediator: 2026-11-23-0213-web/1/0"
TEXTS = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(codec="utf-8"), max_size=40))
LABELS = st.dictionaries(TEXTS, TEXTS, max_size=8)


def planned(*alerts: Alert, **params: Any) -> tuple[CreateSilence, ...]:
    """What the step asks for."""
    seen = Snapshot(workload=workload(), alerts=alerts, author=AUTHOR)
    changes = Silence().plan(SilenceParams.model_validate({"for": "15m", **params}), seen, at=NOW)
    assert all(isinstance(change, CreateSilence) for change in changes)
    return tuple(change for change in changes if isinstance(change, CreateSilence))


def test_each_alert_is_silenced_by_all_its_labels_until_a_known_end() -> None:
    """One silence for each, which its own comment finds again."""
    changes = planned(alert("aa"), alert("bb", pod="web-1"))
    assert [str(change) for change in changes] == [
        'silence {alertname="ServiceDown", service="web"} for 15m',
        'silence {alertname="ServiceDown", pod="web-1", service="web"} for 15m',
    ]
    assert [change.silence.comment for change in changes] == [
        f"{MARK}, alert aa, runbook restart",
        f"{MARK}, alert bb, runbook restart",
    ]
    assert {change.silence.ends_at for change in changes} == {NOW + 15 * MINUTE}
    assert all(Fingerprint(each) in changes[0].silence.comment for each in ("aa",))


@given(LABELS, LABELS)
def test_no_label_silences_another_alert(labels: dict[str, str], others: dict[str, str]) -> None:
    """Every matcher is an equality: what has these labels is silenced, and nothing that lacks one of them."""
    [change] = planned(replace(alert("aa"), labels=labels))
    matchers = change.silence.matchers
    assert {one.op for one in matchers} <= {MatchOp.EQUAL}
    assert {one.name: one.value for one in matchers} == {k: v for k, v in labels.items() if v}
    assert all(one.matches(labels) for one in matchers)
    silenced = all(one.matches(others) for one in matchers)
    assert silenced is all(others.get(name, "") == value for name, value in labels.items() if value)
    assert change.silence.comment == f"{MARK}, alert aa, runbook restart"
    assert "\n" not in str(change)
    assert len(str(change)) < 300


def test_what_is_too_long_to_be_told_is_another_plan_all_the_same() -> None:
    """A person agrees to a digest of it."""
    long = "x" * 500
    one, other = planned(alert("aa", a=long, z="1")), planned(alert("bb", a=long, z="2"))
    assert "alert aa" in str(one[0])
    assert digest_changes(one) != digest_changes(other)


def test_what_the_policy_says_is_one_silence_without_looking_at_alerts() -> None:
    said = ['alertname=~"Web.*"', "team!=db"]
    [change] = planned(match=said)
    assert str(change) == 'silence {alertname=~"Web.*", team!="db"} for 15m'
    assert change.silence.comment == f"{MARK}, runbook restart"
    assert SilenceParams.model_validate({"for": "1m", "match": said}).needs == frozenset()
    assert SilenceParams.model_validate({"for": "1m"}).needs == {Need.ALERTS}


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({}, "Field required"),
        ({"for": "0s"}, "must be longer than 0s"),
        ({"for": "1d1ms"}, f"less than or equal to {LONGEST}"),
        ({"for": "1m", "match": ["="]}, "not a matcher"),
        ({"for": "1m", "match": ['team=~".*"', 'x!="y"', "z="]}, "every alert would be silenced"),
    ],
)
def test_it_has_an_end_and_means_something(params: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        SilenceParams.model_validate(params)


def test_alerts_that_are_not_listed_are_waited_for_and_too_many_are_refused() -> None:
    """Nothing is guessed from what deliveries said."""
    with pytest.raises(Retryable, match="no Alertmanager lists an alert of the incident now"):
        planned()
    every = [alert(f"{number:02x}", pod=str(number)) for number in range(MOST_ALERTS + 1)]
    assert len(planned(*every[1:])) == MOST_ALERTS
    with pytest.raises(Refused, match="11 alerts, and at most 10 are silenced one by one; say under match"):
        planned(*every)


def test_its_inverse_ends_that_very_silence() -> None:
    [change] = planned(alert("aa"))
    ended = Silence().inverse(change, Snapshot(workload=workload()))
    assert isinstance(ended, EndSilence)
    assert ended.silence == change.silence
    assert str(ended) == 'end the silence of {alertname="ServiceDown", service="web"}'


def test_it_is_told_as_a_diff() -> None:
    """As it is planned, and as far as the policy says."""
    seen = Snapshot(workload=workload())
    [change] = planned(alert("aa"))
    line = '{alertname="ServiceDown", service="web"}'
    assert diff_changes([change], seen) == (f"+ silence {line} until 2026-11-23T02:28:20.000Z",)
    assert diff_changes([Silence().inverse(change, seen)], seen) == (f"- silence {line}",)
    step = Step(action="silence", params={"for": "15m", "match": []})
    assert diff_step(step) == (
        "+ silence each alert of the incident, by all its labels, until 15m after the step",
    )
    step = Step(action="silence", params={"for": "15m", "match": ['a="b"']})
    assert diff_step(step) == ('+ silence {a="b"}, until 15m after the step',)


OURS = silence("o", "remediator", f"{MARK}, alert aa, runbook restart")


@pytest.mark.parametrize(
    ("by", "active"),
    [
        ({"silenced_by": ("o",)}, True),
        ({"silenced_by": ("o", "s")}, False),
        ({"silenced_by": ("gone",)}, False),
        ({"silenced_by": ("o",), "inhibited_by": ("cc",)}, False),
        ({"silenced_by": ("o",), "muted_by": ("night",)}, False),
        ({}, False),
    ],
)
def test_P3_what_only_our_silence_keeps_quiet_is_active(by: dict[str, tuple[str, ...]], active: bool) -> None:
    """Alertmanager does not tell us of it: without asking we would be deaf to it. In both of a pair."""
    one = listing(entry("aa", State.SUPPRESSED, **by), silences=(OURS, silence("s")))
    found = [each.fingerprint for each in merge_active((one, listing(entry("aa"))))]
    assert found == (["aa"] if active else [])


def test_our_silence_is_told_of_and_blocks_nothing() -> None:
    one: Listed = entry("aa", State.SUPPRESSED, silenced_by=("o",))
    found = suppressors((listing(one, silences=(OURS,)),), {Fingerprint("aa")})
    assert (found.silenced, found.quiet, found.loud, found.own) == ((), 0, 1, 1)


def test_who_knows_whom_is_told_by_either() -> None:
    """Right after a start one of them may not know of the other yet. Without a name it knows nobody."""
    one = Membership(name="a", peers=frozenset({"a", "b"}))
    other = Membership(name="b", peers=frozenset({"b"}))
    alone = Membership(name="", peers=frozenset())
    assert one.knows(other)
    assert other.knows(one)
    assert not one.knows(alone)
    assert not alone.knows(alone)
