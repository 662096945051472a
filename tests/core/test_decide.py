"""What follows from what: the incident's life, decided purely."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from remediator.core.alerts import Fingerprint
from remediator.core.classify import group_key
from remediator.core.codec import incident_json
from remediator.core.decide import decide
from remediator.core.decision import Decision, Facts
from remediator.core.errors import Refused
from remediator.core.incident import Incident, Outcome, Phase, Status
from remediator.core.journal import (
    Acknowledged,
    Act,
    Acted,
    ActResult,
    Checked,
    CheckResult,
    Closed,
    Diagnosed,
    EffectLost,
    Event,
    Kind,
    Page,
    Paged,
    PageKind,
    PageResult,
    Resolved,
    TimerDue,
    Verify,
)
from remediator.core.opening import new_id
from remediator.core.policies import (
    Check,
    Diagnosis,
    Escalation,
    Level,
    Mode,
    PageNever,
    PageNow,
    Policy,
    Runbook,
    Scope,
    Step,
)
from remediator.core.roots import Root
from remediator.core.times import HOUR, MINUTE, SECOND, Instant, Millis
from tests.core.builders import NOW, fired, policy


@dataclass
class Life:
    """One incident, event by event, with its timers and its members kept as the store would."""

    policy: Policy
    at: Instant = NOW
    incident: Incident | None = None
    members: set[Fingerprint] = field(default_factory=set)
    stored: dict[str, Instant] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    roots: tuple[Root, ...] = ()

    def tell(self, *events: Event, after: int = 0, over: tuple[str, ...] = ()) -> Decision:
        self.at = Instant(self.at + after)
        facts = Facts(
            firing=len(self.members),
            members=frozenset(self.members),
            over=frozenset(Fingerprint(fp) for fp in over),
            roots=self.roots,
        )
        decision = decide(self.incident, events, facts, self.policy, self.at)
        self.incident = decision.incident
        self.members |= {alert.fingerprint for alert in decision.join}
        self.members -= decision.leave
        for name in decision.cancel:
            self.stored.pop(name, None)
        self.stored.update(decision.arm)
        self.decisions.append(decision)
        return decision

    def ring(self, name: str) -> Decision:
        """Time passes until that timer is due."""
        [stored] = [key for key in self.stored if key.startswith(f"{name}#")]
        due = self.stored.pop(stored)
        self.at = max(self.at, due)
        return self.tell(TimerDue(name=stored, due=due))

    @property
    def timers(self) -> dict[str, Instant]:
        """What is armed, by name alone."""
        return {key.rpartition("#")[0]: due for key, due in self.stored.items()}

    @property
    def now(self) -> Incident:
        assert self.incident is not None
        return self.incident

    @property
    def pages(self) -> list[Page]:
        return [m for d in self.decisions for m in d.messages if isinstance(m, Page)]

    def acted(self, result: ActResult = ActResult.DONE, **more: object) -> Decision:
        attempt = self.now.active
        assert attempt is not None
        assert attempt.pending is not None
        changes = ("restart deployment/web",) if result is ActResult.DONE else ()
        return self.tell(Acted(effect=attempt.pending, result=result, reason="so", changes=changes, **more))  # type: ignore[arg-type]

    def checked(self, holds: bool | None) -> Decision:
        attempt = self.now.active
        assert attempt is not None
        assert attempt.pending is not None
        return self.tell(
            Checked(effect=attempt.pending, results=(CheckResult(holds=holds, observed="2 of 2 pods ready"),))
        )

    def accept(self, page: Page) -> Decision:
        return self.tell(
            Paged(effect=page.id, key=page.key, kind=page.kind, result=PageResult.ACCEPTED, detail="ok")
        )


RICH = replace(policy().runbooks["restart"], diagnose=(Diagnosis(diagnosis="pods"),))


def opened(of: Policy | None = None) -> Life:
    life = Life(of if of is not None else policy())
    life.tell(fired(life.policy))
    return life


def test_an_alert_opens_an_incident_and_starts_its_runbook() -> None:
    life = opened()
    assert life.now.status is Status.REMEDIATING
    assert life.now.id == "2026-11-23-0213-web"
    [effect] = life.decisions[0].effects
    assert isinstance(effect, Act)
    assert life.timers == {"deadline": NOW + 15 * MINUTE}
    assert life.pages == []


def test_a_verified_fix_resolves_without_a_page() -> None:
    life = opened()
    [effect] = life.acted().effects
    assert isinstance(effect, Verify)
    life.checked(True)
    assert life.now.active is not None, "it has not been stable for long enough"
    life.ring("poll")
    life.at = Instant(life.at + 10 * SECOND)
    life.checked(True)
    assert life.now.attempts[-1].outcome is Outcome.VERIFIED
    life.tell(Resolved(fingerprint=Fingerprint("aa")), after=1000, over=("aa",))
    assert life.now.resolved
    assert life.pages == []
    assert life.timers == {}


def test_P14_an_unknown_check_is_a_failed_check() -> None:
    life = opened()
    life.acted()
    while life.now.active is not None:
        life.checked(None)
        if "poll" in life.timers:
            life.ring("poll")
    attempt = life.now.attempts[-1]
    assert attempt.outcome is Outcome.FAILED
    assert "unknown" in attempt.reason
    [page] = life.pages
    assert page.channel == "oncall"
    assert life.now.status is Status.ESCALATED


def test_stability_starts_anew_when_a_check_falters() -> None:
    life = opened()
    life.acted()
    life.checked(True)
    for holds in (True, False, True):
        life.ring("poll")
        life.checked(holds)
    attempt = life.now.active
    assert attempt is not None
    assert attempt.checks[0].since == life.at


def test_P18_the_page_deadline_rings_while_the_remediation_hangs() -> None:
    life = opened()
    life.ring("deadline")
    [page] = life.pages
    assert page.kind is PageKind.TRIGGER
    assert life.at == NOW + 15 * MINUTE
    assert life.now.active is not None, "the remediation goes on"
    assert "not verified in time" in life.now.pages[0].reason


def test_page_now_pages_in_the_commit_that_opens() -> None:
    life = opened(policy(PageNow()))
    [page] = life.pages
    assert page.dedup_key == f"{life.now.id}/1"


def test_page_never_pages_nobody_but_the_operator_of_what_is_unknown() -> None:
    life = opened(policy(PageNever()))
    life.acted(ActResult.BLOCKED)
    assert life.pages == []
    life = opened(policy(PageNever()))
    life.acted(ActResult.UNKNOWN)
    assert [page.channel for page in life.pages] == ["operator"]


def test_a_blocked_runbook_gives_way_to_the_next_and_then_to_people() -> None:
    life = opened(policy(runbooks=("restart", "again")))
    life.acted(ActResult.BLOCKED)
    active = life.now.active
    assert active is not None
    assert active.runbook.name == "again"
    life.acted(ActResult.BLOCKED)
    assert len(life.pages) == 1
    assert "deadline" not in life.timers


def test_what_is_unknown_is_followed_by_no_other_runbook() -> None:
    life = opened(policy(runbooks=("restart", "again")))
    life.acted(ActResult.UNKNOWN)
    assert life.now.active is None
    assert len(life.pages) == 1


def test_nobody_answers_so_it_climbs_one_level_at_a_time() -> None:
    life = opened(policy(PageNow()))
    life.accept(life.pages[0])
    life.ring("escalate")
    assert [page.channel for page in life.pages] == ["oncall", "manager"]
    assert "escalate" not in life.timers, "level 2 counts from its own acceptance"
    life.accept(life.pages[1])
    life.ring("escalate")
    assert len(life.pages) == 2, "there is no third level"


def test_an_acknowledgement_stops_the_climb() -> None:
    life = opened(policy(PageNow()))
    life.accept(life.pages[0])
    life.tell(Acknowledged(by="kim"))
    assert "escalate" not in life.timers
    assert life.now.acknowledged_by == "kim"


def test_P11_resolve_waits_for_its_trigger() -> None:
    life = opened(policy(PageNow(), runbooks=()))
    life.tell(Resolved(fingerprint=Fingerprint("aa")), over=("aa",))
    assert life.now.resolved
    assert [page.kind for page in life.pages] == [PageKind.TRIGGER]
    life.accept(life.pages[0])
    assert [page.kind for page in life.pages] == [PageKind.TRIGGER, PageKind.RESOLVE]


def test_P11_a_channel_that_asks_to_wait_is_tried_again_then() -> None:
    life = opened(policy(PageNow()))
    page = life.pages[0]
    later = Paged(
        effect=page.id,
        key=page.key,
        kind=page.kind,
        result=PageResult.RETRY,
        detail="429",
        retry_after=30 * SECOND,  # type: ignore[arg-type]
    )
    life.tell(later)
    timer = f"page/trigger/{page.key}"
    assert life.timers[timer] == NOW + 30 * SECOND
    life.ring(timer)
    assert [p.dedup_key for p in life.pages] == [page.dedup_key] * 2


def test_P11_a_refused_page_is_a_dead_letter_and_the_next_level_is_asked() -> None:
    life = opened(policy(PageNow()))
    page = life.pages[0]
    refused = Paged(
        effect=page.id, key=page.key, kind=page.kind, result=PageResult.REFUSED, detail="400 invalid key"
    )
    decision = life.tell(refused)
    assert len(decision.dead) == 1
    assert life.pages[-1].channel == "manager"


def test_a_late_or_repeated_outcome_changes_nothing() -> None:
    life = opened()
    effect = life.decisions[0].effects[0].id
    life.acted()
    before = life.now
    life.tell(Acted(effect=effect, result=ActResult.FAILED, reason="again"))
    assert life.now == before


def test_an_alert_that_fires_again_within_an_hour_reopens() -> None:
    life = opened()
    life.acted(ActResult.BLOCKED)
    life.tell(Resolved(fingerprint=Fingerprint("aa")), over=("aa",))
    assert life.now.resolved
    first = life.now.id
    life.tell(fired(life.policy), after=59 * MINUTE)
    assert life.now.id == first
    assert life.now.reopened == 1
    assert life.now.active is not None
    life.tell(Resolved(fingerprint=Fingerprint("aa")), over=("aa",))
    life.acted(ActResult.BLOCKED)
    assert life.now.resolved
    life.tell(fired(life.policy), after=HOUR + 1)
    assert life.now.id != first


def test_what_is_reopened_is_timed_from_then_on() -> None:
    """Everything counts anew: what was promised for an outage is not broken by the one before it."""
    life = opened(policy(runbooks=()))
    life.tell(Resolved(fingerprint=Fingerprint("aa")), after=MINUTE, over=("aa",))
    life.tell(fired(life.policy), after=50 * MINUTE)
    acknowledged = life.tell(Acknowledged(by="ada"), after=2 * MINUTE).timeline
    over = life.tell(Resolved(fingerprint=Fingerprint("aa")), after=3 * MINUTE, over=("aa",)).timeline
    took = {entry.kind: entry.data["took"] for entry in (*acknowledged, *over) if "took" in entry.data}
    assert took == {Kind.ACKNOWLEDGED: 2 * MINUTE, Kind.RESOLVED: 5 * MINUTE}
    assert over[-1].text.startswith("resolved after 5m: ")


def test_a_held_rule_waits_and_an_alert_that_resolves_meanwhile_leaves_nothing() -> None:
    life = Life(policy(hold=30_000))
    life.tell(fired(life.policy))
    assert life.now.status is Status.HELD
    assert life.now.attempts == ()
    life.tell(Resolved(fingerprint=Fingerprint("aa")), over=("aa",))
    assert life.incident is None
    life = Life(policy(hold=30_000))
    life.tell(fired(life.policy))
    life.ring("hold")
    assert life.now.status is Status.REMEDIATING
    assert life.now.opened_at == NOW + 30_000


def test_a_more_severe_rule_raises_the_incident_and_pages() -> None:
    life = opened()
    life.tell(fired(life.policy, "bb", alertname="DataLoss"))
    assert life.now.severity == "SEV-1"
    assert len(life.pages) == 1


def test_P5_a_newer_episode_is_not_resolved_by_an_older_one() -> None:
    life = opened()
    life.tell(Resolved(fingerprint=Fingerprint("aa")))
    assert life.now.alerts == 1


def test_an_alert_that_was_over_before_it_was_looked_at_is_recorded_and_pages_nobody() -> None:
    life = Life(policy(PageNow()))
    life.tell(fired(life.policy), over=("aa",))
    assert life.now.resolved
    assert life.pages == []


def test_observe_records_what_it_would_have_done_and_people_are_asked_at_once() -> None:
    """Nothing will fix it by itself: waiting for the deadline would help nobody."""
    life = opened(policy(mode=Mode.OBSERVE))
    life.acted(ActResult.WITHHELD)
    assert life.now.attempts[-1].outcome is Outcome.OBSERVED
    assert len(life.pages) == 1
    assert "deadline" not in life.timers


def test_without_a_runbook_to_try_people_are_asked_at_once() -> None:
    life = opened(policy(runbooks=()))
    assert len(life.pages) == 1
    life.tell(fired(life.policy, "bb"))
    assert len(life.pages) == 1


def test_a_step_is_put_off_with_the_same_identity_and_not_for_ever() -> None:
    life = opened()
    first = life.decisions[0].effects[0]
    assert isinstance(first, Act)
    life.acted(ActResult.RETRY)
    again = life.ring("act").effects[0]
    assert isinstance(again, Act)
    assert (again.step_id, again.at) == (first.step_id, first.at)
    assert again.id != first.id
    while life.now.active is not None:
        life.acted(ActResult.RETRY, in_doubt=True)
        if "act" in life.timers:
            life.ring("act")
    assert life.now.attempts[-1].outcome is Outcome.UNKNOWN


def test_a_step_that_is_asked_to_wait_longer_than_it_may_is_blocked_at_once() -> None:
    """A server's Retry-After can name an hour: nobody waits that long to hear that nothing is done."""
    life = opened()
    life.acted(ActResult.RETRY, retry_after=HOUR)
    assert "act" not in life.timers
    assert life.now.attempts[-1].outcome is Outcome.BLOCKED
    assert len(life.pages) == 1


