"""`nivaran top`: the live state in a terminal, from Prometheus' endpoints of the processes themselves."""

import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import click
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from agents.cli.shared import json_option, print_json

ASK_S: Final = 5.0
Labels = frozenset[tuple[str, str]]
Samples = dict[tuple[str, Labels], float]


class Look(NamedTuple):
    """All samples of all processes at one moment, summed where two have the same; `away`: who did not answer."""

    at: float
    samples: Samples
    away: tuple[str, ...]

    def by(self, name: str, label: str, **fixed: str) -> dict[str, float]:
        """Sums of a metric by one of its labels."""
        sums: defaultdict[str, float] = defaultdict(float)
        for labels, value in self._of(name, fixed):
            sums[labels.get(label, "")] += value
        return dict(sums)

    def worst(self, name: str, label: str) -> dict[str, float]:
        """Largest values of a metric by one of its labels."""
        worst: dict[str, float] = {}
        for labels, value in self._of(name, {}):
            key = labels.get(label, "")
            worst[key] = max(value, worst.get(key, value))
        return worst

    def _of(self, name: str, fixed: Mapping[str, str]) -> Iterable[tuple[dict[str, str], float]]:
        for (found, labels), value in self.samples.items():
            if found == name and fixed.items() <= set(labels):
                yield dict(labels), value


class GroupLine(NamedTuple):
    """A consumer group's line."""

    group: str
    members: int
    unowned: int
    lag: int
    behind_s: float


class PartLine(NamedTuple):
    """A stage's, sink's or sender's line; rates are per second since the look before."""

    part: str
    records: float
    outputs: float
    dead: float
    age_s: float | None
    """Mean age of batches since the look before."""
    wakes: int
    overdue_s: float


def take(urls: Iterable[str]) -> Look:
    """Ask every process for its metrics."""
    samples: Samples = defaultdict(float)
    away = []
    for url in urls:
        try:
            with urllib.request.urlopen(f"{url.rstrip('/')}/metrics", timeout=ASK_S) as answer:  # noqa: S310 - given by the user
                text = answer.read().decode()
        except (urllib.error.URLError, OSError, ValueError):
            away.append(url)
            continue
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                samples[sample.name, frozenset(sample.labels.items())] += sample.value
    return Look(time.monotonic(), samples, tuple(away))


def groups(look: Look) -> list[GroupLine]:
    lag, behind = (
        look.by("kafka_consumergroup_lag", "consumergroup"),
        look.worst("nivaran_consumergroup_lag_seconds", "consumergroup"),
    )
    members = look.worst("kafka_consumergroup_members", "consumergroup")
    unowned = look.worst("nivaran_consumergroup_unowned_partitions", "consumergroup")
    return [
        GroupLine(name, int(members[name]), int(unowned.get(name, 0)), int(lag.get(name, 0)), behind.get(name, 0.0))
        for name in sorted(members)
    ]


def parts(look: Look, before: Look | None) -> list[PartLine]:
    """Lines of the parts of the workers that were asked."""
    names = look.by("nivaran_records_total", "part")
    wakes, overdue = look.by("nivaran_wakes_pending", "part"), look.worst("nivaran_timer_overdue_seconds", "part")
    return [
        PartLine(
            name,
            _rate(look, before, "nivaran_records_total", name),
            _rate(look, before, "nivaran_outputs_total", name),
            _rate(look, before, "nivaran_dead_letters_total", name),
            _mean(look, before, "nivaran_event_age_seconds", name),
            int(wakes.get(name, 0)),
            overdue.get(name, 0.0),
        )
        for name in sorted(names)
    ]


def levels(look: Look) -> dict[str, dict[str, int]]:
    """System -> level -> open cases."""
    systems = look.by("nivaran_open_cases", "system")
    return {
        system: {
            level: int(cases)
            for level, cases in sorted(look.by("nivaran_open_cases", "level", system=system).items())
            if cases
        }
        for system in sorted(systems)
    }


