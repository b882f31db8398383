"""Offices and officers end to end: files, the worker, the board, the gateway, the command line, the audit."""

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agents.audit import board as board_audit
from agents.audit.run import CHECKS
from agents.cli.audit import log_of
from agents.cli.officers import officers
from deploy.demo.run import OWN_SETTINGS
from deploy.demo.secrets import Secrets, drawn
from deploy.fleet import Fleet
from streams.calendar import bounds, day_key
from streams.profiles.load import profile
from streams.profiles.profile import HOUR_MS

pytestmark = pytest.mark.live
PROFILE = profile("up-1076")
BEGIN = time.time_ns() // 1_000_000
OFFICES = "system,office,name\n"
OFFICERS = "system,officer,office,designation,name,mobile,email,status,charge,from\n"
BLOCKS = 40
ROLES = ("officer", "state-administrator", "district-administrator@161")


@pytest.fixture(scope="module")
def secrets() -> Secrets:
    made = drawn()
    return made._replace(tokens={**made.tokens, **{role: f"token-of-{role}" for role in ROLES}})


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, secrets: Secrets) -> Iterator[Fleet]:
    with Fleet(
        tmp_path_factory.mktemp("officers"),
        roles={"officers": 1, "board": 1},
        begin=BEGIN,
        partitions=3,
        gateway=True,
        environ={**secrets.environ, **OWN_SETTINGS},
    ) as running:
        yield running


@pytest.fixture(scope="module")
def loaded(fleet: Fleet, secrets: Secrets, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Two districts of blocks: in each, half of the officers have a login."""
    folder = tmp_path_factory.mktemp("files")
    places = [(district, number) for district in (159, 161) for number in range(BLOCKS)]
    offices = "".join(f"up-1076,rural-development:bdo@{lgd}/b{n},विकास खण्ड {n}\n" for lgd, n in places)
    people = "".join(
        f"up-1076,of-{lgd}-{n},rural-development:bdo@{lgd}/b{n},खण्ड विकास अधिकारी,नाम {n},98765{lgd}{n:02d},"
        f"b{n}@example.in,{'generated' if n % 2 else 'requested'},,\n"
        for lgd, n in places
    )
    (folder / "offices.csv").write_text(OFFICES + offices, "utf-8")
    (folder / "officers.csv").write_text(OFFICERS + people, "utf-8")
    done = nivaran(fleet, secrets, "load", str(folder / "offices.csv"), str(folder / "officers.csv"), "--json")
    # files are loaded at the machine's own time, which simulated time must not be behind
    fleet.advance(time.time_ns() // 1_000_000)
    return done


def nivaran(fleet: Fleet, secrets: Secrets, *arguments: str) -> Result:
    environ = {"NIVARAN_KAFKA": fleet.kafka.bootstrap, "NIVARAN_REDIS_URL": fleet.redis.url, **secrets.environ}
    return CliRunner().invoke(officers, list(arguments), env=environ, catch_exceptions=False)


def ask(fleet: Fleet, token: str, path: str, body: dict[str, Any] | None = None, key: str = "") -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Idempotency-Key": key}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(fleet.services["gateway"].url + path, data=data, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_a_directory_is_loaded_and_shown(fleet: Fleet, secrets: Secrets, loaded: Result) -> None:
    told = json.loads(loaded.output)
    assert (loaded.exit_code, told["offices"], told["officers"]) == (0, 2 * BLOCKS, 2 * BLOCKS)
    missing = json.loads(
        nivaran(fleet, secrets, "missing", "--system", "up-1076", "--district", "161", "--json").output
    )
    blocks = [row for row in missing["rows"] if row["unit"] == "block"]
    assert {row["scope"] for row in blocks} == {f"b{number}" for number in range(0, BLOCKS, 2)}
    assert {row["standing"] for row in blocks} == {"requested"}
    forms = nivaran(fleet, secrets, "applications", "--system", "up-1076", "--district", "161", "--json")
    rows = json.loads(forms.output)["rows"]
    assert len(rows) == BLOCKS // 2
    assert rows[0]["email"].endswith("@example.in")


def test_a_days_absentees_over_http_and_on_the_terminal(fleet: Fleet, secrets: Secrets, loaded: Result) -> None:
    tokens = secrets.tokens
    login = {"type": "login", "system": "up-1076"}
    for key in ("first-login", "first-login", "second-login"):
        assert ask(fleet, tokens["officer"], "/v1/officers/of-161-1/activity", login, key)[0] == 202
    minutes = {"type": "portal-time", "system": "up-1076", "minutes": 10}
    assert ask(fleet, tokens["officer"], "/v1/officers/of-161-1/activity", minutes, "some-minutes")[0] == 202
    fleet.settle()
    assert fleet.now is not None
    end = bounds("day", fleet.now, PROFILE.zone).end_at
    fleet.advance(end + PROFILE.windows.lateness_ms)
    day = day_key(end - 1, PROFILE.zone)

    status, found = ask(fleet, tokens["district-administrator@161"], f"/v1/officers/absent?system=up-1076&day={day}")
    assert status == 200
    absent = {f"of-161-{number}" for number in range(1, BLOCKS, 2)} - {"of-161-1"}
    assert {row["officer"] for row in found["rows"]} == absent
    assert all(row["flags"] == ["under-checks", "under-minutes", "never-logged-in"] for row in found["rows"])
    other = "/v1/officers/absent?system=up-1076&district=159"
    assert ask(fleet, tokens["district-administrator@161"], other)[0] == 403

    whole = json.loads(nivaran(fleet, secrets, "absent", "--system", "up-1076", "--day", day, "--json").output)
    assert {row["officer"] for row in whole["rows"]} == absent | {f"of-159-{number}" for number in range(1, BLOCKS, 2)}


def test_a_step_stands_on_the_ladder_with_its_cases(fleet: Fleet, secrets: Secrets, loaded: Result) -> None:
    step = {"type": "take-step", "system": "up-1076", "step": "warning", "cases": ["108838367268258838"]}
    bound = secrets.tokens["district-administrator@161"]
    assert ask(fleet, bound, "/v1/officers/of-161-3/activity", step, "a-warning")[0] == 202
    assert ask(fleet, bound, "/v1/officers/of-159-3/activity", step, "a-warning")[0] == 403
    fleet.settle()
    told = json.loads(nivaran(fleet, secrets, "ladder", "--system", "up-1076", "--json").output)
    assert [(row["officer"], row["taken"][0]["cases"]) for row in told["rows"]] == [("of-161-3", step["cases"])]


def test_everything_is_as_recomputed_from_the_logs(fleet: Fleet, loaded: Result) -> None:
    assert fleet.now is not None
    fleet.advance(fleet.now + 2 * HOUR_MS)
    log = log_of(fleet.kafka.bootstrap, "nivaran")
    results = [CHECKS[f"stage {name}"](log) for name in ("conduct", "offices", "officers")]
    results.append(asyncio.run(board_audit.check(log, fleet.redis.url)))
    assert [(result.name, result.problems) for result in results if not result.ok] == []
    assert results[2].figures["outputs"] > 4 * BLOCKS
