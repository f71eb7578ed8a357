-- Our addresses. ARGV: again, time, keep. Returns each as account, address and channel, with bars between.

return redis.call('SMEMBERS', base .. ':addresses')
