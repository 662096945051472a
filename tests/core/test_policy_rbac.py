"""What a policy needs of the cluster, how that is written down, and what follows when it is missing."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import cast

import pytest
from rich.console import Console
from ruamel.yaml import YAML

from remediator.cli.explain_text import say_explanation
from remediator.core.access import Access, Granted, Grants, accesses
from remediator.core.plugins import Permission
from remediator.core.policies import Mode, Policy, WorkloadRef
from remediator.policy.access_check import excess, permission_findings, too_wide
from remediator.policy.digest import digest_of
from remediator.policy.explain import Explanation
from remediator.policy.load import load_policy, read_policies
from remediator.policy.lowering import lacking, lowered, lowered_rules
from remediator.policy.manifests import Account, as_yaml, comments, manifests, roles_of
from remediator.policy.rbac import Demands, Purpose, demands, namespaces_of
from tests.core.builders import WEB
from tests.core.explaining import of_labels

ACCOUNT = Account(namespace="ops", name="remediator")
TOP = """
severities:
  SEV-2: {summary: bad}
services:
  web: {namespace: shop, workload: deployment/web}
  db: {namespace: shop, workload: statefulset/db}
  pay: {namespace: bank, workload: deployment/pay}
  edge: {namespace: outside, workload: daemonset/edge}
  mail: {}
guards: {namespaces: [shop, bank], protect: [statefulset/db]}
runbooks:
  look-and-restart:
    diagnose: [{pods: {}}]
    steps: [{restart: {}}]
    verify: [{endpoints: {service: front}}, {alert: {state: resolved}}]
  move:
    steps: [{wait: {for: {endpoints: {}}}}, {evict_pod: {}}, {wait: {for: rollout}}]
    verify: [{ready: {}}]
  up:
    steps: [{scale: {to: 2, only: up}}]
    verify: [{ready: {}}]
