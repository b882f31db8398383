"""When controllers that run alone have taken every broker for dead, as their logs tell."""

import pytest

from deploy.local.missed import all_missed

ACTIVE = "2026-01-01 WARN [QuorumController id=1] Performing controller activation. (QuorumController)\n"
OWN = "INFO Replayed RegisterControllerRecord containing ControllerRegistration(id=1, incarnationId=x, listeners=[])\n"


def registered(broker: int, fenced: str) -> str:
    return (
        f"INFO Replayed RegisterBrokerRecord: RegisterBrokerRecord(brokerId={broker}, epoch=9, fenced={fenced}, x=y)\n"
    )


def changed(broker: int, fenced: str) -> str:
    return f"INFO Replayed BrokerRegistrationChangeRecord(brokerId={broker}, brokerEpoch=9, fenced={fenced}, x=0)\n"


@pytest.mark.parametrize(
    ("logs", "missed"),
    [
        ([registered(1, "true") + changed(1, "-1") + ACTIVE + changed(1, "1")], True),
        ([registered(1, "true") + changed(1, "-1") + ACTIVE], False),
        ([registered(1, "false") + registered(2, "false") + ACTIVE + changed(2, "1")], False),
        ([registered(1, "true") + changed(1, "0") + ACTIVE], True),
        ([registered(1, "true")], False),  # it may have more to read
        ([registered(1, "true"), registered(1, "true") + ACTIVE], True),
        # killed before it was registered: there is nothing to be missed
        ([ACTIVE + OWN], True),
        ([OWN], False),
        ([], False),
    ],
)
def test_an_active_controller_knows_of_no_broker_that_is_not_fenced(logs: list[str], missed: bool) -> None:
    assert all_missed(logs) is missed
