-- The keys of conversations with a contact, also of those that are gone but for their key. ARGV: again, time, keep, how
-- many to pass over, how many to look at, a part of an address or an id that the contact is known by.
-- Returns how many were looked at, and the key of each that matches.

local first, text = tonumber(ARGV[4]), ARGV[6]
local page = redis.call('ZREVRANGE', base .. ':conversations', first, first + ARGV[5] - 1)
local answer = {#page}
for _, conversation in ipairs(page) do
  local contact = string.match(conversation, '^[^|]*|[^|]*|(.*)$') or ''
  local names = redis.call('HMGET', key('conversation', conversation), 'writes_from', 'contact_id')
  local known_as = table.concat({contact, names[1] or '', names[2] or ''}, '\n')
  if string.find(known_as, text, 1, true) then answer[#answer + 1] = conversation end
end
return answer
