"""``remediator trust``: how far a running daemon trusts each rule, and why."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from remediator.cli.asking import Json, TokenFile, Url, ask_daemon
from remediator.cli.output import ExitCode, console, say_json, stop
from remediator.core.text import is_name, plain

_LOOK = "remediator trust"


def trust(
    *,
    restore: Annotated[
        str | None,
        typer.Option("--restore", help="A rule that its failures have lowered: trust it again."),
    ] = None,
    url: Url = None,
    token_file: TokenFile = None,
    json: Json = False,
) -> None:
    """Each rule with its mode, its record and what that speaks for. Rules are trusted with more in the files.

    Exits 0 when the daemon says so, 1 when it does not or there was nothing to lift, 2 on wrong use.
    """
    where = (url, token_file)
    if restore is not None:
        if not is_name(restore):
            stop(f"{plain(restore, 80)} is no name of a rule", ExitCode.WRONG_USE)
        shown = ask_daemon("POST", f"v1/trust/{restore}/restore", where, _LOOK)
        said: dict[str, Any] = {"items": [shown]}
    else:
        said = shown = ask_daemon("GET", "v1/trust", where, _LOOK)
    if json:
        say_json(shown)
        return
    for each in said["items"]:
        for line in _lines(each):
            console().print(line)
    if not said["items"]:
        console().print("there are no rules")


def _lines(rule: dict[str, Any]) -> list[str]:
    mode = rule["mode"]
    if rule["in_force"] != mode:
        mode = f"{mode}, {rule['in_force']} in force"
    counts = ", ".join(f"{count} {what}" for what, count in rule["counts"].items()) or "nothing yet"
    lines = [f"{rule['rule']}: {mode}; {counts}"]
    if rule["lowered"] is not None:
        lines.append(
            f"lowered to {rule['lowered']['to']} since {rule['lowered']['at']}: {rule['lowered']['why']}"
        )
    if rule["lacks_permissions"]:
        lines.append(f"lowered {rule['lacks_permissions']}")
    if rule["advice"]:
        lines.append(f"advice: {rule['advice']}")
    return [plain(lines[0], 800), *(f"  {plain(line, 800)}" for line in lines[1:])]
