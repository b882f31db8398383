"""Open311 GeoReport v2 as its clients meet it: forms in, XML and JSON out, errors in the page's own list."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

import civicbot
import georeport
import msgspec
import pytest
from civicbot.http import HttpError, RateLimiter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.gateway.channels.open311.places import districts_named
from agents.gateway.channels.open311.routes import open311
from agents.gateway.channels.open311.settings import Open311Settings
from agents.settings import SettingsError
from streams.ids import valid_case_id
from streams.profiles.profile import DAY_MS
from tests.gateway.conftest import CASE, MOBILE, NOW, TOKENS
from tests.gateway.open311 import ENVIRON, FORM, KEY, OPEN, ROOT, UP, ask, folded, said, served, tree


@pytest.fixture
async def gateway():
    async with served() as found:
        yield found


async def test_a_request_is_answered_with_its_number_once_it_is_durable(gateway):
    status, answer, _ = await ask(gateway, "requests.json", FORM)
    [request] = answer
    assert (status, request["service_notice"], request["account_id"]) == (200, None, None)
    [entry] = gateway.log.entries
    record = entry.value
    assert request["service_request_id"] == record.case
    assert valid_case_id(record.case)
    assert (record.system, record.channel, record.category) == ("up-1076", "portal", "hand-pump")
    assert (record.place.district, record.place.units) == (159, {"block": "gola"})
    assert record.text == FORM["description"] + "\nअक्षांश, देशांतर: 27.900000, 80.800000"
    assert MOBILE not in msgspec.json.encode(record).decode()


async def test_the_same_in_xml(gateway):
    status, answer, _ = await ask(gateway, "requests.xml", FORM)
    case = gateway.log.entries[0].value.case
    request = ("request", [("service_request_id", case), ("service_notice", None), ("account_id", None)])
    assert (status, answer) == (200, ("service_requests", [request]))


async def test_what_has_no_place_in_a_complaint_is_named_in_the_answer(gateway):
    more = {"first_name": "Asha", "email": "a@b.example", "media_url": "https://b.example/1.jpg", "device_id": ""}
    _, [request], _ = await ask(gateway, "requests.json", FORM | more | {"attribute[language]": "en"})
    assert request["service_notice"].endswith(": email, first_name, media_url")
    assert "Asha" not in msgspec.json.encode(gateway.log.entries[0].value).decode()
    assert gateway.log.entries[0].value.attachments == ()


@pytest.mark.parametrize(
    ("url", "ref"),
    [
        ("https://files.example/2026/1.jpg", "2026/1.jpg"),
        ("https://files.example/a.pdf", "a.pdf"),
        ("https://files.example/", None),
        ("https://files.example/../secret.jpg", None),
        ("https://files.example/1", None),
        ("https://files.example.evil/1.jpg", None),
        ("http://files.example/1.jpg", None),
    ],
)
async def test_a_picture_below_the_address_that_is_set_is_kept_by_reference(url, ref):
    async with served(NIVARAN_OPEN311_MEDIA="https://files.example/") as gateway:
        status, [request], _ = await ask(gateway, "requests.json", FORM | {"media_url": url})
        [entry] = gateway.log.entries
    kept = [(each.store, each.ref) for each in entry.value.attachments]
    assert (status, kept) == (200, [] if ref is None else [("open311", ref)])
    assert (request["service_notice"] is None) == (ref is not None)


@pytest.mark.parametrize(
    "address",
    [
        "Station Road, Gola, Lakhimpur Kheri",
        "गोला, लखीमपुर खीरी, उत्तर प्रदेश",
        "near Kheri bus stand",
        "गोला (KHERI) 262701",
    ],
)
async def test_the_district_may_be_named_in_the_address(gateway, address):
    form = {name: value for name, value in FORM.items() if name not in {"attribute[district]", "lat", "long"}}
    status, _, _ = await ask(gateway, "requests.json", form | {"address_string": address})
    assert status == 200
    record = gateway.log.entries[0].value
    assert record.place.district == 159
    assert address in record.text


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("Agra Road, Lucknow", {118, 162}),
        ("Rajpur, Kanpur Dehat", {156}),
        ("आगरारोड", set()),
        ("", set()),
    ],
)
def test_districts_named_are_whole_names(address, found):
    assert districts_named(UP, address, NOW) == found


@pytest.mark.parametrize(
    ("changes", "status", "fields"),
    [
        ({"api_key": ""}, 403, {"api_key"}),
        ({"api_key": "another"}, 403, {"api_key"}),
        ({"jurisdiction_id": ""}, 400, {"jurisdiction_id"}),
        ({"jurisdiction_id": "up-1067"}, 404, {"jurisdiction_id"}),
        ({"service_code": ""}, 400, {"service_code"}),
        ({"service_code": "handpump"}, 404, {"service_code"}),
        ({"attribute[district]": ""}, 400, {"attribute[district]"}),
        ({"attribute[district]": "", "address_string": "Agra Road, Lucknow"}, 400, {"attribute[district]"}),
        ({"attribute[district]": "x"}, 400, {"attribute[district]"}),
        ({"attribute[district]": "54"}, 400, {"attribute[district]"}),
        ({"lat": "", "long": ""}, 400, {"address_string"}),
        ({"lat": ""}, 400, {"lat"}),
        ({"lat": "north", "long": "nan"}, 400, {"lat", "long"}),
        ({"phone": ""}, 400, {"phone"}),
        ({"phone": "12", "description": " ", "attribute[type]": "wish", "media": "x"}, 400,
         {"phone", "description", "attribute[type]", "media"}),
        ({"description": "क" * 4001}, 400, {"description"}),
        ({"attribute[village]": "x"}, 400, {"attribute[village]"}),
        ({"attribute[block]": "x" * 65, "attribute[language]": "fr"}, 400, {"attribute[block]", "attribute[language]"}),
        ({"idempotency_key": "short"}, 400, {"idempotency_key"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", ["json", "xml"])
async def test_what_is_wrong_is_told_by_the_forms_own_names(gateway, changes, status, fields, form):
    found, answer, _ = await ask(gateway, f"requests.{form}", FORM | changes)
    if form == "xml":
        root, errors = answer
        assert root == "errors"
        answer = [dict(parts) for _, parts in errors]
    assert found == status
    assert said(answer) == fields
    assert {str(error["code"]) for error in answer} == {str(status)}
    assert MOBILE not in str(answer)
    assert gateway.log.entries == []


async def test_another_role_has_no_way_in_here(gateway):
    status, _, _ = await ask(gateway, "requests.json", FORM | {"api_key": TOKENS["officer"]})
    assert status == 403


async def test_a_subject_that_is_no_grievance_is_answered_with_the_words_for_the_citizen(gateway):
    form = FORM | {"jurisdiction_id": "up-igrs", "service_code": "rti", "attribute[language]": "hi"}
    status, [error], _ = await ask(gateway, "requests.json", form)
    assert status == 400
    assert error["description"].startswith("service_code: ")
    assert "जन सूचना अधिकारी" in error["description"]


@pytest.mark.parametrize("content", ["application/json", "multipart/form-data; boundary=x", "text/plain"])
async def test_a_body_that_is_no_form_is_refused(gateway, content):
    async with gateway.client.post(f"{ROOT}/requests.json", data=b"{}", headers={"Content-Type": content}) as response:
        [error] = await response.json()
    assert response.status == 400
    assert "application/x-www-form-urlencoded" in error["description"]


@pytest.mark.parametrize("body", [b"description=%ff%fe", b"\xff=1", b"a=1&" * 300])
async def test_a_form_that_cannot_be_read_is_refused(gateway, body):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    async with gateway.client.post(f"{ROOT}/requests.xml", data=body, headers=headers) as response:
        root, errors = tree(fromstring(await response.read()))
    assert (response.status, root, len(errors)) == (400, "errors", 1)


async def test_while_kafka_is_away_the_client_is_told_when_to_come_back(gateway):
    gateway.log.up = False
    status, [error], headers = await ask(gateway, "requests.json", FORM)
    assert (status, error["code"], headers["Retry-After"]) == (503, 503, "5")


async def test_a_repeat_within_the_window_is_the_same_request(gateway):
    first = await ask(gateway, "requests.json", FORM)
    again = await ask(gateway, "requests.xml", FORM)
    assert again[1][1][0][1][0] == ("service_request_id", first[1][0]["service_request_id"])
    other = await ask(gateway, "requests.json", FORM | {"description": "दूसरा हैण्डपम्प"})
    gateway.services.clock.now = lambda: NOW + 700_000
    later = await ask(gateway, "requests.json", FORM)
    numbers = [answer[1][0]["service_request_id"] for answer in (first, other, later)]
    assert len(set(numbers)) == 3


async def test_a_key_of_the_clients_own_holds_whatever_the_time(gateway):
    form = FORM | {"idempotency_key": "request-0001"}
    first = await ask(gateway, "requests.json", form)
    gateway.services.clock.now = lambda: NOW + DAY_MS
    assert (await ask(gateway, "requests.json", form))[1] == first[1]
    headers = {"Idempotency-Key": "request-0001"}
    async with gateway.client.post(f"{ROOT}/requests.json", data=FORM, headers=headers) as response:
        assert await response.json() == first[1]


async def test_services_and_their_definitions(gateway):
    _, services, _ = await ask(gateway, "services.json", jurisdiction_id="up-1076")
    assert {each["service_code"] for each in services} == set(UP.categories)
    [pump] = [each for each in services if each["service_code"] == "hand-pump"]
    assert (pump["service_name"], pump["group"], pump["type"]) == ("हैण्डपम्प खराब", "जल निगम", "realtime")
    _, definition, _ = await ask(gateway, "services/hand-pump.json", jurisdiction_id="up-1076")
    district, *others = definition["attributes"]
    assert (district["code"], district["required"], len(district["values"])) == ("district", True, 75)
    assert {"key": "159", "name": "लखीमपुर खीरी / Kheri"} in district["values"]
    assert [each["code"] for each in others] == ["block", "tehsil", "thana", "type", "language"]
    _, (root, parts), _ = await ask(gateway, "services/hand-pump.xml", jurisdiction_id="up-1076")
    assert (root, parts[0]) == ("service_definition", ("service_code", "hand-pump"))
    assert dict(parts[1][1][0][1])["variable"] == "true"


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("services", {}, 400),
        ("services", {"jurisdiction_id": "nowhere"}, 404),
        ("services/no-such", {"jurisdiction_id": "up-1076"}, 404),
        ("requests", {"jurisdiction_id": "up-1076"}, 403),
        ("requests", {"api_key": KEY}, 400),
        (f"requests/{CASE}", {}, 403),
        (f"requests/{CASE}", {"api_key": KEY}, 404),
        (f"tokens/{CASE}", {"api_key": KEY}, 404),
        ("requests/109", {"api_key": KEY, "jurisdiction_id": "up-1076"}, 404),
    ],
)
@pytest.mark.parametrize("form", ["json", "xml"])
async def test_what_is_not_there_or_not_allowed(gateway, path, query, status, form):
    found, answer, _ = await ask(gateway, f"{path}.{form}", **query)
    assert found == status
    code = answer[0]["code"] if form == "json" else answer[1][0][1][0][1]
    assert str(code) == str(status)


async def test_discovery_says_where_and_how(gateway):
    status, found, _ = await ask(gateway, "discovery.json")
    [endpoint] = found["endpoints"]
    assert (status, found["contact"], found["key_service"]) == (200, "it@helpline.example", "ask the helpline")
    assert (endpoint["url"], endpoint["type"]) == (ENVIRON["NIVARAN_OPEN311_URL"], "production")
    assert endpoint["formats"] == ["text/xml", "application/json"]
    _, (root, parts), _ = await ask(gateway, "discovery.xml")
    assert root == "discovery"
    assert dict(dict(parts)["endpoints"][0][1])["formats"] == [("format", "text/xml"), ("format", "application/json")]


def client(gateway, **changes: Any) -> civicbot.Open311Client:
    url = str(gateway.client.make_url(ROOT))
    endpoint = civicbot.Endpoint(id="nivaran", name="Nivaran", base_url=url, write=True)
    transport = civicbot.HttpTransport(rate_limiter=RateLimiter(min_interval=0))
    return civicbot.Open311Client(endpoint, transport, **{"jurisdiction_id": "up-1076"} | changes)


async def test_a_client_library_files_a_request_and_follows_it():
    async with served(NIVARAN_OPEN311_READING="open") as gateway:
        library = client(gateway)
        sent = await asyncio.to_thread(
            library.create_request, "hand-pump", dry_run=False, confirm="SEND", api_key=KEY, validate_remote=True,
            lat=27.9, lng=80.8, description="हैण्डपम्प खराब है", phone=MOBILE,
            attributes={"district": "159", "thana": "t1"},
        )  # fmt: skip
        [entry] = gateway.log.entries
        [answer] = sent.response
        assert answer["service_request_id"] == entry.value.case
        case = entry.value.case
        gateway.board.cases[case] = OPEN | {"case": case}
        found = await asyncio.to_thread(library.get_request, case)
        assert (found["status"], found["service_code"]) == ("open", "hand-pump")
        assert (await asyncio.to_thread(library.get_token, case))[0]["service_request_id"] == case
        listed = await asyncio.to_thread(library.list_requests, service_request_ids=[case, CASE])
        assert [each["service_request_id"] for each in listed] == [case]
        with pytest.raises(HttpError, match="403") as refused:
            await asyncio.to_thread(
                library.create_request, "hand-pump", dry_run=False, confirm="SEND", api_key="wrong", lat=27.9, lng=80.8
            )
        assert msgspec.json.decode(refused.value.body)[0]["code"] == 403


@pytest.mark.parametrize("form", ["json", "xml"])
async def test_another_client_library_reads_both_forms(form):
    async with served(NIVARAN_OPEN311_READING="open") as gateway:
        gateway.board.cases[CASE] = OPEN
        gateway.board.source, views = folded()
        gateway.services.clock.now = lambda: max(view.registered_at for view in views)
        url = str(gateway.client.make_url(ROOT))
        library = georeport.GeoReport(url, jurisdiction="up-1076", output_format=form)
        services = await asyncio.to_thread(library.get_service_list)
        assert {each["service_code"] for each in services} == set(UP.categories)
        definition = await asyncio.to_thread(library.get_service_definition, "hand-pump")
        assert definition["service_code"] == "hand-pump"
        found = await asyncio.to_thread(library.get_service_request, CASE)
        assert (found["service_request_id"], found["status"]) == (CASE, "open")
        listed = await asyncio.to_thread(library.get_service_requests, status="open")
        assert len(listed) > 10
        assert {each["status"] for each in listed} == {"open"}


def names() -> Iterator[str]:
    yield from FORM
    yield from ("attribute[type]", "attribute[language]", "address_string", "idempotency_key", "email", "media")


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(
    changes=st.dictionaries(st.sampled_from(sorted(names())) | TEXTS, TEXTS, max_size=6),
    form=st.sampled_from(["json", "xml"]),
)
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
async def test_whatever_is_sent_gets_an_answer_of_the_page(changes, form):
    async with served() as gateway:
        status, _, _ = await ask(gateway, f"requests.{form}", FORM | changes)
        assert status in {200, 400, 403, 404}
        assert len(gateway.log.entries) == (status == 200)


def test_the_channel_is_served_only_where_it_is_set_up():
    assert open311({}) == ()
    with pytest.raises(SettingsError, match="NIVARAN_OPEN311_CONTACT is not set"):
        open311({"NIVARAN_OPEN311_URL": "https://h.example/open311/v2"})
    with pytest.raises(SettingsError, match="NIVARAN_OPEN311_URL: must be an address"):
        open311(ENVIRON | {"NIVARAN_OPEN311_URL": "h.example"})


def test_the_page_names_every_setting_and_every_path():
    page = (Path(__file__).parents[2] / "docs" / "channels" / "open311.md").read_text("utf-8")
    for name in Open311Settings.__struct_fields__:
        assert f"`NIVARAN_{name.upper()}`" in page
    for route in open311(ENVIRON):
        if route.path.endswith(".json"):
            filled = route.path.format(code="hand-pump", case="108676067869670897", token="108676067869670897")
            assert f"{route.method} {filled}" in page
