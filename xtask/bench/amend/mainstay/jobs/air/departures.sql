-- /// mainstay
-- description = "Flights with their airline's name: joins a dimension"
-- slice = "day"
-- ///
SELECT
    f.day,
    f.carrier,
    a.name AS airline,
    f.flight,
    f.origin,
    f.dest,
    f.distance,
    f.dep_delay,
    f.arr_delay,
    f.dep_time IS NULL AS cancelled,
    coalesce(f.dep_delay > 15, false) AS late
FROM air.flights AS f
JOIN air.airlines AS a ON a.carrier = f.carrier
