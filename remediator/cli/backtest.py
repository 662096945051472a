"""``remediator backtest``: what policies would have done with recorded alerts."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from remediator.cli.backtest_text import say_report
from remediator.cli.garbage import collecting_seldom
from remediator.cli.output import ExitCode, console, finding_line, say_json, stop
from remediator.core.errors import RemediatorError, SettingsError
from remediator.core.policies import Mode, Policy
from remediator.core.times import DAY, SECOND, Instant, Millis, parse_duration, parse_stamp, stamp_instant
from remediator.policy.differences import differences
from remediator.policy.draft import Draft
from remediator.policy.findings import Level
from remediator.policy.load import examine
from remediator.rehearsal.backtest.files import NoRecord, Record
from remediator.rehearsal.backtest.markdown import as_markdown
from remediator.rehearsal.backtest.report import Report
from remediator.rehearsal.backtest.run import Backtest, Played
from remediator.rehearsal.backtest.series import Span, fetch_series
from remediator.rehearsal.backtest.telling import tell
from remediator.settings import read_settings

LONGEST_STEP, SHORTEST_STEP = DAY, SECOND
_WHEN = "An RFC 3339 time, or how long ago, such as 7d."


class FailOn(StrEnum):
    """What makes the command end with 1."""

    NOTHING = "nothing"
    CHANGE = "change"


def backtest(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The policies: a directory, or one file.")],
    *,
    against: Annotated[
        Path | None, typer.Option("--against", metavar="OTHER", help="The candidate to compare with DIR.")
    ] = None,
    alerts: Annotated[
        str | None,
        typer.Option(
            "--alerts",
            metavar="FILE",
            help="Recorded webhooks, the archive or its folder; - is standard input.",
        ),
    ] = None,
    prometheus: Annotated[
        str | None, typer.Option("--prometheus", metavar="URL", help="Take the ALERTS series from there.")
    ] = None,
    begin: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help=f"{_WHEN}", show_default="7d")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help=f"{_WHEN}", show_default="now")
    ] = None,
    step: Annotated[
        str | None, typer.Option("--step", help="How closely to look at the series.", show_default="1m")
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option("--save", metavar="FILE", help="Keep what Prometheus answered, as JSON lines."),
    ] = None,
    beyond: Annotated[
        str, typer.Option("--beyond", help="How long time goes on after the last alert.")
    ] = "1h",
    mode: Annotated[
        Mode, typer.Option("--mode", help="The daemon's ceiling on every rule's mode.")
    ] = Mode.AUTO,
    markdown: Annotated[
        str | None,
        typer.Option(
            "--markdown", metavar="FILE", help="Write the report as Markdown; - is standard output."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
    fail_on: Annotated[
        FailOn, typer.Option("--fail-on", help="change: end with 1 when anything would change.")
    ] = FailOn.NOTHING,
) -> None:
    """What policies would have done with recorded alerts, and what a change of them would change.

    The daemon's own code runs on a virtual clock, in a world where targets are there and healthy, steps work,
    and alerts resolve when the record says so. Exits 0 when there is a report, 1 when policies have errors
    (or with --fail-on), 2 when a path or an option is wrong.
    """
    if (alerts is None) == (prometheus is None):
        stop("name one record: --alerts FILE or --prometheus URL", ExitCode.WRONG_USE)
    if fail_on is FailOn.CHANGE and against is None:
        stop("--fail-on change compares two policies; name the other one with --against", ExitCode.WRONG_USE)
    if json and markdown == "-":
        stop("--json and --markdown - both want standard output; name a file for one", ExitCode.WRONG_USE)
    if alerts is not None and (begin, end, step) != (None, None, None):
        text = "--from, --to and --step choose from the series of --prometheus; a file is played as it is"
        stop(text, ExitCode.WRONG_USE)
    after = _duration("--beyond", beyond)
    read = [_read(path) for path in (directory, against) if path is not None]
    played = [Played(path=str(one.path), policy=one.policy, ceiling=mode) for one in read]
    otherwise = differences(*(one.draft for one in read)) if against is not None else ()
    span = (begin or "7d", end or "0s", step or "1m")
    with _record(directory, alerts, prometheus, span, save) as (record, shown):
        report = replace(_play(Backtest(played, record=shown), record, after), differences=otherwise)
    _answer(report, json=json, markdown=markdown)
    stopped = report.changed and fail_on is FailOn.CHANGE
    raise typer.Exit(ExitCode.FINDINGS if stopped else ExitCode.FINE)


def _answer(report: Report, *, json: bool, markdown: str | None) -> None:
    """Print first: what took a minute to find out is not lost to a file that cannot be written."""
    if json:
        say_json(report.as_data())
    elif markdown == "-":
        typer.echo(as_markdown(tell(report)), nl=False)
    else:
        say_report(console(), tell(report))
    if markdown is not None and markdown != "-":
        try:
            Path(markdown).write_text(as_markdown(tell(report)), encoding="utf-8")
        except OSError as error:
            stop(f"{markdown} cannot be written ({error.strerror})", ExitCode.WRONG_USE)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Read:
    """Policies without an error. ``draft``: the files they were read from."""

    path: Path
    policy: Policy
    draft: Draft


def _read(path: Path) -> _Read:
    if not path.exists():
        stop(f"{path} does not exist; name a directory of policy files", ExitCode.WRONG_USE)
    examined = examine(path)
    loaded = examined.conclude()
    if loaded.policy is None:
        for finding in loaded.findings:
            if finding.level is Level.ERROR:
                typer.echo(finding_line(finding).plain, err=True)
        stop(f"{path} has errors; correct them first", ExitCode.FINDINGS)
    return _Read(path=path, policy=loaded.policy, draft=examined.view.draft)


def _play(run: Backtest, record: Record, beyond: Millis) -> Report:
    begun = time.monotonic()

    def told() -> str:
        return f"{run.alerts:,} alerts, {run.alerts / max(time.monotonic() - begun, 0.001):,.0f}/s"

    try:
        with collecting_seldom(), _progress("replaying", record.size) as tell_progress:
            run.play(record, lambda: tell_progress(record.position, told()))
    except OSError as error:
        stop(f"{record.path} cannot be read ({error.strerror or error})", ExitCode.WRONG_USE)
    for where, why in record.broken:
        run.unreadable(where, why)
    return run.finish(beyond)


# --- where the record comes from ----------------------------------------------------------------------


@contextmanager
def _record(
    directory: Path,
    alerts: str | None,
    prometheus: str | None,
    span: tuple[str, str, str],
    save: Path | None,
) -> Iterator[tuple[Record, str]]:
    """The record, and how it is called."""
    if alerts is not None:
        if save is not None:
            stop("--save keeps what Prometheus answers; there is a file already", ExitCode.WRONG_USE)
        try:
            yield Record(alerts), "standard input" if alerts == "-" else alerts
        except NoRecord as error:
            stop(str(error), ExitCode.WRONG_USE)
        return
    chosen = _span(*span)
    with tempfile.TemporaryDirectory(prefix="remediator-backtest-") as folder:
        file = save if save is not None else Path(folder) / "alerts.jsonl"
        url = _fetch(directory, prometheus or "", chosen, file)
        yield Record(str(file)), f"ALERTS of {url}"


def _fetch(directory: Path, url: str, span: Span, file: Path) -> str:
    """Ask Prometheus; the address without what it must be shown."""
    try:
        settings = read_settings({"policies": directory, "prometheus_url": url})
        token = settings.secret("prometheus_token")
    except SettingsError as error:
        stop(str(error), ExitCode.WRONG_USE)
    try:
        with file.open("wb") as out, _progress("asking Prometheus", 1000) as tell_progress:
            asyncio.run(fetch_series(url, token, span, out, lambda share: tell_progress(share * 1000, "")))
    except RemediatorError as error:
        stop(f"the ALERTS series cannot be read: {error}", ExitCode.WRONG_USE)
    except OSError as error:
        stop(f"{file} cannot be written ({error.strerror})", ExitCode.WRONG_USE)
    return _without_login(url)


def _without_login(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def _span(begin: str, end: str, step: str) -> Span:
    now = Instant(int(time.time()) * SECOND)
    start, until, every = _moment("--from", begin, now), _moment("--to", end, now), _duration("--step", step)
    if start >= until:
        stop("--from must be before --to", ExitCode.WRONG_USE)
    if not SHORTEST_STEP <= every <= LONGEST_STEP:
        stop("--step must be from 1s to 1d", ExitCode.WRONG_USE)
    return Span(start=Instant(start - start % every), end=until, step=every)


def _moment(option: str, text: str, now: Instant) -> Instant:
    try:
        return Instant(now - parse_duration(text))
    except ValueError:
        pass
    try:
        return stamp_instant(parse_stamp(text))
    except ValueError:
        stop(f"{option}: {text!r} is no time: write 2026-11-23T04:24:11Z, or 7d for seven days ago",
             ExitCode.WRONG_USE)  # fmt: skip


def _duration(option: str, text: str) -> Millis:
    try:
        return parse_duration(text)
    except ValueError as error:
        stop(f"{option}: {error}", ExitCode.WRONG_USE)


# --- progress -----------------------------------------------------------------------------------------


@contextmanager
def _progress(what: str, total: float) -> Iterator[Callable[[float, str], None]]:
    """A bar on standard error, with what is told beside it; nothing at all where that is no terminal."""
    if not sys.stderr.isatty():
        yield lambda done, told: None
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn(what), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[told]}"),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console(err=True), transient=True) as bar:
        task = bar.add_task(what, total=total or None, told="")

        def tell_progress(done: float, told: str) -> None:
            bar.update(task, completed=done, told=told)

        yield tell_progress
