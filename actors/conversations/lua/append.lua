-- Add a message. ARGV: again, time, keep, call, its name, conversation, account, address, contact, channel, the
-- channel's id of it, body, payload, when it came in, the contact's name ('' for unknown), the digest of an opt-out, and
-- what is told of one, the name as it is searched for, the address that the contact writes from, and who takes the right
-- to answer ('' for nobody). Returns 1, or 0 when it is known; and the fence of the hold, where it was free.

local call, name, conversation = ARGV[4], ARGV[5], ARGV[6]

local function appended(is_new)
  return {is_new, ARGV[20] ~= '' and hold(conversation, ARGV[20], '')}
end

local inbound = key('inbound', name)
local stored_by = redis.call('HGET', inbound, 'stored_by')
if again and stored_by == call then
  although_memory_is_full()
  return appended(1)
end
if stored_by then return appended(0) end
local seq = next_in_sequence()
local about = key('conversation', conversation)
know(conversation, ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[16], ARGV[17])
redis.call('HSET', inbound, 'conversation', conversation, 'message_sid', ARGV[11], 'body', ARGV[12],
  'payload', ARGV[13], 'received_at', ARGV[14], 'seq', seq, 'stored_by', call)
redis.call('ZADD', key('unanswered', conversation), ARGV[14], member_of(seq, name))
own_address(ARGV[7], ARGV[8], ARGV[10])
local heard_at = tonumber(redis.call('HGET', about, 'heard_at') or 0)
if tonumber(ARGV[14]) >= heard_at then
  if ARGV[19] == ARGV[9] then redis.call('HDEL', about, 'writes_from')
  else redis.call('HSET', about, 'writes_from', ARGV[19]) end
end
redis.call('HSET', about, 'heard_at', digits(math.max(heard_at, tonumber(ARGV[14]))))
if tonumber(ARGV[14]) > heard_at then
  local unread = base .. ':unread'
  redis.call('ZREMRANGEBYSCORE', unread, '-inf', '(' .. digits(now - tonumber(keep_ms)))
  redis.call('ZADD', unread, digits(now), conversation)
  keep(false, unread)
end
if ARGV[15] ~= '' then redis.call('HSET', about, 'name', ARGV[15], 'called', ARGV[18]) end
touch(conversation)
was_said(conversation)
return appended(1)
