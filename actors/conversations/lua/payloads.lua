-- All that came with some messages. ARGV: again, time, keep, names. Returns a payload for each, or nothing.

local payloads = {}
for i = 4, #ARGV do payloads[#payloads + 1] = redis.call('HGET', key('inbound', ARGV[i]), 'payload') end
return payloads
