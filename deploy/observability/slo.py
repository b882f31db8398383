"""The objectives, and the recording rules and burn-rate alerts that follow from each, named and labelled as Sloth does.

Windows and factors are those of the Google SRE workbook, table 5-8: a page when 2 % of a month's budget goes in an hour
or 5 % in six, a ticket when 10 % goes in a day or in three; the short window ends the alert soon after the cause.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from deploy.observability.alerts import RUNBOOK

Rule = dict[str, Any]
PERIOD_DAYS: Final = 30
WINDOWS: Final = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")


class Objective(NamedTuple):
    """One objective: `errors` and `total` are PromQL rates over `{window}`."""

    slo: str
    service: str
    alert: str
    percent: float
    about: str
    errors: str
    total: str
    least: int
    """Events in the long window below which a burn rate means nothing."""
    summary: str


class Burn(NamedTuple):
    """Two windows that must both burn the month's budget faster than `factor` times its even pace."""

    factor: float
    short: str
    long: str


BURNS: Final[dict[str, tuple[Burn, ...]]] = {
    "page": (Burn(14.4, "5m", "1h"), Burn(6, "30m", "6h")),
    "ticket": (Burn(3, "2h", "1d"), Burn(1, "6h", "3d")),
}
TIMED: Final = 'part="case",led_to="case.became-defaulter"'
TOLD: Final = 'audience="officer",step="registered"'

OBJECTIVES: Final = (
    Objective(
        "intake-durable", "gateway", "NivaranIntakeNotDurable", 99.9,
        "Submissions, actions and receipts that could be taken are made durable.",
        'sum(rate(nivaran_gateway_requests_total{method="POST",status=~"5.."}[{window}])) or vector(0)',
        'sum(rate(nivaran_gateway_requests_total{method="POST",status!~"4.."}[{window}]))', 20,
        "What citizens send is refused: it cannot be made durable.",
    ),
    Objective(
        "event-processed", "workers", "NivaranEventsLate", 99.0,
        "What follows from a record is durable within 5 s of the record's arrival.",
        'sum(rate(nivaran_late_records_total{part=~"intake|case|sla|sms|officers"}[{window}]))',
        'sum(rate(nivaran_records_total{part=~"intake|case|sla|sms|officers"}[{window}]))', 100,
        "Records are processed more than 5 s after their arrival.",
    ),
    Objective(
        "escalation-on-time", "workers", "NivaranEscalationsLate", 99.9,
        "A time-out is decided and durable within 60 s of its due instant.",
        f"sum(rate(nivaran_late_timers_total{{{TIMED}}}[{{window}}]))",
        f"sum(rate(nivaran_timers_total{{{TIMED}}}[{{window}}]))", 10,
        "Cases go up more than 60 s after their due instant.",
    ),
    Objective(
        "officer-sms", "sms", "NivaranOfficerSmsLate", 99.0,
        "The SMS gateway has accepted the officer's message within 60 s of the registration.",
        f"clamp_min(sum(rate(nivaran_sms_first_calls_total{{{TOLD}}}[{{window}}]))"
        f' - sum(rate(nivaran_sms_accepted_seconds_bucket{{{TOLD},le="60.0"}}[{{window}}])), 0)',
        f"sum(rate(nivaran_sms_first_calls_total{{{TOLD}}}[{{window}}]))", 20,
        "Officers are not told within 60 s that a case is theirs.",
    ),
    Objective(
        "dead-letters", "workers", "NivaranDeadLetterRatio", 99.9,
        "A record can be taken, and does not end among the dead letters.",
        "sum(rate(nivaran_dead_letters_total[{window}])) or vector(0)",
        "sum(rate(nivaran_records_total[{window}]))", 500,
        "Too large a share of what arrives cannot be taken.",
    ),
    Objective(
        "read-model-fresh", "board", "NivaranReadModelStale", 99.0,
        "The read model is at most 5 s behind the log.",
        'sum(rate(nivaran_lag_stale_looks_total{consumergroup=~".+-board"}[{window}]))',
        'sum(rate(nivaran_lag_looks_total{consumergroup=~".+-board"}[{window}]))', 30,
        "What the board and the API show is more than 5 s old.",
    ),
)  # fmt: skip


