-- /// mainstay
-- description = "By day and carrier: flights, cancellations, delay"
-- slice = "day"
-- tags = { purpose = "dashboard" }
-- checks.not_null = ["day", "carrier"]
-- checks.unique = [["day", "carrier"]]
-- checks.range = { flights = { min = 1 } }
-- checks.no_impossible = { sql = "SELECT * FROM air.daily_delays WHERE flights < cancelled", severity = "warn" }
-- ///
SELECT
    day,
    carrier,
    count(*) AS flights,
    count(*) FILTER (WHERE cancelled) AS cancelled,
    avg(dep_delay) AS delay
FROM air.departures
GROUP BY day, carrier
