-- Delete messages that are somewhere else now. ARGV: again, and for each message its id and the state it had.
-- One that was taken up meanwhile stays.

although_memory_is_full()
for i = 2, #ARGV, 2 do
  local id, state = ARGV[i], ARGV[i + 1]
  if state == 'dead' then
    local queue = ask('HGET', key('dead-letter', id), 'queue')
    if queue then ask('ZREM', key('dead', queue), id) end
    ask('UNLINK', key('dead-letter', id), key('dead-payload', id))
  else
    local m, removed = place_of(id, '', 0), 0
    if state == 'delayed' then
      removed = ask('ZREM', key('delayed', m.queue), id)
    else
      removed = ask('ZREM', key('ready', m.queue), member_of(id, m.seq, m.due))
    end
    if removed == 1 then
      ask('UNLINK', key('message', id), key('payload', id))
      ask('ZREM', key('tried', m.queue), id)
    end
  end
end
