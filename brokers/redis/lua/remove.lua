-- Delete messages that are somewhere else now. ARGV: again, and for each message its id and the state it had.
-- One that was taken up meanwhile stays.

although_memory_is_full()
for i = 2, #ARGV, 2 do
  local id, state = ARGV[i], ARGV[i + 1]
  if state == 'dead' then
    local queue = redis.call('HGET', key('dead-letter', id), 'queue')
    if queue then redis.call('ZREM', key('dead', queue), id) end
    redis.call('UNLINK', key('dead-letter', id), key('dead-payload', id))
  else
    local message = redis.call('HMGET', key('message', id), 'queue', 'due', 'seq')
    local removed = 0
    if message[1] and state == 'delayed' then
      removed = redis.call('ZREM', key('delayed', message[1]), id)
    elseif message[1] then
      removed = redis.call('ZREM', key('ready', message[1]), member_of(id, message[3], message[2]))
    end
    if removed == 1 then
      redis.call('UNLINK', key('message', id), key('payload', id))
      redis.call('ZREM', key('tried', message[1]), id)
    end
  end
end
