-- For scripts that hear that a reply was sent.

local function was_sent(id, sid)
  local reply = key('reply', id)
  local state = redis.call('HGET', reply, 'state')
  if not FOLLOWS.sent[state] then return end
  redis.call('SET', key('sid', sid), id)
  redis.call('HDEL', reply, 'error')
  move(id, 'sent', 'sid', sid, 'sent_at', digits(now))
end
