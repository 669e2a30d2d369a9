"""The tables of samples.tpch. Source of the columns: the TPC-H specification, section 1.4."""
from flowctl_rt.samples_columns import select

_NATIONS = ("ALGERIA ARGENTINA BRAZIL CANADA EGYPT ETHIOPIA FRANCE GERMANY INDIA INDONESIA IRAN IRAQ JAPAN JORDAN KENYA MOROCCO "
            "MOZAMBIQUE PERU CHINA ROMANIA SAUDI_ARABIA VIETNAM RUSSIA UNITED_KINGDOM UNITED_STATES").split()
_REGION_OF = (0, 1, 1, 1, 4, 0, 3, 3, 2, 2, 4, 4, 2, 4, 0, 0, 0, 1, 2, 3, 4, 2, 3, 3, 1)
_REGIONS = ("AFRICA", "AMERICA", "ASIA", "EUROPE", "MIDDLE EAST")


def _one_of(words, at="id"):
    return "element_at(array(%s), CAST(1 + (%s) %% %d AS INT))" % (", ".join("'%s'" % w.replace("_", " ") for w in words), at, len(words))


def _region():
    return select("regionkey BIGINT id\nname STRING %s\ncomment STRING" % _one_of(_REGIONS), 5, "r_")


def _nation():
    region = "element_at(array(%s), CAST(1 + id AS INT))" % ", ".join(map(str, _REGION_OF))
    return select("nationkey BIGINT id\nname STRING %s\nregionkey BIGINT %s\ncomment STRING" % (_one_of(_NATIONS), region), 25, "n_")


def _customer():
    return select("""
        custkey BIGINT id + 1
        name STRING concat('Customer#', lpad(CAST(id + 1 AS STRING), 9, '0'))
        address STRING
        nationkey BIGINT id * 7 % 25
        phone STRING concat(10 + id * 7 % 25, '-555-', lpad(CAST(id % 10000 AS STRING), 4, '0'))
        acctbal DECIMAL(18,2) (id * 7919 % 1099999) / 100 - 999.99
        mktsegment STRING {segment}
        comment STRING""".replace("{segment}", _one_of(("AUTOMOBILE", "BUILDING", "FURNITURE", "HOUSEHOLD", "MACHINERY"))), 750, "c_")


def _orders():
    return select("""
        orderkey BIGINT id + 1
        custkey BIGINT 1 + id * 7 % 750
        orderstatus STRING {status}
        totalprice DECIMAL(18,2) 850 + (id * 7919 % 500000) / 100
        orderdate DATE date_add(DATE '1992-01-01', CAST(id * 13 % 2405 AS INT))
        orderpriority STRING {priority}
        clerk STRING concat('Clerk#', lpad(CAST(1 + id % 100 AS STRING), 9, '0'))
        shippriority INT 0
        comment STRING""".replace("{status}", _one_of("OFP")).replace("{priority}", _one_of(("1-URGENT", "2-HIGH", "3-MEDIUM", "4-NOT SPECIFIED", "5-LOW"))), 3000, "o_")


def _lineitem():
    ordered = "date_add(DATE '1992-01-01', CAST((id div 4) * 13 % 2405 AS INT))"
    return select("""
        orderkey BIGINT 1 + id div 4
        partkey BIGINT 1 + id * 7 % 400
        suppkey BIGINT 1 + id * 3 % 50
        linenumber INT 1 + id % 4
        quantity DECIMAL(18,2) 1 + id * 11 % 50
        extendedprice DECIMAL(18,2) (1 + id * 11 % 50) * (900 + id * 7 % 400)
        discount DECIMAL(18,2) (id % 11) / 100
        tax DECIMAL(18,2) (id % 9) / 100
        returnflag STRING {flag}
        linestatus STRING {status}
        shipdate DATE date_add({ordered}, CAST(1 + id * 17 % 121 AS INT))
        commitdate DATE date_add({ordered}, CAST(30 + id * 13 % 61 AS INT))
        receiptdate DATE date_add({ordered}, CAST(2 + id * 17 % 121 + id % 30 AS INT))
        shipinstruct STRING {how}
        shipmode STRING {mode}
        comment STRING""".replace("{ordered}", ordered).replace("{flag}", _one_of("ANR")).replace("{status}", _one_of("OF"))
        .replace("{how}", _one_of(("DELIVER IN PERSON", "COLLECT COD", "NONE", "TAKE BACK RETURN")))
        .replace("{mode}", _one_of(("AIR", "FOB", "MAIL", "RAIL", "REG AIR", "SHIP", "TRUCK"))), 12000, "l_")


def _part():
    return select("""
        partkey BIGINT id + 1
        name STRING
        mfgr STRING concat('Manufacturer#', 1 + id % 5)
        brand STRING concat('Brand#', 1 + id % 5, 1 + id % 4)
        type STRING {type}
        size INT 1 + id * 7 % 50
        container STRING {box}
        retailprice DECIMAL(18,2) 900 + id % 200
        comment STRING""".replace("{type}", _one_of(("STANDARD BRUSHED TIN", "ECONOMY ANODIZED STEEL", "PROMO PLATED BRASS", "LARGE POLISHED COPPER")))
        .replace("{box}", _one_of(("SM BOX", "LG CASE", "MED BAG", "JUMBO PKG"))), 400, "p_")


def _supplier():
    return select("""
        suppkey BIGINT id + 1
        name STRING concat('Supplier#', lpad(CAST(id + 1 AS STRING), 9, '0'))
        address STRING
        nationkey BIGINT id * 3 % 25
        phone STRING concat(10 + id * 3 % 25, '-555-', lpad(CAST(id % 10000 AS STRING), 4, '0'))
        acctbal DECIMAL(18,2) (id * 7919 % 1099999) / 100 - 999.99
        comment STRING""", 50, "s_")


def _partsupp():
    return select("""
        partkey BIGINT 1 + id % 400
        suppkey BIGINT 1 + (id * 3 + id div 400) % 50
        availqty INT
        supplycost DECIMAL(18,2)
        comment STRING""", 1600, "ps_")


QUERIES = {
    "region": _region, "nation": _nation, "customer": _customer, "orders": _orders, "lineitem": _lineitem, "part": _part, "supplier": _supplier,
    "partsupp": _partsupp,
}
