-- For scripts that hear that a reply was sent. What the channel told of the delivery before was about another sending.

local function was_sent(id, sid)
  local reply = key('reply', id)
  local fields = redis.call('HMGET', reply, 'state', 'sid')
  if not FOLLOWS.sent[fields[1]] then return end
  if fields[2] ~= sid then redis.call('HDEL', reply, 'delivery_status', 'delivery_rank') end
  redis.call('SET', key('sid', sid), id)
  redis.call('HDEL', reply, 'error')
  move(id, 'sent', 'sid', sid, 'sent_at', digits(now))
end
