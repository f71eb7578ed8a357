-- Find conversations by their contacts, latest first. ARGV: again, time, keep, the latest time at which something was
-- last said in them, how many to pass over, how many to look at, a part of the name ('' for none), and parts of the
-- address.
-- Returns how many were looked at, and of each that matches its key and when something was last said.

local latest, first, called = ARGV[4], tonumber(ARGV[5]), ARGV[7]
local page = redis.call('ZREVRANGEBYSCORE', base .. ':conversations', latest, '-inf', 'WITHSCORES', 'LIMIT', first,
  ARGV[6])
local answer = {#page / 2}

local function is_meant(contact, writes_from, name)
  for i = 8, #ARGV do
    if string.find(contact, ARGV[i], 1, true) then return true end
    if writes_from and string.find(writes_from, ARGV[i], 1, true) then return true end
  end
  return called ~= '' and name and string.find(name, called, 1, true)
end

for i = 1, #page, 2 do
  local about = redis.call('HMGET', key('conversation', page[i]), 'contact', 'writes_from', 'called', 'name')
  -- What was stored before names were searched for has none to be searched for.
  if about[1] and is_meant(about[1], about[2], about[3] or about[4] and string.lower(about[4])) then
    answer[#answer + 1] = page[i]
    answer[#answer + 1] = page[i + 1]
  end
end
return answer
