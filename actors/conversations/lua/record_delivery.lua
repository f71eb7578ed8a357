-- The channel tells of a reply's delivery. ARGV: again, time, keep, call, its id, the channel's id, the status, how
-- far along that is, '1' when the contact did not get it, '1' when no more is waited for, and the error if there is one.
-- Returns 1, or 0 when it is no step forward.

although_memory_is_full()
local call, id, sid = ARGV[4], ARGV[5], ARGV[6]
local former = former_answer(call)
if former then return former end
local reply = key('reply', id)
local fields = redis.call('HMGET', reply, 'state', 'sid', 'delivery_rank', 'times_sent_again')
local state, rank = fields[1], fields[3]
if not state then return 0 end
if fields[4] and fields[2] and (fields[2] == sid) ~= (ACCEPTED[state] == true) then
  return receipted(call, 0)  -- of the sending before, which is of no interest any more
end
if not ACCEPTED[state] then
  was_sent(id, sid, '', '0')  -- whatever we thought
  rank = nil
end
if tonumber(ARGV[8]) <= tonumber(rank or -1) then return receipted(call, 0) end
if ACCEPTED[state] and not fields[2] then
  -- A person said that it was sent. With the channel's id a late callback can be told from those of the next sending.
  redis.call('HSET', reply, 'sid', sid)
  redis.call('SET', key('sid', sid), id)
end
if state == 'undelivered' then become_sent(id, sid, fields[2]) end  -- it did arrive, after all
move(id, ARGV[9] == '1' and 'undelivered' or 'sent', 'delivery_status', ARGV[7], 'delivery_rank', ARGV[8])
if ARGV[9] == '1' or ARGV[10] == '1' then redis.call('ZREM', base .. ':open', id) end
if ARGV[11] then redis.call('HSET', reply, 'error', ARGV[11]) end
return receipted(call, 1)
