"""What may be concluded from what Alertmanagers list, and from what they do not (P3, P5)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.checks.alert import AlertCheck, AlertParams
from remediator.core.alertmanagers import (
    ABSENT_FOR,
    SETTLED,
    Answers,
    Listed,
    Listing,
    Member,
    Silence,
    State,
    Suppression,
    Unanswered,
    absence,
    merge_active,
    narrowed,
    suppressors,
)
from remediator.core.alerts import Fingerprint
from remediator.core.incident import EffectId
from remediator.core.plugins import Sight
from remediator.core.policies import Mode, Step
from remediator.core.times import Instant, Millis, Stamp
from remediator.core.verdicts import ChangeRequest
from remediator.guards import ask_guard
from remediator.guards.suppressed import Suppressed
from remediator.policy.opinions import Offline
from tests.core.builders import NOW, alert, policy, stamp
from tests.core.test_decide import opened

OLD = Millis(SETTLED)


def member(name: str = "aa", listed_ago: int | None = ABSENT_FOR) -> Member:
    """One that was last listed so many milliseconds ago."""
    listed_at = None if listed_ago is None else Instant(NOW - listed_ago)
    return Member(fingerprint=Fingerprint(name), starts_at=stamp(1), listed_at=listed_at)


def listing(*alerts: Listed, up_for: int = OLD, silences: tuple[Silence, ...] = ()) -> Listing:
    """What one of them answers."""
    return Listing(
        who="am:9093", up_for=Millis(up_for), alerts=alerts, silences={one.id: one for one in silences}
    )


def entry(name: str = "aa", state: State = State.ACTIVE, **by: tuple[str, ...]) -> Listed:
    """An alert that is listed; ``by``: what keeps it quiet."""
    return replace(Listed(alert=alert(name), state=state), **by)  # type: ignore[arg-type]  # names of fields


def silence(name: str, by: str = "jane", comment: str = "mine") -> Silence:
    """One that is in force."""
    return Silence(
        id=name, matchers=(), starts_at=stamp(1), ends_at=Stamp("2026-11-23T05:00:00.000000000Z"),
        created_by=by, comment=comment, state="active",
    )  # fmt: skip


SILENT = Unanswered(who="am:9093", why="it cannot be reached")
GONE = (member(),)


@pytest.mark.parametrize(
    ("answers", "over"),
    [
        ((listing(),), GONE),
        ((listing(), listing()), GONE),
        ((), ()),
        ((SILENT,), ()),
        ((listing(), SILENT), ()),
        ((SILENT, listing()), ()),
        ((listing(up_for=SETTLED - 1),), ()),
        ((listing(), listing(up_for=0)), ()),
        ((listing(entry()),), ()),
        ((listing(entry(state=State.SUPPRESSED)),), ()),
        ((listing(entry(state=State.UNPROCESSED)), listing()), ()),
        ((listing(), listing(entry())), ()),
        ((listing(entry("bb")),), GONE),
        ((replace(listing(), unusable=frozenset(("aa",))),), ()),
        ((replace(listing(), unusable=frozenset(("bb",))),), GONE),
    ],
)
def test_P3_only_whole_and_settled_answers_of_all_prove_that_an_alert_is_over(
    answers: Answers, over: tuple[Member, ...]
) -> None:
    assert absence(GONE, answers, NOW) == over


@pytest.mark.parametrize("ago", [None, 0, ABSENT_FOR - 1])
def test_P3_what_was_listed_just_now_or_never_is_not_over(ago: int | None) -> None:
    assert absence([member(listed_ago=ago)], (listing(),), NOW) == ()


@given(
    st.lists(
        st.one_of(
            st.just(SILENT),
            st.builds(
                lambda up, names: listing(*map(entry, names), up_for=up),
                st.sampled_from([0, SETTLED - 1, SETTLED, 10 * SETTLED]),
                st.sets(st.sampled_from(["aa", "bb", "cc"])),
            ),
        ),
        max_size=4,
    )
)
def test_P3_one_more_answer_never_ends_more_alerts(answers: list[Listing | Unanswered]) -> None:
    """Whatever another one of them says, nothing is over that was not without it; and no order matters."""
    members = [member("aa"), member("bb"), member("dd")]
    whole = set(_names(absence(members, tuple(answers), NOW)))
    assert whole == set(_names(absence(members, tuple(reversed(answers)), NOW)))
    for number in range(len(answers)):
        rest = (*answers[:number], *answers[number + 1 :])
        assert not rest or whole <= set(_names(absence(members, rest, NOW)))


def _names(members: tuple[Member, ...]) -> list[str]:
    return [one.fingerprint for one in members]


def test_what_is_quiet_in_one_of_a_pair_is_not_active() -> None:
    answers = (
        listing(entry("aa"), entry("bb"), entry("cc", State.UNPROCESSED)),
        listing(entry("aa"), entry("bb", State.SUPPRESSED), entry("dd")),
        SILENT,
    )
    assert {one.fingerprint for one in merge_active(answers)} == {"aa", "dd"}


def test_questions_are_narrowed_by_names_that_are_all_known() -> None:
    assert narrowed(["A", "B", "A"]) == {"A", "B"}
    assert narrowed(["A", ""]) == narrowed([str(number) for number in range(9)]) == frozenset()
    assert len(narrowed([str(number) for number in range(8)])) == 8


MEMBERS = frozenset(map(Fingerprint, ("aa", "bb")))
QUIET = State.SUPPRESSED


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        ((listing(entry("aa"), entry("bb"), entry("cc", QUIET, silenced_by=("s",))),), Suppression(loud=2)),
        (
            (listing(entry("aa", QUIET, silenced_by=("s",)), silences=(silence("s"),)),),
            Suppression(silenced=("silenced by jane until 2026-11-23T05:00:00Z",), quiet=1),
        ),
        (
            (listing(entry("aa")), listing(entry("aa", QUIET, silenced_by=("x-y",)))),
            Suppression(silenced=("silenced by x-y",), quiet=1),
        ),
        (
            (
                listing(
                    entry("aa", QUIET, silenced_by=("s",)),
                    silences=(silence("s", "remediator", "remediator: i/1/0"),),
                ),
            ),
            Suppression(loud=1, own=1),
        ),
        (
            (
                listing(
                    entry("aa", QUIET, silenced_by=("s", "t")),
                    silences=(silence("s", "remediator", "remediator: i/1/0"), silence("t", "remediator")),
                ),
            ),
            Suppression(silenced=("silenced by remediator until 2026-11-23T05:00:00Z",), quiet=1, own=1),
        ),
        ((listing(entry("aa", QUIET, inhibited_by=("cc",)), entry("bb")),), Suppression(quiet=1, loud=1)),
        ((listing(entry("aa", QUIET, muted_by=("night",))),), Suppression(quiet=1)),
        ((listing(entry("aa", QUIET)),), Suppression(quiet=1)),
        ((), Suppression()),
    ],
)
def test_what_keeps_the_alerts_of_an_incident_quiet(answers: Answers, found: Suppression) -> None:
    """A silence of ours is none; what is not understood is one."""
    assert suppressors(answers, MEMBERS) == found


@dataclass
class Said(Offline):
    """Ports of which only this is known."""

    said: Suppression | None

    async def suppression(self) -> Suppression | None:
        """What was said."""
        return self.said


@pytest.mark.parametrize(
    ("said", "allowed", "text"),
    [
        (None, True, "no Alertmanager is configured"),
        (Suppression(), True, "that nothing keeps quiet: 0"),
        (Suppression(loud=2), True, "that nothing keeps quiet: 2"),
        (Suppression(loud=1, quiet=1), True, "inhibited or muted: 1"),
        (Suppression(quiet=1), False, "every alert of the incident is inhibited or muted"),
        (Suppression(loud=5, quiet=1, silenced=("silenced by jane until x",)), False, "silenced by jane"),
    ],
)
async def test_a_silence_of_a_person_blocks_and_so_does_it_when_all_are_inhibited(
    said: Suppression | None, allowed: bool, text: str
) -> None:
    incident = opened().now
    assert incident.active is not None
    request = ChangeRequest(
        incident=incident, attempt=incident.active, step=Step(action="restart"), effect=EffectId("e"),
        at=NOW, policy=policy(), ceiling=Mode.AUTO,
    )  # fmt: skip
    verdict = await ask_guard(Suppressed(), request, Said(said))
    assert (verdict.allowed, verdict.guard) == (allowed, "suppressed")
    assert text in verdict.text


@dataclass
class Asked:
    """``core.plugins.IncidentAlerts``."""

    said: tuple[int, str]
    times: list[None] = field(default_factory=list)

    async def over(self) -> tuple[int, str]:
        """What was said."""
        self.times.append(None)
        return self.said


@pytest.mark.parametrize(
    ("firing", "said", "holds", "observed"),
    [
        (0, (0, "down"), True, "no alert fires"),
        (2, None, False, "2 alerts still fire"),
        (2, (0, ""), False, "2 alerts still fire"),
        (2, (1, ""), False, "2 alerts still fire"),
        (2, (2, ""), True, "no Alertmanager lists an alert of the incident any more"),
        (1, (0, "am is up for 3s only"), False, "1 alert still fires, as far as was delivered; am is up"),
    ],
)
async def test_the_check_does_not_depend_on_deliveries(
    firing: int, said: tuple[int, str] | None, holds: bool, observed: str
) -> None:
    asked = None if said is None else Asked(said)
    found = await AlertCheck().ask(
        AlertParams(), Sight(cluster=None, target=None, firing=firing, alerts=asked)
    )
    assert found.holds is holds
    assert found.observed.startswith(observed)
    assert asked is None or len(asked.times) == (firing > 0)
