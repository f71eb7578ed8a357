-- A reply was sent. ARGV: again, time, keep, its id, the channel's id of it, and how
-- many messages it is to the channel ('' for unknown).

although_memory_is_full()
was_sent(ARGV[4], ARGV[5])
if ARGV[6] ~= '' and redis.call('EXISTS', key('reply', ARGV[4])) == 1 then
  redis.call('HSET', key('reply', ARGV[4]), 'segments', ARGV[6])
end
