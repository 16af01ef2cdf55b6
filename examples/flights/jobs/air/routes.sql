-- /// mainstay
-- description = "By route: flights and delay over the year, with the destination's name"
-- checks.unique = [["origin", "dest"]]
-- ///
SELECT
    d.origin,
    d.dest,
    p.name AS destination,
    count(*) AS flights,
    avg(d.arr_delay) AS arrival_delay,
    max(d.distance) AS miles
FROM air.departures AS d
LEFT JOIN air.airports AS p ON p.faa = d.dest
GROUP BY d.origin, d.dest, p.name
