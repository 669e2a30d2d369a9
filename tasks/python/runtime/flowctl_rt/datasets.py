"""/databricks-datasets: the files that templates and tutorials read there, made up.

A workspace has a folder of public data sets. Here is none, and nothing is
downloaded: a file of a known name is written when somebody looks at it, with
the fields of Databricks' own and other rows, the same ones each time. Data
that lies there already, such as a copy of the real ones, is left alone.
"""
import os

TOP = "databricks-datasets"
_ORDERS = 400
_TOWNS = (("Chicago", "IL"), ("Seattle", "WA"), ("Austin", "TX"), ("Boston", "MA"), ("Denver", "CO"))
_PRODUCTS = (("AVpe1", "Opple Headphones", 129), ("AVpe2", "Zamaha Receiver", 349), ("AVpe3", "Ramsung Monitor", 219), ("AVpe4", "Conix Turntable", 89))
_first_order = 1546300800  # 2019-01-01 in UTC
_day = 86400


def make(parts, root):
    """Write the data set that a path of DBFS is or lies in, if it is one we know. parts: the path's names below DBFS; root: DBFS's folder."""
    if not parts or parts[0] != TOP:
        return
    for name, write in _SETS.items():
        names = name.split("/")
        if parts[1:len(names) + 1] == names:
            _written(os.path.join(root, TOP, *names), write, name)
        elif names[:len(parts) - 1] == parts[1:]:  # a folder above it, or the top itself
            _written(os.path.join(root, TOP, *names), write, name)


def _written(target, write, name):
    if os.path.exists(target):
        return
    import shutil
    import tempfile

    from flowctl_rt import warn

    os.makedirs(os.path.dirname(target), exist_ok=True)
    made = tempfile.mkdtemp(prefix=".new-", dir=os.path.dirname(target))
    try:
        new = os.path.join(made, "new")
        write(new)
        os.rename(new, target)  # a folder that another task has made meanwhile is not replaced
    except OSError:
        if not os.path.exists(target):
            raise
    else:
        warn("/%s/%s is made up here: it has the fields of Databricks' own, and other rows" % (TOP, name))
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _orders(folder):
    """Sales orders of 2019, as JSON lines in several files."""
    import json

    os.makedirs(folder)
    files = [[] for _ in range(4)]
    for i in range(_ORDERS):
        at = _first_order + i * 365 * _day // _ORDERS + i * 37 % _day // 2
        bought = [_PRODUCTS[(i + k) % len(_PRODUCTS)] for k in range(1 + i % 3)]
        files[i % 4].append(json.dumps({
            "clicked_items": [[p[0], str(1 + i % 60)] for p in bought],
            "customer_id": str(1000 + i % 90), "customer_name": "Customer %d" % (i % 90),
            "number_of_line_items": str(len(bought)), "order_datetime": str(at), "order_number": str(317567777 + i),
            "ordered_products": [
                {"curr": "USD", "id": p[0], "name": p[1], "price": p[2], "promotion_info": None, "qty": 1 + (i + n) % 3, "unit": "pcs"}
                for n, p in enumerate(bought)
            ],
            "promo_info": [],
        }))
    for n, lines in enumerate(files):
        _text(os.path.join(folder, "part-%05d.json" % n), lines)


def _customers(folder):
    os.makedirs(folder)
    head = "customer_id,tax_id,tax_code,customer_name,state,city,postcode,street,number,unit,region,district,lon,lat,ship_to_address,valid_from,valid_to,units_purchased,loyalty_segment"
    lines = [head]
    for i in range(90):
        town, state = _TOWNS[i % len(_TOWNS)]
        lines.append("%d,,,Customer %d,%s,%s,%05d,Main Street,%d,,,,-87.%d,41.%d,\"%s, %s\",1532824233,1548137353,%d,%d" % (
            1000 + i, i, state, town, 60600 + i, 1 + i, 600 + i, 800 + i, state, town, i * 7 % 40, i % 4))
    _text(os.path.join(folder, "customers.csv"), lines)


def _products(folder):
    os.makedirs(folder)
    lines = ["product_id;product_category;product_name;sales_price;EAN13;EAN5;product_unit"]
    lines += ["%s;Audio;%s;%d;%.13e;%d;pcs" % (p[0], p[1], p[2], 4.5e12 + i, 40000 + i) for i, p in enumerate(_PRODUCTS)]
    _text(os.path.join(folder, "products.csv"), lines)


def _wine(start):
    def write(path):
        names = ("fixed acidity", "volatile acidity", "citric acid", "residual sugar", "chlorides", "free sulfur dioxide",
                 "total sulfur dioxide", "density", "pH", "sulphates", "alcohol", "quality")
        lines = [";".join('"%s"' % n for n in names)]
        for i in range(start, start + 600):
            a = [(i * p % 97) / 97 for p in (3, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41)]
            quality = min(8, max(3, round(4 + 2.5 * a[10] - 1.5 * a[1] + a[9])))
            lines.append(";".join(("%.4g" % v) for v in (
                4.6 + 8 * a[0], 0.12 + a[1], a[2], 1 + 12 * a[3], 0.02 + 0.3 * a[4], 1 + round(60 * a[5]), 8 + round(180 * a[6]),
                0.99 + 0.013 * a[7], 2.8 + a[8], 0.3 + a[9], 8.4 + 6 * a[10], quality)))
        _text(path, lines)

    return write


def _events(folder):
    os.makedirs(folder)
    for n in range(4):
        _text(os.path.join(folder, "file-%d.json" % n),
              ['{"time":%d,"action":"%s"}' % (1469501107 + n * 3600 + i * 90, ("Open", "Close")[i % 2]) for i in range(40)])


def _text(path, lines):
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")


_SETS = {
    "retail-org/sales_orders": _orders,
    "retail-org/customers": _customers,
    "retail-org/products": _products,
    "wine-quality/winequality-red.csv": _wine(1),
    "wine-quality/winequality-white.csv": _wine(5000),
    "structured-streaming/events": _events,
}
