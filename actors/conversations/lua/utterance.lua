-- For scripts that return what a contact said: the author, text, when it came in, the message's name and its payload;
-- or nothing when there is no such message.

local function utterance(name)
  local fields = redis.call('HMGET', key('inbound', name), 'body', 'received_at', 'payload')
  if fields[1] then return {'contact', fields[1], fields[2], name, fields[3]} end
end
