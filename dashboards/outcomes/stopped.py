"""What stops changes: guards, and people who do not agree."""

from __future__ import annotations

from dashboards.frame import Row
from dashboards.looks import About, Look
from dashboards.panels import bars, ranking
from dashboards.queries import RANGE, Ask, grew, most, or_none

BLOCKS = grew("guard", "guard_verdicts_total", 'verdict="blocks"', over=RANGE)
ROW = Row(
    title="What stops changes",
    panels=(
        ranking(
            About(
                title="Guards that block most",
                shows="How often each guard said no, over the range. An attempt asks them several times.",
                do="The timeline of an incident says why. `target`: the rule names what is not there. "
                "`freeze`, `window`: is it meant? `limits`: it is tried too often. `lease`: somebody else "
                "was at work.",
                pages=("safety.md",),
            ),
            Ask(query=most(10, "guard", BLOCKS), legend="{{guard}}"),
            look=Look(decimals=0, first="orange"),
        ),
        bars(
            About(
                title="Answers of guards",
                shows="`allows`, `blocks`; `withholds`: the rule only observes or suggests; `asks`: a "
                "person must agree.",
                do="Nearly all `withholds`: the rules are on the lowest rung; see Policy tuning for those "
                "that have earned more.",
                pages=("trust.md",),
            ),
            Ask(query=or_none(grew("verdict", "guard_verdicts_total"), "verdict"), legend="{{verdict}}"),
        ),
        bars(
            About(
                title="Approvals",
                shows="Plans that people were asked to agree to, and what became of the question.",
                do="Many `expired`: nobody sees the question. Nearly all `approved`: the rule may have "
                "earned `auto`.",
                pages=("trust.md",),
            ),
            Ask(query=grew("outcome", "approvals_total"), legend="{{outcome}}"),
        ),
    ),
)
