"""What matches, and what does not."""

from __future__ import annotations

from dashboards.frame import Row
from dashboards.looks import About, Columns, Look
from dashboards.panels import bars, grid, lines, ranking
from dashboards.queries import RANGE, RULE, SEVERITY, Ask, grew, most, of, or_none, told

MATCHES = grew("rule", "rule_matches_total", RULE, SEVERITY, over=RANGE)
NOISY = f"max by (rule, severity) ({of('remediator:rule_matches:increase1d', RULE, SEVERITY)})"
IDLE = f"max by (rule, severity, mode) ({of('rule_info', RULE, SEVERITY)}) unless on (rule) ({MATCHES} > 0)"
FOUND = grew("outcome", "targets_located_total")
ROW = Row(
    title="What matches",
    panels=(
        ranking(
            About(
                title="Noisiest alerts",
                shows="The rules that won most alerts over the range.",
                do="An alert that fires this often and needs nobody is noise: mend its cause, lengthen its "
                "`for`, or drop it.",
            ),
            Ask(query=most(15, "rule", MATCHES), legend="{{rule}}"),
        ),
        lines(
            About(
                title="Matches by rule, of a day",
                shows="Alerts that each rule won in the day until then.",
                do="A jump after `policies loaded`: the rule matches more or less than it did, as "
                "`remediator backtest` would have told beforehand.",
                pages=("backtest.md",),
            ),
            Ask(query=or_none(f"topk(15, {NOISY})", "rule"), legend="{{rule}} {{severity}}"),
            look=Look(decimals=0),
        ),
        bars(
            About(
                title="Alerts by what became of them",
                shows="`new`, `resolved`, `duplicate` (of an open episode), `stale` (older than what is "
                "known), `unmatched` (no rule), `dead_letter` (no proper alert).",
                do="`unmatched`: a rule is missing. `dead_letter`: see Daemon health.",
                pages=("runbooks/RemediatorDeadLetters.md",),
            ),
            Ask(query=grew("disposition", "alerts_total"), legend="{{disposition}}"),
        ),
        grid(
            About(
                title="Rules that matched nothing",
                shows="Rules in force that won no alert over the range.",
                do="Over months: is its matcher right (`remediator explain`), is another rule before it, or "
                "can it go?",
                pages=("explain.md",),
            ),
            Columns(hidden=("Value",), named={"rule": "rule", "mode": "trusted with"}),
            Ask(query=or_none(IDLE, "rule")),
        ),
        grid(
            About(
                title="Rules by trust",
                shows="How many rules are on each rung, with the ceiling, missing permissions and their own "
                "failures counted in.",
                do="The way is upwards, one rung at a time: see the candidates.",
                pages=("trust.md",),
            ),
            Columns(named={"mode": "trusted with", "Value": "rules"}),
            Ask(query=told("mode", "rules")),
            look=Look(decimals=0),
        ),
        bars(
            About(
                title="Targets",
                shows="Objects that alerts name, by whether their workload was found.",
                do="`none` again and again: the rule's `target` names what is not in the cluster.",
            ),
            Ask(query=FOUND, legend="{{outcome}}"),
        ),
    ),
)
