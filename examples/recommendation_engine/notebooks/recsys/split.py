"""Which ratings a model must not see while it learns."""
from zlib import crc32

_BUCKETS = 10000


def bucket(user, item):
    """A number from 0 to 9999 that belongs to this pair for ever."""
    return crc32(b"%d:%d" % (user, item)) % _BUCKETS


def divide(rows, test_fraction):
    """Training and held-out rows of (user, item, rating).

    A pair is held out or not by its own hash, in every version of the data.
    So a model that was trained last month has never seen what this month's
    model is judged by, and the two can be compared on the same ratings. What
    a smaller fraction holds out, a larger one holds out too.
    """
    limit = int(test_fraction * _BUCKETS)
    train, test = [], []
    for row in rows:
        (test if bucket(row[0], row[1]) < limit else train).append(row)
    if not train or not test:
        raise ValueError(
            "%d ratings with test_fraction %g leave %d to learn from and %d to judge by; both are needed"
            % (len(rows), test_fraction, len(train), len(test))
        )
    return train, test
