-- The text of a message or a reply. ARGV: again, time, keep, account, the channel's id, and the name that it would
-- have as a message. Returns the text, or nothing.

local reply = redis.call('GET', key('sid', ARGV[5]))
if reply then
  local fields = redis.call('HMGET', key('reply', reply), 'body', 'conversation')
  local account = fields[2] and redis.call('HGET', key('conversation', fields[2]), 'account_sid')
  if account == ARGV[4] then return fields[1] end
end
return redis.call('HGET', key('inbound', ARGV[6]), 'body')
