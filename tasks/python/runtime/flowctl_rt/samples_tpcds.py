"""The tables of samples.tpcds_sf1 and tpcds_sf1000 that are made here, of one
small size: sales and returns in stores, sales by web and catalog, and what
they refer to. Source of the columns: the TPC-DS specification, section 2."""
from flowctl_rt.samples_columns import select

_FIRST_DAY = 2450815  # the key of 1998-01-01: its Julian day
_DAYS = 2191  # to the end of 2003
_CUSTOMERS, _STORES, _ITEMS, _ADDRESSES = 400, 12, 200, 300


def _day(step):
    """The key of a day of 1998 to 2002, for the row id."""
    return "%d + id * %d %% 1826" % (_FIRST_DAY, step)


def _date_dim():
    day = "date_add(DATE '1998-01-01', CAST(id AS INT))"
    return select("""
        date_sk INT {first} + id
        date_id STRING concat('AAAAAAAA', lpad(CAST(id AS STRING), 8, 'A'))
        date DATE {day}
        month_seq INT (year({day}) - 1900) * 12 + month({day}) - 1
        week_seq INT ({first} + id - 2415022 + 1) div 7 + 1
        quarter_seq INT (year({day}) - 1900) * 4 + quarter({day})
        year INT year({day})
        dow INT dayofweek({day}) - 1
        moy INT month({day})
        dom INT day({day})
        qoy INT quarter({day})
        fy_year INT year({day})
        fy_quarter_seq INT (year({day}) - 1900) * 4 + quarter({day})
        fy_week_seq INT ({first} + id - 2415022 + 1) div 7 + 1
        day_name STRING date_format({day}, 'EEEE')
        quarter_name STRING concat(year({day}), 'Q', quarter({day}))
        holiday STRING if(month({day}) = 12 AND day({day}) = 25, 'Y', 'N')
        weekend STRING if(dayofweek({day}) IN (1, 7), 'Y', 'N')
        following_holiday STRING if(month({day}) = 12 AND day({day}) = 26, 'Y', 'N')
        first_dom INT {first} + datediff(trunc({day}, 'MM'), DATE '1998-01-01')
        last_dom INT {first} + datediff(last_day({day}), DATE '1998-01-01')
        same_day_ly INT {first} + id - 365
        same_day_lq INT {first} + id - 91
        current_day STRING 'N'
        current_week STRING 'N'
        current_month STRING 'N'
        current_quarter STRING 'N'
        current_year STRING 'N'""".replace("{first}", str(_FIRST_DAY)).replace("{day}", day), _DAYS, "d_")


def _customer():
    return select("""
        customer_sk INT id + 1
        customer_id STRING concat('AAAAAAAA', lpad(CAST(id + 1 AS STRING), 8, 'A'))
        current_cdemo_sk INT
        current_hdemo_sk INT
        current_addr_sk INT 1 + id * 7 % {addresses}
        first_shipto_date_sk INT {day}
        first_sales_date_sk INT {day}
        salutation STRING element_at(array('Mr.', 'Ms.', 'Dr.', 'Mrs.'), CAST(1 + id % 4 AS INT))
        first_name STRING
        last_name STRING
        preferred_cust_flag STRING if(id % 2 = 0, 'Y', 'N')
        birth_day INT 1 + id % 28
        birth_month INT 1 + id % 12
        birth_year INT 1930 + id * 7 % 65
        birth_country STRING element_at(array('UNITED STATES', 'CANADA', 'FRANCE', 'JAPAN'), CAST(1 + id % 4 AS INT))
        login STRING
        email_address STRING concat('customer', id + 1, '@example.com')
        last_review_date STRING CAST({day} AS STRING)""".replace("{addresses}", str(_ADDRESSES)).replace("{day}", _day(11)), _CUSTOMERS, "c_")


_PLACE = """
        street_number STRING CAST(1 + id * 7 % 999 AS STRING)
        street_name STRING element_at(array('Main', 'Oak', 'Park', 'Spring'), CAST(1 + id % 4 AS INT))
        street_type STRING element_at(array('Street', 'Avenue', 'Road'), CAST(1 + id % 3 AS INT))
        suite_number STRING concat('Suite ', id % 100)
        city STRING element_at(array('Midway', 'Fairview', 'Oak Grove', 'Five Points'), CAST(1 + id % 4 AS INT))
        county STRING element_at(array('Williamson County', 'Ziebach County', 'Walker County'), CAST(1 + id % 3 AS INT))
        state STRING element_at(array('TN', 'SD', 'GA', 'TX', 'OH'), CAST(1 + id % 5 AS INT))
        zip STRING lpad(CAST(30000 + id * 7 % 9000 AS STRING), 5, '0')
        country STRING 'United States'
        gmt_offset DECIMAL(5,2) -5"""


def _customer_address():
    return select("""
        address_sk INT id + 1
        address_id STRING concat('AAAAAAAA', lpad(CAST(id + 1 AS STRING), 8, 'A'))""" + _PLACE + """
        location_type STRING element_at(array('apartment', 'condo', 'single family'), CAST(1 + id % 3 AS INT))""", _ADDRESSES, "ca_")