def test_P14_a_change_that_is_left_half_done_by_a_new_mode_is_not_told_as_nothing() -> None:
    """A rule that is trusted less between two steps: what the first one changed is told, and is not fixed
    because the alert fell silent."""
    rules = policy()
    two = replace(rules.runbooks["restart"], steps=(Step(action="scale"), Step(action="restart")))
    life = opened(replace(rules, runbooks={"restart": two}))
    life.acted()
    life.policy = replace(life.policy, rules=tuple(replace(r, mode=Mode.OBSERVE) for r in rules.rules))
    life.acted(ActResult.WITHHELD)
    attempt = life.now.attempts[-1]
    assert (attempt.outcome, attempt.changes) == (Outcome.BLOCKED, ("restart deployment/web",))
    assert not any("nothing was changed" in page.reason for page in life.now.pages)
    assert len(life.pages) == 1

    life = opened(replace(rules, runbooks={"restart": two}))
    life.acted()
    life.tell(Resolved(fingerprint=Fingerprint("aa")), over=("aa",))
    life.acted(ActResult.WITHHELD)
    assert life.now.active is not None, "what was changed must be verified"
    assert life.now.active.phase is Phase.VERIFYING


def test_a_lost_step_is_unknown() -> None:
    life = opened()
    attempt = life.now.active
    assert attempt is not None
    assert attempt.pending is not None
    life.tell(EffectLost(effect=attempt.pending, reason="five deliveries"))
    assert life.now.attempts[-1].outcome is Outcome.UNKNOWN
    assert len(life.pages) == 1


