-- What was said lately in the conversations of a page, for a search. ARGV: again, time, keep, how many conversations to
-- pass over, how many to look at, and how many messages and replies of each.
-- Returns how many were looked at, and of each text its conversation, contact, name, message id, author, text and time.

local first, limit = tonumber(ARGV[4]), tonumber(ARGV[6])
local page = redis.call('ZREVRANGE', base .. ':conversations', first, first + ARGV[5] - 1)
local answer = {#page}

for _, conversation in ipairs(page) do
  local about = redis.call('HMGET', key('conversation', conversation), 'contact', 'name')
  local left = limit

  local function add(id, author, body, at)
    if not body or left <= 0 then return end
    left = left - 1
    if body ~= '' then answer[#answer + 1] = {conversation, about[1], about[2], id, author, body, at} end
  end

  local function heard(name)
    local fields = redis.call('HMGET', key('inbound', name), 'body', 'received_at')
    add(name, 'contact', fields[1], fields[2])
  end

  if about[1] then
    for _, kind in ipairs({'unanswered', 'set-aside'}) do
      for _, member in ipairs(redis.call('ZREVRANGE', key(kind, conversation), 0, limit - 1)) do
        heard(name_of(member))
      end
    end
    for _, id in ipairs(redis.call('ZREVRANGE', key('replies', conversation), 0, limit - 1)) do
      if left <= 0 then break end
      local fields = redis.call('HMGET', key('reply', id), 'body', 'written_at')
      add('reply.' .. id, 'us', fields[1], fields[2])
      for _, name in ipairs(redis.call('LRANGE', key('answers', id), -left, -1)) do heard(name) end
    end
  end
end
return answer
