-- The conversation a message is in. ARGV: again, time, keep, its name, and the id of the reply that it names ('' for
-- none). Returns its key, or nothing.

return redis.call('HGET', key('inbound', ARGV[4]), 'conversation')
  or redis.call('HGET', key('reply', ARGV[5]), 'conversation')