def test_a_change_that_could_not_be_verified_stays_open_though_its_alert_is_silent() -> None:
    """Metrics vanish with the pods: a silent alert is no proof."""
    life = opened()
    life.acted()
    life.tell(Resolved(fingerprint=Fingerprint("aa")), over=("aa",))
    assert "poll" in life.timers or life.now.active is not None
    while life.now.active is not None:
        if life.now.active.pending is None:
            life.ring("poll")
        life.checked(False)
    assert life.now.status is Status.ESCALATED
    assert len(life.pages) == 1
    life.tell(Closed(by="kim", note="repaired by hand"))
    assert life.now.resolved


def test_a_verified_fix_whose_alert_fires_on_is_heard_of() -> None:
    life = opened()
    life.acted()
    life.checked(True)
    life.ring("poll")
    life.at = Instant(life.at + 10 * SECOND)
    life.checked(True)
    assert life.pages == []
    life.ring("linger")
    assert len(life.pages) == 1
    assert "still fire" in life.now.pages[0].reason


def test_a_runbook_that_is_gone_from_the_policy_blocks_and_pages() -> None:
    gone = replace(policy(), runbooks={})
    life = opened(gone)
    assert life.now.active is None
    assert len(life.pages) == 1


def test_a_storm_is_told_in_a_few_lines() -> None:
    life = Life(policy())
    storm = [fired(life.policy, f"{n:04x}") for n in range(500)]
    decision = life.tell(*storm)
    assert life.now.alerts == 500
    assert sum(entry.kind is Kind.ALERT_FIRED for entry in decision.timeline) <= 6
    assert decision.timeline[0].kind is Kind.OPENED
    assert life.now.attempts[-1].phase is Phase.ACTING


