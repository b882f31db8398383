"""Counts the real cases again, in SQL over the file and the profile's days alone: no line of the product is used.

The rules are those of `tests/data/README.md`. Prints one JSON document.

    python tests/recount/recount.py tests/data/council_cases_2015_2021.csv.gz streams/profiles/nyc-council/profile.toml
"""

import argparse
import json
import sys
import tomllib
from datetime import date, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

DAY_MS = 86_400_000
QUANTILES = (0.5, 0.75, 0.9)
PLACEHOLDERS = ("Please choose an issue...", "Select One", "@getxlate.Udf_Code_Genera")

ROWS = """
create table lines as
select row_number() over () as line, * from read_csv($file, header = true, all_varchar = true, nullstr = '');

create table told as
select
    line, unique_key as key, opendate::date as opened_on, closedate::date as closed_on,
    substr(account, 5)::integer as district,
    case when complaint_type is null or list_contains($placeholders, complaint_type) then 'unspecified'
         else trim(regexp_replace(lower(complaint_type), '[^a-z0-9]+', '-', 'g'), '-') end as department,
    coalesce(descriptor, 'No description') as said,
    case when regexp_full_match(zip, '[0-9]{5}') and zip::integer between 10000 and 14999 then zip end as zip,
    borough,
    case when regexp_full_match(council_dist, 'NYCC[0-9]{2}') and substr(council_dist, 5)::integer between 1 and 51
         then council_dist end as council_district,
    case when regexp_full_match(community_board, '[0-9]{2} (Bronx|Brooklyn|Manhattan|Queens|Staten Island)')
         then community_board end as community_board,
    complaint_type is null as no_type,
    coalesce(list_contains($placeholders, complaint_type), false) as placeholder_type,
    descriptor is null as no_descriptor,
    lines.zip as raw_zip, lines.council_dist as raw_council_district, lines.community_board as raw_community_board
from lines
where opendate between $first and $last;

create table judged as
with whole as (
    select *, row(district, department, said, zip, borough, council_district, community_board) as content from told
)
select *,
    first_value(line) over each_key as first_line,
    case when line = first_value(line) over each_key then 'case'
         when content is not distinct from first_value(content) over each_key then 'repeated'
         else 'conflict' end as verdict
from whole
window each_key as (partition by key order by line rows between unbounded preceding and unbounded following);
"""

CASES = """
create table cases as
select key, district, department, opens.start_ms as opened_at, closes.end_ms - 1 as closed_at
from judged
join days as opens on opens.day = opened_on
left join days as closes on closes.day = closed_on
where verdict = 'case';

create table timeouts as
select key, district, department, level, opened_at + days * 86400000 as due_at
from cases cross join levels
where opened_at + days * 86400000 <= coalesce(closed_at, $now_at) and opened_at + days * 86400000 <= $now_at;

create table disposals as
select cases.*, closed_at - opened_at as age_ms,
    1 + (select count(*) from timeouts where timeouts.key = cases.key and level < $top) as level
from cases where closed_at <= $now_at;

create table counted as
select district, department, 1 as level, opened_at as instant, 'received' as measure from cases
union all select district, department, level + 1, due_at, 'received' from timeouts where level < $top
union all select district, department, level, due_at, 'escalated_timeout' from timeouts where level < $top
union all select district, department, level, due_at, 'left' from timeouts where level < $top
union all select district, department, level, due_at, 'defaulters' from timeouts
union all select district, department, level, closed_at, 'disposed' from disposals
union all select district, department, level, closed_at, 'left' from disposals
union all select district, department, level, closed_at, 'closed_unknown' from disposals;

create table cells as
select district, department, level, start_ms as day, month_ms as month, measure, count(*) as n
from counted asof join days on counted.instant >= days.start_ms
group by all;
"""

