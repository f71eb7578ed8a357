-- End a call of the model. ARGV: again, time, keep, the holder. Returns how many were ended.

redis.call('HDEL', key('calls-of', ''), ARGV[4])
return redis.call('ZREM', key('calls', ''), ARGV[4])
