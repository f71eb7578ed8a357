-- What waits for an answer. ARGV: again, time, keep, conversation. Returns each message's payload.

local payloads = {}
for i, member in ipairs(waiting(ARGV[4])) do
  payloads[i] = redis.call('HGET', key('inbound', name_of(member)), 'payload')
end
return payloads
