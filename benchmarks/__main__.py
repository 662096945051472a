"""``python -m benchmarks``: every benchmark, its tables, and ``docs/benchmarks.md``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from benchmarks.backtest import measure_backtest
from benchmarks.deciding import measure_deciding
from benchmarks.intake import CASES, open_variants, take_turns
from benchmarks.listing import measure_listing
from benchmarks.load import wrk
from benchmarks.policies import measure_policies
from benchmarks.reaction import measure_reaction
from benchmarks.rehearsal import measure_rehearsal
from benchmarks.report import (
    CLASSIFYING_HEAD,
    INTAKE_HEAD,
    LISTING_HEAD,
    LOADING_HEAD,
    Row,
    backtest_rows,
    classifying_rows,
    deciding_rows,
    intake_rows,
    listing_rows,
    loading_rows,
    machine,
    reaction_rows,
    rehearsal_rows,
    start_rows,
    table,
    write_page,
)
from benchmarks.start import measure_start

PARTS = ("start", "reaction", "cluster", "policies", "rehearsal", "backtest", "intake", "deciding")


def _say(text: str) -> None:
    print(f"\r\033[K{text}" if sys.stderr.isatty() else text, file=sys.stderr, flush=True)


def _sections(parts: list[str], folder: Path) -> Iterator[str]:
    if "start" in parts:
        _say("start and memory")
        yield "### Start and memory\n\n" + table(
            ("measured", "found", "target"), start_rows(measure_start(folder / "start"))
        )
    if "reaction" in parts:
        _say("reaction")
        yield "### Reaction\n\n" + table(
            ("measured", "found", ""), reaction_rows(measure_reaction(folder / "reaction"))
        )
    if "cluster" in parts:
        _say("cluster")
        yield "### Cluster\n\n" + table(LISTING_HEAD, listing_rows(measure_listing(folder / "cluster")))
    if "policies" in parts:
        _say("policies")
        found = measure_policies(folder / "policies")
        tables = [table(CLASSIFYING_HEAD, classifying_rows(found)), table(LOADING_HEAD, loading_rows(found))]
        head = f"### Policies\n\nOf the matchers {found.share:.0%} are regular expressions."
        yield "\n\n".join([head, *tables])
    if "rehearsal" in parts:
        _say("rehearsal")
        yield "### Tests of policies\n\n" + table(
            ("measured", "found", "target"), rehearsal_rows(measure_rehearsal())
        )
    if "backtest" in parts:
        _say("backtest")
        yield "### Backtest\n\n" + table(
            ("measured", "found", "target"), backtest_rows(measure_backtest(folder / "backtest"))
        )
    if "intake" in parts:
        rows: list[Row] = []
        with ExitStack() as stack:
            variants = open_variants(stack, folder / "intake")
            for case in CASES:
                rows += intake_rows(case, take_turns(case, variants, _say))
        yield "### Intake\n\n" + table(INTAKE_HEAD, rows)
    if "deciding" in parts:
        _say("deciding")  # the last: what it holds would count as memory of processes begun after it
        yield "### From alerts to guarded changes\n\n" + table(
            ("measured", "found", "target"), deciding_rows(measure_deciding())
        )


def main() -> None:
    """Run the parts that were asked for; all of them, and only then the page is written, by default."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; default: all of them")
    asked = parser.parse_args().parts or list(PARTS)
    if unknown := set(asked) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; choose from {', '.join(PARTS)}")
    if "intake" in asked:
        wrk()
    started = time.monotonic()
    sections = []
    with tempfile.TemporaryDirectory(prefix="remediator-bench-") as folder:
        for section in _sections(asked, Path(folder)):
            sections.append(section)
            print(f"\n{section}\n", flush=True)
    took = f"Measured on {machine()}, shared with others, in {time.monotonic() - started:.0f} s."
    print(took)
    if set(asked) == set(PARTS):
        write_page("\n\n".join([took, *sections]))


if __name__ == "__main__":
    main()
