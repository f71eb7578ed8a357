-- Take the next turn to send from an address of ours. ARGV: again, time, keep, the address, and the milliseconds from
-- this turn to the next. Returns in how many milliseconds this one is.

local interval, next_at = tonumber(ARGV[5]), key('pace', ARGV[4])
local turn = math.max(tonumber(redis.call('GET', next_at) or 0), now)
local wait = math.ceil(turn - now)
redis.call('SET', next_at, string.format('%.3f', turn + interval), 'PX', math.ceil(wait + interval) + 1000)
return wait
