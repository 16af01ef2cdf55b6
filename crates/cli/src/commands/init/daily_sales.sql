-- /// mainstay
-- description = "By day and product: pieces and money"
-- slice = "day"
-- checks.unique = [["day", "product"]]
-- checks.range = { pieces = { min = 1 } }
-- ///
SELECT
    day,
    product,
    sum(pieces) AS pieces,
    sum(pieces * price) AS money
FROM shop.orders
GROUP BY day, product
