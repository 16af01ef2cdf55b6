-- /// mainstay
-- description = "By day and airport: delays beside the weather that they may come from"
-- slice = "day"
-- checks.row_count = { min = 1, max = 3 }
-- ///
SELECT
    d.day,
    d.origin,
    count(*) AS flights,
    avg(d.dep_delay) AS delay,
    count(*) FILTER (WHERE d.cancelled) AS cancelled,
    max(w.wind) AS wind,
    max(w.rain) AS rain,
    min(w.visibility) AS visibility
FROM air.departures AS d
LEFT JOIN air.daily_weather AS w ON w.day = d.day AND w.origin = d.origin
GROUP BY d.day, d.origin