rules:
"""


def policy(*rules: str, own: str = "restart: {}") -> Policy:
    """The catalog and runbooks above, under these rules; a runbook ``own`` has that step."""
    runbook = f"  own: {{steps: [{{{own}}}], verify: [{{rollout: {{}}}}]}}\n"
    text = TOP.replace("rules:\n", f"{runbook}rules:\n") + "".join(
        f"  - {{severity: SEV-2, {rule}}}\n" for rule in rules
    )
    loaded = read_policies({"p.yaml": text})
    assert loaded.policy is not None, loaded.findings
    return loaded.policy


def needed(*rules: str, ceiling: Mode = Mode.AUTO, at_least: Mode = Mode.OBSERVE) -> list[str]:
    """What they need to go on, in words, without the namespace where it is shop; evidence is not needed."""
    found = demands(policy(*rules), ceiling=ceiling, at_least=at_least)
    words = [str(access).removesuffix(" in namespace shop") for access in necessary(found)]
    return [each for each in words if each not in COMPARED]


def necessary(found: Demands) -> list[Access]:
    """Those without which somebody cannot go on."""
    return [access for access, whose in found.items() if not all(purpose.optional for purpose in whose)]


def told(found: Demands) -> list[str]:
    """Those in words without places, and without ``COMPARED``."""
    return sorted(each.what for each in necessary(found) if each.what not in COMPARED)


COMPARED = ("list deployments.apps", "list statefulsets.apps", "list deployments.apps in namespace bank")
"""What the guard ``observer`` reads of the whole catalog, whichever rule it is asked for."""


WEB_DOWN = "name: web-down, match: ['alertname=\"Down\"'], service: web, runbooks: [look-and-restart]"
LOOKING = [
    "list pods",
    "get deployments.apps web",
    "list poddisruptionbudgets.policy",
]
ACTING = [
    "get endpoints front",
    "list pods",
    "get deployments.apps web",
    "patch deployments.apps web",
    "list poddisruptionbudgets.policy",
]


@pytest.mark.parametrize("mode", ["observe", "suggest"])
def test_a_rule_that_may_not_act_needs_no_more_than_it_reads(mode: str) -> None:
    """It diagnoses and plans; nothing is claimed, changed, tried on the server or verified."""
    assert needed(f"{WEB_DOWN}, mode: {mode}") == LOOKING


def test_a_rule_that_acts_needs_its_change_and_its_verification() -> None:
    assert needed(f"{WEB_DOWN}, mode: auto") == ACTING


def test_evidence_is_asked_for_where_pods_may_go_and_lowers_nobody() -> None:
    """Logs, events, usage, revisions, by a rule that acts; who may not read them acts all the same."""
    acts = policy(f"{WEB_DOWN}, mode: auto")
    kept = [
        access.what
        for access, purposes in demands(acts).items()
        if all(purpose.optional for purpose in purposes)
    ]
    assert sorted(kept) == [
        "get pods/log",
        "list events",
        "list pods.metrics.k8s.io",
        "list replicasets.apps",
    ]
    missing = [access for access in demands(acts) if access.what in kept]
    assert lacking(demands(acts), missing) == {}
    assert lowered(acts, missing) == acts
    for rule in (f"{WEB_DOWN}, mode: suggest", f"{WEB_DOWN.replace('look-and-restart', 'up')}, mode: auto"):
        optional = [one for each in demands(policy(rule)).values() for one in each if one.optional]
        assert optional == []


def test_the_ceiling_of_the_daemon_and_a_step_up_the_ladder() -> None:
    """Under a ceiling less is needed; as if trusted with more, what it would take."""
    assert needed(f"{WEB_DOWN}, mode: auto", ceiling=Mode.SUGGEST) == LOOKING
    assert needed(f"{WEB_DOWN}, mode: observe", at_least=Mode.AUTO) == ACTING
    assert needed(f"{WEB_DOWN}, mode: observe", at_least=Mode.AUTO, ceiling=Mode.OBSERVE) == LOOKING


def test_rules_without_runbooks_and_services_without_a_workload_need_nothing() -> None:
    assert needed("name: page, match: [], service: web") == []
    assert needed("name: mail, match: [], service: mail, mode: auto, runbooks: [up]") == []


@pytest.mark.parametrize(
    ("service", "kind"), [("db", "statefulsets.apps db"), ("edge", "daemonsets.apps edge")]
)
def test_what_is_protected_or_outside_the_namespaces_is_only_looked_at(service: str, kind: str) -> None:
    """Its guard ``target`` blocks before anything of the cluster is read."""
    place = "" if service == "db" else " in namespace outside"
    rule = f"name: down, match: [], service: {service}, mode: auto, runbooks: [look-and-restart]"
    assert needed(rule) == [f"list pods{place}", f"get {kind}{place}"]
    assert needed(f"name: down, match: [], service: {service}, mode: auto, runbooks: [up]") == []


def test_a_wait_before_the_first_change_is_needed_in_every_mode_and_one_after_it_is_not() -> None:
    rule = "name: down, match: [], service: web, runbooks: [move]"
    assert needed(rule) == [
        "get endpoints web",
        "list pods",
        "get deployments.apps web",
        "list poddisruptionbudgets.policy",
    ]
    assert needed(f"{rule}, mode: auto") == [
        "get endpoints web",
        "get pods",
        "list pods",
        "create pods/eviction",
        "get deployments.apps web",
        "patch deployments.apps web",
        "list poddisruptionbudgets.policy",
    ]


def test_budgets_are_read_only_where_healthy_pods_may_go() -> None:
    """Asking for more pods takes none away."""
    assert needed("name: down, match: [], service: web, mode: auto, runbooks: [up]") == [
        "get deployments.apps web",
        "patch deployments.apps web",
        "list horizontalpodautoscalers.autoscaling",
    ]


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        ("set_image: {image: 'shop/web:2'}", ["list poddisruptionbudgets.policy"]),
        ("set_resources: {limits: {cpu: 1}}", ["list poddisruptionbudgets.policy"]),
        (
            "isolate: {for: 30m}",
            ["list horizontalpodautoscalers.autoscaling", "list poddisruptionbudgets.policy"],
        ),
        ("restore: {}", []),
    ],
)
def test_changes_of_the_workload_need_to_patch_it(steps: str, wanted: list[str]) -> None:
    """And nothing beyond what they look at."""
    found = demands(policy("name: down, match: [], service: web, mode: auto, runbooks: [own]", own=steps))
    own = ["get deployments.apps web", "patch deployments.apps web"]
    assert told(found) == sorted([*own, *wanted])


@pytest.mark.parametrize(
    ("params", "wanted"), [("min: 2", []), ("max: 9", ["list poddisruptionbudgets.policy"])]
)
def test_an_autoscaler_is_claimed_itself_and_its_workload_is_not_patched(
    params: str, wanted: list[str]
) -> None:
    """Its name is not known beforehand."""
    of = policy("name: down, match: [], service: web, mode: auto, runbooks: [own]", own=f"hpa: {{{params}}}")
    scaler = [f"{verb} horizontalpodautoscalers.autoscaling" for verb in ("get", "list", "patch")]
    assert told(demands(of)) == sorted(["get deployments.apps web", *scaler, *wanted])


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        ("match: ['app=~\"WEB|PAY\"'], service: '{{ labels.app | lower }}'", ["bank/pay", "shop/web"]),
        ("match: ['app=\"we\"'], service: '{{ labels.app }}b'", ["shop/web"]),
        ("match: ['service=~\"web|nothing\"']", ["shop/web"]),
        ("match: ['service=\"\"', 'app=\"pay\"']", ["bank/pay"]),
        ("match: ['service=\"\"', 'app=~\"pay|\"']", None),
        ("match: ['service=\"\"', 'app=\"pay\"', 'job=\"x\"']", ["bank/pay"]),
        ("match: ['service=~\"w.*\"']", ["shop/web"]),
        ("match: ['service=~\"[a-z]+\"']", None),
        ("match: ['app=\"a\"', 'app=\"b\"'], service: '{{ labels.app }}'", []),
    ],
)
def test_the_services_a_rule_can_select(rule: str, names: list[str] | None) -> None:
    """By its matchers and its template, tried out; all of the catalog when they do not tell."""
    found = demands(policy(f"name: down, {rule}, mode: auto, runbooks: [up]"))
    every = ["bank/pay", "shop/web"]
    patched = [f"{one.namespace}/{one.name}" for one in found if one.verb == "patch"]
    assert patched == (every if names is None else names)


def test_rules_that_share_an_incident_share_its_service() -> None:
    """Without ``service`` among the grouping labels an incident is of the service of its first alert."""
    found = demands(
        policy(
            "name: one, match: ['a=\"1\"'], service: web, group_by: [cluster]",
            "name: two, match: ['a=\"2\"'], service: pay, group_by: [cluster], mode: auto, runbooks: [up]",
            "name: three, match: ['a=\"3\"'], service: pay, mode: auto, runbooks: [up]",
        )
    )
    by_name = {
        access.name: {rule for one in purposes for rule in one.rules}
        for access, purposes in found.items()
        if access.verb == "patch"
    }
    assert by_name == {"web": {"two"}, "pay": {"two", "three"}}


def test_a_runbook_that_lacks_something_is_never_begun() -> None:
    of = policy(f"{WEB_DOWN}, mode: auto")
    book = replace(of.runbooks["look-and-restart"], lacks=("undo",))
    assert demands(replace(of, runbooks={**of.runbooks, "look-and-restart": book})) == {}


def test_every_need_says_what_it_is_for() -> None:
    found = demands(policy(f"{WEB_DOWN}, mode: auto", "name: other, match: [], service: web, runbooks: [up]"))
    patch = Access(namespace="shop", group="apps", resource="deployments", verb="patch", name="web")
    assert [(one.rules, one.runbook, one.part) for one in found[patch]] == [
        (("web-down",), "look-and-restart", "guard lease"),
        (("web-down",), "look-and-restart", "step restart"),
    ]
    assert all(one.why for purposes in found.values() for one in purposes)


# --- how it is written down ---


def documents(of: Policy) -> list[dict[str, object]]:
    """The YAML, read again."""
    text = as_yaml(roles_of(demands(of)), ACCOUNT, ["a head"])
    return [one for one in YAML(typ="safe").load_all(text) if one]


def test_the_yaml_is_the_manifests() -> None:
    """A Role and its binding for each namespace, in order, bound to the account."""
    of = policy(f"{WEB_DOWN}, mode: auto", "name: pay, match: [], service: pay, mode: auto, runbooks: [up]")
    written = documents(of)
    assert written == list(manifests(roles_of(demands(of)), ACCOUNT))
    assert [(one["kind"], one["metadata"]["namespace"]) for one in written] == [  # type: ignore[index]
        ("Role", "bank"),
        ("RoleBinding", "bank"),
        ("Role", "shop"),
        ("RoleBinding", "shop"),
    ]
    assert written[3]["subjects"] == [{"kind": "ServiceAccount", "name": "remediator", "namespace": "ops"}]


def test_the_order_of_files_and_rules_does_not_show() -> None:
    """What is needed is sorted: a reviewer's diff shows what changed, nothing else."""
    one, two = f"{WEB_DOWN}, mode: auto", "name: pay, match: [], service: pay, mode: auto, runbooks: [up]"
    first, second = (roles_of(demands(policy(*rules))) for rules in ((one, two), (two, one)))
    assert manifests(first, ACCOUNT) == manifests(second, ACCOUNT)


