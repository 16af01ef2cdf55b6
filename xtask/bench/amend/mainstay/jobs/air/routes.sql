-- /// mainstay
-- description = "By route, over all days"
-- ///
SELECT
    origin,
    dest,
    count(*) AS flights,
    avg(arr_delay) AS arrival_delay,
    max(distance) AS miles
FROM air.departures
GROUP BY origin, dest
