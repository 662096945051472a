"""``remediator approve`` and ``reject``: the answer to an incident that waits for a person."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from remediator.cli.asking import Json, TokenFile, Url, ask_daemon
from remediator.cli.output import ExitCode, console, say_json, stop
from remediator.core.text import plain

Where = tuple[str | None, Path | None]
"""The daemon's URL and the file of the token."""
_ID = re.compile(r"[a-z0-9._-]{1,120}")
Incident = Annotated[str, typer.Argument(help="The incident, such as 2026-11-23-0424-web.")]
Digest = Annotated[
    str | None,
    typer.Option("--digest", help="Of the plan that you mean, from the message that asked you."),
]
Note = Annotated[str | None, typer.Option("--note", help="Why; it goes to the timeline.")]


def approve(
    incident: Incident,
    *,
    digest: Digest = None,
    note: Note = None,
    url: Url = None,
    token_file: TokenFile = None,
    json: Json = False,
) -> None:
    """Agree to what an incident waits with. Every guard is asked after that all the same.

    Without --digest the plan is shown, and you are asked; where nobody can be asked, nothing is approved.
    Exits 0 when the daemon took it, 1 when it did not (too late, answered already, another plan by now), 2 on
    wrong use.
    """
    where = (url, token_file)
    if digest is None:
        digest = _agreed(_checked(incident), where)
    _answer("approve", incident, {"digest": digest, "note": note}, where, json=json)


def reject(
    incident: Incident,
    *,
    digest: Digest = None,
    note: Note = None,
    url: Url = None,
    token_file: TokenFile = None,
    json: Json = False,
) -> None:
    """Refuse what an incident waits with: nothing of it is done, and the next runbook or people take over.

    Exits 0 when the daemon took it, 1 when it did not, 2 on wrong use.
    """
    _answer("reject", incident, {"digest": digest, "note": note}, (url, token_file), json=json)


def _checked(incident: str) -> str:
    if _ID.fullmatch(incident) is None:
        stop(f"{plain(incident, 80)} is no incident's id; see GET /v1/incidents", ExitCode.WRONG_USE)
    return incident


def _agreed(incident: str, where: Where) -> str:
    """Show the plan, ask for it, and answer its digest."""
    shown = ask_daemon("GET", f"v1/incidents/{incident}", where, f"remediator approve {incident}")
    asks = next((each["asks"] for each in shown["attempts"] if each.get("asks")), None)
    if asks is None:
        stop(f"nothing of incident {incident} waits for approval", ExitCode.FINDINGS)
    for line in _lines(shown, asks):
        console(err=True).print(line)
    digest = str(asks["digest"])
    if not sys.stdin.isatty():
        stop(f"nobody can be asked here; agree to it with --digest {digest}", ExitCode.WRONG_USE)
    if not typer.confirm("Approve it?", err=True):
        stop("nothing was approved", ExitCode.FINDINGS)
    return digest


def _lines(shown: dict[str, Any], asks: dict[str, Any]) -> Iterator[str]:
    yield plain(f"{shown['severity']} {shown['title']} on {shown['service']} waits with plan:", 300)
    for line in asks["plan"]:
        yield f"  {plain(line, 400)}"
    yield f"until {asks['until']}, digest {asks['digest']}"


def _answer(
    what: str,
    incident: str,
    body: dict[str, str | None],
    where: tuple[str | None, Path | None],
    *,
    json: bool,
) -> None:
    path = f"v1/incidents/{_checked(incident)}/{what}"
    sent = {name: value for name, value in body.items() if value}
    shown = ask_daemon("POST", path, where, f"GET /v1/incidents/{incident}/timeline", body=sent)
    if json:
        say_json(shown)
        return
    said = {"approve": "approved", "reject": "rejected"}[what]
    waits = any(each.get("asks") for each in shown["attempts"])
    now = "waits for approval" if waits else f"is {shown['status']}"
    console().print(plain(f"{said}: incident {incident} {now}", 300))
