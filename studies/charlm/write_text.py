"""Write text.txt: the log of a harbour that never was, in a small grammar of its own.

The text has structure at several distances: spelling, the phrases of an entry, a count that must
agree with its noun, and a closing line that adds up what the day's ships brought. Run it again and
the same file is written.
"""

import random
from pathlib import Path

ENTRIES = 520
NUMBERS = [
    *["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"],
    *["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen"],
    *["sixteen", "seventeen", "eighteen"],
]
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
WINDS = ["north", "north-east", "east", "south", "south-west", "west"]
STRENGTHS = ["a light wind", "a steady wind", "a hard wind", "hardly a breath"]
SKIES = ["rain before noon", "fog on the bar", "a clear sky", "hail at dusk", "snow on the mole"]
SHIPS = ["Patient Heron", "Marigold", "Second Chance", "Grey Lantern", "Anna of Tarn", "Otter"]
CARGOES = [("barrel", "oil"), ("crate", "lemons"), ("sack", "barley"), ("bale", "wool")]
PORTS = ["Tarn", "Low Ness", "Carrick Hythe", "Oldwater", "the islands"]
REMARKS = [
    "The pilot asks again for a new boat.",
    "The lamp was lit early.",
    "Nobody went out.",
    "The keeper's dog has come back.",
    "Two nets were lost on the rocks and one was found.",
]


def counted(number: int, noun: str) -> str:
    return f"{NUMBERS[number]} {noun}" if number == 1 else f"{NUMBERS[number]} {noun}s"


def arrival(dice: random.Random) -> tuple[str, int]:
    """Return a sentence about one ship, and how many pieces it brought."""
    number = dice.randint(1, 6)
    vessel, content = dice.choice(CARGOES)
    ship, port = dice.choice(SHIPS), dice.choice(PORTS)
    verb = dice.choice(["came in from", "arrived from", "is here from"])
    sentence = f"The {ship} {verb} {port} with {counted(number, vessel)} of {content}."
    return sentence, number


def entry(day: int, dice: random.Random) -> str:
    weather = (
        f"{dice.choice(STRENGTHS).capitalize()} from the {dice.choice(WINDS)}, "
        f"{dice.choice(SKIES)}."
    )
    arrivals = [arrival(dice) for _ in range(dice.choice([0, 1, 1, 2, 2, 3]))]
    total = sum(number for _, number in arrivals)
    lines = [f"{DAYS[day % 7]}, day {day + 1}.", weather, *(sentence for sentence, _ in arrivals)]
    if dice.random() < 0.4:
        lines.append(dice.choice(REMARKS))
    return "\n".join([*lines, f"Landed today: {counted(total, 'piece')}."])


def text() -> str:
    dice = random.Random(1851)
    return "\n\n".join(entry(day, dice) for day in range(ENTRIES)) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("text.txt").write_text(text(), encoding="utf-8")
