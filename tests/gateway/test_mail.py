"""`nivaran mail` as the desk sees it: letters as people's programs write them, a folder, a mailbox over IMAP."""

import base64
import imaplib
import json
import socketserver
import threading
from email.message import EmailMessage
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agents.cli import mail as command
from agents.mail import letter, mailbox
from streams.ids import citizen_token
from tests.gateway.loading import Kept

HINDI = "जनपद: खीरी\nविषय: हैण्डपम्प\nमोबाइल: ९८७६५ ४३२१०\n\nदो सप्ताह से पानी नहीं आ रहा।"
FORM = "District: Kheri\nCategory: Hand pump\nMobile: 9876543210\nBlock: b1\n\nNo water for two weeks."
HEAD = "From: Ram <ram@example.in>\nTo: help@example.in\nDate: Sun, 01 Feb 2026 09:30:00 +0530\nMIME-Version: 1.0\n"
B64 = base64.b64encode(HINDI.encode()).decode()
QUOTED = "District: Kheri\nCategory: Hand pump\n\nNo =\nwater =E0=A4=A8=E0=A4=B2"
REPLY = "\n\nOn Sun, 1 Feb 2026 at 08:00, Desk <desk@example.in> wrote:\n> District: Jaipur\n> old words\n"
PAGE = "<html><head><style>p {}</style></head><body><p>District: Kheri</p><p>Category:&nbsp;Hand pump<br>Block: b1</p>\
<div>No water &amp; no answer</div><blockquote>old words</blockquote></body></html>"


def plain(body: str, head: str = "", charset: str = "utf-8", encoding: str = "8bit") -> bytes:
    kind = f"Content-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: {encoding}\n"
    return (f"{HEAD}Message-ID: <1@example.in>\n{head}{kind}\n{body}").encode()


def made(**parts: str) -> bytes:
    message = EmailMessage()
    message["From"], message["Message-ID"] = "ram@example.in", "<2@example.in>"
    message["Subject"] = parts.get("subject", "शिकायत")
    message.set_content(parts.get("plain", FORM))
    if "html" in parts:
        message.add_alternative(parts["html"], subtype="html")
    if "file" in parts:
        message.add_attachment(parts["file"].encode(), maintype="image", subtype="jpeg", filename="पंप.jpg")
    return message.as_bytes()


@pytest.fixture(autouse=True)
def kafka_replaced(loads_nowhere, monkeypatch):
    monkeypatch.setattr(command, "KafkaTarget", lambda settings, timeout, _writer: Kept(settings, timeout))
    monkeypatch.setenv("NIVARAN_MAIL_SYSTEM", "up-1076")


def run(folder: Path, *options: str) -> tuple[Result, dict]:
    result = CliRunner().invoke(command.mail, ["--folder", str(folder), "--json", *options])
    return result, json.loads(result.stdout) if result.stdout.startswith("{") else {}


def dropped(folder: Path, *letters: bytes) -> Path:
    for number, raw in enumerate(letters):
        (folder / f"{number}.eml").write_bytes(raw)
    return folder


