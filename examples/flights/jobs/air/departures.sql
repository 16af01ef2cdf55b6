-- /// mainstay
-- description = "Flights as people speak of them: the carrier's name, late or not, cancelled or not"
-- slice = "day"
-- checks.not_null = ["day", "carrier", "airline"]
-- checks.accepted = { origin = ["JFK", "LGA", "EWR"] }
-- ///
SELECT
    f.day,
    f.carrier,
    a.name AS airline,
    f.flight,
    f.tailnum,
    f.origin,
    f.dest,
    f.hour,
    f.distance,
    f.dep_delay,
    f.arr_delay,
    f.dep_time IS NULL AS cancelled,
    coalesce(f.dep_delay > 15, false) AS late
FROM air.flights AS f
JOIN air.airlines AS a ON a.carrier = f.carrier
