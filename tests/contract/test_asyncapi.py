"""The AsyncAPI document, read by the reference parser; it says what registry and schemas say."""

import json
import shutil
import subprocess
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from agents.runtime.envelope import Stamp
from deploy.local.paths import cache_home
from schemas.codec import cloudevent, decoder
from schemas.events import EscalationRaised
from schemas.publish import HOME, asyncapi, examples
from schemas.registry import declared, defaults
from tests.observability.tools import tool

CHECK = Path(__file__).parent / "asyncapi"
FILES = ("package.json", "package-lock.json", "check.js")
DOCUMENT = asyncapi()
ERROR = 0
"""A diagnostic's severity, as the parser counts them."""


@pytest.fixture(scope="module")
def parser() -> Path:
    """The folder of the parser, installed once per lock file into the cache of all clones."""
    npm, lock = tool("npm"), (CHECK / "package-lock.json").read_bytes()
    folder = cache_home() / "asyncapi-parser"
    done = folder / "installed.lock"
    if not done.exists() or done.read_bytes() != lock:
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            shutil.copy(CHECK / name, folder / name)
        subprocess.run(
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, check=True, capture_output=True
        )
        done.write_bytes(lock)
    return folder


def parsed(parser: Path, *documents: Path) -> list[dict[str, Any]]:
    shutil.copy(CHECK / "check.js", parser / "check.js")
    command = [tool("node"), "check.js", *documents]
    return json.loads(subprocess.run(command, cwd=parser, capture_output=True, text=True, check=True).stdout)


@pytest.mark.thorough
def test_the_reference_parser_finds_no_fault_and_would_find_one(parser: Path, tmp_path: Path) -> None:
    broken = deepcopy(DOCUMENT)
    broken["channels"]["grievance.escalation.raised.v1"]["bindings"]["kafka"]["partitions"] = "many"
    (tmp_path / "broken.json").write_text(json.dumps(broken))
    told, fault = parsed(parser, HOME / "schemas" / "asyncapi.json", tmp_path / "broken.json")
    # of its remarks one is left, that there is a version after 3.0
    assert {each["code"] for each in told["diagnostics"]} <= {"asyncapi-latest-version"}
    assert set(told["channels"]) == set(declared())
    assert told["operations"] == len(DOCUMENT["operations"])
    found = {"/".join(map(str, each["path"])) for each in fault["diagnostics"] if each["severity"] == ERROR}
    assert any(path.endswith("bindings/kafka/partitions") for path in found), found


@pytest.mark.parametrize("name", declared())
def test_a_channel_says_what_the_registry_says(name: str) -> None:
    topic = declared()[name]
    [channel] = [each for each in DOCUMENT["channels"].values() if each["address"] == name]
    kafka = channel["bindings"]["kafka"]
    assert kafka["partitions"] == (topic.partitions or defaults().partitions)
    assert kafka["topicConfiguration"]["cleanup.policy"] == [topic.config["cleanup.policy"]]
    assert str(kafka["topicConfiguration"].get("retention.ms")) == topic.config.get("retention.ms", "None")
    assert tuple(channel["messages"]) == topic.values
    for message in channel["messages"].values():
        assert message["bindings"]["kafka"]["key"]["description"] == topic.key


def test_every_writer_and_reader_of_ours_has_its_operation() -> None:
    found = {
        (operation["action"], name.partition(".")[0], operation["channel"]["$ref"].removeprefix("#/channels/"))
        for name, operation in DOCUMENT["operations"].items()
    }
    wanted = {("send", role, _id(name)) for name, topic in declared().items() for role in topic.writers}
    wanted |= {
        ("receive", role, _id(name))
        for name, topic in declared().items()
        for role in topic.readers
        if role != "downstream"
    }
    assert found == wanted


def test_every_golden_example_stands_in_it() -> None:
    shown = {
        (name, each["name"])
        for channel in DOCUMENT["channels"].values()
        for name, message in channel["messages"].items()
        for each in message["examples"]
    }
    assert shown == {(kind, name) for kind, named in examples().items() for name in named}


def _id(topic: str) -> str:
    return topic.replace("{", "").replace("}", "")


def test_the_headers_are_those_that_are_written() -> None:
    record = decoder(EscalationRaised)((HOME / "schemas/examples/escalation.raised.v1/on-time-out.json").read_bytes())
    trait = DOCUMENT["components"]["messageTraits"]["cloudevent"]["headers"]
    written = Stamp("case")(record, b"id", b"subject", record.at, b"00-trace")
    assert {name for name, _ in written} == set(trait["properties"])
    assert {name for name, _ in Stamp("case")(record, b"id", b"subject", record.at, None)} == set(trait["required"])
    assert written == cloudevent(
        record, source="/nivaran/case", id="id", subject="subject", at=record.at, traceparent=b"00-trace"
    )
