-- Take it on to ask the channel about deliveries, for one process in so many milliseconds. ARGV: again, time, keep,
-- call, how many. Returns 1, or 0 when another process did.

local name, call = base .. ':delivery-check', ARGV[4]
if redis.call('SET', name, call, 'NX', 'PX', ARGV[5]) then return 1 end
return redis.call('GET', name) == call and 1 or 0
