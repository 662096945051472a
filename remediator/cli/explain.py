"""``remediator explain``: what would happen to a captured notification, and why."""

from __future__ import annotations

import asyncio
import json as json_
from pathlib import Path
from typing import Annotated

import typer

from remediator.cli.explain_text import say_explanation
from remediator.cli.output import ExitCode, console, finding_line, say_json, stop
from remediator.core.alerts import Alert, AlertStatus, Fingerprint, Notification
from remediator.core.classify import Classifier
from remediator.core.matcher_syntax import MatcherSyntaxError
from remediator.core.matchers import MatchOp, parse_matchers
from remediator.core.policies import Mode, Policy
from remediator.core.times import Stamp
from remediator.http.payload import BadPayload, parse_notification
from remediator.policy import explain as explaining
from remediator.policy.findings import Level
from remediator.policy.load import read_policies

LARGEST_CAPTURE = 64 << 20
_EXAMPLE = 'write them as Alertmanager does, such as \'alertname="WebDown",service="web"\''


def explain(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Directory of policy files, or one file.")],
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="A captured webhook of Alertmanager, or a list of them."),
    ] = None,
    *,
    labels: Annotated[
        str | None,
        typer.Option("--labels", help="Instead of FILE: an alert with these labels, 'name=\"value\",…'."),
    ] = None,
    mode: Annotated[
        Mode, typer.Option("--mode", help="The daemon's ceiling on every rule's mode.")
    ] = Mode.AUTO,
    every: Annotated[
        bool, typer.Option("--all", help="Show every other rule and why it did not match.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Answer in JSON, which always has what --all shows.")
    ] = False,
) -> None:
    """What would happen to a notification, and why not something else. Changes nothing.

    Exits 0 when it could be explained, 1 when the policies have errors or the file is no notification,
    2 when a path does not exist or the labels are none.
    """
    _check_use(directory, file, labels)
    notifications, several = ([_of_labels(labels)], False) if labels is not None else ([], False)
    policy = _policy(directory)
    if file is not None:
        notifications, several = _notifications(file)
    explained = asyncio.run(_explain(policy, notifications, mode))
    if json:
        answers = [each.as_data() for each in explained]
        say_json(answers if several else answers[0])
        return
    for each in explained:
        say_explanation(console(), each, every=every)


def _check_use(directory: Path, file: Path | None, labels: str | None) -> None:
    if (file is None) == (labels is None):
        stop("name a captured webhook or --labels, one of the two", ExitCode.WRONG_USE)
    for path in (directory, file):
        if path is not None and not path.exists():
            stop(f"{path} does not exist; name a policy directory and a captured webhook", ExitCode.WRONG_USE)
    if file is not None and file.is_dir():
        stop(f"{file} is a directory; name one captured webhook", ExitCode.WRONG_USE)


def _of_labels(text: str) -> Notification:
    """One firing alert with these labels."""
    try:
        matchers = parse_matchers(text)
    except MatcherSyntaxError as error:
        stop(f"--labels: {error.problem}; {_EXAMPLE}", ExitCode.WRONG_USE)
    labels = {matcher.name: matcher.value for matcher in matchers}
    if any(matcher.op is not MatchOp.EQUAL for matcher in matchers):
        stop(
            f"--labels: an alert has values, not matchers: only = is possible; {_EXAMPLE}", ExitCode.WRONG_USE
        )
    if not matchers or len(labels) != len(matchers):
        what = "a label stands twice" if matchers else "there are none"
        stop(f"--labels: {what}; {_EXAMPLE}", ExitCode.WRONG_USE)
    alert = Alert(
        fingerprint=Fingerprint(""),
        status=AlertStatus.FIRING,
        labels=labels,
        annotations={},
        starts_at=Stamp("1970-01-01T00:00:00.000000000Z"),
        ends_at=None,
    )
    return Notification(receiver="", group_key="", external_url="", truncated=0, alerts=(alert,))


async def _explain(
    policy: Policy, notifications: list[Notification], ceiling: Mode
) -> list[explaining.Explanation]:
    """One explainer for all of them: it knows what an earlier one has told."""
    explainer = explaining.Explainer(Classifier(policy), ceiling=ceiling)
    return [await explainer.notification(each) for each in notifications]


def _policy(directory: Path) -> Policy:
    loaded = read_policies(directory)
    if loaded.policy is None:
        for finding in loaded.findings:
            if finding.level is Level.ERROR:
                typer.echo(finding_line(finding).plain, err=True)
        stop(f"{directory} has errors; correct them first", ExitCode.FINDINGS)
    return loaded.policy


def _notifications(file: Path) -> tuple[list[Notification], bool]:
    """The notifications in ``file``, and whether it is a list of them rather than one object."""
    try:
        with file.open("rb") as opened:
            body = opened.read(LARGEST_CAPTURE + 1)
    except OSError as error:
        stop(f"{file} cannot be read ({error.strerror})", ExitCode.WRONG_USE)
    if len(body) > LARGEST_CAPTURE:
        stop(f"{file} is larger than {LARGEST_CAPTURE} bytes; split it", ExitCode.FINDINGS)
    number = 0
    try:
        several = body.lstrip().startswith(b"[")
        bodies = _items(body) if several else [body]  # one is judged exactly as it came
        found = []
        for number, each in enumerate(bodies, 1):  # noqa: B007 - named when one of them is bad
            found.append(parse_notification(each))
    except BadPayload as error:
        which = f"{file}, notification {number}" if number > 1 else str(file)
        stop(f"{which}: not a webhook of Alertmanager: {error.reason}", ExitCode.FINDINGS)
    return found, several


def _items(body: bytes) -> list[bytes]:
    """The single bodies in a list of them. Raises BadPayload."""
    try:
        items = json_.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadPayload(f"not JSON: {error}") from None
    return [json_.dumps(item).encode() for item in items]
