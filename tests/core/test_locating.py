"""Alerts that name an object: which workload owns it is found out first, and nothing is ever guessed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from remediator.core import codec
from remediator.core.alerts import Fingerprint
from remediator.core.classify import Classifier, describe_match
from remediator.core.errors import NotFound, Refused, RemediatorError, Retryable
from remediator.core.finding import find
from remediator.core.incident import EffectId, IncidentId, Outcome
from remediator.core.journal import EffectLost, Fired, Kind, Locate, Located, Resolved
from remediator.core.locating import LOCATE_AGAIN, LOCATE_WITHIN
from remediator.core.naming import name_object, told_apart
from remediator.core.objects import Anchor, ObjectRef
from remediator.core.owners import SKEW, Named, changeable_from, looked_up
from remediator.core.policies import PageNever, PageNow, Policy, TargetSelector, WorkloadRef
from remediator.core.roots import Root
from remediator.core.times import MINUTE, SECOND, Instant
from remediator.policy.templates import compile_template
from tests.core.builders import NOW, WEB, alert, policy
from tests.core.test_decide import Life

POD = TargetSelector(kind="pod", selector=compile_template("{{ labels.namespace }}/{{ labels.pod }}"))
BATCH = WorkloadRef(kind="deployment", namespace="shop", name="batch")


def targeted(of: Policy | None = None) -> Policy:
    """The rule for ServiceDown has a target: a pod."""
    of = of or policy()
    first, *rest = of.rules
    named = replace(first, target=POD, group_by=("target",), service=compile_template("unknown"))
    return replace(of, rules=(named, *rest))


def fires(of: Policy, fingerprint: str = "aa", pod: str = "web-1", **labels: str) -> Fired:
    one = replace(
        alert(fingerprint), labels={"alertname": "ServiceDown", "namespace": "shop", "pod": pod, **labels}
    )
    match = Classifier(of).match(one.labels)
    assert match is not None
    return Fired(alert=one, match=match)


def named(of: Policy | None = None, *roots: Root) -> Life:
    """An incident whose alert names pod web-1."""
    life = Life(of or targeted(), roots=roots)
    life.tell(fires(life.policy))
    return life


def question(life: Life) -> Locate:
    asked = [effect for d in life.decisions for effect in d.effects if isinstance(effect, Locate)]
    return asked[-1]


def answer(life: Life, owner: WorkloadRef | None = WEB, reason: str = "", *, again: bool = False) -> None:
    uid = "u-1" if owner is not None else ""
    life.tell(Located(effect=question(life).id, owner=owner, uid=uid, reason=reason, again=again))


def told(life: Life, kind: Kind = Kind.LOCATED) -> list[str]:
    return [entry.text for d in life.decisions for entry in d.timeline if entry.kind is kind]


# --- names ---


@pytest.mark.parametrize(
    ("labels", "path"),
    [
        ({"namespace": "shop", "pod": "web-1"}, "shop/pod/web-1"),
        ({"namespace": "shop", "pod": "web.1"}, "shop/pod/web.1"),
        ({"namespace": "shop"}, None),
        ({"pod": "web-1"}, None),
        ({"namespace": "shop", "pod": "../x"}, None),
        ({"namespace": "shop", "pod": "a/b"}, None),
        ({"namespace": "Shop", "pod": "web-1"}, None),
        ({"namespace": "sh.op", "pod": "web-1"}, None),
        ({"namespace": "shop", "pod": "we\nb-1"}, None),
        ({"namespace": "shop", "pod": "-web"}, None),
        ({"namespace": "shop", "pod": "{{7*7}}"}, None),
        ({"namespace": "shop", "pod": "w" * 254}, None),
        ({"namespace": "s" * 64, "pod": "web-1"}, None),
        ({"namespace": "shop", "pod": "wеb-1"}, None),
    ],
)
def test_each_part_of_a_name_must_be_one(labels: dict[str, str], path: str | None) -> None:
    """The last has a Cyrillic letter."""
    ref, said = name_object(POD, labels)
    assert (ref.path if ref is not None else None) == path
    assert "\n" not in said


@pytest.mark.parametrize(
    ("labels", "path"),
    [
        (
            {
                "namespace": "monitoring",
                "pod": "ksm-0",
                "exported_namespace": "shop",
                "exported_pod": "web-1",
            },
            "shop/pod/web-1",
        ),
        ({"namespace": "monitoring", "pod": "ksm-0", "exported_namespace": "shop"}, None),
        ({"namespace": "monitoring", "pod": "ksm-0", "exported_pod": "web-1"}, None),
        ({"namespace": "shop", "pod": "web-1", "exported_color": "red"}, "shop/pod/web-1"),
    ],
)
def test_what_the_exporter_says_of_itself_names_nothing(labels: dict[str, str], path: str | None) -> None:
    """kube-state-metrics, scraped without honor_labels, is never restarted for the pods it speaks of."""
    ref, _ = name_object(POD, labels)
    assert (ref.path if ref is not None else None) == path


def test_labels_that_only_the_object_can_have_stay() -> None:
    labels = {"exported_namespace": "shop", "namespace": "monitoring", "pod": "ksm-0", "deployment": "web"}
    seen = told_apart(labels)
    assert (seen["namespace"], seen["deployment"], seen.get("pod")) == ("shop", "web", None)
    assert seen["exported_namespace"] == "shop", "for whoever writes so in a template"


def test_alerts_about_one_object_are_one_incident_whoever_exports_them() -> None:
    of = targeted()
    own = {"alertname": "ServiceDown", "namespace": "shop", "pod": "web-1"}
    other = {**own, "namespace": "mon", "pod": "ksm", "exported_namespace": "shop", "exported_pod": "web-1"}
    first, second, third = (
        describe_match(of.rules[0], labels) for labels in (own, other, {**own, "pod": "w"})
    )
    assert first.group == second.group != third.group
    assert first.grouped_by == {"target": "shop/pod/web-1"}


# --- what is decided ---


def test_nothing_is_planned_before_the_owner_is_known() -> None:
    life = named()
    assert [type(effect) for effect in life.decisions[0].effects] == [Locate]
    assert not life.now.attempts
    assert set(life.timers) == {"deadline", "locate"}
    assert codec.incident_from(codec.incident_json(life.now)) == life.now
    answer(life)
    assert life.now.service == "web", "the catalog's entry that owns it"
    assert life.now.active is not None
    assert life.now.active.target == WEB.path
    assert set(life.timers) == {"deadline"}
    assert told(life) == ["pod web-1 in namespace shop belongs to deployment/web, of service web"]
    assert life.now.about == ("web", WEB.path)


def test_a_workload_outside_the_catalog_is_changed_itself() -> None:
    life = named()
    answer(life, BATCH)
    assert life.now.service == "unknown"
    assert life.now.active is not None
    assert life.now.active.target == BATCH.path


def test_what_cannot_be_found_changes_nothing_and_pages() -> None:
    life = named()
    answer(life, None, "pod web-1 in namespace shop does not exist")
    assert life.now.attempts[-1].outcome is Outcome.BLOCKED
    assert [page.channel for page in life.pages] == ["oncall"]
    assert "does not exist" in life.now.pages[0].reason
    assert told(life) == ["nothing will be changed: pod web-1 in namespace shop does not exist"]


def test_what_can_be_no_name_is_never_looked_for() -> None:
    life = Life(targeted())
    life.tell(fires(life.policy, pod="../kube-system/x"))
    assert [effect for d in life.decisions for effect in d.effects] == []
    assert life.now.attempts[-1].outcome is Outcome.BLOCKED
    assert len(life.pages) == 1


def test_an_answer_that_may_be_another_soon_is_asked_for_again_for_a_minute() -> None:
    life = named()
    first = question(life)
    answer(life, None, "the API server does not answer", again=True)
    assert life.timers["locate"] == life.at + LOCATE_AGAIN
    life.ring("locate")
    assert question(life).id != first.id
    while life.now.aim is not None and not life.now.aim.trouble:
        answer(life, None, "the API server does not answer", again=True)
        if "locate" in life.timers:
            life.ring("locate")
    assert life.at - NOW <= LOCATE_WITHIN
    assert life.now.attempts[-1].outcome is Outcome.BLOCKED


def test_nobody_waits_for_ever_for_an_answer() -> None:
    life = named()
    life.ring("locate")
    assert life.at == NOW + LOCATE_WITHIN
    assert life.now.attempts[-1].outcome is Outcome.BLOCKED
    answer(life)
    assert life.now.active is None, "what comes late changes nothing"


def test_a_question_that_became_a_dead_letter_leads_nowhere() -> None:
    life = named()
    life.tell(EffectLost(effect=question(life).id, reason="poison"))
    assert "poison" in life.now.attempts[-1].reason


def test_P18_a_page_waits_for_no_answer() -> None:
    life = named(targeted(policy(PageNow())))
    assert len(life.pages) == 1
    life = named()
    assert life.timers["deadline"] == NOW + 15 * MINUTE


def test_where_there_is_no_runbook_people_are_asked_once_the_owner_is_known_or_not() -> None:
    for found in (WEB, None):
        life = named(targeted(policy(runbooks=())))
        assert life.pages == []
        answer(life, found, "gone")
        assert len(life.pages) == 1


def test_a_second_object_in_one_incident_blocks_it() -> None:
    of = targeted()
    first, *rest = of.rules
    of = replace(of, rules=(replace(first, group_by=("alertname",)), *rest))
    life = named(of)
    answer(life)
    life.tell(fires(of, "bb", pod="other-1"))
    assert life.now.aim is not None
    assert "two objects, pod web-1 in namespace shop and pod other-1" in life.now.aim.trouble


def test_another_outage_is_looked_at_anew() -> None:
    life = named()
    answer(life, None, "gone")
    life.tell(Resolved(fingerprint=Fingerprint("aa")), after=1000, over=("aa",))
    life.tell(fires(life.policy), after=1000)
    answer(life)
    assert life.now.active is not None


def test_what_resolves_meanwhile_asks_nothing_more() -> None:
    life = named()
    life.tell(Resolved(fingerprint=Fingerprint("aa")), after=1000, over=("aa",))
    assert life.now.resolved
    assert life.timers == {}
    answer(life)
    assert life.now.resolved


# --- incidents of one owner ---


def test_incidents_of_one_owner_attach_to_the_first_of_them() -> None:
    first = Root(incident=IncidentId("2026-11-23-0100-unknown"), about=WEB.path, severity="SEV-2")
    life = named(None, first)
    assert not told(life, Kind.ATTACHED), "it is not known to be of the same owner"
    answer(life)
    assert life.now.attached_to == first.incident
    assert not life.now.attempts
    assert life.pages == []
    life.roots = ()
    life.ring("attach")
    assert life.now.active is not None


@pytest.mark.parametrize(
    "other",
    [
        Root(incident=IncidentId("2027"), about=WEB.path, severity="SEV-2"),
        Root(incident=IncidentId("2026-01-01"), about=WEB.path, severity="SEV-3"),
        Root(incident=IncidentId("2026-01-01"), about=WEB.path, severity="SEV-1", idle=True),
        Root(incident=IncidentId("2026-01-01"), about=WEB.path, severity="SEV-1", attached=True),
        Root(incident=IncidentId("2026-01-01"), about=WEB.path, severity="SEV-1", foreign=True),
        Root(incident=IncidentId("2026-01-01"), about=BATCH.path, severity="SEV-1"),
    ],
    ids=["younger", "less severe", "without a runbook", "attached", "foreign", "of another"],
)
def test_of_two_only_one_waits(other: Root) -> None:
    life = named(None, other)
    answer(life)
    assert life.now.attached_to is None
    assert life.now.active is not None


# --- owners ---


@dataclass
class Found:
    """Objects by ``kind/name``, each with its UID and its controller's ``kind/name``."""

    objects: Mapping[str, Named | RemediatorError] = field(default_factory=dict)

    async def named(self, ref: ObjectRef) -> Named:
        assert ref.namespace == "shop"
        found = self.objects.get(str(ref), NotFound(f"could not read {ref}: not found"))
        if isinstance(found, RemediatorError):
            raise found
        return found


