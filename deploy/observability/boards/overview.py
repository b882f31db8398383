"""Is the state being served, and are the objectives kept."""

from typing import Final

from deploy.observability.boards.panels import lines, now, rate
from deploy.observability.grafana import Board

OVERVIEW: Final = Board(
    "nivaran-overview",
    "Nivaran: Overview",
    "Is the state being served?",
    (
        (
            "Now",
            (
                now("Processes up", "Workers, gateways and exporters that answer Prometheus.", "short", "sum(up{$S})"),
                now(
                    "Alerts firing",
                    "The watchdog is one of them, so 1 is good.",
                    "short",
                    'count(ALERTS{alertstate="firing"})',
                ),
                now(
                    "Farthest behind",
                    "Age of the oldest record that some group has not committed.",
                    "s",
                    "max(nivaran_consumergroup_lag_seconds{$S})",
                ),
                now(
                    "Unowned partitions",
                    "Partitions that no member reads.",
                    "short",
                    "sum(nivaran_consumergroup_unowned_partitions{$S})",
                ),
                now("Open cases", "Cases open at an office.", "short", "sum(nivaran_open_cases{$S})"),
                now(
                    "Defaulters today",
                    "Cases whose due instant passed today, India time.",
                    "short",
                    "sum(nivaran_defaulters_today{$S})",
                ),
            ),
        ),
        (
            "Service",
            (
                rate("Submissions", "Made durable, by channel.", "ops", "nivaran_gateway_submissions_total", "channel"),
                rate("Records processed", "Taken and durable, by part.", "ops", "nivaran_records_total", "part"),
                lines(
                    "Behind",
                    "Age of the oldest record not committed, by group.",
                    "s",
                    ("max by (consumergroup) (nivaran_consumergroup_lag_seconds{$S})", "{{consumergroup}}"),
                ),
            ),
        ),
        (
            "Citizens",
            (
                lines(
                    "Open cases by level",
                    "All systems; level 1 is the lowest office.",
                    "short",
                    ("sum by (level) (nivaran_open_cases{$S})", "level {{level}}"),
                ),
                rate("Escalations", "Cases sent up, by cause.", "ops", "nivaran_escalations_total", "cause"),
                rate("Messages", "Facts in the lives of messages, by state.", "ops", "nivaran_sms_total", "state"),
            ),
        ),
        (
            "Objectives",
            (
                lines(
                    "Error budget left",
                    "Share of the month's budget, by objective.",
                    "percentunit",
                    ("slo:period_error_budget_remaining:ratio", "{{sloth_slo}}"),
                    wide=12,
                ),
                lines(
                    "Burn rate",
                    "1: the budget lasts exactly a month.",
                    "short",
                    ("slo:current_burn_rate:ratio", "{{sloth_slo}}"),
                    wide=12,
                ),
            ),
        ),
    ),
)

SLOS: Final = Board(
    "nivaran-slos",
    "Nivaran: Objectives",
    "How well it is kept, and how fast what may go wrong is used up.",
    (
        (
            "Now",
            (
                now(
                    "Objectives", "What is promised.", "percentunit", "slo:objective:ratio", "{{sloth_slo}}", 12, "bars"
                ),
                now(
                    "Budget left",
                    "Share of the month's error budget.",
                    "percentunit",
                    "slo:period_error_budget_remaining:ratio",
                    "{{sloth_slo}}",
                    12,
                    "bars",
                ),
            ),
        ),
        (
            "Course",
            (
                lines(
                    "Errors",
                    "Share of bad events over five minutes.",
                    "percentunit",
                    ("slo:sli_error:ratio_rate5m", "{{sloth_slo}}"),
                ),
                lines(
                    "Burn rate",
                    "1: the budget lasts exactly a month; a page at 14.4 over an hour.",
                    "short",
                    ("slo:current_burn_rate:ratio", "{{sloth_slo}}"),
                ),
                lines(
                    "Alerts",
                    "Firing, by severity; the watchdog always is.",
                    "short",
                    ('count by (severity) (ALERTS{alertstate="firing"})', "{{severity}}"),
                ),
            ),
        ),
    ),
)
