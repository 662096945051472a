"""``check --live`` against a real Prometheus: what is not there is told, what is there is not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest

from remediator.core.errors import Refused, Retryable
from remediator.core.lag import AlertingRule
from remediator.core.times import MINUTE, Millis
from remediator.live import ask_world
from remediator.policy.codes import CODES, Stage
from remediator.policy.lint_live import MOST_QUERIES, ask_prometheus
from remediator.policy.load import Loaded, check_policies
from remediator.settings import read_settings
from remediator.testing.apiserver import ADMIN, TOKEN, FakeApiServer, User
from tests.e2e.peers import Process, fetch, program, until
from tests.finding_pages import Example, block, examples
from tests.integration.test_cli_check import run
from tests.servers import free_port

OWN = "token-of-the-account"
FILES = {"base.yaml": block("base"), "guards.yaml": block("guards")}
LIVE = [each for each in examples() if CODES[each.code].stage is Stage.WORLD]


class Server(Process):
    """Scrapes itself, and has the alerting rules of ``docs/findings.md``."""

    def __init__(self, folder: Path) -> None:
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        (folder / "rules.yml").write_text(block("prometheus"))
        (folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 200ms, scrape_timeout: 200ms}\nrule_files: [rules.yml]\n"
            "scrape_configs: [{job_name: prometheus, "
            f"static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]\n"
        )
        command = [
            program("prometheus"),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        super().__init__("prometheus", command, folder)

    def wait_until_scraped(self) -> None:
        """It has samples of itself."""
        until("a scrape", lambda: fetch(f"{self.url}/api/v1/query?query=up")["data"]["result"])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    process = Server(tmp_path_factory.mktemp("prometheus"))
    try:
        process.wait_until_scraped()
        yield process.url
    finally:
        process.stop()


def check(files: Mapping[str, str], url: str) -> Loaded:
    """What ``check --live`` does."""
    return check_policies(
        files, lambda view: asyncio.run(ask_world(view, read_settings({"prometheus_url": url})))
    )


def told(text: str, url: str) -> list[str]:
    """``line:column code: message`` of what is told of a file beside those of the page."""
    findings = check({**FILES, "x.yaml": text}, url).findings
    return [f"{each.line}:{each.column} {each.code}: {each.message}" for each in findings]


@pytest.mark.parametrize("example", LIVE, ids=str)
def test_the_examples_of_the_page_are_true(example: Example, server: str) -> None:
    codes = {each.code for each in check(example.files, server).findings}
    assert codes == ({example.code} if example.wrong else set())


def test_templates_are_rendered_for_each_service_that_can_use_them(server: str) -> None:
    text = (
        "rules: [{name: r, match: [severity=x], severity: SEV-2, runbooks: [look]}]\n"
        "services: {prometheus: {namespace: shop, workload: deployment/prometheus}}\n"
        "runbooks: {look: {steps: [restart: {}], verify: [alert: {}, promql: "
        "{query: 'up{job=\"{{ service.name }}\"}', equals: 1}]}}\n"
    )
    (found,) = told(text, server)
    assert found.startswith("3:77 L901: the query gives no series now for web, db;")
    assert told(text.replace("severity=x", "service=prometheus"), server) == []


def test_what_a_service_promises_is_rendered_for_it(server: str) -> None:
    slo = "{objective: 99%, window: 1d, errors: 'up{job=\"{{ service.name }}\"}'}"
    text = f"services: {{prometheus: {{slo: {slo}}}, cart: {{slo: {slo}}}}}\n"
    found = [each for each in told(text, server) if " L9" in each]
    assert [each.split(";")[0] for each in found] == ["1:150 L901: the query gives no series now for cart"]


def test_no_series_is_an_answer_where_the_check_says_so(server: str) -> None:
    text = (
        "rules: [{name: r, match: [severity=x], severity: SEV-2, runbooks: [look]}]\n"
        "runbooks: {look: {steps: [restart: {}], verify: [alert: {}, promql: "
        "{query: nothing_of_that_name, below: 1%s}]}}\n"
    )
    assert len(told(text % "", server)) == 1
    assert told(text % ", absent: holds", server) == []


def test_every_place_of_a_query_is_asked(server: str) -> None:
    text = (
        "severities: {SEV-4: {page: now, escalation: team,\n"
        "  raise: {to: SEV-1, when: {promql: no_1, above: 1}}}}\n"
        "rules: [{name: r, match: [severity=x], severity: SEV-4, runbooks: [look],\n"
        "  raise: [{to: SEV-2, when: {promql: no_2, above: 1}}]}]\n"
        "services: {cart: {namespace: shop, slo: {objective: 99%, window: 1d, errors: no_3}}}\n"
        "runbooks: {look: {diagnose: [promql: {query: no_4}],\n"
        "  steps: [restart: {}, wait: {for: {promql: {query: no_5, below: 1}}}], verify: [alert: {}]}}\n"
    )
    findings = check({**FILES, "x.yaml": text}, server).findings
    assert [(each.line, each.column) for each in findings if each.code == "L901"] == [
        (2, 37), (4, 38), (5, 78), (6, 46), (7, 53),
    ]  # fmt: skip


def test_a_comment_has_an_answer_to_what_prometheus_says(server: str) -> None:
    reason = "# remediator: allow L903 because Loki makes it"
    text = f'rules: [{{name: r, match: [alertname="Elsewhere"], severity: SEV-2}}] {reason}\n'
    loaded = check({**FILES, "x.yaml": text}, server)
    assert (loaded.findings, [each.finding.code for each in loaded.silenced]) == ((), ["L903"])
    needless = text.replace("Elsewhere", "WebStuck")
    assert [each.code for each in check({**FILES, "x.yaml": needless}, server).findings] == ["K952"]


def test_the_command_asks_the_prometheus_that_is_named(server: str, tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    fine = run("check", tmp_path, "--live", "--prometheus", server)
    assert (fine.returncode, fine.stdout) == (0, "")
    (tmp_path / "x.yaml").write_text('rules: [{name: r, match: [alertname="WebStukk"], severity: SEV-2}]\n')
    done = run("check", tmp_path, "--live", "--json", REMEDIATOR_PROMETHEUS_URL=server)
    (found,) = json.loads(done.stdout)["findings"]
    assert (done.returncode, found["code"]) == (1, "L903")
    assert "did you mean 'WebStuck'?" in found["message"]


def test_a_prometheus_that_is_not_there_is_the_only_finding(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(block("base") + block("guards"))
    done = run("check", tmp_path, "--live", "--prometheus", f"http://127.0.0.1:{free_port()}")
    assert done.returncode == 1
    assert done.stdout.count("\n") == 1
    assert "nothing was asked: Prometheus cannot be reached" in done.stdout
    assert done.stdout.endswith("[L900]\n")
    assert "a daemon would not start" not in done.stderr


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--live"], "neither is named"),
        (["--live", "--prometheus", "ftp://x"], "http:// or https://"),
        (["--prometheus", "http://x"], "add --live"),
    ],
)
def test_wrong_use_of_live_exits_2_and_says_why(args: list[str], said: str) -> None:
    done = run("check", "policies", *args)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


class Tired:
    """A Prometheus that answers the first questions, and then no more."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def query(self, promql: str) -> tuple[tuple[Mapping[str, str], float], ...]:
        if promql == "vector(1)":
            return (({}, 1.0),)
        raise self.error

    async def alerting_rules(self) -> tuple[AlertingRule, ...]:
        return (AlertingRule(name="WebDown", waits=Millis(0), keeps=Millis(15 * MINUTE)),)