def names(folder: Path) -> list[str]:
    return sorted("".join(path.suffixes) for path in folder.iterdir())


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (plain(FORM), "No water for two weeks."),
        (plain(FORM.replace("\n", "\r\n")), "No water for two weeks."),
        (plain(B64, encoding="base64"), "दो सप्ताह से पानी नहीं आ रहा।"),
        (made(plain=HINDI), "दो सप्ताह से पानी नहीं आ रहा।"),
        (plain(QUOTED, encoding="quoted-printable"), "No water नल"),
        (plain(FORM + REPLY), "No water for two weeks."),
        (plain(FORM + "\n\n-- \nRam\n9876543210"), "No water for two weeks."),
        (plain(FORM + "\n\n-----Original Message-----\nold words"), "No water for two weeks."),
        (plain("Category: hand-pump\nNo water.", head="Subject: District: Kheri\n"), "No water."),
        (plain(FORM, head="Subject: Re: water\n"), "No water for two weeks."),
        (made(plain=FORM, html=PAGE), "No water for two weeks."),
        (plain(PAGE).replace(b"text/plain", b"text/html"), "No water & no answer"),
        (made(plain=FORM, file="JPEG"), "No water for two weeks."),
    ],
)  # fmt: skip
def test_a_letter_becomes_a_submission_of_its_own_words(tmp_path, raw, text):
    result, told = run(dropped(tmp_path, raw))
    assert (result.exit_code, told["taken"], told["rejected"]) == (0, 1, 0), names(tmp_path / "rejected")
    [entry] = Kept.entries
    assert (entry.value.text, entry.value.place.district, entry.value.category) == (text, 159, "hand-pump")
    assert (entry.value.channel, entry.value.system) == ("email", "up-1076")
    assert names(tmp_path / "done") == [".answer.txt", ".eml"]
    assert entry.value.case in next((tmp_path / "done").glob("*.txt")).read_text("utf-8")
    assert told["attachments"] == ("JPEG" in raw.decode("utf-8", "replace") or b"SlBFRw" in raw)


def test_the_person_is_the_number_or_the_address_and_neither_is_written(tmp_path):
    run(dropped(tmp_path, plain(FORM), plain(FORM.replace("Mobile: 9876543210\n", "")).replace(b"<1@", b"<3@")))
    first, second = (entry.value for entry in Kept.entries)
    assert (first.citizen, second.contact) == (citizen_token(b"k" * 32, "9876543210"), None)
    assert second.citizen == citizen_token(b"k" * 32, "up-1076\x00ram@example.in")


@pytest.mark.parametrize(
    ("raw", "fields", "says"),
    [
        (plain("No water."), ["place.district", "category"], "is missing"),
        (plain(FORM.replace("Kheri", "Jaipur")), ["place.district"], "no name"),
        (plain(FORM.replace("Hand pump", "road")), ["category"], "near are"),
        (plain(FORM.replace("9876543210", "12")), ["mobile"], "telephone"),
        (plain(FORM.rpartition("\n")[0]), ["text"], "at least one character"),
        (plain(FORM, charset="klingon").replace(b"No water", b"\xff\xfe"), ["text"], "charset"),
        (plain(FORM).replace(b"No water", b"\xff\xfe"), ["text"], "charset"),
        (made(file="JPEG").replace(b"text/plain", b"application/pdf"), ["text"], "no text"),
        (plain(FORM).replace(b"From: Ram <ram@example.in>\n", b""), ["text"], "no sender"),
        (plain(FORM, head="Auto-Submitted: auto-replied\n"), [""], "machine"),
        (b"\x00\xff" * 500, ["text"], ""),
        (b"", ["text"], ""),
        (plain(FORM).replace(b"text/plain", b"multipart/mixed; boundary=x"), ["text"], "no text"),
    ],
)
def test_what_cannot_be_taken_is_rejected_with_reason_and_an_answer_that_shows_the_form(tmp_path, raw, fields, says):
    result, told = run(dropped(tmp_path, raw))
    assert (result.exit_code, told["taken"], told["rejected"], Kept.entries) == (1, 0, 1, [])
    [reason] = (tmp_path / "rejected").glob("*.reason.json")
    found = json.loads(reason.read_text("utf-8"))["errors"]
    assert [error["field"] for error in found] == fields
    assert says in found[0]["detail"]
    assert reason.stat().st_mode & 0o077 == 0
    answers = [path.read_text("utf-8") for path in (tmp_path / "rejected").glob("*.answer.txt")]
    assert ["District: <district>" in each for each in answers] == ([] if says == "machine" else [True])
    assert not list(tmp_path.glob("*.eml"))


