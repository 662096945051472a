"""Labels and annotations are hostile. None changes a target, runs, forges a log line or takes CPU.

The default policies, quicker in two places, and the real daemon: ``remediator serve`` as a process, a real
Redis, the fake API server and the fake PagerDuty. What was sent is told once, then every test looks at one
side of what came of it.
"""

from __future__ import annotations

import json
import os
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from remediator.core.matchers import parse_matcher
from remediator.core.pauses import ScopeKind
from remediator.core.text import plain
from tests.core.test_metrics_table import bounds_broken
from tests.e2e.peers import ROUTING_KEY, Pager, Process, fetch, python, until
from tests.e2e.stage import write_certificates
from tests.servers import RedisServer, free_port

DEFAULT = Path(__file__).parents[2] / "policies"
CATALOG = {
    "auth-service": "deployments",
    "account-service": "deployments",
    "notification-service": "deployments",
    "analytics-service": "deployments",
    "postgres": "statefulsets",
}
FORGED = '{"event": "forged", "level": "critical", "timestamp": "2026-01-01T00:00:00Z"}'
HOSTILE = (
    "kube-system", "../x", "../../kube-system/deployments/auth-service", "{{7*7}}", "{{ labels.app }}",
    "$(id)", "__class__", "x" * 300, f"x\n{FORGED}", f"x\r\n{FORGED}\r\n", "\x1b[2J\x1b[31mforged\x07",
    "\x9b31mforged", "\u2028forged\u202e\u200b", "<!channel> <@here>", "(a+)+$", "a" * 4000 + "!",
    "'\"; DROP", "%s%n", "- name: x\n  mode: auto", "*", " auth-service ", "auth-service\n",
)  # fmt: skip
URLS = (
    "javascript:alert(1)", " javascript:alert(1)", "\njavascript:x", "vbscript:x", "file:///etc/passwd",
    "data:text/html,<script>alert(1)</script>", "//evil.example/x", "https://evil.example/\x1b[2J",
    "https://evil.example/\r\nSet-Cookie: a=b", "https://evil.example/\u202egpj.exe",
    "https://evil.example/" + "a" * 3000, "https://runbooks.example/fine",
)  # fmt: skip
READ = ("service", "app", "job", "namespace", "deployment", "alertname", "severity", "pod")
"""Labels that the default policies look at."""
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
BASE = {
    "alertname": "ServiceDown", "severity": "critical", "service": "auth-service", "app": "auth-service",
    "job": "probes", "namespace": "fintech-services", "deployment": "auth-service", "pod": "auth-service-1",
}  # fmt: skip
CPU_SECONDS = 20.0
"""For all of it, imports included: four are usual. A regular expression that backtracks takes for ever."""

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a request was answered."""

    status: int
    headers: str
    body: str


class Serve(Process):
    """``remediator serve``, on ports of its own."""

    def __init__(self, folder: Path, env: Mapping[str, str], name: str = "daemon") -> None:
        self.receiver, self.operations = free_port(), free_port()
        self.answers: list[Answer] = []
        """Everything it ever answered."""
        ports = {
            "REMEDIATOR_LISTEN": f"127.0.0.1:{self.receiver}",
            "REMEDIATOR_OPS_LISTEN": f"127.0.0.1:{self.operations}",
            "REMEDIATOR_DATA_DIR": str(folder / f"{name}-data"),
        }
        command = [sys.executable, "-c", "from remediator.cli.main import main; main()", "serve"]
        super().__init__(name, command, folder, {**ports, **env})

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """Of operations."""
        return self._ask(method, f"http://127.0.0.1:{self.operations}{path}", body, headers)

    def post(self, body: object, **headers: str) -> Answer:
        """To the receiver."""
        return self._ask("POST", f"http://127.0.0.1:{self.receiver}/v1/alertmanager", body, headers)

    def _ask(self, method: str, url: str, body: object, headers: Mapping[str, str]) -> Answer:
        data = None if body is None else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", **headers}
        request = urllib.request.Request(url, data, sent, method=method)
        try:
            with urllib.request.urlopen(request, timeout=45) as got:
                answer = Answer(status=got.status, headers=str(got.headers), body=got.read().decode())
        except urllib.error.HTTPError as got:
            with got:
                answer = Answer(status=got.code, headers=str(got.headers), body=got.read().decode())
        self.answers.append(answer)
        return answer

    def get(self, path: str, **headers: str) -> Any:
        """The JSON of a GET that must be a success."""
        answer = self.ask("GET", path, **headers)
        assert answer.status == 200, answer
        return json.loads(answer.body)

    def wait_until_ready(self) -> None:
        """It takes alerts."""
        until("a ready daemon", lambda: self.ask("GET", "/-/ready").status == 200)

    def cpu_seconds(self) -> float:
        """Processor time it has used so far."""
        words = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def workload(namespace: str, name: str, kind: str = "Deployment") -> Json:
    """A manifest."""
    labels = {"app": name}
    spec: Json = {
        "replicas": 1,
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": name, "image": "x:1"}]},
        },
    }
    if kind == "StatefulSet":
        spec["serviceName"] = name
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def start_cluster(folder: Path, manifests: list[Json], *arguments: str) -> tuple[Process, str, Path]:
    """The fake API server with these objects; its URL and a kubeconfig for it."""
    kubeconfig = folder / "kubeconfig"
    module = "remediator.testing.apiserver"
    command = python(module, "--kubeconfig", str(kubeconfig), "--ready-after", "0.2", *arguments)
    process = Process("apiserver", command, folder)
    url = process.first_line()
    for manifest in manifests:
        fetch(f"{url}/-/fake/objects", manifest)
    return process, url, kubeconfig


def alert(number: int, labels: Mapping[str, str], annotations: Mapping[str, str] = {}, url: str = "") -> Json:
    """A firing alert."""
    return {
        "status": "firing",
        "labels": dict(labels),
        "annotations": dict(annotations),
        "startsAt": "2026-11-23T04:24:11.09Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": url,
        "fingerprint": f"{number:016x}",
    }


def notification(alerts: list[Json], text: str = "{}") -> Json:
    """A webhook body. ``text`` is what its envelope says wherever it may say anything."""
    return {
        "version": "4", "groupKey": text, "status": "firing", "receiver": text, "truncatedAlerts": 0,
        "groupLabels": {text: text}, "commonLabels": {text: text}, "commonAnnotations": {text: text},
        "externalURL": text, "alerts": alerts,
    }  # fmt: skip


def everything() -> tuple[list[Json], set[str]]:
    """All that is sent, and the services of incidents that page at once."""
    found: list[tuple[Json, Json, str]] = [(BASE, {}, "")]
    paged: set[str] = set()
    for number, value in enumerate(HOSTILE):
        said = {"summary": value, "description": value, "runbook_url": f"https://x.example/{value}"}
        found += [({**BASE, name: value}, said, value) for name in READ]
        mismatch = {**BASE, "alertname": "KubeDeploymentReplicasMismatch", "service": "", "app": ""}
        found += [({**mismatch, name: value}, said, value) for name in READ]
        found.append((dict.fromkeys(READ, value), said, value))
        found.append(({"alertname": value, "pod": value, value: value}, said, value))  # no rule matches
        found.append(
            ({"alertname": value, "severity": "critical", "service": f"titled-{number}"}, said, value)
        )
        paged.add(f"titled-{number}")
    for number, url in enumerate(URLS):
        labels = {"alertname": "Link", "severity": "critical", "service": f"linked-{number}"}
        found.append((labels, {"runbook_url": url, "summary": url}, url))
        paged.add(f"linked-{number}")
    return [alert(n, labels, said, url) for n, (labels, said, url) in enumerate(found)], paged


@dataclass(kw_only=True)
class Aftermath:
    """What came of it."""

    sent: list[Json]
    answers: list[Answer]
    requests: list[Json]
    ledger: list[Json]
    log: str
    pages: list[Json]
    metrics: str
    shown: dict[str, Any]
    """What the API answers, by path, without the rules."""
    rules: list[str]
    """Those it offers for alerts that none matches."""
    keys: list[str]
    cpu: float


@pytest.fixture(scope="module")
def aftermath(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aftermath]:
    folder = tmp_path_factory.mktemp("hostile")
    with ExitStack() as stack:
        redis_folder, policies = folder / "redis", folder / "policies"
        redis_folder.mkdir()
        policies.mkdir()
        for path in DEFAULT.glob("*.yaml"):
            text = path.read_text().replace("hold: 30s", "hold: 200ms").replace("for: 30s", "for: 1s")
            text = text.replace(
                "storm: {incidents: 6", "storm: {incidents: 1000"
            )  # this is one, and a loud one
            (policies / path.name).write_text(text)
        redis = RedisServer("redis-7.0", redis_folder)
        stack.callback(redis.stop)
        kinds = {"deployments": "Deployment", "statefulsets": "StatefulSet"}
        manifests = [workload("fintech-services", name, kinds[kind]) for name, kind in CATALOG.items()]
        manifests += [workload(namespace, "auth-service") for namespace in ("kube-system", "default", "shop")]
        cluster, url, kubeconfig = start_cluster(folder, manifests)
        stack.callback(cluster.stop)
        pager = Pager(folder, *write_certificates(folder))
        stack.callback(pager.stop)
        env = {
            "REMEDIATOR_REDIS_URL": redis.url,
            "REMEDIATOR_POLICIES": str(policies),
            "REMEDIATOR_KUBECONFIG": str(kubeconfig),
            "REMEDIATOR_PAGERDUTY_URL": pager.url,
            "REMEDIATOR_LOG_LEVEL": "debug",
            "PAGERDUTY_ROUTING_KEY": ROUTING_KEY,
            "PAGERDUTY_MANAGER_ROUTING_KEY": ROUTING_KEY,
            "SSL_CERT_FILE": str(folder / "ca.pem"),
        }
        daemon = Serve(folder, env)
        stack.callback(daemon.stop)
        yield provoke(daemon, redis, url, pager)


def provoke(daemon: Serve, redis: RedisServer, cluster: str, pager: Pager) -> Aftermath:
    """Send everything, wait for what must come of it, and look everywhere."""
    daemon.wait_until_ready()
    sent, paged = everything()
    first = notification([{**sent[0], "labels": {**BASE}}])
    answers = [daemon.post(first)]
    answers += [
        daemon.post(notification(sent[at : at + 100], HOSTILE[at // 100])) for at in range(0, len(sent), 100)
    ]
    until(
        "a page for each of them", lambda: paged <= {e["body"]["payload"]["source"] for e in pager.events()}
    )
    until("a restart", lambda: fetch(f"{cluster}/-/fake/ledger"))
    until("the attempt for a stranger", lambda: 'service="other"' in daemon.ask("GET", "/metrics").body)
    items = daemon.get("/v1/incidents?limit=1000")["items"]
    paths = [f"/v1/incidents/{item['id']}{tail}" for item in items for tail in ("", "/timeline")]
    shown = {
        path: daemon.get(path) for path in ("/v1/incidents?limit=1000", "/v1/unmatched?limit=1000", *paths)
    }
    shown["/v1/dead-letters"] = daemon.get("/v1/dead-letters")
    explained = daemon.ask("POST", "/v1/explain", notification(sent[-400:]))
    assert explained.status == 200
    shown["/v1/explain"] = json.loads(explained.body)
    rules = [item.pop("rule") for item in shown["/v1/unmatched?limit=1000"]["items"]]
    offered = [one.pop("skeleton") for one in shown["/v1/explain"]["alerts"]]
    rules += [text for text in offered if text is not None]
    metrics, cpu = daemon.ask("GET", "/metrics").body, daemon.cpu_seconds()
    with redis.client() as client:
        keys = [str(key) for key in client.scan_iter(count=1000)]
    requests = fetch(f"{cluster}/-/fake/requests")
    daemon.stop()
    return Aftermath(
        sent=sent,
        answers=answers,
        requests=requests,
        ledger=fetch(f"{cluster}/-/fake/ledger"),
        log=daemon.log.read_bytes().decode(),
        pages=pager.events(),
        metrics=metrics,
        shown=shown,
        rules=rules,
        keys=keys,
        cpu=cpu,
    )


def texts(value: object) -> Iterator[str]:
    """Every text in plain data, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from texts(name)
            yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)


