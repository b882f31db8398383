"""Mobile Seva's form as a sandbox checks it: account, key over what is sent, sender, template, number, encoding."""

import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from agents.sms import mobile_seva
from agents.sms.gateway import Message
from agents.sms.mobile_seva import MobileSevaSettings
from agents.sms.numbers import with_country
from agents.sms.receipts import Report
from agents.sms.sandboxes.form import Wrong

INDIA: Final = ZoneInfo("Asia/Kolkata")
NUMBER: Final = re.compile(r"[0-9]{10}([0-9]{2})?", re.ASCII)
TEMPLATE: Final = re.compile(r"[0-9]{12}([0-9]{7})?", re.ASCII)
ENTITY_ID: Final = re.compile(r"[0-9]{12,19}", re.ASCII)
ENTITIES: Final = re.compile(r"(&#[0-9]{1,5};)+", re.ASCII)
EACH: Final = re.compile(r"&#([0-9]{1,5});", re.ASCII)
SAYS: Final[dict[str, str]] = {
    "401": "Credentials Error, may be invalid username or password",
    "406": "Invalid or Duplicate numbers",
    "410": "Internal Limit Exceeded, Contact support",
    "411": "Sender ID not approved.",
    "416": "Hash doesn't match",
    "422": "Entity id should be 12 to 19 digit",
    "423": "TEMPLATE_ID is mandatory and it should be 12 or 19 digit length",
    "425": "Secure Key is a mandatory field",
}
"""The document's own words for the codes the sandbox gives."""


class MobileSevaForm:
    """As the document tells it; what it has no code for is HTTP 400 with the reason."""

    path = "/esms/sendsmsrequestDLT"
    methods = frozenset({"POST"})
    fields = frozenset(mobile_seva.Form.__struct_fields__)

    def __init__(self, account: MobileSevaSettings, headers: frozenset[str]) -> None:
        self._account, self._headers = account, headers

    def read(self, fields: Mapping[str, str]) -> Message | Wrong:
        if (wrong := self._sender_wrong(fields)) is not None:
            return wrong
        if not TEMPLATE.fullmatch(fields.get("templateid", "")):
            return _code("423")
        if "entityid" in fields and not ENTITY_ID.fullmatch(fields["entityid"]):
            return _code("422")
        return _message(fields)

    def _sender_wrong(self, fields: Mapping[str, str]) -> Wrong | None:
        """Account first, then the key, then the sender's name."""
        account, content = self._account, fields.get("content", "")
        password = mobile_seva.hashed(account.sms_password, account.sms_hash)
        if fields.get("username") != account.sms_username or not _same(fields.get("password", ""), password):
            return _code("401")
        if "key" not in fields:
            return _code("425")
        right = mobile_seva.key(account.sms_username, fields.get("senderid", ""), content, account.sms_secure_key)
        if not _same(fields["key"], right):
            return _code("416")
        return None if fields.get("senderid") in self._headers else _code("411")

    def too_long(self) -> Wrong:
        return _code("410")

    def ref(self, at: int, number: int) -> str:
        """`150620161466003974245msdgsms`: day, milliseconds, account; the number keeps two of one instant apart."""
        day = datetime.fromtimestamp(at / 1000, UTC).astimezone(INDIA)
        return f"{day:%d%m%Y}{at}{number}{self._account.sms_username}"

    def taken(self, ref: str, at: int) -> str:  # noqa: ARG002 - the form's signature
        return f"402,MsgID = {ref}"

    def report(self, ref: str, message: Message, at: int, *, delivered: bool) -> Report:
        """A line of the delivery report as `ReportAPI/csvreport` gives it for one message id."""
        told = datetime.fromtimestamp(at / 1000, UTC).astimezone(INDIA)
        status = "DELIVERED" if delivered else "FAILEDBYTELCO"
        return Report({"msgid": ref}, f"{with_country(message.to)},{status},{told:%Y-%m-%d %H:%M:%S}\n")


def _message(fields: Mapping[str, str]) -> Message | Wrong:
    kind, content = fields.get("smsservicetype"), fields.get("content", "")
    match kind:
        case "singlemsg":
            if not content or not content.isascii():
                return Wrong("encoding", "singlemsg: content must be plain text, in ASCII", 400)
            text, number = content, fields.get("mobileno", "")
        case "unicodemsg":
            if not ENTITIES.fullmatch(content):
                return Wrong("encoding", "unicodemsg: content must be decimal entities: &#2358;&#2367;", 400)
            text, number = _plain(content), fields.get("bulkmobno", "")
        case _:
            return Wrong("service-type", "smsservicetype: must be singlemsg or unicodemsg", 400)
    if not NUMBER.fullmatch(number):
        return _code("406")
    return Message("", number, text, fields["templateid"], fields["senderid"], fields.get("entityid", ""))


def _plain(content: str) -> str:
    units = b"".join(int(each).to_bytes(2) for each in EACH.findall(content) if int(each) <= 0xFFFF)  # noqa: PLR2004
    return units.decode("utf-16-be", "replace")


def _code(code: str) -> Wrong:
    return Wrong(code, f"ERROR : {code} {SAYS[code]}\r\n")


def _same(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode(), right.encode())
