"""Settings of the worker that sends; a format's account has its own, beside the format."""

from typing import Annotated, Literal

from msgspec import Meta

from agents.settings import Settings

Format = Literal["generic", "mobile-seva", "nic", "smpp"]


class SmsSettings(Settings, frozen=True, kw_only=True):
    """Settings of the worker that sends."""

    contact_key: str
    """base64url of 32 bytes: opens contact details."""
    contact_key_previous: str = ""
    sms_format: Format = "generic"
    """How the gateway is asked: docs/channels/sms-gateways.md."""
    sms_url: str
    """Where the gateway takes messages: http:// or https://, for SMPP smpp://host:port."""
    sms_token: str = ""
    """Bearer token for a generic gateway; empty when it wants none."""
    sms_header: Annotated[
        str,
        Meta(
            pattern=r"\A[A-Z0-9]{3,11}(-[PSTG])?\Z",
            description="3 to 11 capital letters and digits, with -P, -S, -T or -G after them where registered so",
        ),
    ] = "CMHELP"
    """The operator's registered sender name, for requests that name none."""
    sms_timeout: Annotated[float, Meta(gt=0, le=120)] = 10.0
    """Seconds without an answer after which it is unknown whether the gateway took the message."""
    sms_bound: Annotated[int, Meta(ge=1, le=2000)] = 100
    """Calls at a time."""
    offices: str = ""
    """CSV file with the columns `office,mobile`; `sandbox` for made-up numbers that no network has."""
