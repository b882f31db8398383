"""NIC's SMS gateway (smsgw.sms.gov.in): its request form, and what each of its answers means of the message.

Form and codes: "NIC SMS Service Integration" and the driver SMS::Send::IN::NICSMS, which follows NIC's hand book;
docs/channels/sms-gateways.md says which part is stated and which inferred.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final

from msgspec import Meta, Struct

from agents.sms import form_gateway
from agents.sms.gateway import Answer, Message
from agents.sms.numbers import with_country
from streams.text import segments

ACCEPTED: Final = re.compile(
    rb"\s*Message Accepted for Request ID\s*=\s*([0-9A-Za-z]{1,64})\s*~\s*code\s*=\s*API0{2,3}\b",
    re.ASCII | re.IGNORECASE,
)
REJECTED: Final = re.compile(
    rb"\s*Message Rejected for Request ID\s*=[^~]*~\s*code\s*=\s*API\s*(-?[0-9]{1,4})\b", re.ASCII | re.IGNORECASE
)
WORDS: Final[Mapping[str, str]] = MappingProxyType({"-2": "credentials", "-3": "no-number", "-19": "unauthorised"})


class NicSettings(Struct, frozen=True, kw_only=True):
    """The account at NIC; no secret has a default."""

    sms_username: Annotated[str, Meta(min_length=1)]
    sms_pin: Annotated[str, Meta(min_length=1)]


class Form(form_gateway.Form, frozen=True):
    """The parameters of one request, in the form's own names."""

    username: str
    pin: str
    message: str
    mnumber: str
    signature: str
    dlt_entity_id: str
    dlt_template_id: str
    msgType: str = ""  # noqa: N815 - the form's own name
    concat: str = ""


def form(message: Message, account: NicSettings) -> Form:
    """A message as the form has it: ASCII as it is, any other text as `msgType=UC` in hex."""
    plain = message.text.isascii()
    return Form(
        username=account.sms_username,
        pin=account.sms_pin,
        message=message.text if plain else ucs2_hex(message.text),
        mnumber=with_country(message.to),
        signature=message.header.partition("-")[0],  # the suffix is the operators', not part of the registered name
        dlt_entity_id=message.entity,
        dlt_template_id=message.template,
        msgType="" if plain else "UC",
        concat="1" if segments(message.text) > 1 else "",
    )


def ucs2_hex(text: str) -> str:
    """`FEFF0936093F...`: a byte order mark and the UTF-16 units, high byte first, in capital hex digits."""
    return ("\ufeff" + text).encode("utf-16-be").hex().upper()


def read(body: bytes) -> Answer:
    """What a reply with status 200 says; one that is not of the published form leaves it unknown."""
    if (taken := ACCEPTED.match(body)) is not None:
        return Answer("accepted", ref=taken[1].decode())
    if (told := REJECTED.match(body)) is None:
        return Answer("unknown", "unreadable")
    code = told[1].decode()
    word = WORDS.get(code)
    return Answer("refused", f"nic-api{code}" + (f"-{word}" if word else ""))
