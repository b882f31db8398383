"""The API towards several systems: each takes what its own profile takes, and says what is nearest otherwise."""

import pytest

from tests.gateway.conftest import COMPLAINT, gateway  # noqa: F401 - a fixture

IGRS = COMPLAINT | {"system": "up-igrs", "channel": "portal", "category": "mutation", "place": {"district": 159}}


async def test_a_submission_names_the_office_it_came_through(gateway):  # noqa: F811 - the fixture
    status, _, _ = await gateway.post("/v1/complaints", IGRS | {"source": "tehsil-divas"})
    assert status == 202
    [entry] = gateway.log.entries
    assert (entry.value.system, entry.value.source) == ("up-igrs", "tehsil-divas")


@pytest.mark.parametrize(
    ("body", "field", "said"),
    [
        (IGRS | {"system": "up-igsr"}, "system", "nearest: up-igrs"),
        (IGRS | {"source": "tehsil-diwas"}, "source", "nearest: tehsil-divas"),
        (IGRS | {"category": "mutatoin"}, "category", "nearest: mutation"),
        (IGRS | {"category": "rti"}, "category", "जन सूचना अधिकारी"),
        (IGRS | {"category": "rti", "language": "en"}, "category", "public information officer"),
        (IGRS | {"type": "suggestion"}, "type", "सुझाव"),
        (IGRS | {"system": "mp-181", "channel": "email", "place": {"district": 417}}, "channel", "app, call, portal"),
        (IGRS | {"system": "mp-181", "place": {"district": 159}}, "place.district", "nearest: "),
        (IGRS | {"system": "uttarakhand-1905", "place": {"district": 54}, "spoken_language": "ta"}, "spoken_language",
         "gbm"),
    ],
)  # fmt: skip
async def test_what_a_system_does_not_take_is_answered_with_the_nearest_or_the_reason(
    gateway,  # noqa: F811 - the fixture
    body: dict,
    field: str,
    said: str,
):
    status, problem, _ = await gateway.post("/v1/complaints", body)
    assert status == 400
    assert [error["field"] for error in problem["errors"]] == [field]
    assert said in problem["errors"][0]["detail"]
    assert gateway.log.entries == []