def test_all_of_it_is_taken(aftermath: Aftermath) -> None:
    """Hostile is not malformed: it is an alert like any other."""
    counts: dict[str, int] = {}
    for answer in aftermath.answers:
        assert answer.status == 200, answer
        for name, count in json.loads(answer.body).items():
            counts[name] = counts.get(name, 0) + count
    assert counts["new"] + counts["unmatched"] == len(aftermath.sent)
    assert counts["unmatched"] >= len(HOSTILE)
    assert "dead_letter" not in counts


def test_none_reaches_beyond_the_catalog(aftermath: Aftermath) -> None:
    """Whatever labels say, the API server is asked about the catalog's workloads in their namespace alone."""
    space, core = "/apis/apps/v1/namespaces/fintech-services", "/api/v1/namespaces/fintech-services"
    known = {f"{space}/{kind}/{name}" for name, kind in CATALOG.items()}
    selectors = {f"app%3D{name}" for name in CATALOG} | {f"app={name}" for name in CATALOG}
    usage = "/apis/metrics.k8s.io/v1beta1/namespaces/fintech-services/pods"
    owned = {f"{core}/pods", f"{space}/replicasets", f"{space}/controllerrevisions", usage}
    names = "|".join(CATALOG)
    own = re.compile(rf"{core}/(?:endpoints/(?:{names})|pods/(?:{names})-[a-z0-9-]+/log)")
    asked = [one for one in aftermath.requests if one["user_agent"].startswith("remediator/")]
    assert any(one["method"] == "PATCH" for one in asked)
    assert {one["user_agent"] for one in aftermath.requests} == {one["user_agent"] for one in asked}
    for one in asked:
        if one["path"].endswith("/selfsubjectrulesreviews"):
            continue  # what it may do, asked of the server itself
        if one["path"] in known:
            assert one["method"] in ("GET", "PATCH")
            assert not (one["method"] == "PATCH" and one["path"].endswith("/postgres"))
            continue
        assert one["method"] == "GET", one
        if one["path"] in owned:
            [selector] = re.findall("labelSelector=([^&]*)", one["query"])
            assert selector in selectors
        elif one["path"] == f"{core}/events":
            assert re.search("fieldSelector=involvedObject.uid(?:=|%3D)[0-9a-f-]{36}(?:&|$)", one["query"]), (
                one
            )
        else:
            budgets = "/apis/policy/v1/namespaces/fintech-services/poddisruptionbudgets"
            compared = {f"{space}/{kind}" for kind in CATALOG.values()}  # is every service down at once?
            assert one["path"] in {"/version", budgets, *compared} or own.fullmatch(one["path"]), one
    changed = {(effect["namespace"], effect["resource"], effect["name"]) for effect in aftermath.ledger}
    assert changed == {("fintech-services", "deployments", "auth-service")}
    assert sum(effect["template_changed"] for effect in aftermath.ledger) == 1
    bodies = " ".join(one["body"] for one in asked)
    assert "forged" not in bodies
    assert "evil" not in bodies


