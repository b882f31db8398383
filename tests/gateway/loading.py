"""What the tests of the loader share: a register's mapping and rows, Kafka's place, the command as it is run."""

import json
from pathlib import Path

from click.testing import CliRunner, Result

from agents.cli import load as command
from agents.gateway.log import Entry
from agents.loader.run import NotDurableError
from tests.gateway.conftest import COMPLAINT

MAPPING = """
system = "up-1076"
zone = "Asia/Kolkata"
received = "occurred"
[key]
column = "ref"
[occurred]
column = "opened"
format = "%d/%m/%Y"
[submission]
type = { column = "kind", map = { "शिकायत" = "complaint" }, blank = "complaint" }
channel = { constant = "counter" }
category = { column = "subject", as = "slug", blank = "hand-pump" }
text = { template = "{subject}: {words}" }
mobile = { column = "phone" }
"place.district" = { column = "district", pattern = "D([0-9]+)", as = "integer" }
"place.block" = { column = "block", pattern = "[a-z]+" }
[[actions]]
type = "dispose"
at = { column = "closed", format = "%d/%m/%Y", edge = "last" }
fields = { "by.role" = { constant = "officer" }, "remarks" = { constant = "पुराने रजिस्टर से" } }
"""
HEADER = "ref,opened,closed,kind,subject,words,phone,district,block\n"
GOOD = 'R-1,01/02/2026,03/02/2026,शिकायत,Hand Pump,"खराब, दो सप्ताह",9876543210,D159,gola\n'


class Kept:
    """Kafka's place: keeps what is put; can fail at a batch."""

    entries: list[Entry]
    fail_at: int | None

    def __init__(self, _settings, _timeout) -> None:
        self.batch = []

    def put(self, entry: Entry) -> None:
        self.batch.append(entry)

    def settle(self) -> None:
        if Kept.fail_at is not None and len(Kept.entries) + len(self.batch) > Kept.fail_at:
            raise NotDurableError("Broker: Not enough in-sync replicas")
        Kept.entries += self.batch
        self.batch = []


def load(file: Path, *options: str) -> tuple[Result, dict]:
    result = CliRunner().invoke(command.load, [str(file), "--json", *options])
    return result, json.loads(result.stdout) if result.stdout.startswith("{") else {}


def lines(path: Path, *rows: object) -> Path:
    path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def line(number: int, **body) -> dict:
    return {"key": f"key-{number:05d}", "body": COMPLAINT | body}


def rejects(told: dict) -> list[dict]:
    return [json.loads(each) for each in Path(told["reject_file"]).read_text("utf-8").splitlines()]
