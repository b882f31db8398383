"""Settings come from the environment, typed; a wrong or missing one is refused with the variable's name."""

import msgspec
import pytest

from agents.gateway.settings import GatewaySettings
from agents.settings import Settings, SettingsError, load
from agents.sms.settings import SmsSettings


def test_what_is_not_set_has_its_default() -> None:
    assert load(Settings, {}) == Settings()
    assert load(Settings, {"NIVARAN_PARTITIONS": ""}) == Settings()


def test_values_are_read_as_their_types() -> None:
    found = load(Settings, {"NIVARAN_PARTITIONS": "4", "NIVARAN_HEARTBEAT": "0.5", "NIVARAN_CLOCK": "simulated"})
    assert (found.partitions, found.heartbeat, found.clock) == (4, 0.5, "simulated")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("NIVARAN_PARTITIONS", "many"),
        ("NIVARAN_PARTITIONS", "0"),
        ("NIVARAN_HTTP_PORT", "65536"),
        ("NIVARAN_CLOCK", "sundial"),
        ("NIVARAN_SESSION_TIMEOUT", "1"),
        ("NIVARAN_LOG_LEVEL", "chatty"),
        ("NIVARAN_KAFKA", "kafka"),
        ("NIVARAN_KAFKA", "kafka:9092,"),
        ("NIVARAN_KAFKA", "kafka:ninety"),
        ("NIVARAN_REDIS_URL", "127.0.0.1:6379"),
        ("NIVARAN_REDIS_URL", "http://127.0.0.1:6379"),
        ("NIVARAN_REDIS_URL", "redis://127.0.0.1:port/0"),
    ],
)
def test_a_wrong_value_names_its_variable(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=rf"\A{variable}: "):
        load(Settings, {variable: value})


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("NIVARAN_KAFKA", "kafka-1:9092,kafka-2.state.gov.in:9093,[::1]:9094"),
        ("NIVARAN_REDIS_URL", "redis://127.0.0.1:6379/0"),
        ("NIVARAN_REDIS_URL", "redis://localhost"),
        ("NIVARAN_REDIS_URL", "rediss://user:p%40ss:w@redis.state.gov.in:6380/1?ssl_cert_reqs=required"),
        ("NIVARAN_REDIS_URL", "redis://:secret@[::1]:6379/0"),
        ("NIVARAN_REDIS_URL", "unix:///run/redis.sock?db=1"),
    ],
)
def test_every_usual_way_to_write_an_address_is_taken(variable: str, value: str) -> None:
    assert value in msgspec.structs.astuple(load(Settings, {variable: value}))


@pytest.mark.parametrize(
    ("kind", "variable"),
    [
        (GatewaySettings, "NIVARAN_CITIZEN_KEY"),
        (GatewaySettings, "NIVARAN_CONTACT_KEY"),
        (SmsSettings, "NIVARAN_CONTACT_KEY"),
        (SmsSettings, "NIVARAN_SMS_URL"),
    ],
)
def test_no_secret_has_a_default(kind: type[Settings], variable: str) -> None:
    given = {"NIVARAN_CITIZEN_KEY": "x", "NIVARAN_CONTACT_KEY": "x", "NIVARAN_SMS_URL": "http://127.0.0.1:1"}
    load(kind, given)
    with pytest.raises(SettingsError, match=rf"\A{variable} is not set\Z"):
        load(kind, {name: value for name, value in given.items() if name != variable})


def test_variables_of_others_are_left_alone() -> None:
    assert load(Settings, {"NIVARAN_NO_SUCH": "1", "KAFKA": "elsewhere:9092"}) == Settings()
