"""A report in words: sections of sentences, tables and examples, for whoever prints them.

What strangers or policies named is a ``Name``: printed so that it can be nothing but a name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from remediator.rehearsal.backtest.otherwise import tell_differences
from remediator.rehearsal.backtest.report import (
    Changes,
    IncidentRow,
    MoveRow,
    ReadLines,
    Report,
    Rows,
    RuleRow,
    Side,
)
from remediator.rehearsal.backtest.tally import Example
from remediator.rehearsal.backtest.words import (
    Item,
    Name,
    Section,
    Table,
    Text,
    arrow,
    changed,
    item,
    listed,
    many,
    minute,
    outcomes,
    second,
    step,
    total,
)
from remediator.rehearsal.backtest.worst import tell_hours_and_guards

LISTED_RULES = 40
"""Rows of the table of rules."""
HEAD = ("rule", "severity", "new alerts", "incidents", "pages", "attempts", "verified", "targets/hour")


def tell(report: Report) -> Iterator[Section]:
    """The sections of a report; the first is its summary."""
    if report.candidate is None or report.changes is None:
        yield _summary_of_one(report)
        yield _rules_of_one(report.current)
        yield from tell_hours_and_guards((report.current,))
        yield from _unmatched(report.current)
    else:
        yield _summary(report, report.candidate, report.changes)
        yield from tell_differences(report.differences)
        yield from _moves(report.changes)
        yield from _incidents(report.changes)
        yield from _rules(report.current, report.candidate)
        yield from tell_hours_and_guards((report.current, report.candidate))
        yield from _unmatched(report.candidate)
    yield from _troubles(report)


# --- summaries ----------------------------------------------------------------------------------------


def _summary_of_one(report: Report) -> Section:
    side = report.current
    lines = (
        *_read(report.read),
        ("Played to ", Name(side.policy), f", digest {side.digest}:"),
    )
    items = (
        item(f"{many(total(side.incidents), 'incident')} opened{listed(side.incidents)}"),
        item(f"{many(total(side.pages), 'page')}{listed(side.pages)}"),
        item(f"{many(total(side.outcomes), 'attempt')}{listed(side.outcomes)}"),
        item(f"{many(_unmatched_count(side), 'alert')} that no rule matches"),
        *([item(f"resolved later than promised: {listed(side.late)[2:]}")] if side.late else ()),
    )
    return Section(title="Backtest", lines=lines, items=items)


def _summary(report: Report, candidate: Side, changes: Changes) -> Section:
    current = report.current
    lines = (
        *_read(report.read),
        (
            "From ",
            Name(current.policy),
            f", digest {current.digest}, to ",
            Name(candidate.policy),
            f", digest {candidate.digest}:",
        ),
    )
    if not report.changed:
        why = ": the policies say the same" if current.digest == candidate.digest else ""
        return Section(title="Backtest", lines=lines, items=(item(f"nothing changes over this record{why}"),))
    gained, lost = changes.gained, changes.lost
    told = (
        f"alerts that change severity {changes.severity_count:,}, that change rule alone "
        f"{changes.rule_count:,}",
        f"incidents {step(current.incidents, candidate.incidents)}: {gained.incidents.count:,} gained, "
        f"{lost.incidents.count:,} lost{changed(current.incidents, candidate.incidents)}",
        f"pages {step(current.pages, candidate.pages)}: more in {many(gained.paged.count, 'incident')}, "
        f"fewer in {lost.paged.count:,}, sooner in {gained.sooner.count:,}, later in {lost.sooner.count:,}",
        f"attempts {step(current.outcomes, candidate.outcomes)}"
        + outcomes(current.outcomes, candidate.outcomes),
        f"alerts that no rule matches {arrow(_unmatched_count(current), _unmatched_count(candidate))}",
    )
    more = (*_raised(changes), *_reopened(current, candidate), *_late(current, candidate))
    return Section(title="Backtest", lines=lines, items=(*map(item, told), *more))


def _raised(changes: Changes) -> Iterator[Item]:
    more, less = changes.gained.raised.count, changes.lost.raised.count
    if more or less:
        yield item(f"incidents raised sooner or further {more:,}, later or not at all {less:,}")


def _reopened(current: Side, candidate: Side) -> Iterator[Item]:
    if current.reopened != candidate.reopened:
        yield item(f"incidents reopened {arrow(current.reopened, candidate.reopened)}")


def _late(current: Side, candidate: Side) -> Iterator[Item]:
    if current.late != candidate.late:
        yield item(f"incidents resolved later than promised {step(current.late, candidate.late)}")


def _read(read: ReadLines) -> Iterator[Text]:
    span = ""
    if read.begins is not None and read.ends is not None:
        span = f", from {minute(read.begins)} to {minute(read.ends)} UTC"
    yield (
        "Record: ",
        Name(read.record),
        f": {many(read.notifications, 'notification')} with {many(read.alerts, 'alert')}{span}.",
    )
    if read.untimed:
        yield (
            f"Of {many(read.untimed, 'notification')} nobody noted when they came: their alerts' own times "
            "were taken.",
        )
    if read.backwards:
        yield (f"{many(read.backwards, 'notification')} stand behind later ones and were taken at once.",)


# --- what differs -------------------------------------------------------------------------------------


def _moves(changes: Changes) -> Iterator[Section]:
    for title, rows, count in (
        ("Alerts that change severity", changes.severity, changes.severity_count),
        ("Alerts that change rule", changes.rule, changes.rule_count),
    ):
        if rows:
            more = count - sum(row.count for row in rows)
            items = [Item(text=_move(row), below=_examples(row.examples, row.count)) for row in rows]
            yield Section(title=title, items=(*items, *_more(more, "alert")))


def _move(row: MoveRow) -> Text:
    return (
        f"{many(row.count, 'alert')}: ",
        *_rule(row.rule, row.severity),
        " → ",
        *_rule(row.to_rule, row.to_severity),
    )


def _rule(rule: str | None, severity: str | None) -> Text:
    return ("no rule",) if rule is None else (f"{severity} by ", Name(rule))


def _examples(examples: Sequence[Example], count: int) -> tuple[Text, ...]:
    told: list[Text] = [_example(each) for each in examples]
    if count > len(examples):
        told.append((f"and {count - len(examples):,} more",))
    return tuple(told)


def _example(example: Example) -> Text:
    return (f"{second(example.at)} ", Name(example.fingerprint), " ", Name(example.labels))


def _incidents(changes: Changes) -> Iterator[Section]:
    gained, lost = changes.gained, changes.lost
    for title, rows, what in (
        ("Incidents gained", gained.incidents, ""),
        ("Incidents lost", lost.incidents, ""),
        ("Incidents with more pages", gained.paged, "pages"),
        ("Incidents with fewer pages", lost.paged, "less pages"),
        ("Incidents paged sooner", gained.sooner, "pages"),
        ("Incidents paged later", lost.sooner, "less pages"),
        ("Incidents raised sooner, or further", gained.raised, "raised"),
        ("Incidents raised later, or not at all", lost.raised, "less raised"),
        ("Attempts gained, or with another outcome", gained.attempted, "attempts"),
        ("Attempts lost", lost.attempted, "less attempts"),
    ):
        if rows.count:
            yield Section(title=title, items=tuple(_incident_items(rows, what)))


def _incident_items(rows: Rows, what: str) -> Iterator[Item]:
    for row in rows.first:
        below = [_example(row.first)]
        if what:
            below.append(_before_and_after(row, what))
        else:
            below += [("pages: ", Name(", ".join(row.pages)))] if row.pages else []
            below += [("attempts: ", Name(", ".join(row.attempts)))] if row.attempts else []
        yield Item(
            text=(f"{row.severity} on ", Name(row.service), " by ", Name(row.rule), ", ", Name(row.id)),
            below=tuple(below),
        )
    yield from _more(rows.count - len(rows.first), "incident")


def _before_and_after(row: IncidentRow, what: str) -> Text:
    name = what.removeprefix("less ")
    mine, others = {
        "pages": (row.pages, row.other_pages),
        "raised": (row.raised, row.other_raised),
        "attempts": (row.attempts, row.other_attempts),
    }[name]
    before, after = (mine, others) if what.startswith("less") else (others, mine)
    return ("before: ", *_names(before), "; after: ", *_names(after))


def _names(names: Sequence[str]) -> Text:
    return (Name(", ".join(names)),) if names else ("none",)


def _more(count: int, what: str) -> tuple[Item, ...]:
    return (item(f"and {many(count, f'more {what}')}"),) if count > 0 else ()


# --- tables -------------------------------------------------------------------------------------------


def _rules_of_one(side: Side) -> Section:
    rows = [row for row in side.rules if row.alerts or row.incidents]
    cells = [
        (
            row.rule,
            row.severity,
            f"{row.alerts:,}",
            f"{row.incidents:,}",
            f"{row.pages:,}",
            f"{total(row.attempts):,}",
            f"{row.attempts.get('verified', 0):,}",
            f"{row.targets:,}",
        )
        for row in rows
    ]
    return Section(
        title="Rules",
        lines=_quiet(len(side.rules) - len(rows), "without an alert in this record"),
        table=Table(head=HEAD, rows=tuple(cells[:LISTED_RULES]), left=2) if cells else None,
        items=_more(len(cells) - LISTED_RULES, "rule"),
    )


def _rules(current: Side, candidate: Side) -> Iterator[Section]:
    before, after = ({row.rule: row for row in side.rules} for side in (current, candidate))
    names = list(dict.fromkeys((*before, *after)))
    changed = [name for name in names if before.get(name) != after.get(name)]
    cells = tuple(_rule_cells(name, before.get(name), after.get(name)) for name in changed)
    if cells:
        yield Section(
            title="Rules that change",
            lines=_quiet(len(names) - len(changed), "as before"),
            table=Table(head=HEAD, rows=cells[:LISTED_RULES], left=2),
            items=_more(len(cells) - LISTED_RULES, "rule"),
        )


def _rule_cells(name: str, before: RuleRow | None, after: RuleRow | None) -> tuple[str, ...]:
    one, two = before or _no_rule(name), after or _no_rule(name)
    severity = one.severity if one.severity == two.severity else f"{one.severity} → {two.severity}"
    return (
        name,
        severity,
        arrow(one.alerts, two.alerts),
        arrow(one.incidents, two.incidents),
        arrow(one.pages, two.pages),
        arrow(total(one.attempts), total(two.attempts)),
        arrow(one.attempts.get("verified", 0), two.attempts.get("verified", 0)),
        arrow(one.targets, two.targets),
    )


def _no_rule(name: str) -> RuleRow:
    return RuleRow(
        rule=name, severity="none", alerts=0, incidents=0, pages=0, attempts={}, guards={}, targets=0
    )


def _quiet(count: int, how: str) -> tuple[Text, ...]:
    return ((f"{many(count, 'rule')} {how}.",),) if count else ()


def _unmatched(side: Side) -> Iterator[Section]:
    if not side.unmatched:
        return
    items = tuple(
        Item(
            text=(f"{many(row.count, 'alert')}, a rule to begin with:",),
            below=_examples(row.examples[:1], 1),
            code=row.skeleton,
        )
        for row in side.unmatched
    )
    yield Section(title="Alerts that no rule matches", items=(*items, *_more(side.unmatched_more, "alert")))


def _troubles(report: Report) -> Iterator[Section]:
    read = report.read
    if read.unreadable_count:
        items = [Item(text=(Name(where), ": ", Name(why))) for where, why in read.unreadable]
        more = _more(read.unreadable_count - len(items), "line")
        title = f"{many(read.unreadable_count, 'line')} could not be read"
        yield Section(title=title, items=(*items, *more))
    for side in (report.current, report.candidate):
        if side is not None and side.troubles:
            items = [Item(text=(f"{count:,} times: ", Name(text))) for text, count in side.troubles]
            line: Text = ("The replay itself met what it should not meet; its figures may be wrong.",)
            yield Section(title="Trouble", lines=(line,), items=tuple(items))


def _unmatched_count(side: Side) -> int:
    return side.unmatched_more + sum(row.count for row in side.unmatched)
