"""Writes ``docs/reference.md`` from the plugins, and ``docs/language.md`` from the models of policy files.

``--check`` writes nothing and ends with 1 when a page is not what it would write; ``make lint`` runs that.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from language_page import language_page
from wording import key_table

from remediator.actions import ACTIONS
from remediator.checks import CHECKS
from remediator.core.plugins import Permission
from remediator.diagnoses import DIAGNOSES
from remediator.guards import GUARDS
from remediator.policy.describe import PLUGINS, UNPERFORMED, prose
from remediator.policy.json_schema import described, not_performed
from remediator.policy.plugins import IDLE_STEPS

DOCS = Path(__file__).parent.parent / "docs"
HEAD = """# Actions, checks, diagnoses and guards

Written by `make reference` from the plugins themselves. The keys of policy files around them are in
[language.md](language.md), how they are put together is told in [policies.md](policies.md).
"""
MODELS = described()
TIMES = ("for", "within")
"""What every check takes, and which is told once."""
LATER = (
    "Parameters of these are checked like those of any other. What happens in their place is told in "
    "[policies.md](policies.md#what-is-not-performed-yet)."
)
CHECKING = (
    "Every check also takes `for` (it must have held for that long) and `within` (how long to wait for it; "
    "all of them are waited for as long as the longest)."
)


def main(arguments: list[str]) -> int:
    """0, or 1 when ``--check`` finds a page out of date."""
    pages = {"reference.md": "\n".join(page()), "language.md": "\n".join(language_page())}
    stale = [name for name, text in pages.items() if not _says(DOCS / name, text)]
    if "--check" in arguments:
        sys.stdout.write("".join(f"docs/{name} is out of date; run: make reference\n" for name in stale))
        return 1 if stale else 0
    for name in stale:
        (DOCS / name).write_text(pages[name])
    return 0


def _says(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


def page() -> Iterator[str]:
    """The page, in pieces."""
    yield HEAD
    beside = [key for key in MODELS["step"]["properties"] if key not in PLUGINS["step"]]
    yield "## Actions\n\nUnder `steps` of a runbook. Every guard is asked before one changes anything."
    yield "Beside each may stand:\n"
    own = {key: MODELS["step"]["properties"][key] for key in beside}
    yield from key_table({**MODELS["step"], "properties": own}, lambda key: "")
    for name, action in sorted(ACTIONS.items()):
        yield from _plugin("step", name, action, f"Effect: {action.effect}.")
    for name, idle in IDLE_STEPS.items():
        yield from _plugin("step", name, idle, "Effect: none.")
    places = "Under `verify` of a runbook, what `wait` waits for, and `when` of a step."
    yield f"## Checks\n\n{places} {CHECKING}\n"
    for name, check in sorted(CHECKS.items()):
        yield from _plugin("check", name, check)
    yield "## Diagnoses\n\nUnder `diagnose` of a runbook: they only read.\n"
    for name, diagnosis in sorted(DIAGNOSES.items()):
        yield from _plugin("diagnosis", name, diagnosis)
    yield "## Guards\n\nAsked before every change, in this order; the first that blocks ends it.\n"
    for number, guard in enumerate(GUARDS, 1):
        again = " Asked again immediately before each change." if guard.again else ""
        needs = "".join(f"\n   * {_need(permission)}" for permission in guard.permissions)
        yield f"{number}. `{guard.name}`: {guard.asks}. {prose(guard)}{again}{needs}"
    yield ""


def _plugin(kind: str, name: str, plugin: object, more: str = "") -> Iterator[str]:
    yield f"### {name}\n\n{prose(plugin)} {more}".rstrip() + "\n"
    undone = MODELS[kind].get(UNPERFORMED, {}).get(name)
    if undone:
        yield f"**{not_performed(*undone)}**\n"
    yield f"```yaml\n{getattr(plugin, 'example', '')}\n```\n"
    keys = MODELS[kind]["properties"][name]
    own = {key: each for key, each in keys["properties"].items() if kind != "check" or key not in TIMES}
    yield from key_table({**keys, "properties": own}, lambda key: "")
    permissions: tuple[Permission, ...] = getattr(plugin, "permissions", ())
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
        "for steps that change the workload or its pods" if permission.claiming else "",
        f"for a {' or '.join(permission.kinds)}" if permission.kinds else "",
    ]
    told = "".join(f"; only {each}" for each in when if each)
    if permission.catalog:
        told += "; in the namespaces of all services that it compares"
    return f"needs `{verbs}` on {resource} ({permission.group or 'core'}){named}: {permission.why}{told}"


def _resource(name: str) -> str:
    return {
        "{kind}s": "`deployments`, `statefulsets` or `daemonsets`",
        "{revisions}": "`replicasets` or `controllerrevisions`",
    }.get(name, f"`{name}`")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
