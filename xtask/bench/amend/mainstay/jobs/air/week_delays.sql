-- /// mainstay
-- description = "By day and carrier: the delay of a departure over the last seven days"
-- slice = "day"
-- ///
SELECT
    day,
    carrier,
    CAST(sum(minutes) OVER week AS DOUBLE) / nullif(sum(flights - cancelled) OVER week, 0) AS delay
FROM air.daily_delays
WINDOW week AS (PARTITION BY carrier ORDER BY day RANGE BETWEEN INTERVAL '6' DAY PRECEDING AND CURRENT ROW)