MEASURES = ("received", "left", "disposed", "escalated_timeout", "defaulters", "closed_unknown")
COUNTS = ", ".join(f"coalesce(sum(n) filter (measure = '{measure}'), 0)::bigint" for measure in MEASURES)
"""One column per measure, in this order."""

MONTHS = f"select district, department, level, month, {COUNTS} from cells group by all"
DAYS = f"select department, level, day, {COUNTS} from cells group by all"

ACCOUNT = """
select count(*) as rows,
    count(*) filter (verdict = 'case') as cases,
    count(*) filter (verdict = 'repeated') as repeated,
    count(*) filter (verdict = 'conflict') as conflicts,
    count(*) filter (verdict = 'case' and closed_on is not null) as disposed,
    count(*) filter (verdict = 'case' and closed_on is null) as never_disposed,
    count(*) filter (verdict <> 'case' and closed_on is not null) as disposals_repeated,
    count(*) filter (no_type) as blank_type,
    count(*) filter (placeholder_type) as placeholder_type,
    count(*) filter (no_descriptor) as blank_descriptor,
    count(*) filter (raw_zip is null) as blank_zip,
    count(*) filter (raw_zip is not null and zip is null) as unknown_zip,
    count(*) filter (borough is null) as blank_borough,
    count(*) filter (raw_council_district is null) as blank_council_district,
    count(*) filter (raw_council_district is not null and council_district is null) as unknown_council_district,
    count(*) filter (raw_community_board is null) as blank_community_board,
    count(*) filter (raw_community_board is not null and community_board is null) as unknown_community_board
from judged
"""

# at the end of every month until time stops, months without any change included
PENDING = """
with months as (select distinct month_ms as month from days where start_ms < $now_at),
changes as (
    select department, month, sum(case measure when 'received' then n when 'left' then -n else 0 end) as change
    from cells group by all
)
select department, months.month,
    coalesce(sum(change) over (partition by department order by months.month), 0)::bigint as pending
from months cross join (select distinct department from cells) left join changes using (department, month)
order by all
"""

# nearest rank: the smallest age that at least the share q of all ages does not exceed
AGES = """
with ranked as (
    select disposals.department, {period} as period, age_ms,
        row_number() over (partition by disposals.department, {period} order by age_ms) as rank,
        count(*) over (partition by disposals.department, {period}) as n
    from disposals asof join days on disposals.closed_at >= days.start_ms
)
select department, period, q::double as q, min(age_ms) as age_ms, any_value(n) as n
from ranked cross join (select unnest($quantiles) as q)
where rank * 1000000 >= n * (q * 1000000)::bigint
group by all order by all
"""


def calendar(zone: ZoneInfo, first: date, last: date) -> list[tuple[date, int, int, int]]:
    """Every local day, the first instant of it, of the next day, and of its month, UTC ms."""
    days = [first.replace(day=1) + timedelta(days=n) for n in range((last - first).days + 32)]
    starts = {day: int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000) for day in days}
    return [(day, starts[day], starts[day + timedelta(days=1)], starts[day.replace(day=1)]) for day in days[:-1]]


def level_days(profile: dict) -> list[int]:
    """Days of each level, whether written plain or with the mark of their source."""
    return [rule["days"]["value"] if isinstance(rule["days"], dict) else rule["days"] for rule in profile["levels"]]