def test_none_forges_a_line_of_the_log(aftermath: Aftermath) -> None:
    """One JSON object a line, none of them theirs, and nothing in it that a terminal obeys."""
    assert aftermath.log.endswith("\n")
    lines = aftermath.log[:-1].split("\n")
    assert not re.search(r"[^\x20-\x7e\n]", aftermath.log)
    events = [json.loads(line) for line in lines]
    assert len(events) > len(HOSTILE)
    for event in events:
        assert isinstance(event, dict)
        assert event["event"] != "forged"
        assert re.fullmatch(r"20[0-9]{2}-[0-9-]+T[0-9:.]+Z", event["timestamp"])
        assert event["level"] in ("debug", "info", "warning")
        assert not any(CONTROL.search(text) for text in texts(event)), event
    assert any("forged" in event["event"] for event in events)  # it was told, as text within a line


def test_what_people_are_sent_is_plain_and_links_to_the_web(aftermath: Aftermath) -> None:
    """Lines of details are ours to break; each that is in order of time begins with its time."""
    hrefs = set()
    for page in aftermath.pages:
        payload = page["body"]["payload"]
        details = payload["custom_details"]
        for text in (page["dedup_key"], payload["summary"], payload["source"], *details):
            assert not CONTROL.search(text), text
        for name, text in details.items():
            assert not CONTROL.search(text.replace("\n", "")), text
            if name not in ("latest", "diagnosed", "tried", "guards that blocked"):
                assert "\n" not in text
        for line in details["latest"].split("\n"):
            assert re.match(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z ", line), line
        hrefs |= {link["href"] for link in page["body"]["links"]}
    assert "https://runbooks.example/fine" in hrefs
    for href in hrefs:
        assert href.startswith(("https://", "http://"))
        assert not CONTROL.search(href)
        assert len(href) <= 500


def test_no_metric_has_a_label_that_an_alert_chose(aftermath: Aftermath) -> None:
    told = set()
    services = set()
    for family in text_string_to_metric_families(aftermath.metrics):
        for sample in family.samples:
            told |= set(sample.labels.values())
            services |= {sample.labels["service"]} if "service" in sample.labels else set()
    chosen = {text for one in aftermath.sent for text in texts([one["labels"], one["annotations"]])}
    assert "other" in services
    assert services <= {*CATALOG, "other"}
    assert told & chosen <= {*CATALOG, *ScopeKind}  # what can be paused has the names of common labels
    assert bounds_broken(aftermath.metrics) == []


def test_incidents_and_keys_have_safe_names(aftermath: Aftermath) -> None:
    items = aftermath.shown["/v1/incidents?limit=1000"]["items"]
    assert len(items) > len(HOSTILE) + len(URLS)
    for item in items:
        assert re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}-[0-9]{4}-[a-z0-9._-]{1,66}", item["id"]), item["id"]
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,63}", item["service"])
    assert aftermath.keys
    for key in aftermath.keys:
        assert re.fullmatch(r"\{remediator\}:[A-Za-z0-9:/._-]+", key), key


