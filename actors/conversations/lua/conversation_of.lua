-- The conversation a message is in. ARGV: again, time, keep, its name. Returns its key, or nothing.

return redis.call('HGET', key('inbound', ARGV[4]), 'conversation')
