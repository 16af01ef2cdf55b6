-- /// mainstay
-- description = "The ten days with the longest delay of a week, over all days: the end of a chain"
-- ///
SELECT day, carrier, delay
FROM air.week_delays
ORDER BY delay DESC NULLS LAST, day, carrier
LIMIT 10
