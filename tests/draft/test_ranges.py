"""The table of ranges, and how a range is fitted to a script's default."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.draft import fitting
from sweeper.draft import omitted
from sweeper.draft import ranges
from sweeper.draft.options import Option
from sweeper.draft.ranges import Setting

SETTINGS = st.builds(
    Setting,
    method=st.sampled_from(["scratch", "full", "lora", "either"]),
    billions=st.one_of(st.none(), st.floats(0.01, 500)),
    preference=st.booleans(),
    online=st.booleans(),
    sgd=st.booleans(),
    boosting=st.booleans(),
)
NUMBERS = st.one_of(
    st.none(), st.integers(-1000, 10**9), st.floats(-1e3, 1e9, allow_nan=False), st.just(0)
)


@given(
    name=st.sampled_from(sorted(ranges.TABLE)),
    default=NUMBERS,
    kind=st.sampled_from(["int", "float", "unknown"]),
    setting=SETTINGS,
)
def test_every_range_holds_its_default(name: str, default: float, kind: str, setting: Setting):
    """Low is below high, a log range is above zero, and the script's default lies inside."""
    found = fitting.suggest(Option(name, kind, default), setting)

    if found is None:
        return
    if found.choices is not None:
        assert found.default in found.choices
        return
    assert found.low < found.high
    assert found.low <= found.default <= found.high
    assert found.low > 0 or not found.log
    if default is not None and kind != "int":
        assert found.default == pytest.approx(default)


@given(name=st.sampled_from(sorted(ranges.TABLE)), default=NUMBERS, setting=SETTINGS)
def test_whole_numbers_stay_whole(name: str, default: float, setting: Setting):
    """An option of type int gets bounds and a default that the script's parser takes."""
    found = fitting.suggest(Option(name, "int", default), setting)

    if found is not None and found.choices is None:
        assert all(isinstance(value, int) for value in (found.low, found.high, found.default))


@given(default=st.floats(1e-9, 1e9), kind=st.sampled_from(["int", "float"]))
def test_a_number_of_unknown_meaning_lies_inside_its_range(default: float, kind: str):
    """A third to the triple, and the default between them."""
    found = fitting.unknown_number(Option("stiffness", kind, default))

    assert found is not None
    assert found.low <= found.default <= found.high
    assert found.low < found.high


def test_lora_learns_about_ten_times_faster_than_full_fine_tuning():
    """Schulman et al., 2025: the ratio of the two middles is ten at any size."""
    for billions in (0.5, 7, 70):
        full = ranges.learning_rate(None, Setting("full", billions))
        lora = ranges.learning_rate(None, Setting("lora", billions))
        assert lora.default / full.default == pytest.approx(10)


def test_larger_models_take_smaller_rates():
    """The slope of GPT-3's table 2.1."""
    small = ranges.learning_rate(None, Setting("full", 0.125)).default
    large = ranges.learning_rate(None, Setting("full", 175)).default

    assert 5 < small / large < 12


def test_a_sweep_over_both_methods_covers_both_rates():
    """From a tenth of full fine-tuning's middle to ten times LoRA's."""
    both = ranges.learning_rate(None, Setting("either", 7))

    assert both.low < 2e-5 / 5
    assert both.high > 2e-4 * 5


@pytest.mark.parametrize("maker", sorted(set(ranges.TABLE.values()), key=lambda m: m.__name__))
def test_every_function_of_the_table_says_where_it_comes_from(maker):
    """A paper, a report with its year, or in words what is done with the default."""
    cited = re.search(r"arXiv:\d{4}\.\d{4,5}|\b(19|20)\d\d\b", maker.__doc__)

    assert cited or "default" in maker.__doc__


def test_what_is_known_is_not_left_out():
    """No name is both a hyperparameter and a place, a machine or a log; `rank` may be either."""
    names = {*ranges.TABLE, *ranges.CATEGORIES}

    assert {name for name in names if omitted.reason(name)} <= {"rank", "d_model"}


@pytest.mark.parametrize(
    ("name", "template"),
    [
        ("output_dir", "{output_dir}"),
        ("SAVE_DIR", "{output_dir}"),
        ("seed", "{seed}"),
        ("hub_model_id", "{output_repo}"),
        ("data_dir", None),
    ],
)
def test_places_and_seeds_are_filled_in(name: str, template: str | None):
    """Settings that each trial needs its own of."""
    assert omitted.template(name) == template


def test_numbers_beyond_all_hyperparameters_are_no_numbers():
    """Their multiples would be no bounds."""
    assert fitting.as_number(math.inf) is None
    assert fitting.as_number(math.nan) is None
    assert fitting.as_number(1e300) is None
    assert fitting.as_number(5e-324) is None
    assert fitting.as_number(True) is None
    assert fitting.as_number(0) == 0