def test_a_timer_that_was_armed_anew_or_disarmed_is_stale() -> None:
    """Its event may be on the way already when the incident ends and opens again."""
    life = opened()
    [stale] = [name for name in life.stored if name.startswith("deadline#")]
    life.acted(ActResult.BLOCKED)
    life.tell(Resolved(fingerprint=Fingerprint("aa")), over=("aa",))
    paged = len(life.pages)
    life.tell(fired(life.policy), after=MINUTE)
    life.tell(TimerDue(name=stale, due=life.at))
    assert len(life.pages) == paged
    assert "deadline" in life.timers


def test_a_held_alert_that_gives_way_to_another_keeps_one_incident() -> None:
    """One notification: aa resolved, bb fires. What was held for aa waits on for bb, under the same id."""
    life = Life(policy(hold=90_000))
    life.tell(fired(life.policy))
    held = life.now.id
    life.tell(Resolved(fingerprint=Fingerprint("aa")), fired(life.policy, "bb"), after=70_000, over=("aa",))
    assert life.now.id == held
    assert life.members == {"bb"}
    assert life.timers == {"hold": life.at + 90_000}, "bb has to wait its own time"


def test_a_rule_without_hold_ends_the_wait_of_all() -> None:
    life = Life(policy(hold=600_000))
    life.tell(fired(life.policy))
    assert life.now.status == "held"
    worst = fired(life.policy, "bb", alertname="DataLoss")
    life.tell(replace(worst, match=replace(worst.match, rule=replace(worst.match.rule, hold=Millis(0)))))
    assert life.now.status is Status.REMEDIATING
    assert "hold" not in life.timers
    assert len(life.pages) == 1