@pytest.mark.parametrize(
    ("error", "code"), [(Retryable("too late"), "L900"), (Refused("no such function"), "L902")]
)
def test_a_question_that_is_not_answered_is_told_at_the_query(error: Exception, code: str) -> None:
    text = (
        "rules: [{name: r, match: [severity=x], severity: SEV-2, runbooks: [look]}]\n"
        "runbooks: {look: {steps: [restart: {}], verify: [alert: {}, promql: {query: up, below: 1}]}}\n"
    )
    files = {**FILES, "x.yaml": text}
    loaded = check_policies(files, lambda view: asyncio.run(ask_prometheus(view, Tired(error))))
    found = [(each.line, each.column, each.message) for each in loaded.findings if each.code == code]
    assert found == [(2, 77, str(error))]


LIMIT = "not asked: one run asks 500 at most; check a part of the files by itself"


@pytest.mark.parametrize(
    ("more", "said"),
    [(0, []), (1, [f"this query is {LIMIT}"]), (3, [f"this query and 2 others are {LIMIT}"])],
)
def test_queries_that_are_not_asked_are_counted(more: int, said: list[str]) -> None:
    """A check that stops at some number in silence would be taken for one that found nothing."""
    looks = "".join(
        f"    - promql: {{query: 'up{{n=\"{number}\"}}'}}\n" for number in range(MOST_QUERIES + more)
    )
    text = (
        "rules: [{name: r, match: [severity=x], severity: SEV-2, runbooks: [look]}]\n"
        f"runbooks:\n  look:\n    steps: [restart: {{}}]\n    verify: [alert: {{}}]\n    diagnose:\n{looks}"
    )
    files = {**FILES, "x.yaml": text}
    prometheus = Tired(Refused("no"))
    loaded = check_policies(files, lambda view: asyncio.run(ask_prometheus(view, prometheus)))
    found = [(each.line, each.message) for each in loaded.findings if each.code == "L906"]
    assert found == [(7 + MOST_QUERIES, message) for message in said]


@pytest.fixture
async def cluster() -> AsyncIterator[FakeApiServer]:
    """Where the account of the daemon has no permissions."""
    account = User(name="system:serviceaccount:remediator:remediator", rules=())
    async with FakeApiServer(users={TOKEN: ADMIN, OWN: account}) as server:
        server.namespace("shop")
        yield server


async def test_permissions_that_the_daemon_lacks_are_told_at_the_rules(
    cluster: FakeApiServer, tmp_path: Path
) -> None:
    (tmp_path / "p.yaml").write_text(block("base") + block("guards"))
    path = cluster.kubeconfig(tmp_path / "kubeconfig", token=OWN)
    done = await asyncio.to_thread(run, "check", tmp_path, "--live", "--kubeconfig", path)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert [line[-6:] for line in lines] == ["[L911]", "[L911]"]
    assert "p.yaml:10:12: warning: rule 'web-down' lacks permissions: the daemon may not" in lines[0]
    admin = cluster.kubeconfig(tmp_path / "admin", token=TOKEN)
    fine = await asyncio.to_thread(run, "check", tmp_path, "--live", REMEDIATOR_KUBECONFIG=str(admin))
    assert (fine.returncode, fine.stdout) == (0, "")


async def test_a_cluster_that_is_not_there_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(block("base") + block("guards"))
    async with FakeApiServer() as cluster:
        path = cluster.kubeconfig(tmp_path / "kubeconfig")
    done = await asyncio.to_thread(run, "check", tmp_path, "--live", "--kubeconfig", path)
    assert done.returncode == 1
    assert "the cluster does not tell what we may do" in done.stdout
    assert done.stdout.endswith("[L910]\n")