@pytest.mark.parametrize("name", ["1234", "true", "yes", "null", "1e3", "a.b"])
def test_names_stay_text(name: str) -> None:
    """Whatever YAML would take them for."""
    access = Access(namespace="shop", group="apps", resource="deployments", verb="get", name=name)
    purpose = Purpose(rules=("r",), runbook="b", part="step restart", why="w")
    text = as_yaml(roles_of({access: (purpose,)}), Account(namespace=name, name=name))
    role, binding = [one for one in YAML(typ="safe").load_all(text) if one]
    assert role["rules"][0]["resourceNames"] == [name]
    assert binding["subjects"][0]["namespace"] == name


def test_names_say_nothing_where_all_objects_are_needed() -> None:
    alike = [Access(namespace="shop", group="", resource="pods", verb="get", name=name) for name in ("", "a")]
    purpose = Purpose(rules=("r",), runbook="b", part="diagnose logs", why="read")
    [role] = roles_of(dict.fromkeys(alike, (purpose,)))
    assert [line.names for line in role.lines] == [()]


def test_what_is_in_no_namespace_becomes_a_cluster_role() -> None:
    """And only that: it stands at the front, under a name that no other account has."""
    node = Permission(group="", resource="nodes", verbs=("get", "patch"), why="cordon", cluster_wide=True)
    purpose = Purpose(rules=("r",), runbook="b", part="step cordon", why="cordon")
    local = Access(namespace="shop", group="", resource="pods", verb="list")
    found = dict.fromkeys(sorted((*accesses(node, WEB, {}), local)), (purpose,))
    made = manifests(roles_of(found), ACCOUNT)
    assert [one["kind"] for one in made] == ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"]
    assert made[0]["metadata"]["name"] == made[1]["roleRef"]["name"] == "ops:remediator"
    assert "namespace" not in made[0]["metadata"]
    assert demands(load_policy(Path("policies"))).keys() & accesses(node, WEB, {}) == set()
    assert not any(role.namespace == "" for role in roles_of(demands(load_policy(Path("policies")))))