def test_the_same_letter_again_is_the_same_case(tmp_path):
    run(dropped(tmp_path, plain(FORM)))
    run(dropped(tmp_path, plain(FORM).replace(b"To:", b"Received: by another way\nTo:")))
    first, again = (entry.value for entry in Kept.entries)
    assert (first.case, first.id) == (again.case, again.id)
    assert names(tmp_path / "done") == [".answer.txt", ".eml"]


def test_nothing_is_put_away_before_it_is_durable(tmp_path):
    Kept.fail_at = 0
    result, _ = run(dropped(tmp_path, plain(FORM)))
    assert (result.exit_code, len(list(tmp_path.glob("*.eml")))) == (69, 1)
    assert "in-sync" in result.stderr


def test_a_letter_that_is_too_long_is_not_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(letter, "LONGEST", 200)
    _, told = run(dropped(tmp_path, plain(FORM)))
    assert told["rejected"] == 1


class Imap(socketserver.StreamRequestHandler):
    """A mailbox of one user: what a poll asks, answered as RFC 9051 has it."""

    letters: dict[int, bytes]
    seen: set[int]

    def handle(self) -> None:
        self.wfile.write(b"* OK ready\r\n")
        for line in self.rfile:
            mark, name, *words = line.decode().split()
            status = self._answer(name.upper(), words)
            self.wfile.write(f"{mark} {status}\r\n".encode())

    def _answer(self, name: str, words: list[str]) -> str:
        match name, words:
            case "CAPABILITY", _:
                self.wfile.write(b"* CAPABILITY IMAP4rev1\r\n")
            case "LOGIN", [_, password] if password.strip('"') != "pa55":
                return "NO wrong"
            case "SELECT", _:
                self.wfile.write(b"* 2 EXISTS\r\n* OK [UIDVALIDITY 7] valid\r\n")
            case "UID", ["SEARCH", *_]:
                unseen = sorted(set(self.letters) - self.seen)
                self.wfile.write(f"* SEARCH {' '.join(map(str, unseen))}\r\n".encode())
            case "UID", ["FETCH", uid, *_]:
                raw = self.letters[int(uid)]
                self.wfile.write(f"* 1 FETCH (UID {uid} BODY[]<0> {{{len(raw)}}}\r\n".encode() + raw + b")\r\n")
            case "UID", ["STORE", uid, *_]:
                self.seen.add(int(uid))
        return "OK done"


@pytest.fixture
def imap(monkeypatch):
    monkeypatch.setattr(
        mailbox.imaplib, "IMAP4_SSL", lambda host, port, ssl_context, timeout: imaplib.IMAP4(host, port, timeout)
    )
    Imap.letters, Imap.seen = {4: plain(FORM), 9: plain("No water.").replace(b"<1@", b"<4@")}, set()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Imap) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name, value in {
            "HOST": "127.0.0.1",
            "PORT": server.server_address[1],
            "USER": "u",
            "PASSWORD": "pa55",
        }.items():
            monkeypatch.setenv(f"NIVARAN_IMAP_{name}", str(value))
        yield
        server.shutdown()


def test_unseen_letters_of_a_mailbox_are_taken_once(tmp_path, imap):
    result, told = run(tmp_path, "--imap")
    assert (result.exit_code, told["fetched"], told["taken"], told["rejected"]) == (1, 2, 1, 1), result.output
    assert Imap.seen == {4, 9}
    result, told = run(tmp_path, "--imap")
    assert (result.exit_code, told["fetched"], len(Kept.entries)) == (0, 0, 1)


def test_a_mailbox_that_does_not_let_in_is_said_so_without_the_password(tmp_path, imap, monkeypatch):
    monkeypatch.setenv("NIVARAN_IMAP_PASSWORD", "wrong-pa55word")
    result, _ = run(tmp_path, "--imap")
    assert (result.exit_code, "127.0.0.1" in result.stderr, "pa55word" in result.stderr) == (69, True, False)
