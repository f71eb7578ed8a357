-- Pause a queue, or resume it. ARGV: again, queue, '1' to pause it.

redis.call('HSETNX', base .. ':queues', ARGV[2], 0)
if ARGV[3] == '1' then
  redis.call('SADD', base .. ':paused', ARGV[2])
else
  redis.call('SREM', base .. ':paused', ARGV[2])
  wake(ARGV[2], redis.call('SCARD', key('waiting', ARGV[2])))
end