def _change(look: Look, before: Look | None, name: str, part: str) -> float:
    earlier = 0.0 if before is None else before.by(name, "part").get(part, 0.0)
    return max(0.0, look.by(name, "part").get(part, 0.0) - earlier)


def _rate(look: Look, before: Look | None, name: str, part: str) -> float:
    return 0.0 if before is None else _change(look, before, name, part) / max(0.001, look.at - before.at)


def _mean(look: Look, before: Look | None, name: str, part: str) -> float | None:
    count = _change(look, before, f"{name}_count", part)
    return _change(look, before, f"{name}_sum", part) / count if count else None


@click.command()
@click.argument("urls", nargs=-1, required=True, metavar="URL...")
@click.option("--every", type=click.FloatRange(0.2, 60), default=2.0, show_default=True, help="Seconds between looks.")
@click.option("--once", is_flag=True, help="Two looks, one screen, and end.")
@json_option
def top(urls: tuple[str, ...], every: float, once: bool, as_json: bool) -> None:
    """Watch lag, rates, open cases by level and lateness, as they are now.

    URL: addresses of workers, gateway and exporter; the exporter tells of all groups and cases, each worker of its own
    rates. A process that does not answer is named in red. Ctrl-C ends it.

    Exit code: 0 ended; 1 with --once or --json, when a process did not answer; 2 wrong usage.

    \b
    Example:
      nivaran top http://127.0.0.1:9308 http://127.0.0.1:8081
      nivaran top --json http://127.0.0.1:9308
    """
    before = take(urls)
    if once or as_json:
        time.sleep(every)
        look = take(urls)
        if as_json:
            print_json(
                {
                    "groups": [line._asdict() for line in groups(look)],
                    "parts": [line._asdict() for line in parts(look, before)],
                    "open": levels(look),
                    "away": look.away,
                }
            )
        else:
            Console().print(screen(look, before))
        raise SystemExit(1 if look.away else 0)
    try:
        with Live(screen(before, None), screen=True, auto_refresh=False) as live:
            while True:
                time.sleep(every)
                look = take(urls)
                live.update(screen(look, before), refresh=True)
                before = look
    except KeyboardInterrupt:
        return


def screen(look: Look, before: Look | None) -> Group:
    """Everything as tables."""
    shown: list[Table | str] = [_groups_table(groups(look)), "", _parts_table(parts(look, before)), ""]
    open_cases = levels(look)
    if open_cases:
        shown.append(_levels_table(open_cases))
    return Group(*shown, *(f"[red]{url} does not answer[/]" for url in look.away))


def _table(*headings: str) -> Table:
    table = Table(show_edge=False, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="left" if heading in {"group", "part", "system"} else "right")
    return table


def _groups_table(lines: Iterable[GroupLine]) -> Table:
    table = _table("group", "members", "unowned", "lag", "behind s")
    for line in lines:
        style = "red" if line.unowned or line.behind_s > 60 else "yellow" if line.behind_s > 5 else ""  # noqa: PLR2004 - the objectives' edges
        table.add_row(
            line.group, str(line.members), str(line.unowned), f"{line.lag:,}", f"{line.behind_s:,.1f}", style=style
        )
    return table


def _parts_table(lines: Iterable[PartLine]) -> Table:
    table = _table("part", "records/s", "outputs/s", "dead/s", "age ms", "wakes out", "overdue s")
    for line in lines:
        age = "" if line.age_s is None else f"{line.age_s * 1000:,.0f}"
        table.add_row(
            line.part, f"{line.records:,.1f}", f"{line.outputs:,.1f}", f"{line.dead:,.1f}", age,
            f"{line.wakes:,}", f"{line.overdue_s:,.1f}",
        )  # fmt: skip
    return table


def _levels_table(open_cases: Mapping[str, Mapping[str, int]]) -> Table:
    names = sorted({level for by_level in open_cases.values() for level in by_level})
    table = _table("system", *(f"open L{level}" for level in names))
    for system, by_level in open_cases.items():
        table.add_row(system, *(f"{by_level.get(level, 0):,}" for level in names))
    return table
