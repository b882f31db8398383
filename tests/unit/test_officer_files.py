"""Files of offices and officers: taken whole or refused whole, with file, line, column and what would be right."""

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from agents.audit.log import Entry as LogEntry
from agents.cli.applications import applications, as_csv
from agents.cli.officers import officers
from agents.contact import Contacts, SealError
from agents.loader.officers import Checked, check
from agents.readmodel.officer_views import OfficerView
from schemas.codec import encode
from schemas.officers import ListOffice, ListOfficer, TakeCharge
from schemas.topics import OFFICER_ACTIVITY
from streams.profiles.load import profile

NOW = 1_770_000_000_000
KEY = b"k" * 32
OFFICES = "system,office,name\n"
OFFICERS = "system,officer,office,designation,name,mobile,email,status,charge,from\n"
BLOCK = "up-1076,rural-development:bdo@159/gola,विकास खण्ड गोला\n"
BDO = (
    "up-1076,UP159-1,rural-development:bdo@159/gola,खण्ड विकास अधिकारी,राम कुमार,+91 98765-43210,bdo@example.in,"
    "requested,,\n"
)


def bdo(old: str, new: str) -> str:
    return OFFICERS + BDO.replace(old, new)


def checked(folder: Path, **files: str) -> Checked:
    paths = []
    for name, text in files.items():
        paths.append(folder / f"{name}.csv")
        paths[-1].write_text(text, "utf-8")
    return check(paths, Contacts(KEY), NOW)


