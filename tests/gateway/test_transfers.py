"""What another register transfers keeps that register's number: by file and over HTTP, to the case as it is shown."""

from pathlib import Path

import pytest

from agents.readmodel.views import registered
from schemas.base import Attachment, Place
from schemas.events import CaseRegistered
from schemas.intake import Submitted
from schemas.topics import CASE_EVENTS, INTAKE_SUBMITTED
from streams.case.stage import CASE
from streams.driver import Driver
from streams.ids import case_id
from streams.intake.stage import INTAKE
from tests.gateway.conftest import COMPLAINT
from tests.gateway.loading import Kept, lines, load, rejects

MAPPINGS = Path(__file__).parents[2] / "deploy" / "examples" / "mappings"
NUMBER = "PMOPG/E/2026/0001234"
COLUMNS = "registration_no,org_code,state,dist_name,recvd_date,mobile_no,CategoryV7,subject_content_text,remarks_text\n"
ROW = f"{NUMBER},PMOPG,Uttarakhand,Rudraprayag,23/11/2026,9876543210,hand-pump,हैण्डपम्प,दो सप्ताह से खराब है\n"


def by_file(folder: Path, *rows: str, name: str = "in.csv") -> dict:
    return load(lines(folder / name, COLUMNS, *rows), "--mapping", str(MAPPINGS / "cpgrams.toml"))[1]


@pytest.mark.usefixtures("loads_nowhere")
def test_the_same_transfer_twice_is_the_same_case_under_its_number(tmp_path):
    other = ROW.replace("0001234", "0001235")
    by_file(tmp_path, ROW)
    by_file(tmp_path, other, ROW, name="again.csv")
    first, second, again = (entry.value for entry in Kept.entries)
    assert first.case == again.case == case_id("19", "transfer", NUMBER) != second.case
    assert (first.id, first.external, first.channel, first.place.district) == (again.id, NUMBER, "transfer", 54)
    assert first.text == "हैण्डपम्प\nदो सप्ताह से खराब है"


@pytest.mark.usefixtures("loads_nowhere")
@pytest.mark.parametrize(
    "number", ["", "9876543210", "RAMESH KUMAR", "PMOPG/E/2026/9876543210", "pmopg/e/2026/1", "2026/1"]
)
def test_what_is_no_such_number_is_refused_by_name(tmp_path, number):
    [reject] = rejects(by_file(tmp_path, ROW.replace(NUMBER, number)))
    assert [error["field"] for error in reject["errors"]] == ["external" if number else "key"]


@pytest.mark.usefixtures("loads_nowhere")
def test_a_district_of_another_state_and_a_code_without_a_subject_are_refused(tmp_path):
    [reject] = rejects(by_file(tmp_path, ROW.replace("Rudraprayag", "Jaipur").replace("hand-pump", "4711")))
    assert {error["field"] for error in reject["errors"]} == {"place.district", "category"}


@pytest.mark.usefixtures("loads_nowhere")
def test_the_list_of_a_samadhan_divas(tmp_path):
    header = "क्र.सं.,दिनांक,जनपद,तहसील,नाम,मोबाइल नंबर,विषय,शिकायत का विवरण\n"
    row = "1,21/11/2026,खीरी,gola-gokarannath,राम,९८७६५४३२१०,भूमि की पैमाइश,पैमाइश नहीं हुई\n"
    file = lines(tmp_path / "in.csv", header, row, row.replace("1,", "2,", 1).replace("2026", "26"))
    _, told = load(file, "--mapping", str(MAPPINGS / "samadhan-divas.toml"))
    [submitted] = [entry.value for entry in Kept.entries]
    assert (submitted.channel, submitted.category, submitted.place.district) == ("camp", "land-measurement", 159)
    assert [each["errors"][0]["field"] for each in rejects(told)] == ["occurred"]


FILE = Attachment("registers", "7/1.pdf", "application/pdf")


def test_the_case_shows_the_number_and_the_files():
    facts = []
    driver = Driver(
        [INTAKE, CASE], now=1_770_000_000_000, on_write=lambda topic, made: facts.append((topic, made.value))
    )
    case = case_id("10", "transfer", NUMBER)
    driver.send(
        INTAKE_SUBMITTED,
        "ct_" + "a" * 32,
        Submitted(
            id="sub-00000001", case=case, system="up-1076", at=driver.now, received_at=driver.now,
            case_type="complaint", channel="transfer", category="hand-pump", place=Place(159, {"block": "b1"}),
            citizen="ct_" + "a" * 32, text="हैण्डपम्प खराब है", external=NUMBER, attachments=(FILE,),
        ),
    )  # fmt: skip
    [fact] = [value for topic, value in facts if topic == CASE_EVENTS and isinstance(value, CaseRegistered)]
    assert (fact.case, fact.external, registered(fact).external) == (case, NUMBER, NUMBER)
    assert (fact.attachments, registered(fact).attachments) == ((FILE,), (FILE,))


async def test_over_http_the_number_decides_the_case_whatever_the_idempotency_key(gateway):
    body = COMPLAINT | {"channel": "transfer", "external": NUMBER}
    first = await gateway.post("/v1/complaints", body, key="key-0001")
    second = await gateway.post("/v1/complaints", body, key="key-0002")
    assert first[1] == second[1]
    assert first[1]["case"] == case_id("10", "transfer", NUMBER)
    assert [entry.value.external for entry in gateway.log.entries] == [NUMBER, NUMBER]


@pytest.mark.parametrize("number", ["", "9876543210", "98765/43210", "RAMESH", "A/2026/98765432101", 7])
async def test_over_http_what_is_no_such_number_is_refused_by_name(gateway, number):
    status, problem, _ = await gateway.post("/v1/complaints", COMPLAINT | {"external": number})
    assert (status, [error["field"] for error in problem["errors"]]) == (400, ["external"])
    assert gateway.log.entries == []
