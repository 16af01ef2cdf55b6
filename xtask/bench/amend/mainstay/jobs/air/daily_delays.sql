-- /// mainstay
-- description = "By day and carrier: the middle of a chain"
-- slice = "day"
-- ///
SELECT
    day,
    carrier,
    count(*) AS flights,
    count(*) FILTER (WHERE cancelled) AS cancelled,
    count(*) FILTER (WHERE late) AS late,
    sum(dep_delay) AS minutes
FROM air.departures
GROUP BY day, carrier