def test_a_reopening_waits_for_the_hold_too() -> None:
    life = Life(policy(hold=30_000))
    life.tell(fired(life.policy))
    life.ring("hold")
    life.acted(ActResult.BLOCKED)
    life.tell(Resolved(fingerprint=Fingerprint("aa")), over=("aa",))
    assert life.now.resolved
    blip = life.tell(fired(life.policy), after=MINUTE)
    assert (blip.effects, blip.messages) == ((), ())
    assert life.now.resolved
    life.tell(Resolved(fingerprint=Fingerprint("aa")), over=("aa",), after=1000)
    assert life.timers == {}
    life.tell(fired(life.policy), after=MINUTE)
    life.ring("hold")
    assert life.now.status is Status.REMEDIATING
    assert life.now.reopened == 1


def test_a_new_outage_of_an_incident_left_to_people_begins_anew() -> None:
    """Unverified, paged, acknowledged, silent - and a week later it fires again."""
    life = opened()
    life.acted()
    life.tell(Resolved(fingerprint=Fingerprint("aa")), over=("aa",))
    while life.now.active is not None:
        if life.now.active.pending is None:
            life.ring("poll")
        life.checked(False)
    life.accept(life.pages[0])
    life.tell(Acknowledged(by="kim"))
    first = life.now.id
    life.tell(fired(life.policy), after=7 * 24 * HOUR)
    assert life.now.id == first
    assert life.now.status == "remediating"
    assert life.now.acknowledged_at is None
    assert "deadline" in life.timers
    assert life.pages[-1].kind is PageKind.RESOLVE, "the old page is closed"


def test_P18_the_deadline_is_armed_again_for_an_attempt_after_a_verified_one() -> None:
    life = opened(policy(runbooks=("restart",)))
    life.acted()
    life.checked(True)
    life.ring("poll")
    life.at = Instant(life.at + 10 * SECOND)
    life.checked(True)
    life.ring("deadline")
    assert life.pages == []
    again = fired(life.policy, "bb")
    rule = replace(again.match.rule, runbooks=("again",))
    life.tell(replace(again, match=replace(again.match, rule=rule)))
    life.ring("deadline")
    assert len(life.pages) == 1, "the second attempt hangs"


