-- /// mainstay
-- description = "The ten days on which most flights did not leave"
-- checks.row_count = { max = 10 }
-- ///
SELECT
    day,
    sum(flights) AS flights,
    sum(cancelled) AS cancelled,
    round(100.0 * sum(cancelled) / sum(flights), 1) AS percent
FROM air.daily_delays
GROUP BY day
ORDER BY cancelled DESC, day
LIMIT 10
