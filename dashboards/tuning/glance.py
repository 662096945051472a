"""At a glance: what to look at."""

from __future__ import annotations

from dashboards.frame import Row
from dashboards.looks import About, Look
from dashboards.panels import number
from dashboards.queries import RULE, Ask, of, or_none, told
from dashboards.tuning.advice import LESS, MORE


def advised(*advice: str) -> str:
    """How many rules are advised that."""
    chosen = f'advice=~"{"|".join(advice)}"'
    return or_none(told("", "rule_advice", RULE, chosen, each="rule, advice"))


UNMATCHED = f"max ({of('remediator:alerts_unmatched:ratio1d')})"
ROW = Row(
    title="At a glance",
    panels=(
        number(
            About(
                title="Unmatched alerts, last day",
                shows="The share of new alerts that no rule is for.",
                do="`GET /v1/unmatched` names them. Write a rule, or keep them from the daemon with a route "
                "of Alertmanager.",
                pages=("policies.md",),
            ),
            Ask(query=or_none(UNMATCHED)),
            look=Look(
                unit="percentunit", span=4, height=4, decimals=0, levels=((0.05, "orange"), (0.2, "red"))
            ),
        ),
        number(
            About(
                title="Earned more",
                shows="Rules whose record speaks for more trust.",
                do="See the candidates below; a person changes `mode` in the policy file.",
                pages=("trust.md",),
            ),
            Ask(query=advised(*MORE)),
            look=Look(span=4, height=4, decimals=0, first="text", levels=((1, "green"),)),
        ),
        number(
            About(
                title="Do not deserve it",
                shows="Rules whose record speaks against the trust that they have.",
                do="See the candidates below, and what their runbooks fail at.",
                pages=("trust.md",),
            ),
            Ask(query=advised(*LESS)),
            look=Look(span=4, height=4, decimals=0, levels=((1, "orange"),)),
        ),
        number(
            About(
                title="Held to approve",
                shows="Rules that are held to less than their file says, because they failed too often in a "
                "row.",
                do="`remediator trust` names them and why; `--restore` lifts it.",
                pages=("runbooks/RemediatorRulesDemoted.md",),
            ),
            Ask(query=told("", "rules_demoted")),
            look=Look(span=4, height=4, decimals=0, levels=((1, "orange"),)),
        ),
        number(
            About(
                title="Lack permissions",
                shows="Rules that only observe, because the daemon may not do what they need.",
                do="`remediator rbac` prints the Role that they need.",
                pages=("runbooks/RemediatorRulesLowered.md",),
            ),
            Ask(query=f"max ({of('rules_lowered')})"),
            look=Look(span=4, height=4, decimals=0, levels=((1, "orange"),)),
        ),
        number(
            About(
                title="Breakers open",
                shows="Runbooks that are not tried any more, because they failed too often.",
                do="`remediator breakers` says why, `remediator close` closes it.",
                pages=("runbooks/RemediatorBreakerOpen.md",),
            ),
            Ask(query=or_none(told("", "breaker_open", each="runbook"))),
        ),
    ),
)
