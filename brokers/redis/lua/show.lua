-- For scripts that show messages to people, also those that are not whole: append to `answer` a message's id, state, queue, actor, payload,
-- priority, deliveries, crashes, when it was enqueued and is due, its last error, its reason for being a dead
-- letter, and when it died. What it does not have is ''.

-- The queue among whose dead letters an id is.
local function queue_of_dead(id)
  for _, queue in ipairs(ask('HKEYS', base .. ':queues')) do
    if ask('ZSCORE', key('dead', queue), id) then return queue end
  end
end

local function show(answer, id, state, queue)
  local is_dead = state == 'dead'
  local fields = ask('HMGET', key(is_dead and 'dead-letter' or 'message', id), 'queue', 'actor',
    'priority', 'deliveries', 'crashes', 'enqueued', 'due', 'error', 'reason', 'died')
  if ask('EXISTS', key(is_dead and 'dead-letter' or 'message', id)) == 0 then
    queue = queue or is_dead and queue_of_dead(id)
    if not queue then return end
    local died = is_dead and ask('ZSCORE', key('dead', queue), id)
    fields = {queue, '', 0, 0, 0, 0, 0, 'Redis has lost this message.', is_dead and 'undecodable', died}
  end
  local payload = ask('GET', key(is_dead and 'dead-payload' or 'payload', id)) or ''
  for _, field in ipairs({id, state, fields[1] or '', fields[2] or '', payload}) do answer[#answer + 1] = field end
  for i = 3, 10 do answer[#answer + 1] = fields[i] or '' end
end