def test_a_comment_names_the_objects_where_not_all_are_meant_and_counts_what_is_many() -> None:
    def of(name: str, *rules: str) -> tuple[Access, tuple[Purpose, ...]]:
        access = Access(namespace="shop", group="apps", resource="deployments", verb="get", name=name)
        return access, (Purpose(rules=rules, runbook="b", part="guard target", why=f"see {rules[0]}"),)

    [role] = roles_of(dict([of("a", "one"), of("b", *(f"rule-{number}" for number in range(9)))]))
    assert list(comments(role.lines[0])) == [
        "b on a, for rule one:",
        "  guard target: see one",
        "b on b, for rules rule-0, rule-1, rule-2, rule-3, rule-4 and 4 more:",
        "  guard target: see rule-0",
    ]


@pytest.mark.parametrize(
    ("params", "name"),
    [({}, "web"), ({"service": ""}, "web"), ({"service": "front"}, "front"), ({"service": "{{ x }}"}, "")],
)
def test_the_name_of_an_object_comes_from_a_parameter_or_the_target(
    params: dict[str, object], name: str
) -> None:
    """What a template will say is not known: then it is any."""
    permission = Permission(
        group="", resource="endpoints", verbs=("get", "list"), named=("service", "target"), why="count"
    )
    assert [one.name for one in accesses(permission, WEB, params)] == [name, ""]


