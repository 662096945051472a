"""How what a service depends on fares: when the check holds, what people read, what policies say."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from remediator.checks.dependencies import DependenciesCheck
from remediator.core.aiming import below_of
from remediator.core.below import MOST, BelowParams
from remediator.core.cluster import Workload
from remediator.core.errors import NotFound, Refused, RemediatorError, Retryable, StoreUnavailable
from remediator.core.incident import Aim, IncidentId
from remediator.core.journal import CheckResult
from remediator.core.plugins import HttpAnswer, Sight
from remediator.core.policies import Service, TargetSelector, WorkloadRef
from remediator.core.roots import Root
from remediator.diagnoses.dependencies import Dependencies
from remediator.policy.load import load_policy, read_policies
from remediator.policy.rbac import demands
from remediator.policy.templates import compile_template
from tests.core.builders import WEB, policy
from tests.core.looking import NOW, WORKLOAD, Cluster
from tests.core.test_decide import opened

HOSTS = frozenset(("bank.example:443", "mail.example:443"))
DB = WorkloadRef(kind="statefulset", namespace="data", name="db")


@dataclass(kw_only=True)
class Fleet(Cluster):
    """Workloads by name, or what reading one of them comes to."""

    known: Mapping[str, Workload | RemediatorError] = field(default_factory=dict)

    async def workload(self, ref: WorkloadRef) -> Workload:
        self.asked.append(ref.path)
        found = self.known[ref.name]
        if isinstance(found, RemediatorError):
            raise found
        return replace(found, ref=ref)


@dataclass
class Web:
    """What URLs answer, by a part of them."""

    answers: Mapping[str, int | RemediatorError]
    asked: list[tuple[str, frozenset[str]]] = field(default_factory=list)

    async def get(self, url: str, *, hosts: Collection[str], within: float) -> HttpAnswer:
        self.asked.append((url, frozenset(hosts)))
        found = next(answer for part, answer in self.answers.items() if part in url)
        if isinstance(found, RemediatorError):
            raise found
        return HttpAnswer(status=found, text="")


@dataclass
class Store:
    """Incidents that are open."""

    roots: Sequence[Root] = ()
    trouble: RemediatorError | None = None

    async def open_about(self, names: Sequence[str]) -> tuple[Root, ...]:
        if self.trouble is not None:
            raise self.trouble
        return tuple(root for root in self.roots if root.about in names)


def pods(ready: int, desired: int, *, seen: bool = True) -> Workload:
    return replace(WORKLOAD, ready=ready, desired=desired, observed_generation=1 if seen else 0)


def named(name: str, kind: str = "deployment") -> Service:
    return Service(name=name, workload=WorkloadRef(kind=kind, namespace="data", name=name))


def asked(name: str) -> Service:
    return Service(name=name, health=f"https://{name}.example/health")


def sight(
    *below: Service, cluster: Cluster | None = None, web: Web | None = None, store: Store | None = None
) -> Sight:
    return Sight(
        cluster=cluster,
        target=WEB,
        firing=1,
        service=Service(name="web", workload=WEB),
        http=web,
        hosts=HOSTS,
        at=NOW,
        below=below,
        incidents=store,
    )


async def check(seen: Sight) -> CheckResult:
    return await DependenciesCheck().ask(BelowParams(), seen)


async def look(seen: Sight) -> tuple[str, ...]:
    return await Dependencies().look(BelowParams(), seen)


# --- the check ---


@pytest.mark.parametrize(
    ("found", "holds", "told"),
    [
        (pods(3, 3), True, "1 of 1 dependencies well: db: 3 of 3 pods ready"),
        (pods(4, 3), True, "1 of 1 dependencies well: db: 4 of 3 pods ready"),
        (pods(2, 3), False, "1 of 1 dependencies not well: db: 2 of 3 pods ready"),
        (pods(0, 0), False, "1 of 1 dependencies not well: db: 0 of 0 pods ready"),
        (pods(3, 3, seen=False), False, "db: 3 of 3 pods ready, change not yet seen"),
        (
            NotFound("db does not exist"),
            None,
            "0 of 1 dependencies known to be well: db: unknown: db does not",
        ),
        (Retryable("no answer within 10.0 s"), None, "db: unknown: no answer within 10.0 s"),
        (Refused("may not get deployments"), None, "db: unknown: may not get deployments"),
    ],
)
async def test_a_workload_is_well_when_it_is_ready(
    found: Workload | RemediatorError, holds: bool | None, told: str
) -> None:
    """As check ``ready`` says; one that cannot be read is unknown, and never well."""
    cluster = Fleet(known={"db": found})
    result = await check(sight(named("db"), cluster=cluster))
    assert result.holds is holds
    assert told in result.observed
    assert cluster.asked == ["data/deployment/db"]


@pytest.mark.parametrize(
    ("answer", "holds", "told"),
    [
        (200, True, "1 of 1 dependencies well: bank: https://bank.example/health answered 200"),
        (204, True, "answered 204"),
        (302, False, "answered 302"),
        (503, False, "1 of 1 dependencies not well: bank: https://bank.example/health answered 503"),
        (Retryable("no answer within 5 s"), None, "bank: unknown: no answer within 5 s"),
        (Refused("bank.example leads to the daemon's own machine"), None, "own machine"),
    ],
)
async def test_what_has_no_workload_is_well_when_its_health_url_says_so(
    answer: int | RemediatorError, holds: bool | None, told: str
) -> None:
    """No answer is no failure but unknown: it may be the daemon that is cut off."""
    web = Web({"bank": answer})
    result = await check(sight(asked("bank"), web=web))
    assert result.holds is holds
    assert told in result.observed
    assert web.asked == [("https://bank.example/health", HOSTS)]


async def test_a_workload_counts_more_than_a_health_url() -> None:
    """Nobody asks the URL of what can be seen in the cluster."""
    web = Web({})
    both = replace(named("db"), health="https://bank.example/health")
    assert (await check(sight(both, cluster=Fleet(known={"db": pods(1, 1)}), web=web))).holds is True
    assert web.asked == []


async def test_what_has_neither_cannot_be_seen() -> None:
    """It is named, and however well the others are, nothing is proven."""
    seen = sight(Service(name="mainframe"), named("db"), cluster=Fleet(known={"db": pods(1, 1)}))
    result = await check(seen)
    assert result.holds is None
    assert result.observed == (
        "1 of 2 dependencies known to be well: mainframe: unknown: it has neither workload nor health in the "
        "catalog, so it cannot be seen; db: 1 of 1 pods ready"
    )


async def test_one_that_fails_is_enough_and_is_told_first() -> None:
    """Whatever could not be found out of others; then what is unknown, then what is well."""
    cluster = Fleet(known={"a": pods(1, 1), "b": Retryable("timed out"), "c": pods(0, 2)})
    web = Web({"mail": 500})
    result = await check(sight(named("a"), named("b"), named("c"), asked("mail"), cluster=cluster, web=web))
    assert result.holds is False
    assert result.observed == (
        "2 of 4 dependencies not well: c: 0 of 2 pods ready; mail: https://mail.example/health answered 500; "
        "b: unknown: timed out; a: 1 of 1 pods ready"
    )


async def test_what_depends_on_nothing_holds_and_says_so() -> None:
    """Nothing is below that could fail; that this proves nothing is for the linter to say (B214)."""
    result = await check(sight())
    assert (result.holds, result.observed) == (True, "web depends on nothing in the catalog")
    assert await look(sight()) == ("dependencies: web depends on nothing in the catalog",)


async def test_of_what_no_catalog_knows_nothing_is_known() -> None:
    stranger = replace(sight(), below=None, service=None)
    assert (await check(stranger)).holds is None
    (line,) = await look(stranger)
    assert "what it depends on is not known" in line


@pytest.mark.parametrize("service", [named("db"), asked("bank")])
async def test_without_the_means_to_look_it_is_unknown(service: Service) -> None:
    """No cluster, nothing to ask URLs with."""
    result = await check(sight(service))
    assert result.holds is None
    assert "configured" in result.observed


async def test_reads_and_texts_are_bounded() -> None:
    """Of very many only so many are looked at; the rest is not known to be well, and one may still fail."""
    many = [named(f"s{number:02d}") for number in range(MOST + 5)]
    cluster = Fleet(known={each.name: pods(1, 1) for each in many})
    result = await check(sight(*many, cluster=cluster))
    assert len(cluster.asked) == MOST
    assert result.holds is None
    assert result.observed.startswith(
        f"{MOST} of {MOST + 5} dependencies known to be well: 5 more: unknown: "
    )
    assert len(result.observed) < 1200
    lines = await look(sight(*many, cluster=cluster))
    assert len(lines) == 20
    assert lines[0] == f"5 more: unknown: of so many only {MOST} are looked at"
    assert lines[-1] == "and 12 more"
    cluster.known = {**cluster.known, "s00": pods(0, 1), "s01": NotFound("x" * 5000)}
    result = await check(sight(*many, cluster=cluster))
    assert result.holds is False
    assert result.observed.startswith(f"1 of {MOST + 5} dependencies not well: s00: 0 of 1 pods ready; ")
    assert len(result.observed) < 1200


async def test_what_strangers_wrote_forges_no_line() -> None:
    """An answer of the API server may hold anything."""
    cluster = Fleet(known={"db": Refused("no\n\x1b[2Jpostgres: well")})
    result = await check(sight(named("db"), cluster=cluster))
    assert "\n" not in result.observed
    assert "\x1b" not in result.observed
    (line,) = await look(sight(named("db"), cluster=cluster))
    assert line == "db: unknown: no [2Jpostgres: well"


async def test_a_store_that_is_away_is_no_answer() -> None:
    """The effect is tried again, as with any other look."""
    gone = StoreUnavailable("no store")
    with pytest.raises(StoreUnavailable):
        await check(sight(named("db"), cluster=Fleet(known={"db": gone})))
    with pytest.raises(StoreUnavailable):
        await look(sight(named("db"), cluster=Fleet(known={"db": pods(1, 1)}), store=Store(trouble=gone)))


# --- the diagnosis ---


async def test_the_diagnosis_names_what_fails_first_and_whose_incident_is_open() -> None:
    """A line each; of two incidents of one service the one that comes first."""
    cluster = Fleet(known={"a": pods(1, 1), "db": pods(0, 1)})
    roots = [
        Root(incident=IncidentId("i-1"), about="db", severity="SEV-1"),
        Root(incident=IncidentId("i-2"), about="db", severity="SEV-3"),
        Root(incident=IncidentId("i-3"), about="elsewhere", severity="SEV-1"),
    ]
    seen = sight(named("a"), named("db"), Service(name="old"), cluster=cluster, store=Store(roots))
    assert await look(seen) == (
        "db: not well: 0 of 1 pods ready; SEV-1 incident i-1 is open",
        "old: unknown: it has neither workload nor health in the catalog, so it cannot be seen",
        "a: well: 1 of 1 pods ready",
    )


# --- what is below an incident ---


def catalog() -> dict[str, Service]:
    return {
        "web": Service(name="web", workload=WEB, depends_on=("api",)),
        "api": replace(named("api"), depends_on=("db", "bank")),
        "db": Service(name="db", workload=DB),
        "bank": asked("bank"),
        "other": named("other"),
    }


def test_all_that_is_below_is_meant_by_the_newest_catalog() -> None:
    """Directly and in turn."""
    of = replace(policy(), services=catalog())
    incident = opened(of).now
    below = below_of(incident, of.rules[0], of)
    assert below is not None
    assert [each.name for each in below] == ["api", "bank", "db"]
    fewer = replace(of, services={**of.services, "api": named("api")})
    assert [each.name for each in below_of(incident, of.rules[0], fewer) or ()] == ["api"]
    assert below_of(incident, of.rules[0], replace(of, services={})) is None


def test_where_alerts_name_an_object_its_owner_says_what_is_below() -> None:
    """Not a label: an owner that no entry of the catalog names depends on nobody knows what."""
    of = replace(policy(), services=catalog())
    rule = replace(of.rules[0], target=TargetSelector(kind="pod", selector=compile_template("shop/web-1")))
    incident = opened(of).now
    owned = replace(incident, aim=Aim(ref=WEB, told="pod web-1", owner=WEB))
    assert [each.name for each in below_of(owned, rule, of) or ()] == ["api", "bank", "db"]
    stray = WorkloadRef(kind="deployment", namespace="shop", name="stray")
    assert below_of(replace(owned, aim=Aim(ref=stray, told="pod x", owner=stray)), rule, of) is None
    assert below_of(incident, rule, of) is None, "nothing is located"


# --- permissions ---

POLICY = """
severities:
  SEV-2: {summary: bad}
