-- /// mainstay
-- description = "By plane: how much it flew"
-- checks.unique = ["tailnum"]
-- checks.reference = { tailnum = "air.planes.tailnum" }
-- ///
SELECT
    p.tailnum,
    p.manufacturer,
    p.model,
    p.seats,
    count(*) AS flights,
    sum(d.distance) AS miles
FROM air.departures AS d
JOIN air.planes AS p ON p.tailnum = d.tailnum
WHERE NOT d.cancelled
GROUP BY p.tailnum, p.manufacturer, p.model, p.seats
