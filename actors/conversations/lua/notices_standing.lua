-- How it stands with a receiver. ARGV: again, time, keep, receiver, since when. Returns when to try again, how often it
-- refused in a row, and when it took notices since then, the first first.

local fields = redis.call('HMGET', key('notice-receiver', ARGV[4]), 'not_before', 'failures')
local told = redis.call('ZRANGEBYSCORE', key('notices-told', ARGV[4]), '(' .. ARGV[5], '+inf')
return {fields[1] or '0', fields[2] or '0', told}