def test_P11_when_no_level_takes_the_page_the_operator_hears() -> None:
    life = opened(policy(PageNow()))
    for _ in range(2):
        page = life.pages[-1]
        life.tell(
            Paged(effect=page.id, key=page.key, kind=page.kind, result=PageResult.REFUSED, detail="400 no")
        )
    assert [page.channel for page in life.pages] == ["oncall", "manager", "operator"]


def test_P12_a_jump_of_the_clock_gives_no_page_up() -> None:
    life = opened(policy(PageNow()))
    page = life.pages[-1]
    busy = Paged(effect=page.id, key=page.key, kind=page.kind, result=PageResult.RETRY, detail="503")
    life.tell(busy, after=2 * HOUR)
    assert [p.channel for p in life.pages] == ["oncall"]
    assert f"page/trigger/{page.key}" in life.timers


def test_P12_stability_is_only_what_was_watched() -> None:
    """After a jump of the clock, or a daemon that was down, it begins anew."""
    life = opened()
    life.acted()
    life.checked(True)
    life.at = Instant(life.at + MINUTE)
    life.ring("poll")
    life.checked(True)
    assert life.now.active is not None
    assert life.now.active.checks[0].since == life.at


def test_an_observing_rule_does_not_cancel_the_runbook_of_another() -> None:
    of = policy(mode=Mode.OBSERVE)
    life = opened(of)
    other = fired(of, "bb")
    rule = replace(other.match.rule, name="data-loss", mode=Mode.AUTO, runbooks=("again",))
    life.tell(replace(other, match=replace(other.match, rule=rule)))
    life.acted(ActResult.WITHHELD)
    assert life.now.active is not None
    assert life.now.active.runbook.name == "again"


def test_a_raised_severity_asks_whom_it_asks_first() -> None:
    of = policy(runbooks=())
    levels = (Level(level=1, channels=("oncall", "vp"), acknowledge_within=Millis(MINUTE)),)
    escalations = {**of.escalations, "worst": Escalation(name="worst", levels=levels)}
    severities = {**of.severities, "SEV-1": replace(of.severities["SEV-1"], escalation="worst")}
    of = replace(of, escalations=escalations, severities=severities)
    life = opened(of)
    assert [page.channel for page in life.pages] == ["oncall"]
    life.tell(fired(of, "bb", alertname="DataLoss"))
    assert [page.channel for page in life.pages] == ["oncall", "vp"]


def test_an_alert_that_is_over_raises_nothing() -> None:
    life = opened()
    life.tell(fired(life.policy, "bb", alertname="DataLoss"), over=("bb",))
    assert life.now.severity == "SEV-2"
    assert life.pages == []


def test_an_incident_keeps_the_escalation_it_opened_with() -> None:
    life = opened(policy(PageNow()))
    life.accept(life.pages[0])
    life.policy = replace(life.policy, escalations={})
    life.ring("escalate")
    assert [page.channel for page in life.pages] == ["oncall", "manager"]


def test_hundreds_of_incidents_of_one_service_open_in_one_minute() -> None:
    """The service's name and the minute are taken once; then the group makes the difference."""
    groups = [group_key({"pod": f"web-{number}"}) for number in range(300)]
    assert new_id(NOW, "web", groups[0], 1) == "2026-11-23-0213-web"
    assert len({new_id(NOW, "web", group, 2) for group in groups}) == 300


def test_the_incident_stays_small_however_many_attempts_look_around() -> None:
    life = opened(replace(policy(), runbooks={"restart": RICH}))
    for _ in range(12):
        attempt = life.now.active
        assert attempt is not None
        assert attempt.pending is not None
        life.tell(Diagnosed(effect=attempt.pending, findings=("ü" * 300,) * 60))
        life.acted(ActResult.BLOCKED)
        life.tell(Resolved(fingerprint=Fingerprint("aa")), over=("aa",))
        life.tell(fired(life.policy), after=MINUTE)
    assert len(incident_json(life.now).encode()) < 64 * 1024


