"""``remediator pause``, ``resume`` and ``pauses``: the kill switch of a running daemon."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from remediator.cli.asking import Json, TokenFile, Url, ask_daemon
from remediator.cli.output import ExitCode, console, say_json, stop
from remediator.core.text import plain

PATH = "v1/pause"
_ONE = "name one of --namespace, --service, --rule and --runbook, or none for all changes"

Namespace = Annotated[str | None, typer.Option("--namespace", help="Changes of targets in this namespace.")]
Service = Annotated[str | None, typer.Option("--service", help="Changes of this service.")]
Rule = Annotated[str | None, typer.Option("--rule", help="Changes that this rule asks for.")]
Runbook = Annotated[str | None, typer.Option("--runbook", help="Changes of this runbook.")]


def pause(
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why; required.")],
    namespace: Namespace = None,
    service: Service = None,
    rule: Rule = None,
    runbook: Runbook = None,
    span: Annotated[
        str | None, typer.Option("--for", help="How long, such as 2h. Default: until resumed.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", help="Or when it ends, such as 2026-11-23T18:00:00Z.")
    ] = None,
    url: Url = None,
    token_file: TokenFile = None,
    json: Json = False,
) -> None:
    """Have a running daemon stop changes: all of them, or those of a namespace, service, rule or runbook.

    In force on every replica before its next change, and after a restart. Alerts are taken in, incidents
    opened and people paged as ever. Exits 0 when it is in force, 1 when it is not, 2 on wrong use.
    """
    scope = _scope(namespace=namespace, service=service, rule=rule, runbook=runbook)
    if not reason.strip():
        stop('--reason is empty; say why, such as --reason "moving the database"', ExitCode.WRONG_USE)
    if span is not None and until is not None:
        stop("--for and --until are both given; keep one of them", ExitCode.WRONG_USE)
    body = {"reason": reason, "scope": scope or None, "for": span, "until": until}
    stands = _ask("PUT", url, token_file, body={name: value for name, value in body.items() if value})
    _tell(stands, json=json)


def resume(
    *,
    namespace: Namespace = None,
    service: Service = None,
    rule: Rule = None,
    runbook: Runbook = None,
    url: Url = None,
    token_file: TokenFile = None,
    json: Json = False,
) -> None:
    """Lift one pause: that of all changes, or that of a namespace, service, rule or runbook.

    Says what is still paused. Exits 0 when that scope is not paused any more, 1 when it could not be lifted
    or was not paused by that name, 2 on wrong use.
    """
    scope = _scope(namespace=namespace, service=service, rule=rule, runbook=runbook)
    _tell(_ask("DELETE", url, token_file, query=scope), json=json)


def pauses(*, url: Url = None, token_file: TokenFile = None, json: Json = False) -> None:
    """What is paused, by whom, why and until when. Exits 0, paused or not; 1 when no daemon says so."""
    _tell(_ask("GET", url, token_file), json=json)


def _scope(**named: str | None) -> dict[str, str]:
    """Empty: all changes."""
    given = {kind: name for kind, name in named.items() if name is not None}
    if len(given) > 1 or "" in given.values():
        stop(_ONE, ExitCode.WRONG_USE)
    return given


def _ask(method: str, url: str | None, token_file: Path | None, **sent: Any) -> dict[str, Any]:
    return ask_daemon(method, PATH, (url, token_file), "remediator pauses", **sent)


def _tell(stands: dict[str, Any], *, json: bool) -> None:
    if json:
        say_json(stands)
        return
    before_scopes = [{**stands, "scope": None}] if stands.get("paused") else []  # a daemon of version 0.1
    lines = [_line(each) for each in stands.get("pauses", before_scopes)]
    for line in lines or ["nothing is paused"]:
        console().print(line)


def _line(pause: dict[str, Any]) -> str:
    """``service web is paused until …Z by ada since …Z: deploying``."""
    scope = pause["scope"]
    what = "all changes are" if scope is None else " ".join((*next(iter(scope.items())), "is"))
    until = "until resumed" if pause["until"] is None else f"until {pause['until']}"
    return plain(f"{what} paused {until} by {pause['by']} since {pause['since']}: {pause['reason']}", 800)
