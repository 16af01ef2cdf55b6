MODEL (
  name air.routes,
  description 'By route, over all days',
  kind FULL,
  end '2013-12-31'
);

SELECT
  origin,
  dest,
  count(*) AS flights,
  avg(arr_delay) AS arrival_delay,
  max(distance) AS miles
FROM air.departures
GROUP BY origin, dest
