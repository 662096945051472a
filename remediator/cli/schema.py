"""``remediator schema``: the policy language as JSON schema, for editors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from remediator.cli.output import ExitCode, stop
from remediator.policy.json_schema import policy_schema
from remediator.rehearsal.json_schema import schema_of_tests


def schema(
    *,
    tests: Annotated[bool, typer.Option("--tests", help="That of test files, *_test.yaml.")] = False,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write it there.")] = None,
) -> None:
    """The JSON schema of policy files (draft 7), for editors that complete and underline.

    An editor with the YAML language server reads it where a file begins with the line
    # yaml-language-server: $schema=policy.schema.json (a path from that file, or a URL).
    Exits 0, or 2 when FILE cannot be written.
    """
    text = json.dumps(schema_of_tests() if tests else policy_schema(), indent=2, ensure_ascii=False) + "\n"
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        stop(
            f"{out} cannot be written ({error.strerror}); name a file in a directory that exists",
            ExitCode.WRONG_USE,
        )