services:
  web: {namespace: shop, workload: deployment/web, depends_on: [api]}
  api: {namespace: shop, workload: deployment/api, depends_on: [db, bank]}
  db: {namespace: data, workload: statefulset/db}
  bank: {health: 'https://bank.example/health'}
  front: {depends_on: [web]}
rules:
  - {name: down, match: ['alertname="Down"'], severity: SEV-2, mode: auto, RULE, runbooks: [fix]}
guards: {namespaces: [shop], protect: [deployment/api]}
runbooks:
  fix: {diagnose: [DIAGNOSE], steps: [{restart: {}}], verify: [{alert: {}}, VERIFY]}
"""


def reads(rule: str, *, diagnose: str = "{pods: {}}", verify: str = "{rollout: {}}") -> list[str]:
    """What is read by name, that is not of ``web``."""
    text = POLICY.replace("RULE", rule).replace("DIAGNOSE", diagnose).replace("VERIFY", verify)
    found = demands(load_policy({"p.yaml": text}))
    return [str(each) for each in found if each.verb == "get" and each.name not in ("", "web")]


BELOW_WEB = [
    "get statefulsets.apps db in namespace data",
    "get deployments.apps api in namespace shop",
]


def test_the_role_grants_to_read_what_is_below_by_name_wherever_it_is() -> None:
    """What ``guards`` do not let be changed is read all the same; what has no workload takes nothing."""
    assert reads("service: web", verify="{dependencies: {}}") == BELOW_WEB
    assert reads("service: web", diagnose="{dependencies: {}}") == BELOW_WEB
    assert reads("service: web") == []


def test_the_role_says_what_it_is_for() -> None:
    text = (
        POLICY.replace("RULE", "service: web").replace("DIAGNOSE", "").replace("VERIFY", "dependencies: {}")
    )
    found = demands(load_policy({"p.yaml": text}))
    (purpose,) = next(whose for access, whose in found.items() if access.name == "db")
    assert (purpose.part, purpose.why) == (
        "verify dependencies", "see whether what it depends on is well"
    )  # fmt: skip


def test_a_rule_that_may_not_act_reads_them_for_its_diagnosis_alone() -> None:
    rule = "service: web, mode: suggest"
    of = POLICY.replace("mode: auto, ", "")
    text = of.replace("RULE", rule).replace("DIAGNOSE", "").replace("VERIFY", "dependencies: {}")
    assert not any(each.name == "db" for each in demands(load_policy({"p.yaml": text})))
    text = of.replace("RULE", rule).replace("DIAGNOSE", "dependencies: {}").replace("VERIFY", "ready: {}")
    assert any(each.name == "db" for each in demands(load_policy({"p.yaml": text})))


def test_a_service_without_a_workload_is_diagnosed_and_so_reads_what_is_below() -> None:
    assert reads("service: front", diagnose="{dependencies: {}}") == [
        "get statefulsets.apps db in namespace data",
        "get deployments.apps api in namespace shop",
    ]


def test_a_rule_with_a_target_may_turn_out_to_be_about_any_service_there() -> None:
    rule = "target: {pod: 'shop/{{ labels.pod }}'}, group_by: [target]"
    assert reads(rule, verify="{dependencies: {}}") == BELOW_WEB


# --- what check says ---

LINTED = """
severities: {SEV-2: {}}
services:
  web: {namespace: shop, workload: deployment/web, depends_on: [db]}
  db: {DB}
  idle: {namespace: shop, workload: deployment/idle}
