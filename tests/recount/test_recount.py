"""The recount itself, over a file small enough to be counted by hand."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from tests.recount.recount import recount

ZONE = ZoneInfo("America/New_York")
PROFILE = {"zone": "America/New_York", "levels": [{"days": 7}, {"days": {"value": 7}}, {"days": 7}, {"days": 15}]}
HEAD = "unique_key,account,opendate,closedate,complaint_type,descriptor,zip,borough,city,council_dist,community_board\n"


def count(tmp_path, *lines):
    file = tmp_path / "cases.csv"
    file.write_text(HEAD + "".join(f"{line}\n" for line in lines))
    return recount(file, PROFILE, date(2019, 1, 1), date(2019, 12, 31), date(2020, 2, 1))


def local(*moment):
    return int(datetime(*moment, tzinfo=ZONE).timestamp() * 1000)


def days(found):
    names = found["measures"]
    return {
        (row[1], row[2], name): value
        for row in found["days"]
        for name, value in zip(names, row[3:], strict=True)
        if value
    }


def test_a_case_closed_on_its_own_day_is_disposed_at_the_first_level(tmp_path):
    found = count(
        tmp_path, "K1,NYCC07,2019-10-28,2019-10-28,Parks,Benches,10003,Manhattan,New York,NYCC02,02 Manhattan"
    )

    day = local(2019, 10, 28)
    assert days(found) == {
        (1, day, "received"): 1,
        (1, day, "disposed"): 1,
        (1, day, "left"): 1,
        (1, day, "closed_unknown"): 1,
    }
    assert ("parks", local(2019, 10, 1), 0.9, 86_399_999, 1) in found["ages"]


def test_the_hour_that_autumn_gives_makes_the_seventh_day_end_an_hour_early(tmp_path):
    found = count(tmp_path, "K1,NYCC07,2019-10-28,2019-11-03,Parks,Benches,,,,,")

    # 7 x 24 hours after midnight of 28 October it is 23:00 on 3 November: the disposal at the end of that day is late
    assert days(found)[1, local(2019, 11, 3), "escalated_timeout"] == 1
    assert days(found)[2, local(2019, 11, 3), "disposed"] == 1


def test_the_hour_that_spring_takes_does_not_shorten_the_seven_days(tmp_path):
    found = count(tmp_path, "K1,NYCC07,2019-03-04,2019-03-10,Parks,Benches,,,,,")

    assert found["timeouts"] == {}
    assert days(found)[1, local(2019, 3, 10), "disposed"] == 1


def test_a_case_never_closed_runs_through_all_levels_and_stays(tmp_path):
    found = count(tmp_path, "K1,NYCC07,2019-10-01,,,,,,,,")

    counted = days(found)
    for level, day in ((1, (2019, 10, 8)), (2, (2019, 10, 15)), (3, (2019, 10, 22)), (4, (2019, 11, 5))):
        assert counted[level, local(*day), "defaulters"] == 1
    assert (4, local(2019, 11, 5), "left") not in counted
    months = [local(2019, month, 1) for month in range(1, 13)] + [local(2020, 1, 1)]
    assert found["pending"] == [("unspecified", month, int(month >= local(2019, 10, 1))) for month in months]


@pytest.mark.parametrize(("place", "verdict"), [("10003", "repeated"), ("10004", "conflicts")])
def test_a_repeated_key_is_no_second_case(tmp_path, place, verdict):
    found = count(
        tmp_path,
        "K1,NYCC07,2019-10-01,2019-10-02,Parks,Benches,10003,,,,",
        f"K1,NYCC07,2019-10-01,2019-10-02,Parks,Benches,{place},,Elsewhere,,",
    )

    account = found["account"]
    assert (account["rows"], account["cases"], account[verdict], account["disposals_repeated"]) == (2, 1, 1, 1)
    assert days(found)[1, local(2019, 10, 1), "received"] == 1


def test_what_is_no_place_is_left_out_and_counted(tmp_path):
    found = count(tmp_path, "K1,NYCC07,2019-10-01,2019-10-02,Select One,,07024,Bronx,,NYCC050,Bronx")

    account = found["account"]
    assert (account["unknown_zip"], account["unknown_council_district"], account["unknown_community_board"]) == (
        1,
        1,
        1,
    )
    assert account["placeholder_type"] == account["blank_descriptor"] == 1
    assert found["months"][0][1] == "unspecified"
