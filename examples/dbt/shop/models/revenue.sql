{{ config(materialized='table', liquid_clustered_by='customer') }}

select customer, sum(amount) as total
from {{ ref('orders') }}
group by customer
