"""Telephone numbers as gateways want them written; ours are bare digits, Indian mobiles without a country code."""

from typing import Final

INDIA: Final = "91"
NATIONAL: Final = 10
"""Digits of an Indian mobile number without its country code."""


def with_country(number: str) -> str:
    """`9812345670` to `919812345670`; what has another length is taken to name its country already."""
    return INDIA + number if len(number) == NATIONAL else number
