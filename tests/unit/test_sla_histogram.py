"""The histogram of ages: its error and its sums."""

import math

from hypothesis import given
from hypothesis import strategies as st

from streams.sla.histogram import RELATIVE_ERROR, Histogram, bucket, merge, middle, negated, quantile

ages = st.one_of(
    st.integers(min_value=0, max_value=400 * 86_400_000), st.integers(min_value=0, max_value=253_402_300_799_999)
)


def counted(values: list[int]) -> Histogram:
    histogram: Histogram = {}
    for value in values:
        histogram = merge(histogram, {bucket(value): 1})
    return histogram


@given(ages)
def test_the_middle_of_a_bucket_is_within_the_stated_error_of_every_age_in_it(age: int):
    assert abs(middle(bucket(age)) - age) <= RELATIVE_ERROR * age


@given(ages, ages)
def test_buckets_keep_the_order_of_ages(a: int, b: int):
    assert (bucket(a) <= bucket(b)) or a > b


@given(st.lists(ages, min_size=1, max_size=60), st.sampled_from([0.0, 0.01, 0.07, 0.25, 0.5, 0.9, 0.95, 0.99, 1.0]))
def test_a_quantile_is_within_the_stated_error_of_the_nearest_rank(values: list[int], q: float):
    exact = sorted(values)[max(1, math.ceil(round(q * len(values), 9))) - 1]
    found = quantile(counted(values), q)
    assert found is not None
    assert abs(found - exact) <= RELATIVE_ERROR * exact


@given(st.lists(ages, max_size=40), st.lists(ages, max_size=40))
def test_what_is_merged_can_be_subtracted_again(a: list[int], b: list[int]):
    both = merge(counted(a), counted(b))
    assert both == counted(a + b)
    assert merge(both, negated(counted(b))) == counted(a)


def test_nothing_has_no_quantile():
    assert quantile({}, 0.5) is None
