-- What a person has to decide about, newest first. ARGV: again, time, keep, and how many at most.
-- Returns of each its id or name, conversation, text, when it was said, and the state and error of a reply.

local limit, found, first = tonumber(ARGV[4]), {}, 0
local set = base .. ':attention'
while #found < limit do
  local members = redis.call('ZREVRANGE', set, first, first + limit - 1)
  if #members == 0 then break end
  first = first + #members
  for _, member in ipairs(members) do
    local kind, id = string.match(member, '^(%l+):(.*)$')
    local fields = redis.call('HMGET', key(kind, id), 'conversation', 'body', kind == 'reply' and 'written_at' or 'received_at',
      'state', 'error')
    if fields[1] and #found < limit then
      found[#found + 1] = {id, fields[1], fields[2], fields[3], fields[4], fields[5]}
    end
  end
end
return found
