-- /// mainstay
-- description = "By day and airport: the weather in one row"
-- slice = "day"
-- checks.unique = [["day", "origin"]]
-- ///
SELECT
    day,
    origin,
    min(temp) AS coldest,
    max(temp) AS warmest,
    max(wind_speed) AS wind,
    sum(precip) AS rain,
    min(visib) AS visibility
FROM air.weather
GROUP BY day, origin
