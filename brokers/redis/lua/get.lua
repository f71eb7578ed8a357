-- One message, live or else dead. ARGV: again, id. Returns what show() gives of it, or nothing.

local id, answer = ARGV[2], {}
local fields = redis.call('HMGET', key('message', id), 'queue', 'due', 'seq')
if fields[1] then
  local state = 'running'
  if redis.call('ZSCORE', key('delayed', fields[1]), id) then
    state = 'delayed'
  elseif redis.call('ZSCORE', key('ready', fields[1]), member_of(id, fields[3], fields[2])) then
    state = 'ready'
  end
  show(answer, id, state)
elseif redis.call('EXISTS', key('dead-letter', id)) == 1 then
  show(answer, id, 'dead')
end
return answer
