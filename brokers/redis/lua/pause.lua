-- Pause a queue, or resume it. ARGV: again, queue, '1' to pause it.

ask('HSETNX', base .. ':queues', ARGV[2], 0)
if ARGV[3] == '1' then
  ask('SADD', base .. ':paused', ARGV[2])
else
  ask('SREM', base .. ':paused', ARGV[2])
  wake(ARGV[2], ask('SCARD', key('waiting', ARGV[2])))
end
