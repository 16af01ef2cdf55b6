-- Who is late, and when.

-- /// mainstay
-- job = "air.daily_delays"
-- slice = ["day"]
-- tags = { purpose = "dashboard" }
-- description = '''
-- Delays
--   by day'''
-- retries = 3
-- time_limit = "1.5 h"
-- keep_fresh = "15 min"
-- checks.not_null = ["day", "carrier"]
-- checks.unique = [["day", "carrier"], "id"]
-- checks.accepted = { origin = ["EWR", "O'Hare", 1, 0x1F, 2.50, true, 2013-02-03, 2013-02-03T04:05:06] }
-- checks.range = { flights = { min = 1 }, bounds = { max = "z" } }
-- checks.row_count = { min = 1 }
-- checks.reference = { carrier = "air.airlines.carrier" }
-- checks.no_impossible = { sql = "SELECT * FROM air.daily_delays WHERE flights < cancelled", severity = "warn" }
-- checks.also_known = { not_null = ["flights"], severity = "warn" }
-- ///
SELECT day, carrier, count(*) AS flights
FROM air.flights
GROUP BY day, carrier
