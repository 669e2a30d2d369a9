select * from {{ ref('orders') }} where amount > {{ var('most', 100) }}
