"""NIC's form as a sandbox checks it: account, sender, entity and template, number with country code, UCS-2 in hex."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from agents.sms import nic
from agents.sms.gateway import Message
from agents.sms.nic import NicSettings
from agents.sms.receipts import Report
from agents.sms.sandboxes.form import DELIVERED, NOT_DELIVERED, Wrong

INDIA: Final = ZoneInfo("Asia/Kolkata")
NUMBER: Final = re.compile(r"91[6-9][0-9]{9}|00[0-9]{10}", re.ASCII)
"""An Indian mobile with its country code, or a number that no network has: those of the sandbox's offices."""
DIGITS: Final = re.compile(r"[0-9]{19}", re.ASCII)
UNICODE: Final = re.compile(r"FEFF([0-9A-F]{4})+", re.ASCII)
OWN: Final = "-99"
"""Code of what the published pages tell no code for."""


class NicForm:
    """As the pages tell it; a code they do not tell is the sandbox's own, -99, with the reason."""

    path = "/failsafe/HttpLink"
    methods = frozenset({"GET", "POST"})
    fields = frozenset(nic.Form.__struct_fields__)

    def __init__(self, account: NicSettings, headers: frozenset[str]) -> None:
        self._account, self._headers = account, headers

    def read(self, fields: Mapping[str, str]) -> Message | Wrong:
        if (fields.get("username"), fields.get("pin")) != (self._account.sms_username, self._account.sms_pin):
            return _rejected("-2", "Invalid credentials")
        if fields.get("signature") not in self._headers:
            return _rejected("-19", "Unauthorised access")
        if not fields.get("mnumber"):
            return _rejected("-3", "REJECTED: Empty mnumber")
        if not NUMBER.fullmatch(fields["mnumber"]):
            return _rejected(OWN, "REJECTED: mnumber needs its country code")
        for name in ("dlt_entity_id", "dlt_template_id"):
            if not DIGITS.fullmatch(fields.get(name, "")):
                return _rejected(OWN, f"REJECTED: {name} must have 19 digits")
        return _message(fields)

    def too_long(self) -> Wrong:
        return _rejected(OWN, "REJECTED: message too long")

    def ref(self, at: int, number: int) -> str:
        return f"{at}{number:07d}"

    def taken(self, ref: str, at: int) -> str:
        return f"Message Accepted for Request ID={ref}~code=API000 & info=Platform accepted & Time ={_time(at)}"

    def report(self, ref: str, message: Message, at: int, *, delivered: bool) -> Report:
        """The GET that NIC makes of the address registered with it."""
        return Report({
            "a2wackid": ref,
            "a2wstatus": "SUCCESS" if delivered else "FAILED",
            "carrierstatus": DELIVERED if delivered else NOT_DELIVERED,
            "lastutime": _time(at),
            "custref": "",
            "submitdt": _time(at),
            "mnumber": message.to,
            "acode": self._account.sms_username,
            "senderid": message.header,
        })  # fmt: skip


def _message(fields: Mapping[str, str]) -> Message | Wrong:
    given = fields.get("message", "")
    match fields.get("msgType"):
        case None:
            if not given or not given.isascii():
                return _rejected(OWN, "REJECTED: without msgType=UC the message must be plain text")
            text = given
        case "UC":
            if not UNICODE.fullmatch(given):
                return _rejected(OWN, "REJECTED: msgType=UC needs FEFF and UCS-2 in capital hex digits")
            text = bytes.fromhex(given).decode("utf-16-be", "replace").removeprefix("\ufeff")
        case _:
            return _rejected(OWN, "REJECTED: msgType must be UC or left out")
    return Message("", fields["mnumber"], text, fields["dlt_template_id"], fields["signature"], fields["dlt_entity_id"])


def _rejected(code: str, info: str) -> Wrong:
    return Wrong(f"api{code}", f"Message Rejected for Request ID= ~code=API{code} & info={info} & Time = ")


def _time(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC).astimezone(INDIA):%Y/%m/%d/%H/%M}"
