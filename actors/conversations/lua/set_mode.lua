-- Decide who answers in a conversation. ARGV: again, time, keep, conversation, mode, reason, '1' when the contact opts
-- in: only then it goes out of `nobody`; and the digest of an opt-out. Returns 1, or 0 when nothing changed.

although_memory_is_full()
local about = key('conversation', ARGV[4])
if redis.call('EXISTS', about) == 0 then
  if ARGV[7] == '1' then redis.call('ZREM', base .. ':opt-outs', ARGV[8]) end
  return 0
end
if redis.call('HGET', about, 'mode') == 'nobody' and ARGV[7] ~= '1' then
  -- This call itself may have done it before its answer was lost.
  return again and ARGV[5] == 'nobody' and 1 or 0
end
set_mode(ARGV[4], ARGV[5], ARGV[6])
if ARGV[7] == '1' then
  redis.call('ZREM', base .. ':opt-outs', ARGV[8], redis.call('HGET', about, 'contact_digest') or ARGV[8])
end
touch(ARGV[4])
return 1