def groups() -> list[dict[str, Any]]:
    """All rule groups, three per objective as Sloth writes them."""
    return [group for objective in OBJECTIVES for group in _groups(objective)]


def _groups(objective: Objective) -> Iterator[dict[str, Any]]:
    yield {"name": f"sloth-slo-sli-recordings-{objective.slo}", "rules": list(_recordings(objective))}
    yield {"name": f"sloth-slo-meta-recordings-{objective.slo}", "rules": list(_meta(objective))}
    yield {"name": f"sloth-slo-alerts-{objective.slo}", "rules": [_alert(objective, each) for each in BURNS]}


def _labels(objective: Objective) -> dict[str, str]:
    return {
        "sloth_id": f"nivaran-{objective.slo}",
        "sloth_service": f"nivaran-{objective.service}",
        "sloth_slo": objective.slo,
    }


def _select(objective: Objective) -> str:
    return ", ".join(f'{name}="{value}"' for name, value in _labels(objective).items())


def _over(query: str, window: str) -> str:
    return query.replace("{window}", window)


def _recordings(objective: Objective) -> Iterator[Rule]:
    for window in WINDOWS:
        expr = f"({_over(objective.errors, window)}) / ({_over(objective.total, window)} > 0)"
        yield _record(objective, f"slo:sli_error:ratio_rate{window}", expr, sloth_window=window)
    held = f"slo:sli_error:ratio_rate5m{{{_select(objective)}}}"
    period = f"{PERIOD_DAYS}d"
    # the mean of what was recorded: a rate over 30 d would read every sample anew at each evaluation
    expr = f"sum_over_time({held}[{period}]) / ignoring (sloth_window) count_over_time({held}[{period}])"
    yield _record(objective, f"slo:sli_error:ratio_rate{period}", expr, sloth_window=period)


def _meta(objective: Objective) -> Iterator[Rule]:
    select, share = _select(objective), objective.percent / 100
    budget = f"on(sloth_id, sloth_slo, sloth_service) group_left slo:error_budget:ratio{{{select}}}"
    yield _record(objective, "slo:objective:ratio", f"vector({share:.6g})")
    yield _record(objective, "slo:error_budget:ratio", f"vector(1 - {share:.6g})")
    yield _record(objective, "slo:time_period:days", f"vector({PERIOD_DAYS})")
    yield _record(objective, "slo:current_burn_rate:ratio", f"slo:sli_error:ratio_rate5m{{{select}}} / {budget}")
    yield _record(
        objective, "slo:period_burn_rate:ratio", f"slo:sli_error:ratio_rate{PERIOD_DAYS}d{{{select}}} / {budget}"
    )
    yield _record(objective, "slo:period_error_budget_remaining:ratio", f"1 - slo:period_burn_rate:ratio{{{select}}}")
    yield _record(
        objective, "sloth_slo_info", "vector(1)",
        sloth_mode="cli-gen-prom", sloth_objective=f"{objective.percent:g}", sloth_spec="prometheus/v1",
    )  # fmt: skip


def _record(objective: Objective, name: str, expr: str, **more: str) -> Rule:
    return {"record": name, "expr": expr, "labels": {**_labels(objective), **more}}


def _alert(objective: Objective, severity: str) -> Rule:
    expr = " or ".join(_burning(objective, burn) for burn in BURNS[severity])
    return {
        "alert": objective.alert,
        "expr": expr,
        "labels": {"severity": severity, "sloth_severity": severity},
        "annotations": {
            "summary": objective.summary,
            "description": f"{objective.about} Of {objective.percent:g} % in {PERIOD_DAYS} days so much is missing now"
            " that the budget will not last.",
            "runbook_url": RUNBOOK.format(alert=objective.alert),
        },
    }


def _burning(objective: Objective, burn: Burn) -> str:
    limit = f"{burn.factor:g} * {1 - objective.percent / 100:.6g}"
    select = _select(objective)
    parts = [
        f"(max(slo:sli_error:ratio_rate{window}{{{select}}} > ({limit})) without (sloth_window))"
        for window in (burn.short, burn.long)
    ]
    total = _over(objective.total, burn.long).replace("rate(", "increase(")
    return f"({' and '.join(parts)} and on() ({total} >= {objective.least}))"