def _store():
    return select("""
        store_sk INT id + 1
        store_id STRING concat('AAAAAAAA', lpad(CAST(id + 1 AS STRING), 8, 'A'))
        rec_start_date DATE DATE '1997-03-13'
        rec_end_date DATE NULL
        closed_date_sk INT NULL
        store_name STRING element_at(array('ought', 'able', 'pri', 'ese'), CAST(1 + id % 4 AS INT))
        number_employees INT 200 + id * 7 % 100
        floor_space INT 5000000 + id * 7919
        hours STRING element_at(array('8AM-4PM', '8AM-8AM', '8AM-12AM'), CAST(1 + id % 3 AS INT))
        manager STRING
        market_id INT 1 + id % 10
        geography_class STRING 'Unknown'
        market_desc STRING
        market_manager STRING
        division_id INT 1
        division_name STRING 'Unknown'
        company_id INT 1
        company_name STRING 'Unknown'""" + _PLACE + """
        tax_precentage DECIMAL(5,2) (id % 12) / 100""", _STORES, "s_")


def _item():
    return select("""
        item_sk INT id + 1
        item_id STRING concat('AAAAAAAA', lpad(CAST(id + 1 AS STRING), 8, 'A'))
        rec_start_date DATE DATE '1997-10-27'
        rec_end_date DATE NULL
        item_desc STRING
        current_price DECIMAL(7,2) 1 + (id * 7919 % 9900) / 100
        wholesale_cost DECIMAL(7,2) 1 + (id * 7919 % 6000) / 100
        brand_id INT 1001001 + id % 20
        brand STRING concat('brand #', id % 20)
        class_id INT 1 + id % 16
        class STRING element_at(array('dresses', 'pants', 'pop', 'classical'), CAST(1 + id % 4 AS INT))
        category_id INT 1 + id % 5
        category STRING element_at(array('Women', 'Men', 'Music', 'Books', 'Home'), CAST(1 + id % 5 AS INT))
        manufact_id INT 1 + id % 100
        manufact STRING
        size STRING element_at(array('small', 'medium', 'large', 'N/A'), CAST(1 + id % 4 AS INT))
        formulation STRING
        color STRING element_at(array('red', 'blue', 'green', 'white'), CAST(1 + id % 4 AS INT))
        units STRING 'Each'
        container STRING 'Unknown'
        manager_id INT 1 + id % 100
        product_name STRING""", _ITEMS, "i_")


_MONEY = "wholesale_cost list_price sales_price ext_discount_amt ext_sales_price ext_wholesale_cost ext_list_price ext_tax coupon_amt"


def _amounts(names):
    return "\n".join(n + " DECIMAL(7,2)" for n in names.split())


def _keys(days, buyers, more):
    """The columns of sales that lead to days, buyers and the rest."""
    lines = ["%s INT %s" % (name, _day(step)) for name, step in days]
    lines += ["item_sk INT 1 + id * 7 %% %d" % _ITEMS]
    for who in buyers:
        lines += ["%scustomer_sk INT 1 + id * 13 %% %d" % (who, _CUSTOMERS), who + "cdemo_sk INT", who + "hdemo_sk INT", "%saddr_sk INT 1 + id * 11 %% %d" % (who, _ADDRESSES)]
    return "\n".join(lines + more) + "\n"


def _store_sales():
    return select(_keys([("sold_date_sk", 7)], [""], ["sold_time_sk INT id * 97 % 86400", "store_sk INT 1 + id %% %d" % _STORES, "promo_sk INT",
                         "ticket_number INT 1 + id div 4", "quantity INT 1 + id % 100"]) + _amounts(_MONEY + " net_paid net_paid_inc_tax net_profit"), 6000, "ss_")


def _store_returns():
    return select(_keys([("returned_date_sk", 7)], [""], ["return_time_sk INT 28800 + id * 97 % 32000", "store_sk INT 1 + id %% %d" % _STORES, "reason_sk INT 1 + id % 35",
                         "ticket_number INT 1 + id div 2", "return_quantity INT 1 + id % 100"])
                  + _amounts("return_amt return_tax return_amt_inc_tax fee return_ship_cost refunded_cash reversed_charge store_credit net_loss"), 3000, "sr_")


def _elsewhere(site, prefix):
    paid = " net_paid net_paid_inc_tax net_paid_inc_ship net_paid_inc_ship_tax net_profit"
    return select(_keys([("sold_date_sk", 7), ("ship_date_sk", 7)], ["bill_", "ship_"], ["sold_time_sk INT id * 97 % 86400"] + site + [
        "ship_mode_sk INT 1 + id % 20", "warehouse_sk INT 1 + id % 5", "promo_sk INT", "order_number INT 1 + id div 4", "quantity INT 1 + id % 100",
    ]) + _amounts(_MONEY + " ext_ship_cost" + paid), 6000, prefix)


def _web_sales():
    return _elsewhere(["web_page_sk INT 1 + id % 60", "web_site_sk INT 1 + id % 30"], "ws_")


def _catalog_sales():
    return _elsewhere(["call_center_sk INT 1 + id % 6", "catalog_page_sk INT"], "cs_")


QUERIES = {
    "date_dim": _date_dim, "customer": _customer, "customer_address": _customer_address, "store": _store, "item": _item, "store_sales": _store_sales,
    "store_returns": _store_returns, "web_sales": _web_sales, "catalog_sales": _catalog_sales,
}
