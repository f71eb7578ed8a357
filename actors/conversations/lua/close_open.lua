-- Look at a reply no more. ARGV: again, time, keep, and its id.

although_memory_is_full()
return redis.call('ZREM', base .. ':open', ARGV[4])