def test_what_the_api_shows_is_plain(aftermath: Aftermath) -> None:
    for path, shown in aftermath.shown.items():
        for text in texts(shown):
            assert not CONTROL.search(text), (path, text)
    for item in aftermath.shown["/v1/incidents?limit=1000"]["items"]:
        for url in item["links"].values():
            assert url.startswith(("https://", "http://"))


def test_a_rule_to_begin_with_is_one_rule_and_no_more(aftermath: Aftermath) -> None:
    """What is offered for a policy file is one rule with a matcher, whatever the alert is called."""
    names = set()
    for text in aftermath.rules:
        assert not CONTROL.search(text.replace("\n", ""))
        [rule] = YAML(typ="safe", pure=True).load(text)
        assert set(rule) == {"name", "match", "severity"}
        assert re.fullmatch("[a-z0-9-]{1,63}", rule["name"])
        matchers = [parse_matcher(matcher) for matcher in rule["match"]]
        names |= {matcher.value for matcher in matchers if matcher.name == "alertname"}
        assert {matcher.name for matcher in matchers} <= {"alertname", "namespace"}
    assert {plain(value, 100) for value in HOSTILE} <= names


def test_none_takes_cpu(aftermath: Aftermath) -> None:
    assert aftermath.cpu < CPU_SECONDS
