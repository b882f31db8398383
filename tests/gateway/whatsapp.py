"""People who write on WhatsApp: Meta's published notifications, signed, and a gateway that takes them."""

import hashlib
import hmac
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any

import msgspec

from agents.gateway.channels.whatsapp.webhook import PATH, routes
from tests.gateway.cloud_api import NUMBER_ID, TOKEN, CloudApi, cloud_api
from tests.gateway.conftest import NOW, Gateway, running

SECRET, NEXT_SECRET = "app-secret-of-the-tests", "app-secret-that-comes-next"
VERIFY = "verify-token-of-the-tests"
ENVIRON = {
    "NIVARAN_WHATSAPP_SYSTEM": "up-1076",
    "NIVARAN_WHATSAPP_VERIFY_TOKEN": VERIFY,
    "NIVARAN_WHATSAPP_APP_SECRETS": f"{SECRET},{NEXT_SECRET}",
    "NIVARAN_WHATSAPP_NUMBER_ID": NUMBER_ID,
    "NIVARAN_WHATSAPP_TOKEN": TOKEN,
}
PATH_TO_CONFIRM = (
    ("text", "नमस्ते"),
    ("button", "l:hi"),
    ("text", "खीरी"),
    ("list", "c:hand-pump"),
    ("text", "हैण्डपम्प दो सप्ताह से खराब है"),
)


class Person:
    """Somebody who writes: each message is a notification of its own, as Meta publishes them."""

    def __init__(self, gateway: Gateway, api: CloudApi, number: str) -> None:
        self.gateway, self.api, self.number, self.sent = gateway, api, number, 0

    def message(self, kind: str, what: Any) -> dict[str, Any]:
        self.sent += 1
        head = {"from": self.number, "id": f"wamid.{self.number}.{self.sent}", "timestamp": str(NOW // 1000 - 600)}
        match kind:
            case "text":
                return head | {"type": "text", "text": {"body": what}}
            case "button" | "list":
                reply = {"id": what, "title": "as it was offered"} | ({"description": "x"} if kind == "list" else {})
                interactive = {"type": f"{kind}_reply", f"{kind}_reply": reply}
                context = {"from": "15550783881", "id": "wamid.OUT1"}
                return head | {"context": context, "type": "interactive", "interactive": interactive}
            case "location":
                place = {"latitude": what[0], "longitude": what[1], "name": "Gola", "address": "Gola, UP"}
                return head | {"type": "location", "location": place}
            case "image":
                image = {
                    "caption": what,
                    "mime_type": "image/jpeg",
                    "sha256": "81d3bd8a8db4868c9520ed",
                    "id": "2754859441498128",
                }
                return head | {"type": "image", "image": image}
            case "reaction":
                return head | {"type": "reaction", "reaction": {"message_id": "wamid.OUT1", "emoji": what}}
        raise AssertionError(kind)

    async def say(self, *messages: tuple[str, Any]) -> list[str]:
        """Send each in turn; the words of the answers to the last."""
        for kind, what in messages:
            self.api.messages.clear()
            assert await post(self.gateway, notification(self.message(kind, what))) == 200
        return self.api.bodies()


def notification(*messages: dict[str, Any], number_id: str = NUMBER_ID, **value: Any) -> dict[str, Any]:
    contacts = [{"profile": {"name": "एक नागरिक"}, "wa_id": each["from"]} for each in messages]
    whole = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550783881", "phone_number_id": number_id},
        **({"contacts": contacts, "messages": list(messages)} if messages else {}),
        **value,
    }
    return {
        "object": "whatsapp_business_account",
        "entry": [{"id": "102290129340398", "changes": [{"value": whole, "field": "messages"}]}],
    }


def signed(raw: bytes, secret: str = SECRET) -> dict[str, str]:
    return {"X-Hub-Signature-256": f"sha256={hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()}"}


async def post(gateway: Gateway, body: Any, headers: dict[str, str] | None = None) -> int:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    sent = {"Content-Type": "application/json"} | (signed(raw) if headers is None else headers)
    async with gateway.client.post(PATH, data=BytesIO(raw), headers=sent) as response:
        return response.status


@asynccontextmanager
async def serving(*redis: str):
    async with (
        cloud_api() as api,
        running(*redis, channels=routes(ENVIRON | {"NIVARAN_WHATSAPP_API": api.url})) as gateway,
    ):
        yield gateway, api


async def counted(gateway: Gateway, outcome: str) -> float:
    async with gateway.client.get("/metrics") as response:
        text = await response.text()
    name = f'nivaran_gateway_messages_total{{channel="whatsapp",outcome="{outcome}"}} '
    return next((float(line.removeprefix(name)) for line in text.splitlines() if line.startswith(name)), 0.0)
