"""Derived identifiers: case numbers with a check digit, citizens' tokens, digests; nothing is drawn or counted."""

import hashlib
import hmac
from typing import Final

from streams.text import ascii_digits

CASE_DIGITS: Final = 18
_SERIAL: Final = 10**15
# Damm's quasigroup of order 10 (totally anti-symmetric): finds every single wrong digit and every swap of neighbours,
# the two slips people make when they read a number out on the telephone.
_DAMM: Final = (
    "0317598642", "7092154863", "4206871359", "1750983426", "6123045978",
    "3674209581", "5869720134", "8945362017", "9438617205", "2581436790",
)  # fmt: skip
_TABLE: Final = tuple(tuple(int(digit) for digit in row) for row in _DAMM)
# three digits in one step: a case id is checked at every door, and its 18 digits are six of these
_TRIPLES: Final = tuple(
    tuple(_TABLE[_TABLE[_TABLE[interim][each // 100]][each // 10 % 10]][each % 10] for each in range(1000))
    for interim in range(10)
)


def check_digit(digits: str) -> str:
    """Damm check digit of a string of ASCII digits."""
    interim, whole = 0, len(digits) // 3 * 3
    for start in range(0, whole, 3):
        interim = _TRIPLES[interim][int(digits[start : start + 3])]
    for digit in digits[whole:]:
        interim = _TABLE[interim][int(digit)]
    return str(interim)


def case_id(code: str, channel: str, key: str) -> str:
    """18 digits: the system's two-digit code, 15 digits of a hash of (channel, key), check digit.

    With n cases in a system two share a number with a chance of about n^2 / 2e15 (7 million a year: 2.5 %); the case
    stage then rejects the second registration as a fact, and the channel submits it again with another key.
    """
    digest = hashlib.sha256(f"{channel}\x00{key}".encode()).digest()
    digits = f"{code}{int.from_bytes(digest[:16], 'big') % _SERIAL:015d}"
    return digits + check_digit(digits)


def valid_case_id(text: str) -> bool:
    """Whether `text` is 18 ASCII digits of which the last checks the others."""
    return len(text) == CASE_DIGITS and text.isascii() and text.isdecimal() and check_digit(text) == "0"


def citizen_token(secret: bytes, mobile: str) -> str:
    """`ct_` and 32 hex digits: HMAC-SHA256 of the normalised number; without the secret it leads back to nobody."""
    return "ct_" + hmac.digest(secret, normal_mobile(mobile).encode(), "sha256")[:16].hex()


def normal_mobile(mobile: str) -> str:
    """One spelling of a number: ASCII digits; India's country code and trunk zero are dropped from ten-digit mobiles.

    What is no telephone number (the identity a register of another place gives a person) is kept as it is, trimmed.
    """
    text = ascii_digits(mobile).strip()
    digits = "".join(character for character in text if character not in " -.()\u00a0")
    bare = digits.removeprefix("+")
    if not bare.isdecimal():
        return text
    for prefix in ("0091", "91", "0"):
        if bare.startswith(prefix) and len(bare) == len(prefix) + 10:
            return bare.removeprefix(prefix)
    return bare


def digest(*parts: str, length: int = 16) -> str:
    """Hex digits of a hash over `parts`, each set apart from the next; `length` of them."""
    joined = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(joined.encode()).hexdigest()[:length]
