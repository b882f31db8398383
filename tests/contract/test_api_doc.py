"""docs/api.md names what the gateway serves, and its examples are taken."""

import re
from pathlib import Path

import msgspec
import pytest

from agents.gateway.app import ROUTES
from agents.gateway.auth import MAY_ACT, ROLES
from agents.gateway.problems import Kind
from tests.gateway.conftest import CASE, gateway  # noqa: F401 - a fixture

TEXT = (Path(__file__).parents[2] / "docs" / "api.md").read_text("utf-8")
EXAMPLES = [msgspec.json.decode(each) for each in re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)]


@pytest.mark.parametrize("kind", Kind)
def test_every_problem_stands_with_its_status(kind: Kind) -> None:
    assert f"| {kind.status} | `{kind.urn.rpartition(':')[2]}` |" in TEXT


@pytest.mark.parametrize("route", ROUTES)
def test_every_path_is_named(route) -> None:
    assert route.path in TEXT


def test_every_role_and_every_action_with_its_roles() -> None:
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| ([^|]*?) \|", TEXT, re.MULTILINE))
    assert set(ROLES) <= rows.keys()
    assert {name: set(rows[name].split(", ")) for name in MAY_ACT} == {
        name: set(roles) for name, roles in MAY_ACT.items()
    }


async def test_the_examples_are_taken(gateway) -> None:  # noqa: F811 - the fixture
    assert len(EXAMPLES) == 2
    for number, body in enumerate(EXAMPLES):
        path = "/v1/complaints" if "mobile" in body else f"/v1/cases/{CASE}/actions"
        status, answer, _ = await gateway.post(path, body, key=f"of-the-page-{number}")
        assert status == 202, answer