def ref(text: str) -> ObjectRef:
    kind, _, name = text.partition("/")
    return ObjectRef(kind=kind, namespace="shop", name=name)


def thing(text: str, controller: str = "", **more: object) -> tuple[str, Named]:
    """An object whose UID is ``u-`` and its name, as that of its controller."""
    owner = Anchor(ref=ref(controller), uid=f"u-{ref(controller).name}") if controller else None
    uid = f"u-{ref(text).name}"
    return text, Named(**{"ref": ref(text), "uid": uid, "controller": owner, **more})  # type: ignore[arg-type]


PODS_OWN = thing("pod/a", "replicaset/r")
LATE = Instant(NOW + SKEW + SECOND)


async def looked(text: str, *things: tuple[str, Named | RemediatorError], began: Instant = NOW) -> Located:
    return await find(EffectId("e"), ref(text), began, Found(dict(things)))


@pytest.mark.parametrize(
    ("text", "things", "owner"),
    [
        ("pod/a", (PODS_OWN, thing("replicaset/r", "deployment/d"), thing("deployment/d")), "d"),
        ("pod/a", (thing("pod/a", "statefulset/d"), thing("statefulset/d")), "d"),
        ("pod/a", (thing("pod/a", "daemonset/d"), thing("daemonset/d")), "d"),
        ("pod/a", (thing("pod/a", "job/j"), thing("job/j", "cronjob/d"), thing("cronjob/d")), "d"),
        ("job/d", (thing("job/d"),), "d"),
        ("replicaset/r", (thing("replicaset/r", "deployment/d"), thing("deployment/d")), "d"),
        ("statefulset/d", (thing("statefulset/d", "postgres.acme.io/x"),), "d"),
    ],
)
async def test_the_owner_is_found_controller_by_controller(
    text: str, things: tuple[tuple[str, Named], ...], owner: str
) -> None:
    found = await looked(text, *things)
    assert found.owner is not None
    assert (found.owner.name, found.owner.namespace, found.uid) == (owner, "shop", f"u-{owner}")


