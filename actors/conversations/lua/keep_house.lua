-- See to it that a page of conversations is kept for as long as it may be, and no longer: the server deletes by itself
-- what is at rest for that long. What a process of an earlier version changed meanwhile is put right in the set of those
-- that nobody answers. ARGV: again, time, keep, how many to pass over, how many to look at.
-- Returns how many were looked at, and how many of these are still there.

local function keep_all(conversation)
  for _, id in ipairs(redis.call('ZRANGE', key('replies', conversation), 0, -1)) do
    local fields = redis.call('HMGET', key('reply', id), 'state', 'sid')
    if fields[1] and not OWED[fields[1]] then
      keep(false, key('reply', id), key('answers', id), key('model-call', id))
      if fields[2] then keep(false, key('sid', fields[2])) end
      for _, name in ipairs(redis.call('LRANGE', key('answers', id), 0, -1)) do keep(false, key('inbound', name)) end
    end
  end
  for _, member in ipairs(redis.call('ZRANGE', key('set-aside', conversation), 0, -1)) do
    keep(false, key('inbound', name_of(member)))
  end
  touch(conversation)
end

local first, there = tonumber(ARGV[4]), 0
local conversations, with_nobody = base .. ':conversations', base .. ':with-nobody'
local page = redis.call('ZRANGE', conversations, first, first + ARGV[5] - 1)
for _, conversation in ipairs(page) do
  local about = key('conversation', conversation)
  local fields = redis.call('HMGET', about, 'contact', 'mode')
  if not fields[1] then
    redis.call('ZREM', conversations, conversation)
  else
    there = there + 1
    if fields[2] == 'person' then keep_all(conversation) end
    if fields[2] == 'nobody' then
      although_memory_is_full()
      redis.call('PERSIST', about)
      redis.call('ZADD', with_nobody, redis.call('ZSCORE', conversations, conversation), conversation)
      local texts = redis.call('EXISTS', key('replies', conversation), key('unanswered', conversation),
        key('set-aside', conversation))
      if texts == 0 then
        redis.call('HDEL', about, 'metadata')
        redis.call('UNLINK', key('notes', conversation))
      end
    end
  end
end
for _, conversation in ipairs(redis.call('ZRANGE', with_nobody, first, first + ARGV[5] - 1)) do
  if redis.call('HGET', key('conversation', conversation), 'mode') ~= 'nobody' then
    redis.call('ZREM', with_nobody, conversation)
  end
end
return {#page, there}
