-- For scripts that show messages to people: append to `answer` a message's id, state, queue, actor, payload,
-- priority, deliveries, crashes, when it was enqueued and is due, its last error, its reason for being a dead
-- letter, and when it died. What it does not have is ''.

local function show(answer, id, state)
  local is_dead = state == 'dead'
  local fields = redis.call('HMGET', key(is_dead and 'dead-letter' or 'message', id), 'queue', 'actor',
    'priority', 'deliveries', 'crashes', 'enqueued', 'due', 'error', 'reason', 'died')
  if not fields[1] then return end
  local payload = redis.call('GET', key(is_dead and 'dead-payload' or 'payload', id)) or ''
  for _, field in ipairs({id, state, fields[1], fields[2], payload}) do answer[#answer + 1] = field end
  for i = 3, 10 do answer[#answer + 1] = fields[i] or '' end
end