def test_the_incident_stays_small_however_large_its_runbooks_are() -> None:
    """A runbook may render to 16 KiB; an attempt that is over needs none of it, nor every pod it took."""
    check = Check(check="promql", params={"query": "x" * 2000, "below": 1.0})
    rules = policy(runbooks=("restart", "again"))
    large = replace(rules.runbooks["restart"], verify=(check,) * 8, steps=(Step(action="delete_pod"),))
    life = opened(replace(rules, runbooks={name: replace(large, name=name) for name in rules.runbooks}))
    removed = tuple(f"delete pod {number:0250d} of deployment/{'w' * 250}" for number in range(50))
    for _ in range(12):
        attempt = life.now.active
        assert attempt is not None
        assert attempt.pending is not None
        life.tell(Acted(effect=attempt.pending, result=ActResult.BLOCKED, reason="so", changes=removed))
        assert len(incident_json(life.now).encode()) < 64 * 1024
        if life.now.active is None:
            life.tell(Resolved(fingerprint=Fingerprint("aa")), over=("aa",))
            life.tell(fired(life.policy), after=2 * MINUTE)
    assert life.now.attempts[-2].changes[0] == removed[0][:199] + "…"
    assert life.now.attempts[-2].runbook.name in rules.runbooks


def test_what_fires_is_counted_for_the_rule_that_brought_it() -> None:
    """A change needs an alert of its own rule: another's, which may only observe, is no reason to act."""
    life = opened()
    life.tell(fired(life.policy, "bb"), fired(life.policy, "cc", alertname="DataLoss"))
    assert life.now.firing_by_rule == {"service-down": 2, "data-loss": 1}
    ended = [Resolved(fingerprint=Fingerprint(fp), rule="service-down") for fp in ("aa", "bb")]
    life.tell(*ended, over=("aa", "bb"))
    assert life.now.firing_by_rule == {"data-loss": 1}
    assert life.now.alerts == 1


def test_an_attempt_pins_its_runbook_as_rendered() -> None:
    """What it checks is decided when it starts, by the service, the severity and the incident of then."""
    seen: list[Scope] = []

    def render(runbook: Runbook, scope: Scope) -> Runbook:
        seen.append(scope)
        return replace(runbook, summary=f"for {scope.service}")

    rules = replace(policy(), render=render)
    life = Life(rules)
    life.tell(fired(rules))
    attempt = life.now.active
    assert attempt is not None
    assert attempt.runbook == replace(rules.runbooks["restart"], summary="for web")
    assert seen == [Scope(incident=life.now.id, severity="SEV-2", service="web", entry=rules.services["web"])]
    life.policy = policy()  # a reload changes nothing of what runs
    life.acted()
    assert life.now.active is not None
    assert life.now.active.runbook.summary == "for web"


def test_a_runbook_that_cannot_be_rendered_is_a_blocked_attempt() -> None:
    """The next one gets its turn; when there is none, people hear of it."""

    def render(runbook: Runbook, scope: Scope) -> Runbook:
        if runbook.name == "restart":
            raise Refused("promql: the template reads target.name\n, which is not known here")
        return runbook

    rules = replace(policy(runbooks=("restart", "again")), render=render)
    life = Life(rules)
    decision = life.tell(fired(rules))
    first, second = life.now.attempts
    assert (first.number, first.phase, first.outcome) == (1, Phase.ENDED, Outcome.BLOCKED)
    assert first.reason == "promql: the template reads target.name , which is not known here"
    assert (second.number, second.runbook.name, second.phase) == (2, "again", Phase.ACTING)
    assert [effect.attempt for effect in decision.effects if isinstance(effect, Act)] == [2]
    assert life.pages == []

    alone = replace(policy(), render=render)
    life = Life(alone)
    decision = life.tell(fired(alone))
    assert [attempt.outcome for attempt in life.now.attempts] == [Outcome.BLOCKED]
    assert decision.effects == ()
    assert life.now.active is None
    assert [(page.level, "target.name" in page.reason) for page in life.now.pages] == [(1, True)]


def test_a_thousand_runbooks_that_cannot_be_rendered_are_no_trouble() -> None:
    def render(runbook: Runbook, scope: Scope) -> Runbook:
        raise Refused("no")

    names = tuple(f"r{number}" for number in range(1000))
    books = {name: replace(policy().runbooks["restart"], name=name) for name in names}
    rules = replace(policy(runbooks=names), runbooks=books, render=render)
    life = Life(rules)
    life.tell(fired(rules))
    assert life.now.attempt_count == 1000
    assert [page.level for page in life.now.pages] == [1]