def test_rows_become_records_and_the_person_is_under_seal(tmp_path: Path) -> None:
    found = checked(tmp_path, offices=OFFICES + BLOCK, officers=OFFICERS + BDO)
    assert (found.faults, found.offices, found.officers) == ([], 1, 1)
    office, charge, officer = (entry.value for entry in found.entries)
    assert office == ListOffice("up-1076", "rural-development:bdo@159/gola", NOW, "विकास खण्ड गोला")
    assert isinstance(charge, TakeCharge)
    assert (charge.officer, charge.from_at) == ("UP159-1", NOW)
    assert isinstance(officer, ListOfficer)
    opened = Contacts(KEY).open_sealed(officer.person or "", "up-1076|UP159-1", OFFICER_ACTIVITY)
    assert msgspec.json.decode(opened) == {"name": "राम कुमार", "mobile": "9876543210", "email": "bdo@example.in"}
    assert msgspec.convert(msgspec.to_builtins(officer), ListOfficer) == officer
    written = "".join(msgspec.json.encode(entry.value).decode() + entry.key + entry.id for entry in found.entries)
    assert not any(each in written for each in ("राम", "98765", "example.in"))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("offices", "system,office,nam\n", "offices.csv:1: the first line names a column too much"),
        ("offices", "", "offices.csv:1: the first line must name system, office, name"),
        ("offices", OFFICES + "up-1067,revenue:dm@159,x\n", "offices.csv:2: system: must be one of"),
        ("offices", OFFICES + BLOCK + "up-1076,revenu:dm@159,x\n", "offices.csv:3: office: no such department; there"),
        ("offices", OFFICES + "up-1076,revenue:dn@159,x\n", "offices.csv:2: office: no such post; there are"),
        ("offices", OFFICES + "up-1076,revenue:dm@99999,x\n", "offices.csv:2: office: the place of this post must"),
        ("offices", OFFICES + "up-1076,revenue:tehsildar@159,x\n", "the place of this post must be <district code>/"),
        ("offices", OFFICES + "up-1076,revenue:commissioner@lucknw,x\n", "must be one of the profile's divisions"),
        ("offices", OFFICES + "up-1076,revenue:dm@159,\n", "offices.csv:2: name: must have 1 to 256 characters"),
        ("offices", OFFICES + BLOCK + BLOCK, "offices.csv:3: office: stands already in offices.csv:2"),
        ("offices", OFFICES + "up-1076,revenue:dm@159\n", "offices.csv:2: has 2 columns, the first line names 3"),
        ("offices", OFFICES + 'up-1076,"revenue:dm@159,x\n', "is no line of a CSV"),
        ("officers", bdo("UP159-1", "9876543210"), "officers.csv:2: officer: must be 2 to 64"),
        ("officers", bdo("+91 98765-43210", "12345"), "officers.csv:2: mobile: must have ten digits"),
        ("officers", bdo("+91 98765-43210", ""), "officers.csv:2: mobile: is empty, and an application"),
        ("officers", bdo("bdo@example.in", "bdo.example.in"), "officers.csv:2: email: must be like"),
        ("officers", bdo("requested", "applied"), "officers.csv:2: status: must be empty or listed"),
        ("officers", bdo("requested,,", "requested,may be,"), "officers.csv:2: charge: must be yes, no"),
        ("officers", bdo("requested,,", "requested,,28.2.2026"), "officers.csv:2: from: must be a date"),
        ("officers", bdo("requested,,", "requested,,2026-02-28T10:00"), "officers.csv:2: from: must be"),
        ("officers", OFFICERS + BDO + BDO.replace("राम", "श्याम"), "officers.csv:3: officer: is described otherwise in"),
        ("officers", OFFICERS + BDO + BDO.replace("UP159-1", "UP159-2"), "charge: officers.csv:2 gives it to"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_named_and_nothing_is_taken(tmp_path: Path, name: str, text: str, said: str) -> None:
    found = checked(tmp_path, right=OFFICES + "up-1076,revenue:dm@161,जिलाधिकारी\n", **{name: text})
    assert found.entries == []
    assert said in "\n".join(map(str, found.faults))
    assert not any(each in str(found.faults) for each in ("राम", "98765", "12345", "bdo.example"))


def test_bytes_that_are_no_text_are_named_by_line(tmp_path: Path) -> None:
    (tmp_path / "offices.csv").write_bytes(OFFICES.encode() + b"up-1076,revenue:dm@159,\xff\n")
    [fault] = check([tmp_path / "offices.csv"], Contacts(KEY), NOW).faults
    assert str(fault) == "offices.csv:2: is no UTF-8"


def test_an_additional_charge_is_a_second_line_of_the_same_officer(tmp_path: Path) -> None:
    second = BDO.replace("bdo@159/gola", "bdo@159/palia").replace("requested,,", "requested,yes,2026-03-01")
    found = checked(tmp_path, officers=OFFICERS + BDO + second)
    assert [type(entry.value) for entry in found.entries] == [TakeCharge, ListOfficer, TakeCharge]
    [_, later] = [entry.value for entry in found.entries if isinstance(entry.value, TakeCharge)]
    assert later.from_at == 1_772_303_400_000  # 1 March 2026, 00:00 in India


def test_one_who_left_or_does_not_hold_it_takes_no_charge(tmp_path: Path) -> None:
    found = checked(
        tmp_path,
        officers=OFFICERS
        + BDO.replace("requested,,", "left,,")
        + BDO.replace("UP159-1", "UP159-2").replace("requested,,", "requested,no,"),
    )
    assert [type(entry.value) for entry in found.entries] == [ListOfficer, ListOfficer]


def test_an_application_opens_the_newest_person_of_those_who_wait(tmp_path: Path) -> None:
    contacts = Contacts(KEY)
    other = BDO.replace("UP159-1", "UP159-2").replace("requested,,", "generated,no,")
    old = checked(tmp_path, officers=OFFICERS + BDO + other).entries
    new = checked(tmp_path, officers=bdo("bdo@example.in", "new@example.in")).entries
    log = [
        LogEntry(each.topic, 0, offset, NOW, each.key.encode(), encode(each.value), ())
        for offset, each in enumerate([*old, *new])
        if each.topic == OFFICER_ACTIVITY
    ]
    view = OfficerView("UP159-1", "up-1076", 159, "rural-development", "rural-development:bdo@159/gola", 1, "BDO")
    unknown = OfficerView("UP159-3", "up-1076", 159, "revenue", "revenue:dm@159", 1, "DM", status="requested")
    found = applications(log, {"UP159-1": view, "UP159-3": unknown}, contacts)
    assert [(each.officer, each.name, each.email) for each in found] == [
        ("UP159-1", "राम कुमार", "new@example.in"),
        ("UP159-3", "", ""),
    ]
    assert as_csv(found).splitlines()[1].endswith("BDO,listed,राम कुमार,9876543210,new@example.in")
    with pytest.raises(SealError):
        applications(log, {"UP159-1": view}, Contacts(b"x" * 32))


def test_the_command_refuses_a_bad_file_whole(tmp_path: Path) -> None:
    (tmp_path / "officers.csv").write_text(OFFICERS + BDO.replace("requested", "applied"), "utf-8")
    environ = {"NIVARAN_CONTACT_KEY": "a" * 43, "NIVARAN_KAFKA": "127.0.0.1:1"}
    done = CliRunner().invoke(officers, ["load", str(tmp_path / "officers.csv")], env=environ)
    assert done.exit_code == 2
    assert "officers.csv:2: status: must be empty or listed, requested, generated, left" in done.output
    assert "nothing was loaded: 1 faults" in done.output


def test_without_its_key_nothing_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "officers.csv").write_text(OFFICERS + BDO, "utf-8")
    done = CliRunner().invoke(officers, ["load", str(tmp_path / "officers.csv")], env={"NIVARAN_CONTACT_KEY": ""})
    assert done.exit_code == 2
    assert "NIVARAN_CONTACT_KEY" in done.output


@pytest.mark.thorough
def test_a_whole_states_officers_are_checked(tmp_path: Path) -> None:
    districts = sorted(profile("up-1076").districts)
    offices = "".join(f"up-1076,rural-development:bdo@{districts[n % 75]}/b{n},खण्ड {n}\n" for n in range(20_000))
    rows = (
        f"up-1076,of-{n},rural-development:bdo@{districts[n % 75]}/b{n % 20_000},BDO,नाम {n},9{n:09d},o{n}@example.in,"
        f"generated,{'yes' if n < 20_000 else 'no'},\n"
        for n in range(30_000)
    )
    found = checked(tmp_path, offices=OFFICES + offices, officers=OFFICERS + "".join(rows))
    assert (found.faults, len(found.entries)) == ([], 70_000)
