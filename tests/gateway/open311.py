"""Open311 as the tests speak it: the channel set up, a form, cases as the board has them, questions and answers."""

from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode
from xml.etree.ElementTree import fromstring

import msgspec

from agents.audit.board import ShadowSource
from agents.gateway.channels.table import routes_of_channels
from agents.readmodel.views import CaseView
from schemas.codec import decoder
from streams.profiles.load import profile
from streams.profiles.profile import DAY_MS
from tests.gateway.conftest import CASE, MOBILE, NOW, TOKENS, running
from tests.simulated import weeks_folded

ENVIRON = {
    "NIVARAN_OPEN311_URL": "https://helpline.example/open311/v2",
    "NIVARAN_OPEN311_CONTACT": "it@helpline.example",
    "NIVARAN_OPEN311_KEY_SERVICE": "ask the helpline",
}
ROOT = "/open311/v2"
KEY = TOKENS["citizen-channel"]
UP = profile("up-1076")
FORM = {
    "api_key": KEY, "jurisdiction_id": "up-1076", "service_code": "hand-pump", "lat": "27.9", "long": "80.8",
    "description": "हैण्डपम्प दो सप्ताह से खराब है", "phone": MOBILE, "attribute[district]": "159",
    "attribute[block]": "gola",
}  # fmt: skip
OPEN = {
    "case": CASE, "system": "up-1076", "case_type": "complaint", "category": "hand-pump", "district": 159,
    "units": {"block": "gola"}, "department": "water", "level": 2, "office": "water:dm@159", "status": "open",
    "registered_at": NOW - DAY_MS, "at": NOW - 1000, "due_at": NOW + DAY_MS, "escalations": 1, "visible_to": [],
    "timeline": [{"text": "क"}],
}  # fmt: skip
RESTRICTED = OPEN | {"category": "fir-not-registered", "restricted": "police", "visible_to": ["police"]}


@asynccontextmanager
async def served(redis_url: str | None = None, **environ: str):
    more = {} if redis_url is None else {"redis_url": redis_url}
    async with running(channels=routes_of_channels(ENVIRON | environ), **more) as gateway:
        yield gateway


async def ask(gateway, path: str, form: dict[str, str] | None = None, **query: str):
    """Status, document and headers; XML as nested (name, content) pairs."""
    url = f"{ROOT}/{path}?{urlencode(query)}"
    method, data = ("GET", None) if form is None else ("POST", urlencode(form))
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    async with gateway.client.request(method, url, data=data, headers=headers) as response:
        raw = await response.read()
        if path.endswith(".json"):
            assert response.headers["Content-Type"] == "application/json; charset=utf-8"
            return response.status, msgspec.json.decode(raw), response.headers
        assert response.headers["Content-Type"] == "text/xml; charset=utf-8"
        assert raw.startswith(b"<?xml version='1.0' encoding='utf-8'?>")
        return response.status, tree(fromstring(raw)), response.headers


def tree(element) -> tuple[str, Any]:
    return element.tag, [tree(each) for each in element] or element.text


def said(errors: list[dict[str, Any]]) -> set[str]:
    return {error["description"].partition(":")[0] for error in errors}


def folded() -> tuple[ShadowSource, list[CaseView]]:
    shadow = weeks_folded()
    source, read = ShadowSource(shadow), decoder(CaseView)
    return source, [read(raw) for key, raw in shadow.values.items() if key.startswith(source.keys.case(""))]


async def number(gateway) -> str:
    return (await ask(gateway, "requests.json", FORM))[1][0]["service_request_id"]
