"""A strict stand-in for the Cloud API's messages endpoint: takes what is published and nothing else."""

from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.test_utils import TestServer

NUMBER_ID = "106540352242922"
TOKEN = "an-access-token-of-the-tests"
PATH = f"/v23.0/{NUMBER_ID}/messages"


def exactly(value: Any, **kinds: Any) -> dict[str, Any]:
    """An object with these members and no other; `x=(kind, longest)` also bounds a text."""
    assert isinstance(value, dict), value
    optional = {name.removesuffix("_or_none") for name in kinds if name.endswith("_or_none")}
    known = {name.removesuffix("_or_none"): kind for name, kind in kinds.items()}
    assert set(known) - optional <= set(value) <= set(known), value
    for name, each in value.items():
        kind = known[name]
        if isinstance(kind, int):
            assert isinstance(each, str), value
            assert 0 < len(each) <= kind, (name, len(each), each)
            assert each == each.strip() or name in {"body", "text"}, value
        elif isinstance(kind, str):
            assert each == kind, value
        else:
            assert isinstance(each, kind), value
    return value


def check(message: Any) -> None:
    """As published: interactive list and reply button messages, text messages (docs/channels/whatsapp.md)."""
    head = {"messaging_product": "whatsapp", "recipient_type": "individual", "to": 15}
    if message["type"] == "text":
        exactly(message, **head, type="text", text=dict)
        exactly(message["text"], body=4096, preview_url=bool)
        return
    exactly(message, **head, type="interactive", interactive=dict)
    interactive = message["interactive"]
    if interactive["type"] == "button":
        exactly(interactive, type="button", body=dict, action=dict)
        exactly(interactive["body"], text=1024)
        buttons = exactly(interactive["action"], buttons=list)["buttons"]
        assert 1 <= len(buttons) <= 3
        for button in buttons:
            exactly(exactly(button, type="reply", reply=dict)["reply"], id=256, title=20)
        distinct(button["reply"] for button in buttons)
        return
    exactly(interactive, type="list", body=dict, action=dict)
    exactly(interactive["body"], text=1024)
    action = exactly(interactive["action"], button=20, sections=list)
    [section] = action["sections"]
    rows = exactly(section, title=24, rows=list)["rows"]
    assert 1 <= len(rows) <= 10
    for row in rows:
        exactly(row, id=200, title=24, description_or_none=72)
    distinct(rows, titles=False)


def distinct(options: Any, *, titles: bool = True) -> None:
    options = list(options)
    assert len({each["id"] for each in options}) == len(options), options
    assert not titles or len({each["title"] for each in options}) == len(options), options


class CloudApi:
    """Keeps what it took; can be away, or refuse."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.faults: list[AssertionError] = []
        self.answer: tuple[int, int] | None = None
        """Status and error code of every answer while it takes nothing."""
        self.url = ""

    async def post(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return fault(401, 190)
        if self.answer is not None:
            return fault(*self.answer)
        message = msgspec.json.decode(await request.read())
        try:
            check(message)
        except (AssertionError, KeyError) as error:
            self.faults.append(error if isinstance(error, AssertionError) else AssertionError(error))
            return fault(400, 100)
        self.messages.append(message)
        return web.json_response({
            "messaging_product": "whatsapp",
            "contacts": [{"input": message["to"], "wa_id": message["to"]}],
            "messages": [{"id": f"wamid.OUT{len(self.messages)}"}],
        })  # fmt: skip

    def bodies(self) -> list[str]:
        """The words of what was taken since the last look."""
        taken, self.messages = self.messages, []
        return [
            each["text"]["body"] if each["type"] == "text" else each["interactive"]["body"]["text"] for each in taken
        ]


def fault(status: int, code: int) -> web.Response:
    about = {"message": "(#100) with 919876543210 in it", "type": "OAuthException", "code": code, "fbtrace_id": "A"}
    return web.json_response({"error": about}, status=status)


@asynccontextmanager
async def cloud_api():
    api, app = CloudApi(), web.Application()
    app.router.add_post(PATH, api.post)
    server = TestServer(app)
    await server.start_server()
    api.url = str(server.make_url("/v23.0"))
    try:
        yield api
    finally:
        await server.close()
    assert not api.faults, api.faults
