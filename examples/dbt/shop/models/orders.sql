select id, customer, cast(amount as double) as amount, cast(day as date) as day
from {{ ref('orders_raw') }}
