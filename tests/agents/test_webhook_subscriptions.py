"""The file of subscriptions: what is wrong is answered with its name; addresses that are not public are refused."""

import ipaddress
from pathlib import Path

import pytest

from agents.settings import SettingsError
from agents.webhooks.guard import Guard, networks
from agents.webhooks.subscriptions import offered, subscribers
from schemas.base import Record
from schemas.publish import records
from schemas.registry import declared, department_feed
from schemas.topics import ESCALATION_RAISED
from tests.subscribing import NEXT_SECRET, SECRET

GOOD = 'url = "https://example.org/hook"\nsecrets = ["NIVARAN_WEBHOOK_SECRET_A"]\n'
ENVIRON = {"NIVARAN_WEBHOOK_SECRET_A": SECRET, "NIVARAN_WEBHOOK_SECRET_B": NEXT_SECRET}


def taken(tmp_path: Path, text: str, guard: Guard | None = None):
    file = tmp_path / "webhooks.toml"
    file.write_text(text, "utf-8")
    return subscribers(str(file), guard or Guard(), ENVIRON)


def test_a_file_is_read_with_what_it_leaves_to_defaults(tmp_path: Path):
    more = 'topics = ["grievance.department.health.v1"]\ndepartments = ["health"]\nroles = ["police"]\n'
    both = GOOD.replace('SECRET_A"', 'SECRET_B", "NIVARAN_WEBHOOK_SECRET_A"')
    one, two = taken(tmp_path, f"[first]\n{GOOD}[second-desk]\n{both}{more}")
    assert (one.subscription.name, one.subscription.topics) == ("first", (ESCALATION_RAISED,))
    assert (two.subscription.name, two.subscription.topics) == ("second-desk", (department_feed("health"),))
    assert len(two.signer.headers("id", 1, b"")["webhook-signature"].split(" ")) == 2


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "no subscription"),
        ("[", "webhooks.toml"),
        ("a = 1", "a: must be a table"),
        ("[A_B]\n" + GOOD, "A_B.name"),
        ("[a]\nurl = 'https://example.org'", "secrets"),
        ("[a]\n" + GOOD + "ulr = 'x'", "ulr"),
        ("[a]\n" + GOOD + "parallel = 0", "a.parallel"),
        ("[a]\n" + GOOD + "topics = ['grievance.case.events.v1']", "a.topics: 'grievance.case.events.v1'"),
        ("[a]\n" + GOOD + "topics = ['grievance.department.nobody.v1']", "a.topics"),
        ("[a]\n" + GOOD + "types = ['escalation.raised.v9']", "a.types"),
        ("[a]\n" + GOOD + "systems = ['up-1067']", "a.systems"),
        ("[a]\n" + GOOD + "departments = ['watr']", "a.departments"),
        ("[a]\n" + GOOD + "roles = ['everybody']", "a.roles"),
        ("[a]\n" + GOOD.replace("SECRET_A", "SECRET_MISSING"), "NIVARAN_WEBHOOK_SECRET_MISSING is not set"),
        ("[a]\n" + GOOD.replace("NIVARAN_WEBHOOK_SECRET_A", "PATH"), "a.secrets"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, named: str):
    with pytest.raises(SettingsError) as refused:
        taken(tmp_path, text)
    assert named in str(refused.value)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", SECRET.removeprefix("whsec_"), "whsec_???"])
def test_a_secret_that_is_none_is_refused_and_not_shown(tmp_path: Path, secret: str):
    file = tmp_path / "webhooks.toml"
    file.write_text(f"[a]\n{GOOD}")
    with pytest.raises(SettingsError, match=r"a\.secrets") as refused:
        subscribers(str(file), Guard(), {"NIVARAN_WEBHOOK_SECRET_A": secret})
    assert not secret or secret == "whsec_" or secret not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    ["http://example.org/", "ftp://example.org", "example.org", "https://", "https://a:b@example.org/",
     "https://example.org/#part", "https://127.0.0.1/", "https://10.1.2.3/", "https://192.168.0.1:8443/",
     "https://169.254.169.254/latest", "https://[::1]/", "https://[fd00::1]/", "https://[::ffff:10.0.0.1]/",
     "https://[64:ff9b::a00:1]/", "https://[2002:a00:1::]/", "https://0.0.0.0/", "https://224.0.0.1/",
     "https://100.64.0.1/", "https://[fe80::1%25eth0]/", "https://example.org:port/"],
)  # fmt: skip
def test_an_address_that_is_not_public_is_refused_without_being_shown(tmp_path: Path, url: str):
    with pytest.raises(SettingsError, match=r"a\.url") as refused:
        taken(tmp_path, "[a]\n" + GOOD.replace("https://example.org/hook", url))
    assert url.partition("//")[2] not in str(refused.value) or not url.partition("//")[2]


def test_an_operator_opens_what_he_names_and_nothing_else(tmp_path: Path):
    told = Guard(networks("10.20.0.0/16, fd12::/16"), plain_http=True)
    for url in ("http://10.20.3.4/hook", "https://[fd12::1]/", "https://[::ffff:10.20.0.1]/", "https://8.8.8.8/"):
        assert told.fault(url) == ""
    assert told.fault("http://10.21.0.1/")
    assert not told.allows(ipaddress.ip_address("127.0.0.1"))
    with pytest.raises(SettingsError, match="NIVARAN_WEBHOOK_NETWORKS"):
        networks("10.20.0.1/16")


def test_no_topic_is_offered_whose_records_do_not_say_who_may_see_them():
    """A record that names a case must carry the mark of restricted classes."""
    for topic in offered():
        pattern = "grievance.department.{department}.v1" if topic.startswith("grievance.department.") else topic
        kinds: list[type[Record]] = [records()[value] for value in declared()[pattern].values]
        for kind in kinds:
            assert "case" not in kind.__struct_fields__ or {"restricted", "visible_to"} <= set(kind.__struct_fields__)
