-- Return the address under which the conversation with a contact is kept; begin one where there is none. ARGV: again, time,
-- keep, conversation, account, address, contact, channel, the digest of an opt-out, what is told of one, the channel's id
-- of the contact, and the digest of an opt-out for that.

local conversation, id = ARGV[4], ARGV[11]
local place = by_contact_id(ARGV[5], ARGV[6], id)
local known = redis.call('GET', place)
known = known and redis.call('HGET', key('conversation', known), 'contact')
if known then return known end
know(conversation, ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10])
own_address(ARGV[5], ARGV[6], ARGV[8])
local about = key('conversation', conversation)
-- A number that went to somebody else keeps the id that it had first.
if redis.call('HSETNX', about, 'contact_id', id) == 1 then
  redis.call('HSET', about, 'contact_digest', ARGV[12])
  redis.call('SET', place, conversation)
  if redis.call('ZSCORE', base .. ':opt-outs', ARGV[12]) then set_mode(conversation, 'nobody', ARGV[10]) end
end
touch(conversation)
return ARGV[7]
