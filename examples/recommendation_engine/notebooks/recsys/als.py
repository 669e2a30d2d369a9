"""Matrix factorisation with biases, by alternating least squares.

A rating is predicted as mean + user bias + item bias + p·q, where p and q are
the user's and the item's factors. With all items held fixed, the best bias
and factors of each user are the solution of a small linear system, and the
other way round; an epoch solves for all users, then for all items.

There are no learning rate and no order of examples, so a training is the same
every time. With numpy the systems are built and solved by it; the results
differ from plain Python's in the last digits only.
"""
import json
import math
from operator import mul
from random import Random

try:
    import numpy
except ImportError:
    numpy = None

LOWEST, HIGHEST = 0.5, 5.0  # stars
DIGITS = 6  # kept of each number in a stored model


def solver():
    """What solves the systems here."""
    return "python" if numpy is None else "numpy " + numpy.__version__


class Model:
    """What training found: a mean, and for each user and item [bias, factor, ...]."""

    def __init__(self, mean, users, items):
        self.mean = mean
        self.users = users
        self.items = items

    def predict(self, user, item):
        """Stars that the user will give the item; who is unknown counts as average."""
        u, i = self.users.get(user), self.items.get(item)
        stars = self.mean
        if u:
            stars += u[0]
        if i:
            stars += i[0]
        if u and i:
            stars += sum(map(mul, u[1:], i[1:]))
        return min(HIGHEST, max(LOWEST, stars))

    def top(self, user, count, seen=()):
        """The items that the user has not seen and will like best: [(item, stars)].

        A user the model does not know gets what is liked in general.
        """
        known = self.users.get(user) or [0.0]
        scored = [(i, self.mean + known[0] + v[0] + sum(map(mul, known[1:], v[1:]))) for i, v in self.items.items()]
        scored.sort(key=lambda pair: (-pair[1], pair[0]))
        best = [pair for pair in scored if pair[0] not in seen][:count]
        return [(i, min(HIGHEST, max(LOWEST, s))) for i, s in best]

    def to_bytes(self):
        """The model as JSON, the same bytes for the same numbers."""
        def table(vectors):
            return {str(k): [round(x, DIGITS) for x in vectors[k]] for k in sorted(vectors)}

        body = {"mean": round(self.mean, DIGITS), "items": table(self.items), "users": table(self.users)}
        return (json.dumps(body, separators=(",", ":")) + "\n").encode()

    @classmethod
    def from_bytes(cls, data):
        body = json.loads(data)
        users, items = ({int(k): v for k, v in body[t].items()} for t in ("users", "items"))
        return cls(body["mean"], users, items)


def train(rows, factors, epochs, regularization, seed, after_epoch=None):
    """A Model of rows (user, item, rating).

    regularization is per rating: who has rated more is held to zero less. It
    is called as after_epoch(number, model) when an epoch is done.
    """
    mean = sum(r[2] for r in rows) / len(rows)
    of_user, of_item = _by(rows, 0, 1, mean), _by(rows, 1, 0, mean)
    chance = Random(seed).random
    items = {i: [0.0] + [(chance() - 0.5) / math.sqrt(factors) for _ in range(factors)] for i in sorted(of_item)}
    solve = _solve_plain if numpy is None else _solve_numpy
    model = None
    for epoch in range(1, epochs + 1):
        users = solve(of_user, items, regularization)
        items = solve(of_item, users, regularization)
        model = Model(mean, users, items)
        if after_epoch:
            after_epoch(epoch, model)
    return model


def _by(rows, one, other, mean):
    """Each one's partners and ratings above the mean: {id: ([partner], [rating])}."""
    lists = {}
    for row in rows:
        partners, ratings = lists.setdefault(row[one], ([], []))
        partners.append(row[other])
        ratings.append(row[2] - mean)
    return lists


def _solve_numpy(lists, fixed, regularization):
    index = {key: n for n, key in enumerate(fixed)}
    vectors = numpy.array(list(fixed.values()))
    bias = vectors[:, 0].copy()
    vectors[:, 0] = 1.0
    unit = numpy.eye(vectors.shape[1])
    solved = {}
    for key, (partners, ratings) in lists.items():
        at = [index[p] for p in partners]
        f = vectors[at]
        left = f.T @ f + regularization * len(at) * unit
        solved[key] = numpy.linalg.solve(left, f.T @ (numpy.array(ratings) - bias[at])).tolist()
    return solved


def _solve_plain(lists, fixed, regularization):
    """As _solve_numpy. The sums run over whole columns, which is what plain
    Python does fastest: each partner contributes one flat list, made once."""
    size = len(next(iter(fixed.values())))
    flat = {key: _contribution(vector, size) for key, vector in fixed.items()}
    triangle = size * (size + 1) // 2
    solved = {}
    for key, (partners, ratings) in lists.items():
        columns = list(zip(*[flat[p] for p in partners]))
        sums = list(map(sum, columns))
        ridge = regularization * len(partners)
        # The triangle's first row is [1, factors] itself: 1 times each.
        right = [sum(map(mul, ratings, columns[a])) - sums[triangle + a] for a in range(size)]
        solved[key] = _cholesky(sums, right, ridge, size)
    return solved


def _contribution(vector, size):
    """The upper triangle of f·fᵀ, row by row, then bias·f, for f = [1, factors]."""
    f = [1.0] + vector[1:]
    return [f[a] * f[b] for a in range(size) for b in range(a, size)] + [vector[0] * x for x in f]


def _cholesky(triangle, right, ridge, size):
    """Solve (A + ridge·1) x = right for a symmetric A given by its upper triangle."""
    low, y, at = [], [], 0
    columns = []
    for a in range(size):  # column a of A, from the diagonal down
        columns.append(triangle[at:at + size - a])
        at += size - a
    for n in range(size):
        row = []
        for m in range(n):
            other = low[m]
            row.append((columns[m][n - m] - sum(map(mul, row, other))) / other[m])
        pivot = math.sqrt(columns[n][0] + ridge - sum(map(mul, row, row)))
        y.append((right[n] - sum(map(mul, row, y))) / pivot)
        row.append(pivot)
        low.append(row)
    x = [0.0] * size
    for n in range(size - 1, -1, -1):
        rest = y[n]
        for m in range(n + 1, size):
            rest -= low[m][n] * x[m]
        x[n] = rest / low[n][n]
    return x
