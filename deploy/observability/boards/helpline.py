"""Who waits, what goes up, what offices do."""

from typing import Final

from deploy.observability.boards.panels import lines, now, quantiles, rate
from deploy.observability.grafana import Board

SLA: Final = Board(
    "nivaran-sla",
    "Nivaran: SLA and escalations",
    "Who waits, how long, what goes up, and whether it does so in time.",
    (
        (
            "Pending",
            (
                lines(
                    "Open by level",
                    "Cases open at an office.",
                    "short",
                    ("sum by (system, level) (nivaran_open_cases{$S})", "{{system}} level {{level}}"),
                ),
                lines(
                    "Open by age",
                    "How long they are at their level.",
                    "short",
                    ("sum by (age) (nivaran_open_cases{$S})", "{{age}}"),
                ),
                lines(
                    "Oldest open case",
                    "Time at its level.",
                    "s",
                    ("max by (system, level) (nivaran_oldest_open_case_seconds{$S})", "{{system}} level {{level}}"),
                ),
                now(
                    "Districts and departments",
                    "Open cases, the fullest first.",
                    "short",
                    "topk(20, sum by (system, district, department) (nivaran_district_open_cases{$S}))",
                    "{{district}} {{department}}",
                    12,
                    "table",
                ),
                now(
                    "Departments",
                    "Open cases by department.",
                    "short",
                    "topk(15, sum by (department) (nivaran_open_cases{$S}))",
                    "{{department}}",
                    12,
                    "bars",
                ),
            ),
        ),
        (
            "Escalations",
            (
                rate("Sent up", "By cause.", "ops", "nivaran_escalations_total", "cause"),
                lines(
                    "Defaulters today",
                    "Due instants passed today, India time.",
                    "short",
                    ("sum by (system) (nivaran_defaulters_today{$S})", "{{system}}"),
                ),
                rate("Steps of cases", "As the read model counts them.", "ops", "nivaran_cases_total", "step"),
            ),
        ),
        (
            "Time",
            (
                rate("Timers", "Due instants that led to something, by what.", "ops", "nivaran_timers_total", "led_to"),
                quantiles(
                    "Timer delay",
                    "From the due instant to its consequence being durable.",
                    "s",
                    "nivaran_timer_delay_seconds",
                    "led_to",
                ),
                rate(
                    "Timers over 60 s late",
                    "What the objective counts as late.",
                    "ops",
                    "nivaran_late_timers_total",
                    "led_to",
                ),
                quantiles(
                    "Wake lateness",
                    "From the due instant to the writing of its wake.",
                    "s",
                    "nivaran_wake_lateness_seconds",
                    "part",
                ),
                lines(
                    "Wakes pending",
                    "Written and not folded.",
                    "short",
                    ("sum by (part) (nivaran_wakes_pending{$S})", "{{part}}"),
                ),
                lines(
                    "Overdue and clock",
                    "Earliest due instant without a wake; how far the clock is behind.",
                    "s",
                    ("max by (part) (nivaran_timer_overdue_seconds{$S})", "overdue {{part}}"),
                    ("max by (part) (nivaran_clock_behind_seconds{$S})", "clock {{part}}"),
                ),
            ),
        ),
    ),
)

OFFICERS: Final = Board(
    "nivaran-officers",
    "Nivaran: Officers",
    "What offices and the call centre do.",
    (
        (
            "Work",
            (
                rate(
                    "Views, disposals, transfers",
                    "Steps officers take.",
                    "ops",
                    "nivaran_cases_total",
                    "step",
                    'step=~"viewed|notes|disposed|transferred"',
                ),
                rate(
                    "Refused commands",
                    "Commands a case could not take, by reason.",
                    "ops",
                    "nivaran_commands_rejected_total",
                    "reason",
                ),
                now(
                    "Open by department",
                    "Cases waiting at its offices.",
                    "short",
                    "topk(15, sum by (department) (nivaran_open_cases{$S}))",
                    "{{department}}",
                    8,
                    "bars",
                ),
            ),
        ),
        (
            "Feedback",
            (
                rate("What citizens say", "Calls and their outcome.", "ops", "nivaran_feedback_total", "outcome"),
                rate("Closed", "By outcome.", "ops", "nivaran_closed_total", "outcome"),
                lines(
                    "Present today",
                    "Officers who had a login today, by the system's own day.",
                    "short",
                    ("sum by (system) (nivaran_officers_present_today{$S})", "{{system}}"),
                ),
                lines(
                    "Satisfied",
                    "Share of satisfied of those who answered, since the beginning.",
                    "percentunit",
                    (
                        (
                            'sum by (system) (nivaran_feedback_total{$S,outcome="satisfied"})'
                            ' / sum by (system) (nivaran_feedback_total{$S,outcome=~"satisfied|dissatisfied"})'
                        ),
                        "{{system}}",
                    ),
                ),
            ),
        ),
    ),
)