@pytest.mark.parametrize(
    ("things", "reason"),
    [
        ((), "pod a in namespace shop does not exist: it is gone, or never was there"),
        ((thing("pod/a"),), "pod a in namespace shop has no controller: nothing would make another one"),
        ((thing("pod/a", "replicaset/r"),), "pod/a belongs to replicaset/r, which does not exist any more"),
        (
            (thing("pod/a", "replicaset/r"), thing("replicaset/r", uid="another")),
            "pod/a belonged to another replicaset/r: one of the same name took its place",
        ),
        (
            (thing("pod/a", "replicaset/r"), thing("replicaset/r", "rollout.argoproj.io/x")),
            "replicaset/r belongs to rollout.argoproj.io/x, which is of no kind that is known here",
        ),
        (
            (thing("pod/a", "statefulset/d", ignored=True),),
            "pod a in namespace shop has opted out by annotation",
        ),
        (
            (thing("pod/a", "statefulset/d", created_at=LATE), thing("statefulset/d")),
            "pod a in namespace shop was made after the alert began: it replaced the one that is meant",
        ),
        ((("pod/a", Refused("grant it: get pods")),), "grant it: get pods"),
    ],
)
async def test_what_leads_to_no_owner_says_why(
    things: tuple[tuple[str, Named | RemediatorError], ...], reason: str
) -> None:
    found = await looked("pod/a", *things)
    assert (found.owner, found.reason, found.again) == (None, reason, False)


async def test_what_fails_for_the_moment_may_be_found_later() -> None:
    found = await looked("pod/a", ("pod/a", Retryable("no answer")))
    assert (found.owner, found.again) == (None, True)
    assert (await find(EffectId("e"), ref("pod/a"), NOW, None)).again is False


def test_what_may_be_read_on_the_way_is_known() -> None:
    assert looked_up("pod") == (
        "pod",
        "replicaset",
        "statefulset",
        "daemonset",
        "job",
        "deployment",
        "cronjob",
    )
    assert changeable_from("pod") == ("statefulset", "daemonset", "deployment")
    assert changeable_from("deployment") == ("deployment",)
    assert changeable_from("job") == ()


def test_a_page_never_stays_never() -> None:
    life = named(targeted(policy(PageNever())))
    answer(life, None, "gone")
    assert life.pages == []
