-- Say in other words what a contact said. ARGV: again, time, keep, name, body.

local inbound = key('inbound', ARGV[4])
if redis.call('EXISTS', inbound) == 1 then redis.call('HSET', inbound, 'body', ARGV[5]) end
