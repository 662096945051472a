"""The figures as tables: on the terminal, and in ``docs/benchmarks.md`` between two marks."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.backtest import Replayed
from benchmarks.deciding import Deciding
from benchmarks.intake import Case, Run, cost_ratio, ratio
from benchmarks.listing import Listing, middle
from benchmarks.policies import FEW, HOW, MANY, Classifying, Policies
from benchmarks.policies import middle as middle_wait
from benchmarks.reaction import SCRIPT_TRIPS, Reaction
from benchmarks.rehearsal import Rehearsed
from benchmarks.start import Start

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
BEGIN, END = "<!-- figures: written by `make bench` -->", "<!-- end of the figures -->"
Row = tuple[str, ...]


def intake_rows(case: Case, runs: dict[str, list[Run]]) -> list[Row]:
    """One line for each variant of the case."""
    rows: list[Row] = []
    for (name, baseline), target in case.targets.items():
        rows.append(_intake_row(case, runs, name, baseline, target))
    return rows


def _intake_row(case: Case, runs: dict[str, list[Run]], name: str, baseline: str, target: float) -> Row:
    mine, found = runs[name], ratio(runs, name, baseline)
    spread = sorted(a.load.rate / b.load.rate for a, b in zip(mine, runs[baseline], strict=True))
    refused = sum(run.load.refused + run.load.broken for run in mine)
    rate = median(run.load.rate for run in mine)
    return (
        case.name,
        name,
        baseline,
        f"{found:.2f}",
        f"{spread[0]:.2f}–{spread[-1]:.2f}",
        f"{cost_ratio(runs, name, baseline):.2f}",
        _judged(found >= target, f"≥ {target:.2f}") if target else "",
        f"{rate:,.0f}",
        f"{rate * case.alerts:,.0f}",
        f"{median(run.load.median for run in mine) * 1e3:.1f} ms",
        f"{max(run.waiting for run in mine):,.0f}",
        f"{refused}",
    )


INTAKE_HEAD = (
    "sent", "measured", "against", "ratio", "rounds", "per processor second", "target", "webhooks/s",
    "alerts/s", "median answer", "left waiting", "not 2xx",
)  # fmt: skip


def reaction_rows(found: Reaction) -> list[Row]:
    """The reaction and its parts, in milliseconds."""
    floor = 2 * found.durable_trip + (SCRIPT_TRIPS - 2) * found.plain_trip + found.http_trip
    return [
        (
            "webhook sent to first Kubernetes request, median",
            _ms(found.from_sent),
            _judged(found.from_sent <= 0.025, "≤ 25 ms"),
        ),
        ("webhook answered to first Kubernetes request, median", _ms(found.from_answer), ""),
        ("the slowest", _ms(found.slowest), ""),
        ("one script that writes, with its fsync (2 on the way)", _ms(found.durable_trip), ""),
        (f"one script that reads ({SCRIPT_TRIPS - 2} on the way)", _ms(found.plain_trip), ""),
        ("one HTTP round trip (1 on the way)", _ms(found.http_trip), ""),
        ("all of these together: what cannot be avoided", _ms(floor), f"{found.from_sent / floor:.1f} times"),
    ]


def rehearsal_rows(found: Rehearsed) -> list[Row]:
    """What tests of policies and their mutants cost."""
    return [
        (
            f"{found.tests} tests of {found.days} virtual days each: processor time",
            f"{found.busy:.1f} s",
            _judged(found.busy <= 5, "≤ 5 s"),
        ),
        ("the same by the clock, on one core", f"{found.seconds:.1f} s", ""),
        ("one of them: processor time", _ms(found.busy / found.tests), ""),
        (f"the {found.mutants} mutants of the default policies", f"{found.mutants_seconds:.1f} s", ""),
    ]


def backtest_rows(found: Replayed) -> list[Row]:
    """What replaying a record costs."""
    return [
        (
            f"{found.alerts:,} alerts, {found.new:,} of them new, {found.incidents:,} incidents: "
            "processor time",
            f"{found.busy:.1f} s",
            _judged(found.busy <= 60, "≤ 60 s"),
        ),
        ("the same by the clock, on one core", f"{found.seconds:.1f} s", ""),
        ("alerts a second of processor time", f"{found.alerts / found.busy:,.0f}", ""),
        ("memory at most", _mb(found.resident), ""),
    ]


def deciding_rows(found: Deciding) -> list[Row]:
    """What many incidents at once cost, and how large one is."""
    each = found.busy / found.incidents
    return [
        (
            f"{found.incidents:,} incidents, decided, planned and guarded: processor time",
            f"{found.busy:.1f} s",
            _judged(found.busy <= 5, "≤ 5 s"),
        ),
        (f"one of them, {found.verdicts // found.incidents} verdicts included", f"{each * 1e3:.2f} ms", ""),
        ("memory of an open incident, store and timeline included", f"{found.held / 1e3:.0f} kB", ""),
        ("an open incident as it is stored", f"{found.written / 1e3:.1f} kB", ""),
    ]


def start_rows(found: Start) -> list[Row]:
    """Start and memory."""
    return [
        (
            "start to ready, with a cluster",
            f"{found.seconds:.2f} s",
            _judged(found.seconds <= 1.5, "≤ 1.5 s"),
        ),
        ("start to ready, without", f"{found.seconds_alone:.2f} s", ""),
        (
            "resident when idle, with a cluster",
            f"{found.resident / 1e6:.0f} MB",
            _judged(found.resident <= 130e6, "≤ 130 MB"),
        ),
        ("resident when idle, without", f"{found.resident_alone / 1e6:.0f} MB", ""),
    ]


LISTING_HEAD = ("5,000 pods, 25 MB of JSON", "page by page", "in one answer", "ratio", "target")


def listing_rows(found: Listing) -> list[Row]:
    """Memory, turns of others and time: medians, and the worst of all rounds where a target is a promise."""
    rows: list[Row] = []
    for name, part, shown, most in (
        ("memory grown at most", lambda one: one.grown, _mb, 24e6),
        ("others waited at most", lambda one: one.blocked, _ms, 0.05),
        ("of that our processor time", lambda one: one.busy, _ms, 0.0),
        ("until listed", lambda one: one.took, _ms, 0.0),
    ):
        paged, whole = middle(found.paged, part), middle(found.whole, part)
        worst = max(map(part, found.paged))
        target = _judged(worst <= most, f"always ≤ {shown(most)}") if most else ""
        rows.append((name, shown(paged), shown(whole), f"{paged / whole:.2f}", target))
    return rows


CLASSIFYING_HEAD = ("an alert", f"{FEW} rules", f"{MANY:,} rules", "ratio", "target")
LOADING_HEAD = (f"loading {MANY:,} rules", "found", "in a thread", "target")


def classifying_rows(found: Policies) -> list[Row]:
    """What an alert costs: never seen before, and remembered; and by a loop over the rules."""

    def row(name: str, one: Classifying, target: str) -> Row:
        return (name, _us(median(one.few)), _us(median(one.many)), f"{one.ratio:.2f}", target)

    return [
        row("never seen before", found.new, _judged(found.new.ratio <= 2, "≤ 2.00")),
        row("remembered", found.remembered, ""),
        ("by a loop over all rules", "", _us(found.loop), "", ""),
    ]


def loading_rows(found: Policies) -> list[Row]:
    """Reading, compiling, and whom that keeps waiting: medians, and the worst where a target is a promise."""
    apart, thread = (middle_wait(found.waits[how]) for how in HOW)
    worst = max(each.most for each in found.waits[HOW[0]])
    return [
        (
            "others waited at most",
            _ms(apart.most),
            _ms(thread.most),
            _judged(worst <= 0.05, "always ≤ 50 ms"),
        ),
        ("99 of 100 times at most", _ms(apart.p99), _ms(thread.p99), ""),
        ("until in force", f"{apart.took:.1f} s", f"{thread.took:.1f} s", ""),
        ("of that compiling", f"{found.compile:.2f} s", "", _judged(found.compile <= 2, "≤ 2 s")),
        ("remediator check", f"{found.check:.1f} s", "", ""),
    ]


def _us(seconds: float) -> str:
    return f"{seconds * 1e6:,.1f} µs"


def _mb(size: float) -> str:
    return f"{size / 1e6:.0f} MB"


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.2f} ms"


def _judged(met: bool, target: str) -> str:
    return f"{target} {'met' if met else 'MISSED'}"


def table(head: Row, rows: Sequence[Row]) -> str:
    """A table that reads well as text and as Markdown."""
    widths = [max(len(row[n]) for row in (head, *rows)) for n in range(len(head))]
    lines = [head, tuple("-" * width for width in widths), *rows]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in lines
    )


def machine() -> str:
    """What it ran on, in general terms."""
    return (
        f"{os.cpu_count()} cores of {platform.machine()}, {platform.system()}, "
        f"Python {platform.python_version()}"
    )


def write_page(figures: str) -> None:
    """Replace the figures in the page; what stands around them is written by people."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{figures}\n\n{END}{after}", encoding="utf-8")
