"""What a model has to beat: predictions without any notion of taste."""
import math


class GlobalMean:
    """Everybody likes everything equally."""

    def __init__(self, train):
        self.mean = sum(r[2] for r in train) / len(train)

    def predict(self, user, item):
        return self.mean


class Biases:
    """The mean, plus how generous the user is, plus how liked the item is.

    Biases of those with few ratings are drawn towards zero, as if there were
    SHRINK more ratings at the mean.
    """

    SHRINK = 5

    def __init__(self, train):
        self.mean = sum(r[2] for r in train) / len(train)
        self.item = self._mean_by([(i, r - self.mean) for _, i, r in train])
        self.user = self._mean_by([(u, r - self.mean - self.item[i]) for u, i, r in train])

    def _mean_by(self, pairs):
        total, count = {}, {}
        for key, value in pairs:
            total[key] = total.get(key, 0.0) + value
            count[key] = count.get(key, 0) + 1
        return {k: total[k] / (count[k] + self.SHRINK) for k in total}

    def predict(self, user, item):
        return self.mean + self.user.get(user, 0.0) + self.item.get(item, 0.0)


def errors(model, rows):
    """Root mean square and mean absolute error of a model on rows."""
    square = absolute = 0.0
    for user, item, rating in rows:
        miss = model.predict(user, item) - rating
        square += miss * miss
        absolute += abs(miss)
    return {"rmse": math.sqrt(square / len(rows)), "mae": absolute / len(rows)}
