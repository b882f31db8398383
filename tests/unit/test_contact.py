import base64

import pytest

from agents.contact import Contacts, KeyFormatError, SealError, key_bytes
from schemas.topics import CASE_COMMANDS

OLD, NEW = b"o" * 32, b"n" * 32
MOBILE, CASE = "9876543210", "100330824119900182"


def test_what_was_sealed_opens_for_its_case_only():
    contacts = Contacts(NEW)
    sealed = contacts.seal(MOBILE, CASE)
    assert contacts.open_sealed(sealed, CASE) == MOBILE
    with pytest.raises(SealError, match="another case"):
        contacts.open_sealed(sealed, CASE[::-1])
    with pytest.raises(SealError):
        contacts.open_sealed(sealed, CASE, CASE_COMMANDS)


def test_a_seal_shows_nothing_and_is_never_twice_the_same():
    contacts = Contacts(NEW)
    one, two = contacts.seal(MOBILE, CASE), contacts.seal(MOBILE, CASE)
    assert one != two
    assert MOBILE.encode() not in base64.urlsafe_b64decode(one + "==")
    assert len(contacts.seal("+" + "9" * 15, CASE)) <= 400


def test_after_a_rotation_old_seals_open_and_new_ones_use_the_new_key():
    sealed = Contacts(OLD).seal(MOBILE, CASE)
    rotated = Contacts(NEW, OLD)
    assert rotated.open_sealed(sealed, CASE) == MOBILE
    assert Contacts(NEW).open_sealed(rotated.seal(MOBILE, CASE), CASE) == MOBILE
    with pytest.raises(SealError, match="neither the current nor the previous"):
        Contacts(NEW).open_sealed(sealed, CASE)


def test_an_altered_seal_is_refused():
    contacts = Contacts(NEW)
    sealed = contacts.seal(MOBILE, CASE)
    for altered in (
        sealed[:-4] + "AAAA",
        sealed[:20],
        "",
        "not base64 !",
        sealed[:8] + ("A" if sealed[8] != "A" else "B") + sealed[9:],
    ):
        with pytest.raises(SealError) as caught:
            contacts.open_sealed(altered, CASE)
        assert MOBILE not in str(caught.value)


def test_keys_are_base64url_of_32_bytes():
    text = base64.urlsafe_b64encode(NEW).decode()
    assert key_bytes(text, "X") == key_bytes(text.rstrip("="), "X") == NEW
    assert Contacts.from_text(text).open_sealed(Contacts(NEW).seal(MOBILE, CASE), CASE) == MOBILE
    for bad in ("", "short", base64.urlsafe_b64encode(b"n" * 31).decode(), "?" * 43):
        with pytest.raises(KeyFormatError, match="NIVARAN_CONTACT_KEY"):
            Contacts.from_text(bad)
