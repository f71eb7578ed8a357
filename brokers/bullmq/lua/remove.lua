-- Delete messages that are somewhere else now. ARGV: again, and for each message its names as for get.lua and its state.
-- One that is running, or in another state, stays.

although_memory_is_full()
for i = 2, #ARGV, 4 do
  local queue, id = find(ARGV[i], ARGV[i + 1], ARGV[i + 2])
  local state = queue and state_of(queue, id)
  -- A delay may be over since the message was listed.
  local is_waiting = (state == 'ready' or state == 'delayed') and (ARGV[i + 3] == 'ready' or ARGV[i + 3] == 'delayed')
  if is_waiting or (state == 'dead' and ARGV[i + 3] == 'dead') then
    removeJob(queue, {id, '0', start_of(queue)}, id)
    redis.call('ZREM', tried(queue), id)
  end
end