def test_a_permission_may_be_for_some_kinds_of_target_only() -> None:
    permission = Permission(
        group="apps", resource="{revisions}", verbs=("list",), kinds=("deployment",), why="read"
    )
    sets = WorkloadRef(kind="statefulset", namespace="shop", name="db")
    assert [one.resource for one in accesses(permission, WEB, {})] == ["replicasets"]
    assert accesses(permission, sets, {}) == ()
    assert [one.resource for one in accesses(replace(permission, kinds=()), sets, {})] == [
        "controllerrevisions"
    ]


# --- lowering ---

MISSING = [access for access in demands(policy(f"{WEB_DOWN}, mode: auto")) if access.verb == "patch"]


def test_a_rule_that_lacks_a_permission_only_observes_and_says_why() -> None:
    """It keeps its name, its place and its order; the policy keeps its digest."""
    of = policy(f"{WEB_DOWN}, mode: auto", "name: other, match: [], service: pay, mode: auto, runbooks: [up]")
    after = lowered(of, MISSING)
    assert [(rule.name, rule.mode) for rule in after.rules] == [
        ("web-down", Mode.OBSERVE),
        ("other", Mode.AUTO),
    ]
    assert after.rules[0].lowered == (
        "from auto: may not patch deployments.apps in namespace shop; remediator rbac says what to grant"
    )
    assert replace(after.rules[0], mode=Mode.AUTO, lowered="") == of.rules[0]
    assert after.rules[1] == of.rules[1]
    assert after.digest == of.digest == digest_of(of)
    assert lowered_rules(after) == (after.rules[0],)


def test_nothing_is_lowered_that_observes_already_or_lacks_nothing() -> None:
    """A ceiling below acting asks for less, so that less is missing."""
    of = policy(f"{WEB_DOWN}, mode: auto")
    assert lowered(of, ()) is of
    assert lowered(of, MISSING, ceiling=Mode.OBSERVE).rules == of.rules
    assert lowered(of, MISSING, ceiling=Mode.SUGGEST).rules == of.rules
    watching = policy(f"{WEB_DOWN}, mode: observe")
    assert lowered(watching, list(demands(watching))).rules == watching.rules


def test_a_missing_look_lowers_too() -> None:
    """What a runbook says it looks at before it acts is looked at, or it does not act."""
    of = policy(f"{WEB_DOWN}, mode: auto")
    look = Access(namespace="shop", group="", resource="pods", verb="list")
    [rule] = lowered(of, [look]).rules
    assert "may not list pods in namespace shop" in rule.lowered


def test_many_missing_permissions_are_counted() -> None:
    of = policy(f"{WEB_DOWN}, mode: auto")
    [rule] = lowered(of, list(demands(of))).rules
    assert rule.lowered.startswith(
        "from auto: may not list deployments.apps in namespace bank, get endpoints in namespace shop "
        "and 6 more;"
    )


def test_objects_that_differ_by_name_are_told_once() -> None:
    of = policy("name: any, match: [], mode: auto, runbooks: [up]")
    lacks = lacking(demands(of), [one for one in demands(of) if one.verb == "patch"])
    assert [(one.access.name, one.runbook, one.part) for one in lacks["any"]] == [
        ("pay", "up", "guard lease"),
        ("web", "up", "guard lease"),
    ]
    assert (
        "in namespace bank, patch deployments.apps in namespace shop;"
        in lowered(of, [one for one in demands(of) if one.verb == "patch"]).rules[0].lowered
    )


async def test_explanations_say_from_what_and_why_a_rule_was_lowered() -> None:
    """In the guard's own words, at the rule, and in the terminal."""
    of = lowered(policy(f"{WEB_DOWN}, mode: auto"), MISSING)
    explained = await of_labels(of, {"alertname": "Down"})
    why = "from auto: may not patch deployments.apps in namespace shop; remediator rbac says what to grant"
    assert explained.rule is not None
    assert (explained.rule.mode, explained.rule.lowered) == (Mode.OBSERVE, why)
    verdicts = {one.name: one.text for note in explained.runbooks for one in note.guards}
    assert verdicts["mode"] == f"rule web-down is in mode observe, lowered {why}"
    out = Console(file=StringIO(), width=200)
    whole = Explanation(policy=of.digest, ceiling=Mode.AUTO, alerts=(explained,), rejected=(), live=False)
    say_explanation(out, whole)
    assert f"lowered   {why}" in cast(StringIO, out.file).getvalue()


