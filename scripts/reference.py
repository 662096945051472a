"""Writes ``docs/reference.md`` from the plugins themselves: what each does, takes and needs.

``--check`` writes nothing and ends with 1 when the page is not what it would write; ``make lint`` runs that.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from remediator.actions import ACTIONS
from remediator.checks import CHECKS
from remediator.core.plugins import Permission
from remediator.core.times import Millis, format_duration
from remediator.diagnoses import DIAGNOSES
from remediator.guards import GUARDS
from remediator.policy.plugins import WAIT, WaitModel

PAGE = Path(__file__).parent.parent / "docs" / "reference.md"
HEAD = """# Actions, checks, diagnoses and guards

Written by `make reference` from the plugins themselves. How they are put together is told in
[policies.md](policies.md).
"""
CHECKING = (
    "Every check also takes `for` (it must have held for that long) and `within` (how long to wait for it)."
)


def main(arguments: list[str]) -> int:
    """0, or 1 when ``--check`` finds the page out of date."""
    text = "\n".join(page())
    if "--check" in arguments:
        if PAGE.read_text() != text:
            sys.stdout.write("docs/reference.md is out of date; run: make reference\n")
            return 1
        return 0
    PAGE.write_text(text)
    return 0


def page() -> Iterator[str]:
    """The page, in pieces."""
    yield HEAD
    yield "## Actions\n\nUnder `steps` of a runbook. Every guard is asked before one changes anything.\n"
    for name, action in sorted(ACTIONS.items()):
        effect = f"Effect: {action.effect}."
        yield from _plugin(name, action, action.params, action.permissions, action.example, effect)
    example = "wait: {for: ready, timeout: 5m}"
    yield from _plugin(WAIT, WaitModel, WaitModel, (), example, "Effect: none; it only looks.")
    yield f"## Checks\n\nUnder `verify` of a runbook, and what `wait` waits for. {CHECKING}\n"
    for name, check in sorted(CHECKS.items()):
        yield from _plugin(name, check, check.params, check.permissions, check.example)
    yield "## Diagnoses\n\nUnder `diagnose` of a runbook: they only read.\n"
    for name, diagnosis in sorted(DIAGNOSES.items()):
        yield from _plugin(name, diagnosis, diagnosis.params, diagnosis.permissions, diagnosis.example)
    yield "## Guards\n\nAsked before every change, in this order; the first that blocks ends it.\n"
    for number, guard in enumerate(GUARDS, 1):
        again = " Asked again immediately before each change." if guard.again else ""
        needs = "".join(f"\n   * {_need(permission)}" for permission in guard.permissions)
        yield f"{number}. `{guard.name}`: {guard.asks}. {_prose(guard)}{again}{needs}"
    yield ""


def _plugin(
    name: str,
    plugin: object,
    params: type[BaseModel],
    permissions: tuple[Permission, ...],
    example: str,
    more: str = "",
) -> Iterator[str]:
    yield f"### {name}\n\n{_prose(plugin)} {more}".rstrip() + "\n"
    yield f"```yaml\n{example}\n```\n"
    rows = list(_parameters(params.model_json_schema(by_alias=True)))
    if rows:
        yield "| parameter | value | default | |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"
    for permission in permissions:
        yield f"* {_need(permission)}"
    if permissions:
        yield ""


def _need(permission: Permission) -> str:
    """One line of a Role, and when it is needed."""
    verbs, resource = ", ".join(permission.verbs), _resource(permission.resource)
    named = ", by name" if permission.named else ""
    when = [
        "for rules that may act" if permission.acting else "",
        "for steps that may take healthy pods away" if permission.disrupting else "",
        f"for a {' or '.join(permission.kinds)}" if permission.kinds else "",
    ]
    told = "".join(f"; only {each}" for each in when if each)
    return f"needs `{verbs}` on {resource} ({permission.group or 'core'}){named}: {permission.why}{told}"


def _resource(name: str) -> str:
    return {
        "{kind}s": "`deployments`, `statefulsets` or `daemonsets`",
        "{revisions}": "`replicasets` or `controllerrevisions`",
    }.get(name, f"`{name}`")


def _prose(plugin: object) -> str:
    text = inspect.getdoc(plugin if isinstance(plugin, type) else type(plugin)) or ""
    return " ".join(text.replace("``", "`").split())


def _parameters(schema: Mapping[str, Any]) -> Iterator[str]:
    for name, field in schema.get("properties", {}).items():
        default = "needed" if name in schema.get("required", ()) else _shown(field)
        yield f"| `{name}` | {_type(field)} | {default} | {field.get('description', '')} |"


def _shown(field: Mapping[str, Any]) -> str:
    default = field.get("default")
    if default is None:
        return ""
    if field.get("type") == "string" and isinstance(default, int):  # durations are kept in milliseconds
        return f"`{format_duration(Millis(default))}`"
    return f"`{json.dumps(default)}`"


def _type(field: Mapping[str, Any]) -> str:
    if "enum" in field:
        return ", ".join(f"`{word}`" for word in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    if "anyOf" in field:
        return " or ".join(_type(each) for each in field["anyOf"] if each.get("type") != "null")
    if "$ref" in field:
        return "a check"
    if field.get("format") == "template":
        return "text with [templates](policies.md#templates-in-runbooks)"
    kind = {
        "string": "text",
        "integer": "a whole number",
        "number": "a number",
        "array": "a list",
        "boolean": "`true`, `false`",
    }.get(str(field.get("type")), str(field.get("type", "anything")))
    if kind == "text" and isinstance(field.get("default"), int):
        kind = "a duration"
    least, most = field.get("minimum"), field.get("maximum")
    if least is None and most is None:
        return kind
    if most is None:
        return f"{kind}, at least {least}"
    return f"{kind}, {least or 0} to {most}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
