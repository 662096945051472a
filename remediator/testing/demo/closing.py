"""What the demo prints at its end: a summary, how to see the details, and how to break things yourself."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from rich import box
from rich.table import Table
from rich.text import Text

from remediator.testing.demo.alertmanager import fingerprint
from remediator.testing.demo.ending import Ending
from remediator.testing.demo.stage import PEOPLE, Stage
from remediator.testing.demo.town import NAMESPACE


def summary(endings: list[Ending]) -> Table:
    """One column for each incident, so that narrow terminals need only fold the cells."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("")
    for ending in endings:
        table.add_column(ending.service, overflow="fold")
    rows: dict[str, list[str | Text]] = {
        "incident": [ending.id for ending in endings],
        "severity": [ending.severity for ending in endings],
        "done": ["; ".join(ending.changes) or "nothing" for ending in endings],
        "outcome": [_outcome(ending) for ending in endings],
        "people paged": [_paged(ending) for ending in endings],
        "mitigated": [_mitigated(ending) for ending in endings],
    }
    for name, cells in rows.items():
        table.add_row(Text(name, "dim"), *(cell if isinstance(cell, Text) else Text(cell) for cell in cells))
    return table


def _outcome(ending: Ending) -> Text:
    if ending.status == "resolved":
        return Text(f"{ending.attempts[-1][1]} and resolved" if ending.attempts else "resolved", "bold green")
    verdicts = ", ".join(how for _, how in ending.attempts)
    taken = f"; {ending.acknowledged_by} is on it" if ending.acknowledged_by else ""
    return Text(f"remediation {verdicts}; still open, {ending.status}{taken}", "bold red")


def _paged(ending: Ending) -> str:
    return ", then ".join(PEOPLE[channel] for channel in ending.paged) or "nobody"


def _mitigated(ending: Ending) -> str:
    after = ending.mitigated_after
    return "not yet" if after is None else f"after {after:.1f} s, by a verified fix"


def details(stage: Stage, endings: list[Ending]) -> Iterator[tuple[str, str]]:
    """What to look at, and the command that shows it."""
    operations = stage.daemon.addresses.operations
    asked = _bearer(stage.keys.you)
    for ending in endings:
        url = f"{operations}/v1/incidents/{ending.id}"
        yield f"everything about {ending.service}", f"curl -s {asked} {url}"
        yield "its timeline, every guard with what it observed", f"curl -s {asked} {url}/timeline"
    yield "the daemon's metrics", f"curl -s {operations}/metrics"
    yield "what it logs", f"tail {shlex.quote(str(stage.daemon.log))}"
    yield "the policies in force", f"cat {shlex.quote(str(stage.folder / 'policies' / 'demo.yaml'))}"


def plays(stage: Stage) -> Iterator[tuple[str, str]]:
    """What to try, and the command that does it."""
    operations, asked = stage.daemon.addresses.operations, _bearer(stage.keys.you)
    yield "break what a restart heals", _behave(stage, "analytics-service", "heals_on_rollout")
    yield "break what a restart does not heal", _behave(stage, "notification-service", "never_ready")
    yield "break the database, which is never touched: SEV-1", _behave(stage, "postgres", "never_ready")
    yield (
        "repair auth-service, as the manager would: its pages resolve",
        _behave(stage, "auth-service", "healthy"),
    )
    yield (
        "stop all changes, then break something",
        (f'curl -s -X PUT {asked} -d \'{{"reason": "trying it", "for": "5m"}}\' {operations}/v1/pause'),
    )
    yield "allow them again", f"curl -s -X DELETE {asked} {operations}/v1/pause"
    yield "send an alert of your own", _alert(stage)
    policies = shlex.quote(str(stage.folder / "policies" / "demo.yaml"))
    yield f"change {policies}, then have it read anew", f"curl -s -X POST {asked} {operations}/-/reload"
    yield "look at the cluster", f"kubectl --kubeconfig {shlex.quote(str(stage.kubeconfig))} get pods"


def _bearer(token: str) -> str:
    return f"-H 'Authorization: Bearer {token}'"


def _behave(stage: Stage, name: str, behaviour: str) -> str:
    body = f'{{"namespace": "{NAMESPACE}", "name": "{name}", "behaviour": "{behaviour}"}}'
    ca = shlex.quote(str(stage.ca))
    return f"curl -s --cacert {ca} -d '{body}' {stage.cluster.url}/-/fake/behave"


def _alert(stage: Stage) -> str:
    """The least that Alertmanager would send."""
    labels = {"alertname": "DiskFull", "service": "account-service", "severity": "critical"}
    shown = ", ".join(f'"{name}": "{value}"' for name, value in labels.items())
    alert = (
        f'{{"status": "firing", "labels": {{{shown}}}, "annotations": {{}}, '
        f'"startsAt": "2026-01-01T00:00:00Z", "fingerprint": "{fingerprint(labels)}"}}'
    )
    body = f'{{"version": "4", "receiver": "me", "groupKey": "me", "status": "firing", "alerts": [{alert}]}}'
    url = f"{stage.daemon.addresses.receiver}/v1/alertmanager"
    return f"curl -s -H 'Content-Type: application/json' {_bearer(stage.keys.webhook)} -d '{body}' {url}"