# --- against what was granted ---


class Told:
    """``AccessReviewer`` whose answers are written down: these rules, in every namespace."""

    def __init__(self, *rules: Granted) -> None:
        self.rules = rules

    async def missing(self, wanted: Collection[Access]) -> frozenset[Access]:
        return frozenset(one for one in wanted if not any(rule.allows(one) for rule in self.rules))

    async def granted(self, namespace: str) -> Grants:
        return Grants(rules=self.rules, complete=True)


def granted(verbs: str, resources: str, groups: str = "", names: Iterable[str] = ()) -> Granted:
    """One rule; words are separated by commas."""
    split = [frozenset(text.split(",")) for text in (groups, resources, verbs)]
    return Granted(groups=split[0], resources=split[1], verbs=split[2], names=frozenset(names))


EXACT = (
    granted("get", "endpoints", names=["front"]),
    granted("list", "pods"),
    granted("get,patch", "deployments", "apps", ["web"]),
    granted("list", "poddisruptionbudgets", "policy"),
    granted("list", "deployments,statefulsets", "apps"),
)


async def test_what_is_missing_is_found_at_the_rule_that_needs_it() -> None:
    of = policy(f"{WEB_DOWN}, mode: auto")
    assert await permission_findings(of, Told(*EXACT)) == ()
    [finding] = await permission_findings(of, Told(*EXACT[:2], *EXACT[3:]))
    assert (finding.code, str(finding.at)) == ("L911", of.rules[0].where)
    assert finding.message == (
        "rule 'web-down' lacks permissions: the daemon may not get deployments.apps in namespace shop, "
        "patch deployments.apps in namespace shop; grant what remediator rbac prints"
    )


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (granted("*", "*", "*"), "may * * of group *, where single permissions are enough"),
        (
            granted("get,list,watch", "pods"),
            "may get pods, which no policy needs|may watch pods, which no policy needs",
        ),
        (granted("delete", "secrets"), "may delete secrets, which no policy needs"),
        (granted("get", "endpoints"), "may get endpoints of any name, where front is enough"),
        (
            granted("patch", "deployments", "apps", ["web", "old"]),
            "may patch deployments.apps old, which no policy needs",
        ),
        (granted("get", "nodes", "", ["n1"]), "may get nodes, n1, which no policy needs"),
        (granted("create", "selfsubjectaccessreviews", "authorization.k8s.io"), ""),
    ],
)
def test_what_is_wider_than_needed_is_said_plainly(rule: Granted, text: str) -> None:
    found = demands(policy(f"{WEB_DOWN}, mode: auto"))
    assert "|".join(excess(rule, list(found))) == text


async def test_what_is_too_wide_is_told_once_with_its_namespaces() -> None:
    of = policy(f"{WEB_DOWN}, mode: auto")
    assert namespaces_of(of) == ("bank", "outside", "shop")
    assert await too_wide(demands(of), Told(*EXACT), ["shop"]) == ()
    wide = Told(*EXACT, granted("get", "configmaps"))
    assert await too_wide(demands(of), wide, ["shop"]) == (
        "in namespace shop we may get configmaps, which no policy needs",
    )


@pytest.mark.parametrize(
    ("rule", "access", "allowed"),
    [
        (granted("get", "pods"), ("", "pods", "get", ""), True),
        (granted("get", "pods"), ("", "pods/log", "get", ""), False),
        (granted("get", "pods/log"), ("", "pods/log", "get", ""), True),
        (granted("get", "*/log"), ("", "pods/log", "get", ""), True),
        (granted("get", "pods/*"), ("", "pods/log", "get", ""), False),
        (granted("*", "*", "*"), ("apps", "deployments/scale", "patch", "x"), True),
        (granted("get", "pods", "apps"), ("", "pods", "get", ""), False),
        (granted("get", "pods", names=["a"]), ("", "pods", "get", "a"), True),
        (granted("get", "pods", names=["a"]), ("", "pods", "get", "b"), False),
        (granted("list", "pods", names=["a"]), ("", "pods", "list", ""), False),
    ],
)
def test_a_granted_rule_is_read_as_the_server_reads_it(
    rule: Granted, access: tuple[str, str, str, str], allowed: bool
) -> None:
    group, resource, verb, name = access
    wanted = Access(namespace="shop", group=group, resource=resource, verb=verb, name=name)
    assert rule.allows(wanted) is allowed


