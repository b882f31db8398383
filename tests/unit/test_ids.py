from hypothesis import assume, given
from hypothesis import strategies as st

from streams.ids import case_id, check_digit, citizen_token, digest, normal_mobile, valid_case_id

keys = st.text(min_size=1, max_size=40)
ids = st.builds(case_id, st.just("10"), st.sampled_from(["call", "portal"]), keys)


def test_damm_check_digit_of_the_published_example():
    assert check_digit("572") == "4"
    assert check_digit("5724") == "0"


@given(ids)
def test_a_case_id_is_18_digits_of_its_system_and_checks(case):
    assert len(case) == 18
    assert case.startswith("10")
    assert valid_case_id(case)


@given(st.sampled_from(["call", "portal"]), keys)
def test_the_same_submission_gets_the_same_id(channel, key):
    assert case_id("10", channel, key) == case_id("10", channel, key)
    assert case_id("10", channel, key) != case_id("10", channel, key + "x")
    assert case_id("10", "call", key) != case_id("10", "portal", key)


@given(ids, st.integers(0, 17), st.sampled_from("0123456789"))
def test_one_wrong_digit_is_noticed(case, position, digit):
    assume(case[position] != digit)
    assert not valid_case_id(case[:position] + digit + case[position + 1 :])


@given(ids, st.integers(0, 16))
def test_two_neighbours_swapped_are_noticed(case, position):
    assume(case[position] != case[position + 1])
    swapped = case[:position] + case[position + 1] + case[position] + case[position + 2 :]
    assert not valid_case_id(swapped)


def test_what_is_no_case_id():
    good = case_id("10", "call", "k")
    for bad in ("", good[:-1], good + "0", "१" * 18, " " + good[1:], "abcdefghijklmnopqr"):
        assert not valid_case_id(bad)


def test_one_person_has_one_token_however_the_number_is_written():
    secret = b"s" * 32
    spellings = ["9876543210", "+91 98765 43210", "09876543210", "०९८७६५४३२१०", "98765-43210", "0091 9876543210"]
    tokens = {citizen_token(secret, each) for each in spellings}
    assert len(tokens) == 1
    assert citizen_token(secret, "9876543211") not in tokens
    assert citizen_token(b"t" * 32, "9876543210") not in tokens


def test_a_token_shows_nothing_of_the_number():
    token = citizen_token(b"s" * 32, "9876543210")
    assert len(token) == 35
    assert token.startswith("ct_")
    assert "9876543210" not in token


def test_a_reference_of_another_register_is_kept_as_it_is():
    assert normal_mobile(" NYCC-25 ") == "NYCC-25"


def test_parts_of_a_digest_do_not_run_into_each_other():
    assert digest("ab", "c") != digest("a", "bc")
