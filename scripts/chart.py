"""Writes what the chart has from elsewhere, so that it says it once.

* ``chart/files/policies``: the default policies, without their tests;
* ``chart/files/rbac/MODE.yaml``: the Roles that they need under each ceiling;
* the descriptions of ``chart/values.schema.json``: the comments of ``chart/values.yaml``;
* the table of values in ``docs/install.md``: the same.

``--check`` writes nothing and ends with 1 when a file is not what it would write; ``make lint`` runs that.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from remediator.core.policies import Mode
from remediator.policy.chart_values import as_values
from remediator.policy.load import load_policy
from remediator.policy.manifests import roles_of
from remediator.policy.rbac import demands

ROOT = Path(__file__).parent.parent
CHART = ROOT / "chart"
PAGE = ROOT / "docs" / "install.md"
BEGIN, END = "<!-- values: written by scripts/chart.py -->\n", "<!-- end of values -->\n"
KEY = re.compile(r"( *)([A-Za-z][A-Za-z0-9]*):(?: (.*))?")


@dataclass(frozen=True, kw_only=True)
class Value:
    """One value: its path, such as ``image.tag``, its default as written, and its comment."""

    path: str
    default: str
    comment: str


def values(text: str) -> Iterator[Value]:
    """Every value with a comment right above it, in order."""
    comment: list[str] = []
    path: list[tuple[int, str]] = []
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            comment.append(line.strip().removeprefix("#").strip())
        elif found := KEY.fullmatch(line):
            depth, name, default = len(found[1]), found[2], found[3]
            path = [*((at, one) for at, one in path if at < depth), (depth, name)]
            if comment:
                where = ".".join(one for _, one in path)
                yield Value(path=where, default=default or "", comment=" ".join(comment))
            comment = []
        elif not line.strip():
            comment = []


def described(schema: dict[str, Any], known: list[Value]) -> str:
    """The schema with the comments as its descriptions."""
    for value in known:
        at = schema
        for name in value.path.split("."):
            at = at["properties"][name]
        at.pop("description", None)
        at["description"] = value.comment
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def table(known: list[Value], text: str) -> str:
    """Rows of Markdown."""
    defaults = YAML(typ="safe").load(text)
    rows = ["| value | default | |", "|---|---|---|"]
    for value in known:
        at: Any = defaults
        for name in value.path.split("."):
            at = at[name]
        shown = json.dumps(at, ensure_ascii=False)
        told = value.comment.replace("|", "\\|")
        rows.append(f"| `{value.path}` | `{shown}` | {told} |")
    return "\n".join(rows) + "\n"


def page(text: str, rows: str) -> str:
    """The page with these rows between its marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{rows}{END}{after}"


def wanted() -> Iterator[tuple[Path, str]]:
    """Every file and what it should hold."""
    for file in sorted((ROOT / "policies").glob("*.yaml")):
        if not file.name.endswith("_test.yaml"):
            yield CHART / "files" / "policies" / file.name, file.read_text()
    policy = load_policy(ROOT / "policies")
    for mode in Mode:
        head = (
            f"What the default policies need of Kubernetes under the ceiling {mode}.",
            "Written by scripts/chart.py.",
        )
        text = as_values(roles_of(demands(policy, ceiling=mode)), {}, head)
        yield CHART / "files" / "rbac" / f"{mode}.yaml", text
    text = (CHART / "values.yaml").read_text()
    known = list(values(text))
    schema = CHART / "values.schema.json"
    yield schema, described(json.loads(schema.read_text()), known)
    yield PAGE, page(PAGE.read_text(), table(known, text))


def strangers(files: dict[Path, str]) -> list[Path]:
    """Files in generated folders that nothing writes any more."""
    there = [*(CHART / "files" / "policies").glob("*"), *(CHART / "files" / "rbac").glob("*")]
    return sorted(set(there) - set(files))


def main(arguments: list[str]) -> int:
    """0, or 1 when ``--check`` finds a file out of date."""
    files = dict(wanted())
    stale = [file for file, text in files.items() if not file.exists() or file.read_text() != text]
    if "--check" in arguments:
        for file in (*stale, *strangers(files)):
            sys.stdout.write(f"{file.relative_to(ROOT)} is out of date; run: make chart\n")
        return 1 if stale or strangers(files) else 0
    for file in stale:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(files[file])
    for file in strangers(files):
        file.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