def recount(file: Path, profile: dict, first: date, last: date, now: date) -> dict:
    """Everything the product's windows are compared with."""
    zone = ZoneInfo(profile["zone"])
    days = level_days(profile)
    calendar_days = calendar(zone, first, now)
    now_at = next(start for day, start, *_ in calendar_days if day == now)
    with duckdb.connect() as db:
        db.execute("create table days (day date, start_ms bigint, end_ms bigint, month_ms bigint)")
        db.execute(
            "insert into days "
            "select unnest($1::date[]), unnest($2::bigint[]), unnest($3::bigint[]), unnest($4::bigint[])",
            [list(column) for column in zip(*calendar_days, strict=True)],
        )
        db.execute("create table levels (level integer, days bigint)")
        db.executemany("insert into levels values (?, ?)", list(enumerate(accumulate(days), start=1)))
        given = {
            "file": str(file), "first": str(first), "last": str(last),
            "placeholders": list(PLACEHOLDERS), "now_at": now_at, "top": len(days), "quantiles": list(QUANTILES),
        }  # fmt: skip
        run(db, ROWS + CASES, given)
        return {
            "account": records(db, ACCOUNT, given)[0],
            "timeouts": dict(rows(db, "select level, count(*) from timeouts group by all order by all", given)),
            "measures": MEASURES,
            "months": rows(db, MONTHS, given),
            "days": rows(db, DAYS, given),
            "pending": rows(db, PENDING, given),
            "ages": rows(db, AGES.format(period="month_ms"), given) + rows(db, AGES.format(period="0"), given),
            "age_sum_ms": rows(db, "select department, sum(age_ms)::bigint from disposals group by all", given),
            "checks": checks(db),
        }


def run(db: duckdb.DuckDBPyConnection, statements: str, given: dict) -> None:
    for statement in statements.split(";"):
        if statement.strip():
            db.execute(statement, used(statement, given))


def rows(db: duckdb.DuckDBPyConnection, query: str, given: dict) -> list[tuple]:
    return db.execute(query, used(query, given)).fetchall()


def records(db: duckdb.DuckDBPyConnection, query: str, given: dict) -> list[dict]:
    found = db.execute(query, used(query, given))
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def used(query: str, given: dict) -> dict:
    return {name: value for name, value in given.items() if f"${name}" in query}


def checks(db: duckdb.DuckDBPyConnection) -> dict[str, bool]:
    """What must hold whatever the data are: the recount is held to account as well."""
    one = {name: db.execute(query).fetchone()[0] for name, query in CHECKS.items()}
    return {name: bool(value) for name, value in one.items()}


CHECKS = {
    "every row is a case, repeated or in conflict": "select count(*) = count(verdict) from judged",
    "one case per key": "select count(*) = count(distinct key) and count(*) = (select count(distinct key) from told) "
    "from cases",
    "received at level 1 = cases": (
        "select (select count(*) from counted where level = 1 and measure = 'received') = (select count(*) from cases)"
    ),
    "every repeated row has its first row's days": (
        "select count(*) = 0 from judged as later join judged as earlier on earlier.line = later.first_line "
        "where later.opened_on <> earlier.opened_on or later.closed_on is distinct from earlier.closed_on"
    ),
    "nobody leaves a unit he has not come to": (
        "select coalesce(min(pending), 0) >= 0 from ("
        "select sum(case measure when 'received' then 1 when 'left' then -1 else 0 end) "
        "over (partition by district, department, level order by instant, measure = 'left') as pending from counted)"
    ),
    "what is pending at the end is what was never disposed": (
        "select sum(case measure when 'received' then 1 when 'left' then -1 else 0 end) = "
        "(select count(*) from cases where closed_at is null) from counted"
    ),
    "no disposal before its opening": "select count(*) = 0 from disposals where age_ms < 0",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="the cases, CSV, may be gzipped")
    parser.add_argument("profile", type=Path, help="profile.toml: time zone and the levels' days are read from it")
    parser.add_argument("--first", type=date.fromisoformat, default=date(2015, 1, 1), help="first opening day")
    parser.add_argument("--last", type=date.fromisoformat, default=date(2021, 12, 31), help="last opening day")
    parser.add_argument("--now", type=date.fromisoformat, default=date(2025, 1, 2), help="the day on which time stops")
    given = parser.parse_args()
    found = recount(given.file, tomllib.loads(given.profile.read_text("utf-8")), given.first, given.last, given.now)
    json.dump(found, sys.stdout)
    return 0 if all(found["checks"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
