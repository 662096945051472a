"""Findings for programs: our own JSON, GitHub's workflow commands, and SARIF.

Sources: https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions and
https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

from remediator import __version__
from remediator.cli.output import count_levels, finding_data
from remediator.policy.codes import CODES, PAGE, Code
from remediator.policy.findings import Finding, Level
from remediator.policy.load import Loaded

SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_SARIF_LEVELS = {Level.ERROR: "error", Level.WARNING: "warning", Level.NOTICE: "note"}


def as_json(loaded: Loaded) -> dict[str, object]:
    """Our own form: everything that is known, in plain values."""
    counts = count_levels(loaded.findings)
    return {
        "ok": counts["error"] + counts["warning"] == 0,
        "digest": None if loaded.policy is None else loaded.policy.digest,
        "counts": counts,
        "findings": [{**finding_data(each), "page": _page(each)} for each in loaded.findings],
        "silenced": [{**finding_data(each.finding), "reason": each.reason} for each in loaded.silenced],
    }


def as_github(findings: Iterable[Finding]) -> Iterator[str]:
    """A workflow command for each, which GitHub shows beside the line in a pull request."""
    for each in findings:
        places = {"file": _relative(each.path), "line": each.line, "col": each.column, "title": each.code}
        properties = ",".join(f"{key}={_property(str(value))}" for key, value in places.items())
        yield f"::{each.level} {properties}::{_data(f'{each.message} (see {_page(each)} of remediator)')}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def as_sarif(loaded: Loaded) -> dict[str, object]:
    """A log of SARIF 2.1.0 with one run. What is silenced is in it, as suppressed in the source."""
    index = {name: number for number, name in enumerate(CODES)}
    seen: Counter[str] = Counter()
    results = [_result(each, index, seen) for each in loaded.findings]
    for silenced in loaded.silenced:
        reason = [{"kind": "inSource", "justification": silenced.reason}]
        results.append({**_result(silenced.finding, index, seen), "suppressions": reason})
    driver = {
        "name": "remediator",
        "version": __version__,
        "rules": [_rule(code) for code in CODES.values()],
    }
    run = {
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": True}],
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    return {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(code: Code) -> dict[str, object]:
    return {
        "id": code.name,
        "shortDescription": {"text": code.title.replace("`", "")},
        "help": {"text": f"{code.title.replace('`', '')}; see {code.page} of remediator"},
        "defaultConfiguration": {"level": _SARIF_LEVELS[code.level]},
    }


def _result(finding: Finding, index: dict[str, int], seen: Counter[str]) -> dict[str, object]:
    uri = _uri(finding.path)
    region = {"startLine": finding.line, "startColumn": finding.column}
    known = {"ruleIndex": index[finding.code]} if finding.code in index else {}
    told = f"{uri} {finding.code} {finding.message}"  # without the line: others move it
    seen[told] += 1
    digest = hashlib.sha256(f"{told} {seen[told]}".encode()).hexdigest()[:32]
    return {
        "ruleId": finding.code,
        **known,
        "level": _SARIF_LEVELS[finding.level],
        "message": {"text": finding.message},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri}, "region": region}}],
        "partialFingerprints": {"remediator/v1": digest},
    }


def _page(finding: Finding) -> str:
    code = CODES.get(finding.code)
    return PAGE if code is None else code.page


def _relative(path: str) -> str:
    """As seen from here, if it is below: annotations want paths of the repository."""
    try:
        return Path(path).absolute().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return path


def _uri(path: str) -> str:
    relative = _relative(path)
    return Path(relative).as_uri() if Path(relative).is_absolute() else quote(relative)
