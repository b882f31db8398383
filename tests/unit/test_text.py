import unicodedata

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from streams.text import ascii_digits, cut, fold, mask_numbers, nfc, segments, units

DEVANAGARI = st.text(
    st.characters(min_codepoint=0x0900, max_codepoint=0x097F) | st.sampled_from("abc 123.\u200d"), max_size=60
)


def test_nfc_decomposes_the_excluded_letters_and_is_stable():
    assert nfc("\u095c") == "\u0921\u093c"
    assert nfc(nfc("पढ़ाई")) == nfc("पढ़ाई")


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("फोन 9876543210 है", "फोन XXXXXXXX10 है"),
        ("फोन ९८७६५४३२१० है", "फोन XXXXXXXX१० है"),
        ("+91 98765 43210", "+XX XXXXX XXX10"),
        ("98765-43210", "XXXXX-XXX10"),
        ("1234 5678 9012", "XXXX XXXX XX12"),
        ("1234-5678-9012", "XXXX-XXXX-XX12"),
        ("123456789012", "XXXXXXXXXX12"),
        ("0120 270 7070", "XXXX XXX XX70"),
        ("9876\u200c543210", "XXXX\u200cXXXX10"),
    ],
)
def test_numbers_of_people_are_masked(text, masked):
    assert mask_numbers(text) == masked


@pytest.mark.parametrize(
    "text", ["गाटा संख्या 1234/5", "22/12/2017", "2025-01-05 10:30", "262701 पिन", "राशि 123456789 रु", "सी0ओ0"]
)
def test_other_numbers_stay(text):
    assert mask_numbers(text) == text


@given(DEVANAGARI)
def test_masking_keeps_the_length_and_is_done_once(text):
    masked = mask_numbers(text)
    assert len(masked) == len(text)
    assert mask_numbers(masked) == masked


def test_spellings_of_one_word_fold_to_one():
    assert len({fold(each) for each in ("हेल्पलाइन", "हेल्प लाइन", "हैल्पलाइन", "हैल्पलाईन")}) == 1
    assert fold("हिन्दी") == fold("हिंदी")
    assert fold("सड़क") == fold("सड़क") == fold("सडक")
    assert fold("क्\u200dष") == fold("क्ष")
    assert fold("Hand-Pump  खराब है!") == fold("hand pump खराब है")
    assert fold("वार्ड १२") == fold("वार्ड 12")


def test_different_complaints_fold_to_different_texts():
    assert fold("हैण्डपम्प खराब है") != fold("हैण्डपम्प ठीक है")
    assert fold("वार्ड 12") != fold("वार्ड 13")


@given(DEVANAGARI)
def test_folding_twice_is_folding_once(text):
    assert fold(fold(text)) == fold(text)


@given(st.text(max_size=80), st.integers(0, 100))
def test_a_cut_fits_and_splits_no_cluster(text, limit):
    short = cut(text, limit)
    assert units(short) <= limit
    assert text.startswith(short)
    clusters = regex.findall(r"\X", text)
    assert short in {"".join(clusters[:count]) for count in range(len(clusters) + 1)}


def test_a_cut_is_as_long_as_may_be():
    assert cut("निस्तारण", 4) == "निस्"[:4] or units(cut("निस्तारण", 4)) <= 4
    assert cut("abcdef", 3) == "abc"
    assert cut("a👨‍👩‍👧", 3) == "a"


def test_segments_as_they_are_billed():
    hindi = "शिकायत 107626082100123 दर्ज। निस्तारण तिथि 28/08/2026 तक। -CMHELP"
    assert (units(hindi), segments(hindi)) == (65, 1)
    assert segments("क" * 70) == 1
    assert segments("क" * 71) == 2
    assert segments("क" * 135) == 3
    assert segments("a" * 160) == 1
    assert segments("a" * 161) == 2
    assert segments("a" * 159 + "€") == 2
    assert segments("") == 1


@given(st.text(max_size=200))
def test_digits_of_any_script_become_ascii(text):
    assert not any(character.isdecimal() and not character.isascii() for character in ascii_digits(text))


def test_every_digit_has_its_value_those_too_that_this_python_does_not_know():
    digits = regex.findall(r"\d", "".join(map(chr, range(0x110000))))
    values = [int(ascii_digits(digit)) for digit in digits]
    assert values == [number % 10 for number in range(len(digits))]
    garay = "".join(map(chr, range(0x10D40, 0x10D4A)))
    assert ascii_digits(garay) == "0123456789"
    assert mask_numbers(garay) == "XXXXXXXX" + garay[-2:]


def test_nfc_is_what_unicode_says():
    assert nfc("e\u0301") == unicodedata.normalize("NFC", "e\u0301")
