-- /// mainstay
-- description = "By month and carrier: the report that goes out"
-- slice = "month"
-- checks.unique = [["month", "carrier"]]
-- ///
SELECT
    CAST(date_trunc('month', day) AS DATE) AS month,
    carrier,
    sum(flights) AS flights,
    sum(cancelled) AS cancelled,
    sum(delay * (flights - cancelled)) / nullif(sum(flights - cancelled), 0) AS delay
FROM air.daily_delays
GROUP BY CAST(date_trunc('month', day) AS DATE), carrier
