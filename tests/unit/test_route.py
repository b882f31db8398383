"""Who owns a case: a table of department, place and level."""

import pytest

from schemas.base import Place
from streams.case.route import Office, route, start
from streams.profiles.load import profiles

UP = profiles()["up-1076"]
KHERI = Place(159, {"block": "gola", "tehsil": "nighasan", "thana": "palia"})

ROUTES = [
    ("rural-development", KHERI, 1, "rural-development:bdo@159/gola"),
    ("revenue", KHERI, 1, "revenue:tehsildar@159/nighasan"),
    ("police", KHERI, 1, "police:co@159/palia"),
    ("energy", KHERI, 1, "energy:district-officer@159"),
    ("police", Place(159), 1, "police:asp@159"),
    ("rural-development", KHERI, 2, "rural-development:cdo@159"),
    ("police", KHERI, 2, "police:sp@159"),
    ("revenue", KHERI, 2, "revenue:dm@159"),
    ("revenue", KHERI, 3, "revenue:commissioner@lucknow"),
    ("police", Place(161), 3, "police:dig@jhansi"),
    ("energy", KHERI, 4, "energy:principal-secretary@state"),
]


@pytest.mark.parametrize(("department", "place", "level", "office"), ROUTES)
def test_route(department: str, place: Place, level: int, office: str) -> None:
    assert route(UP, department, place, level) == Office(office, fallback=False)


def test_nobody_is_without_an_owner() -> None:
    for department in UP.departments:
        for district in UP.districts:
            for level in range(1, UP.last_level + 1):
                assert not route(UP, department, Place(district), level).fallback
    assert route(UP, "no-such", KHERI, 1) == Office("no-such:helpline-cell@state", fallback=True)
    assert route(UP, "energy", Place(99_999), 1).fallback


def test_a_complaint_against_an_officer_starts_above() -> None:
    assert start(UP, "police", KHERI, None) == (1, Office("police:co@159/palia", fallback=False))
    assert start(UP, "police", KHERI, 1) == (2, Office("police:sp@159", fallback=False))
    assert start(UP, "police", KHERI, 3)[0] == 4
    assert start(UP, "police", KHERI, 4) == (4, Office("police:helpline-cell@state", fallback=True))
