"""Reading a raw ratings file, judging it, and cleaning it."""
import csv
import math
from collections import Counter

COLUMNS = ["user_id", "item_id", "rating", "timestamp"]
LOWEST, HIGHEST = 0.5, 5.0  # stars


class DataCheckFailed(ValueError):
    """The raw data breaks a limit. The text names every check, its value and its limit."""


class Raw:
    """What a raw file holds: the rows that can be used, and counts of the others."""

    def __init__(self):
        self.lines = 0
        self.nulls = {c: 0 for c in COLUMNS}  # empty, or text where a number belongs
        self.null_rows = 0
        self.out_of_range = 0
        self.duplicates = 0
        self.rows = []  # (user, item, rating, timestamp), sorted, one for each user and item

    def ratings(self):
        """The usable rows without their time."""
        return [row[:3] for row in self.rows]


def read(lines, until):
    """Parse the lines of a raw file; ratings given at or after until (seconds
    since 1970) are out of range, like those off the scale.

    Of several ratings of one item by one user the latest stays.
    """
    table = csv.reader(lines)
    header = [h.strip() for h in next(table, [])]
    missing = [c for c in COLUMNS if c not in header]
    if missing:
        raise DataCheckFailed("schema: columns %s are missing; the file has %s" % (missing, header))
    at = [header.index(c) for c in COLUMNS]
    raw, latest = Raw(), {}
    for fields in table:
        raw.lines += 1
        row = _numbers(fields, at, raw)
        if row is None:
            continue
        user, item, rating, when = row
        if not LOWEST <= rating <= HIGHEST or user < 1 or item < 1 or not 0 < when < until:
            raw.out_of_range += 1
            continue
        old = latest.get((user, item))
        if old is not None:
            raw.duplicates += 1
            if old >= (when, rating):
                continue
        latest[user, item] = (when, rating)
    raw.rows = sorted((u, i, r, t) for (u, i), (t, r) in latest.items())
    return raw


def _numbers(fields, at, raw):
    """The row's four numbers, or None if one of them is none, which is counted."""
    try:
        user, item, rating, when = [fields[n] for n in at]
        row = int(user), int(item), float(rating), int(when)
        if math.isfinite(row[2]):
            return row
    except (ValueError, IndexError):
        pass
    raw.null_rows += 1
    for column, n, kind in zip(COLUMNS, at, (int, int, float, int)):
        try:
            if not math.isfinite(kind(fields[n])):
                raw.nulls[column] += 1
        except (ValueError, IndexError):
            raw.nulls[column] += 1
    return None


def statistics(raw):
    """Numbers that describe the data, for checks, manifest and reader."""
    count = len(raw.rows)
    mean = sum(r[2] for r in raw.rows) / count if count else 0.0
    spread = math.sqrt(sum((r[2] - mean) ** 2 for r in raw.rows) / count) if count else 0.0
    of_all = max(1, raw.lines)
    return {
        "raw_lines": raw.lines,
        "record_count": count,
        "users": len({r[0] for r in raw.rows}),
        "items": len({r[1] for r in raw.rows}),
        "nulls": raw.nulls,
        "null_fraction": raw.null_rows / of_all,
        "out_of_range_fraction": raw.out_of_range / of_all,
        "duplicate_fraction": raw.duplicates / of_all,
        "rating_mean": mean,
        "rating_stddev": spread,
        "first_timestamp": min((r[3] for r in raw.rows), default=0),
        "last_timestamp": max((r[3] for r in raw.rows), default=0),
        "rating_histogram": {"%.1f" % k: n for k, n in sorted(Counter(math.ceil(2 * r[2]) / 2 for r in raw.rows).items())},
    }


def drift(histogram, reference):
    """Population stability index of two rating histograms: 0 the same, above
    0.2 by custom a different population."""
    bins = sorted(set(histogram) | set(reference))
    here, there = (sum(h.values()) + 0.5 * len(bins) for h in (histogram, reference))
    index = 0.0
    for b in bins:
        p, q = (histogram.get(b, 0) + 0.5) / here, (reference.get(b, 0) + 0.5) / there
        index += (p - q) * math.log(p / q)
    return index


def check(stats, limits):
    """Raise DataCheckFailed if a number in stats is outside its limits.

    limits is a list of (name, lowest, highest, parameter that sets it); None
    for a side without a limit.
    """
    broken = []
    for name, lowest, highest, parameter in limits:
        value = stats[name]
        if lowest is not None and value < lowest:
            broken.append("%s is %.6g, at least %.6g is wanted (%s)" % (name, value, lowest, parameter))
        if highest is not None and value > highest:
            broken.append("%s is %.6g, at most %.6g is allowed (%s)" % (name, value, highest, parameter))
    if broken:
        raise DataCheckFailed("; ".join(broken))


def to_bytes(rows):
    """The rows as a CSV file, the same bytes for the same rows."""
    return (",".join(COLUMNS) + "\n" + "".join("%d,%d,%s,%d\n" % row for row in rows)).encode()


def from_bytes(data):
    """Rows (user, item, rating) of a file that to_bytes made."""
    rows = []
    for line in data.decode().splitlines()[1:]:
        user, item, rating, _ = line.split(",")
        rows.append((int(user), int(item), float(rating)))
    return rows
