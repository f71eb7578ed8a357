-- Find dead letters of a queue, newest first. ARGV: again, queue, how many to pass over, how many to look at,
-- and what they must match, each '' where it does not matter: actor, reason, since and before when they died,
-- a text, and the same as a payload in JSON spells it.
-- Returns how many were looked at, and of each that matches its id and when it died.

local queue, offset, limit, actor, reason, since, before = unpack(ARGV, 2, 8)
local text, text_in_json = ARGV[9], ARGV[10]

local function has_text(id, error)
  if error and string.find(error, text, 1, true) then return true end
  local payload = ask('GET', key('dead-payload', id)) or ''
  return string.find(payload, text, 1, true) or string.find(payload, text_in_json, 1, true)
end

local function matches(id)
  if actor == '' and reason == '' and text == '' then return true end
  local fields = ask('HMGET', key('dead-letter', id), 'actor', 'reason', 'error')
  return (actor == '' or fields[1] == actor) and (reason == '' or fields[2] == reason)
    and (text == '' or has_text(id, fields[3]))
end

local newest = before == '' and '+inf' or '(' .. before
local oldest = since == '' and '-inf' or since
local page = ask('ZREVRANGEBYSCORE', key('dead', queue), newest, oldest, 'WITHSCORES', 'LIMIT', offset, limit)
local answer = {#page / 2}
for i = 1, #page, 2 do
  if matches(page[i]) then
    answer[#answer + 1] = page[i]
    answer[#answer + 1] = page[i + 1]
  end
end
return answer