rules:
  - {name: down, match: [alertname="Down"], severity: SEV-2, mode: auto, service: SERVICE, runbooks: [fix]}
guards: {namespaces: [shop]}
runbooks:
  fix: {diagnose: [DIAGNOSE], steps: [STEP], verify: [VERIFY]}
"""


def linted(
    *,
    service: str = "web",
    db: str = "namespace: shop, workload: deployment/db",
    diagnose: str = "pods: {}",
    step: str = "restart: {}",
    verify: str = "dependencies: {}, rollout: {}, alert: {}",
) -> list[str]:
    """Codes of what is said of the runbook, with its text."""
    text = LINTED.replace("{DB}", f"{{{db}}}").replace("SERVICE", service).replace("DIAGNOSE", diagnose)
    found = read_policies({"p.yaml": text.replace("STEP", step).replace("VERIFY", verify)}).findings
    return [f"{one.code} {one.message}" for one in found if one.code[0] in "BP"]


def test_a_verification_of_nothing_is_told() -> None:
    """Wherever it is asked; not where one of the services depends on something."""
    (told,) = linted(service="idle")
    assert told.startswith(
        "B214 runbook 'fix' asks about what the service depends on, but no service that it is"
    )
    asked_thrice = linted(
        service="idle", diagnose="dependencies: {}", step="{wait: {for: dependencies}}, {restart: {}}"
    )
    assert [each[:4] for each in asked_thrice] == ["B214"] * 3
    assert linted() == []
    assert linted(service="'{{ labels.app }}'") == []


def test_a_check_that_is_never_known_to_hold_is_told() -> None:
    """What the catalog does not say how to look at; a diagnosis says so by itself."""
    (told,) = linted(db="")
    assert told == "B215 dependencies is never known to hold: web depends on db: add workload or health there"
    assert linted(db="health: 'http://db.shop:80/'") == []
    assert linted(db="", diagnose="dependencies: {}", verify="rollout: {}, alert: {}") == []
    assert linted(db="", service="idle", verify="rollout: {}, alert: {}") == []


def test_what_others_are_well_proves_nothing_of_the_service() -> None:
    """B203, as for what its own steps control."""
    (told,) = linted(verify="dependencies: {}, ready: {for: 1m}")
    assert told == (
        "B203 runbook 'fix' is verified by ready alone, which its own steps control, and by dependencies, "
        "which are other services; add alert: {state: resolved, within: 10m}"
    )
    (told,) = linted(verify="dependencies: {}")
    assert "is verified by dependencies, which are other services; add alert" in told
