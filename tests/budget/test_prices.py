"""Durations, money and prices: read exactly, or refused with a sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.budget import prices


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("2h30m", 9000),
        ("1.5h", 5400),
        ("90m", 5400),
        ("5400", 5400),
        (5400, 5400),
        (0.5, 0.5),
        ("1d", 86400),
        ("1d2h3m4s", 93784),
        (" 2h 30m ", 9000),
        ("10.1h", 36360),
        (".5h", 1800),
    ],
)
def test_a_duration_means_seconds(written: object, seconds: float) -> None:
    """In every form that people write."""
    assert prices.parse_duration(written) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "written",
    [
        *("1w", "36_000", "1_0h", "10h10h", "30m2h", "", " ", "h", ".", "-1h", "+1h", "1e3"),
        *("1:30:00", "٣h", "1..5h", "1h30", "11y", "0", "0h", "9" * 400, "2 h", "$1"),
        *(0, -1, float("nan"), float("inf"), True, False, None, [], 10**400, 1e12),
    ],
)
def test_what_is_no_duration_is_refused_with_a_sentence(written: object) -> None:
    """A limit that is misread would not bind."""
    with pytest.raises(ValueError, match=r"; (write it|each unit)"):
        prices.parse_duration(written)


def test_an_unknown_unit_is_named() -> None:
    """`1w` is a week only to its writer."""
    with pytest.raises(ValueError, match="unknown unit 'w'"):
        prices.parse_duration("1w")


@given(st.integers(1, int(prices.MAX_SECONDS)))
def test_a_formatted_duration_reads_back(seconds: int) -> None:
    """Whole seconds lose nothing."""
    assert prices.parse_duration(prices.format_duration(seconds)) == seconds


@given(st.text(alphabet="0123456789.dhms -+_e", max_size=12))
def test_text_is_a_positive_duration_or_refused(text: str) -> None:
    """Nothing else comes out, whatever goes in."""
    try:
        seconds = prices.parse_duration(text)
    except ValueError:
        return
    assert 0 < seconds <= prices.MAX_SECONDS


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        *((0, "0s"), (0.25, "0.2s"), (45, "45s"), (60, "1m"), (9000, "2h30m"), (86400, "1d")),
        *((59.9, "1m"), (-90, "-1m30s"), (7387, "2h3m7s")),
    ],
)
def test_durations_are_shown_as_people_write_them(seconds: float, written: str) -> None:
    """Whole from ten seconds."""
    assert prices.format_duration(seconds) == written


@pytest.mark.parametrize(
    ("written", "micro_usd"),
    [
        (25, 25_000_000),
        (2.5, 2_500_000),
        (2.675, 2_675_000),
        (0.1, 100_000),
        ("25", 25_000_000),
        ("$3.05", 3_050_000),
        ("0.0000019", 1),
        (1e-5, 10),
        (123456789.1, 123_456_789_100_000),
        (0, 0),
    ],
)
def test_dollars_become_micro_dollars_exactly(written: object, micro_usd: int) -> None:
    """As decimals, not as binary fractions; below a micro-dollar is cut off."""
    assert prices.parse_usd(written) == micro_usd


@given(st.integers(0, 10**14))
def test_micro_dollars_survive_a_float_of_dollars(micro_usd: int) -> None:
    """The approval keeps limits as dollars in JSON."""
    assert prices.parse_usd(micro_usd / prices.MICRO) == micro_usd


@pytest.mark.parametrize(
    "written",
    [
        *("", "x", "25 USD", "1e3", "-1", "1_000", "9" * 400),
        *(-1, True, None, float("nan"), float("inf"), 1e12, 10**400),
    ],
)
def test_what_is_no_money_is_refused_with_a_sentence(written: object) -> None:
    """And no limit is guessed."""
    with pytest.raises(ValueError, match="; write it like 25"):
        prices.parse_usd(written)


@pytest.mark.parametrize(
    ("micro_usd", "written"),
    [
        (0, "$0.00"),
        (3_050_000, "$3.05"),
        (33_335, "$0.0333"),
        (500_000, "$0.50"),
        (999_949, "$0.9999"),
        (999_950, "$1.00"),
        (10, "$0.000010"),
        (-2_500_000, "-$2.50"),
        (1_234_567_890, "$1234.57"),
    ],
)
def test_money_is_shown_with_the_decimals_that_tell_something(
    micro_usd: int, written: str
) -> None:
    """Cents from a dollar, more below."""
    assert prices.format_usd(micro_usd) == written


@pytest.mark.parametrize(
    ("seconds", "minutes"), [(0, 0), (0.1, 1), (60, 1), (60.01, 2), (271, 5), (7320, 122)]
)
def test_every_started_minute_counts(seconds: float, minutes: int) -> None:
    """Nothing costs nothing."""
    assert prices.started_minutes(seconds) == minutes


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
def test_an_impossible_running_time_has_no_minutes(seconds: float) -> None:
    """It would be a cost that nobody can name."""
    with pytest.raises(ValueError, match="not a running time"):
        prices.started_minutes(seconds)


def test_a_minute_is_never_cheaper_than_a_sixtieth_of_the_hour() -> None:
    """Rounding is against us."""
    for flavor, per_hour in prices.SNAPSHOT.items():
        assert 0 <= prices.micro_usd_per_minute(flavor) * 60 - per_hour < 60


def test_this_machine_is_free() -> None:
    """With and without a price list."""
    assert prices.micro_usd_per_minute("local") == prices.micro_usd_per_minute("dry", {}) == 0


@pytest.mark.parametrize(
    "catalogue", [None, {}, {"tpu-v9": 0}, {"tpu-v9": -1}, {"tpu-v9": True}, {"t4-small": 7}]
)
def test_an_unknown_price_is_not_free(catalogue: dict[str, int] | None) -> None:
    """A price list that says zero or nothing is no price."""
    with pytest.raises(prices.UnknownPrice, match="tpu-v9 is unknown"):
        prices.micro_usd_per_minute("tpu-v9", catalogue)


def test_a_live_price_list_replaces_the_snapshot() -> None:
    """Also where it no longer lists a flavor."""
    assert prices.micro_usd_per_minute("t4-small", {"t4-small": 7}) == 7
    with pytest.raises(prices.UnknownPrice) as caught:
        prices.micro_usd_per_minute("a10g-large", {"t4-small": 7})
    assert (caught.value.flavor, caught.value.known) == ("a10g-large", ["t4-small"])