def test_a_request_needs_nothing_of_the_cluster_but_what_the_guards_look_at() -> None:
    """No epoch is written for it, so nothing is patched."""
    needed = demands(
        policy("name: a, match: [a=b], service: web, mode: auto, runbooks: [own]", own="http: {}")
    )
    parts = {purpose.part for purposes in needed.values() for purpose in purposes}
    assert parts == {"guard target", "guard observer", "verify rollout"}
    assert {access.verb for access in needed} == {"get", "list"}
    assert all(each.startswith("get ") for each in told(needed))


def test_a_program_needs_no_permission_to_patch() -> None:
    """But both that API servers ask for to open a WebSocket into a pod."""
    own = "exec: {command: [a]}"
    needed = demands(policy("name: a, match: [a=b], service: web, mode: auto, runbooks: [own]", own=own))
    assert {f"{access.verb} {access.resource}" for access in needed if access.what not in COMPARED} == {
        "get deployments",
        "list pods",
        "get pods",
        "create pods/exec",
        "get pods/exec",
    }


def test_what_a_step_depends_on_is_asked_by_rules_that_may_not_act_too() -> None:
    """And where the first step may be left out, the next may be the one that is told."""
    steps = "restart: {}, when: {endpoints: {service: front}}}, {evict_pod: {}"
    for mode in ("auto", "observe"):
        found = parts(policy(f"name: r, match: [], service: web, mode: {mode}, runbooks: [own]", own=steps))
        assert "when endpoints" in found
        assert "step evict_pod" in found


@pytest.mark.parametrize("mode", ["auto", "observe"])
def test_a_program_that_tells_whether_a_step_is_meant_is_run_by_rules_that_may_act(mode: str) -> None:
    own = "restart: {}, when: {exec: {command: [a]}}"
    needed = demands(policy(f"name: r, match: [], service: web, mode: {mode}, runbooks: [own]", own=own))
    runs = {access for access, why in needed.items() if any(one.part == "when exec" for one in why)}
    assert ("pods/exec" in {access.resource for access in runs}) is (mode == "auto")
    assert "pods" in {access.resource for access in runs}


def parts(of: Policy) -> set[str]:
    """What of a runbook anything is needed for."""
    return {purpose.part for purposes in demands(of).values() for purpose in purposes}


@pytest.mark.parametrize(
    ("target", "looked", "patched"),
    [
        (
            "pod",
            {"pods", "replicasets", "jobs", "cronjobs", "deployments", "statefulsets", "daemonsets"},
            {"deployments", "statefulsets", "daemonsets"},
        ),
        ("replicaset", {"replicasets", "deployments"}, {"deployments"}),
        ("statefulset", {"statefulsets"}, {"statefulsets"}),
        ("job", {"jobs", "cronjobs"}, set()),
    ],
)
def test_a_rule_with_a_target_needs_all_that_may_be_named_in_every_allowed_namespace(
    target: str, looked: set[str], patched: set[str]
) -> None:
    """Whatever is looked at on the way is got; whatever may own it is changed."""
    named = f"target: {{{target}: '{{{{ labels.namespace }}}}/{{{{ labels.name }}}}'}}"
    of = policy(f"name: r, match: [], mode: auto, {named}, runbooks: [own]")
    found = demands(of)
    assert {access.namespace for access in found} == {"shop", "bank"}
    assert {access.name for access in found} == {""}
    assert {access.resource for access in found if access.verb == "get"} >= looked
    assert {access.resource for access in found if access.verb == "patch"} == patched
    why = f"find out which workload owns the {target} that an alert names"
    told = {each.why for purposes in found.values() for each in purposes if each.part == "target"}
    assert told == {why}


def test_a_rule_with_a_target_that_does_not_act_changes_nothing() -> None:
    of = policy("name: r, match: [], mode: suggest, target: {pod: a/b}, runbooks: [own]")
    assert {access.verb for access in demands(of)} == {"get", "list"}
    nowhere = replace(of, guards=replace(of.guards, namespaces=("kube-system",)))
    assert demands(nowhere) == {}
