-- Add a message. ARGV: again, time, keep, call, its name, conversation, account, address, contact, channel, the
-- channel's id of it, body, payload, when it came in, the contact's name ('' for unknown), the digest of an opt-out, and
-- what is told of one. Returns 1, or 0 when it is known.

local call, name, conversation = ARGV[4], ARGV[5], ARGV[6]
local inbound = key('inbound', name)
local stored_by = redis.call('HGET', inbound, 'stored_by')
if again and stored_by == call then
  although_memory_is_full()
  return 1
end
if stored_by then return 0 end
local seq = next_in_sequence()
local about = key('conversation', conversation)
if redis.call('HSETNX', about, 'created_at', digits(now)) == 1 then
  redis.call('HSET', about, 'account_sid', ARGV[7], 'address', ARGV[8], 'contact', ARGV[9], 'channel', ARGV[10])
  if redis.call('ZSCORE', base .. ':opt-outs', ARGV[16]) then set_mode(conversation, 'nobody', ARGV[17]) end
end
redis.call('HSET', inbound, 'conversation', conversation, 'message_sid', ARGV[11], 'body', ARGV[12],
  'payload', ARGV[13], 'received_at', ARGV[14], 'seq', seq, 'stored_by', call)
redis.call('ZADD', key('unanswered', conversation), ARGV[14], member_of(seq, name))
own_address(ARGV[7], ARGV[8], ARGV[10])
local heard_at = tonumber(redis.call('HGET', about, 'heard_at') or 0)
redis.call('HSET', about, 'heard_at', digits(math.max(heard_at, tonumber(ARGV[14]))))
if ARGV[15] ~= '' then redis.call('HSET', about, 'name', ARGV[15]) end
touch(conversation)
was_said(conversation)
return 1
