-- Take the right to answer, when nobody has it, when this holder did already, or from one whose hold is void.
-- ARGV: again, time, keep, conversation, holder, void holder. Returns the fence, or who holds it, or nothing
-- when there is no such conversation. Refused when the memory is full: no answer could be written.

local conversation, holder, void = key('conversation', ARGV[4]), ARGV[5], ARGV[6]
local fields = redis.call('HMGET', conversation, 'created_at', 'holder')
local other = fields[2]
if not fields[1] then return false end
if other and other ~= holder and other ~= void then return other end
local fence = next_in_sequence()
redis.call('HSET', conversation, 'holder', holder, 'fence', fence)
return tonumber(fence)
