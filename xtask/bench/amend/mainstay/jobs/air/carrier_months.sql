-- /// mainstay
-- description = "By month and carrier"
-- slice = "month"
-- ///
SELECT
    CAST(date_trunc('month', day) AS DATE) AS month,
    carrier,
    sum(flights) AS flights,
    sum(cancelled) AS cancelled,
    CAST(sum(minutes) AS DOUBLE) / nullif(sum(flights - cancelled), 0) AS delay
FROM air.daily_delays
GROUP BY CAST(date_trunc('month', day) AS DATE), carrier
