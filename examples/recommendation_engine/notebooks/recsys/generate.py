"""A ratings file made up from latent factors, for want of real users.

Every user and item has a bias and a point in a small space of tastes; a
rating is their sum plus noise, in half stars. A few items get most of the
ratings, a few users give most of them, and users come over three years. Some
lines are spoiled on purpose, the way that real exports are: empty fields,
ratings off the scale, text for numbers, lines delivered twice.

The same seed gives the same bytes on every machine and Python version: the
only source of chance is Random.random, which Python promises to keep.
"""
import math
from bisect import bisect
from itertools import accumulate
from random import Random

COLUMNS = ["user_id", "item_id", "rating", "timestamp"]

TASTES = 5  # dimensions of the space of tastes
MEAN = 3.55  # stars
USER_SPREAD, ITEM_SPREAD = 0.40, 0.45  # standard deviations of the biases
TASTE_SPREAD = 0.60  # of the part that only user and item together explain
NOISE = 0.70  # of what nobody can predict

FIRST_DAY = 1640995200  # 2022-01-01T00:00:00Z
YEARS_3 = 3 * 365 * 86400
FAR_FUTURE = 4102444800  # 2100-01-01, on lines whose clock was wrong

# How much of the file is spoiled, and how.
SPOILED = [
    (0.0030, lambda u, i, r, t: (u, i, "", t)),
    (0.0008, lambda u, i, r, t: ("", i, r, t)),
    (0.0007, lambda u, i, r, t: (u, "", r, t)),
    (0.0005, lambda u, i, r, t: (u, i, "n/a", t)),
    (0.0020, lambda u, i, r, t: (u, i, "11.0", t)),
    (0.0010, lambda u, i, r, t: (u, i, "-1.0", t)),
    (0.0004, lambda u, i, r, t: (u, i, r, FAR_FUTURE)),
]
DELIVERED_TWICE = 0.006


class Chance:
    """Normal and uniform numbers from one seed."""

    def __init__(self, seed):
        self.uniform = Random(seed).random
        self._spare = None

    def normal(self, spread):
        """A normal number (Box and Muller's pair, one at a time)."""
        if self._spare is not None:
            value, self._spare = self._spare, None
            return value * spread
        radius = math.sqrt(-2.0 * math.log(1.0 - self.uniform()))
        angle = 2.0 * math.pi * self.uniform()
        self._spare = radius * math.sin(angle)
        return radius * math.cos(angle) * spread


def lines(rows, seed):
    """The lines of a ratings file with about that many rows, header first."""
    yield ",".join(COLUMNS)
    chance = Chance(seed)
    # However large the file, about one in fourteen of all pairs is rated.
    users, items = int(4.65 * math.sqrt(rows)), int(3.1 * math.sqrt(rows))
    by_popularity = list(accumulate((n + 8) ** -0.85 for n in range(items)))
    item_bias, item_taste = _members(chance, items, ITEM_SPREAD)
    user_bias, user_taste = _members(chance, users, USER_SPREAD)
    for user, count in enumerate(_activity(chance, users, items, rows)):
        joined = FIRST_DAY + int(chance.uniform() * YEARS_3 * 0.95)
        stay = (FIRST_DAY + YEARS_3 - joined) * chance.uniform()
        taste = user_taste[user]
        for item in _choice(chance, by_popularity, count):
            stars = MEAN + user_bias[user] + item_bias[item] + chance.normal(NOISE)
            for a, b in zip(taste, item_taste[item]):
                stars += a * b
            rating = "%.1f" % min(5.0, max(0.5, round(2 * stars) / 2))
            when = joined + int(chance.uniform() * stay)
            yield from _delivered(chance, (user + 1, 10001 + item, rating, when))


def _members(chance, count, spread):
    """The biases and tastes of all users or all items."""
    each = math.sqrt(TASTE_SPREAD / math.sqrt(TASTES))
    bias = [chance.normal(spread) for _ in range(count)]
    return bias, [[chance.normal(each) for _ in range(TASTES)] for _ in range(count)]


def _activity(chance, users, items, rows):
    """How many ratings each user gives: many give few, few give many."""
    weight = [math.exp(chance.normal(0.8)) for _ in range(users)]
    scale = rows / sum(weight)
    return [max(5, min(items // 2, int(w * scale + 0.5))) for w in weight]


def _choice(chance, by_popularity, count):
    """That many different items, popular ones more often."""
    chosen, total = {}, by_popularity[-1]
    while len(chosen) < count:
        chosen[bisect(by_popularity, chance.uniform() * total)] = None
    return chosen


def _delivered(chance, row):
    """The row as it arrives: mostly once and whole."""
    at = chance.uniform()
    for share, spoil in SPOILED:
        if at < share:
            row = spoil(*row)
            break
        at -= share
    text = "%s,%s,%s,%s" % row
    yield text
    if chance.uniform() < DELIVERED_TWICE:
        yield text
