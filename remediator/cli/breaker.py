"""``remediator breakers`` and ``close``: runbooks that a running daemon does not try any more."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from remediator.cli.asking import Json, TokenFile, Url, ask_daemon
from remediator.cli.output import ExitCode, console, say_json, stop
from remediator.core.text import plain
from remediator.core.times import Millis, format_duration

PATH = "v1/breakers"
_LOOK = "remediator breakers"


def breakers(*, url: Url = None, token_file: TokenFile = None, json: Json = False) -> None:
    """Runbooks that are not tried any more because they failed too often, and breakers closed lately.

    Exits 0, whether any is open or not; 1 when no daemon says so.
    """
    answered = ask_daemon("GET", PATH, (url, token_file), _LOOK)
    if json:
        say_json(answered)
        return
    lines = [_line(each) for each in answered["items"]]
    for line in lines or ["no breaker is open"]:
        console().print(line)


def close(
    runbook: Annotated[str, typer.Argument(metavar="RUNBOOK", help="Whose breaker is closed.")],
    *,
    note: Annotated[str | None, typer.Option("--note", help="Why it may be tried again.")] = None,
    url: Url = None,
    token_file: TokenFile = None,
    json: Json = False,
) -> None:
    """Let a running daemon try a runbook again whose breaker is open. Its failures are counted anew.

    In force on every replica, and on record with who closed it and when. Exits 0 when it is closed, 1 when it
    was not open or could not be closed, 2 on wrong use.
    """
    if not runbook or "/" in runbook:
        stop("name the runbook as remediator breakers lists it", ExitCode.WRONG_USE)
    body = {"note": note} if note else {}
    closed = ask_daemon("POST", f"{PATH}/{runbook}/close", (url, token_file), _LOOK, body=body)
    if json:
        say_json(closed)
    else:
        console().print(_line(closed))


def _line(breaker: dict[str, Any]) -> str:
    """``restart-web is not tried since …Z: 3 attempts failed within 1h, the last was …/1``."""
    within = format_duration(Millis(breaker["within"]))
    why = f"{breaker['failures']} attempts failed within {within}, the last was {breaker['by_attempt']}"
    text = f"{breaker['runbook']} is not tried since {breaker['opened_at']}: {why}"
    if not breaker["open"]:
        note = f": {breaker['note']}" if breaker["note"] else ""
        text = (
            f"{breaker['runbook']} was closed by {breaker['closed_by']} at {breaker['closed_at']}{note} "
            f"(open since {breaker['opened_at']}: {why})"
        )
    return plain(text, 1000)
