-- Remember or forget the opt-out of a contact that is known by a digest alone. ARGV: again, time, keep, the digest,
-- '1' to remember it.

although_memory_is_full()
if ARGV[5] == '1' then
  redis.call('ZADD', base .. ':opt-outs', 'NX', digits(now), ARGV[4])
else
  redis.call('ZREM', base .. ':opt-outs', ARGV[4])
end
