"""What rules have earned."""

from __future__ import annotations

from dashboards.frame import Row
from dashboards.looks import GOOD_SHARE, About, Columns, Look, Matrix
from dashboards.panels import bars, grid, ranking
from dashboards.queries import RANGE, RULE, WINDOW, Ask, grew, of, or_none
from dashboards.tuning.advice import LESS, MORE

MODES = f"topk by (rule) (1, max by (rule, mode) ({of('rule_info', RULE)}))"
"""One for each rule, also where replicas do not agree yet."""
HINDSIGHT = of("rule_record", RULE, 'what=~"right|needless|unclear|held_back"')
WITHHELD = of("rule_record", RULE, 'what=~"observed|suggested"')
WOULD_HAVE = f"sum by (rule) (max by (job, namespace, rule, what) (increase({WITHHELD}[{WINDOW}])))"
RIGHT = of("remediator:rule_right:ratio", RULE)


def candidates(*advice: str) -> Ask:
    """Rules of which that is advised, and what they are trusted with now."""
    chosen = f'advice=~"{"|".join(advice)}"'
    advised = f"max by (rule, advice) ({of('rule_advice', RULE, chosen)})"
    return Ask(query=or_none(f"{advised} * on (rule) group_left (mode) {MODES}", "rule"))


TABLE = Columns(hidden=("Value",), named={"mode": "trusted with"})
ROW = Row(
    title="Trust",
    panels=(
        bars(
            About(
                title="Would have acted",
                shows="Attempts that only observed or suggested, by rule: what would have been done.",
                do="Read the timelines of one or two: is it what you would have done?",
                pages=("trust.md",),
            ),
            Ask(query=or_none(WOULD_HAVE, "rule"), legend="{{rule}}"),
        ),
        grid(
            About(
                title="Hindsight",
                shows="Of what was only observed or suggested, as long as the store lives. `right`: the "
                "alerts fired on, so acting was called for. `needless`: they went away by themselves. "
                "`unclear`: somebody was at work. `held_back`: a guard would have said no.",
                do="Mostly `needless`: give the rule a `hold`. Mostly `right`: see the candidates.",
                pages=("trust.md",),
            ),
            Matrix(rows="rule", columns="what"),
            Ask(query=or_none(f"max by (rule, what) ({HINDSIGHT})", "rule")),
            look=Look(decimals=0),
        ),
        ranking(
            About(
                title="Acting would have been right",
                shows="Of what hindsight knows, the share that was `right`.",
                do="From ten observations and 90 % on, the rule has earned `approve`.",
                pages=("trust.md",),
            ),
            Ask(query=or_none(f"sort_desc(min by (rule) ({RIGHT}))", "rule"), legend="{{rule}}"),
            look=GOOD_SHARE,
        ),
        grid(
            About(
                title="Candidates for promotion",
                shows="Rules whose record speaks for more: `to_approve` and `to_auto`.",
                do="Read `remediator trust`, then raise `mode` in the policy file, if you agree.",
                pages=("trust.md",),
            ),
            TABLE,
            candidates(*MORE),
            look=Look(span=12),
        ),
        grid(
            About(
                title="Candidates for demotion",
                shows="`goes_wrong`: too few attempts are verified. `does_not_last`: what is mended breaks "
                "again. `hold_longer`: it would act where alerts go away by themselves. `restore`: it was "
                "lowered by its failures and a person has not looked at it yet.",
                do="Lower `mode`, or change the runbook; then watch the table by runbook of Remediation "
                "outcomes.",
                pages=("trust.md", "runbooks/RemediatorRulesDemoted.md"),
            ),
            TABLE,
            candidates(*LESS),
            look=Look(span=12),
        ),
        grid(
            About(
                title="Records",
                shows="How the attempts for each rule ended, which verified ones `recurred`, and hindsight, "
                "for as long as the store lives.",
                do="Look for `failed` and `recurred` beside many `verified`.",
                pages=("trust.md",),
            ),
            Matrix(rows="rule", columns="what"),
            Ask(query=or_none(f"max by (rule, what) ({of('rule_record', RULE)})", "rule")),
            look=Look(span=16, decimals=0),
        ),
        ranking(
            About(
                title="Approvals over the range",
                shows="What became of the questions whether a plan may be performed.",
                do="`changed`: the world moves faster than people answer. `expired`: nobody sees the "
                "question.",
                pages=("trust.md",),
            ),
            Ask(
                query=f"sort_desc({grew('outcome', 'approvals_total', over=RANGE)})",
                legend="{{outcome}}",
            ),
            look=Look(decimals=0, first="blue"),
        ),
    ),
)
