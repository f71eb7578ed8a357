-- The conversations with a reply that a person has to decide about, latest first. ARGV: again, time, keep, and how many
-- replies are looked at.
-- Returns of each its key, when something was last said, and the address that its contact writes from now, '' where
-- that is still the first one.

local seen, answer = {}, {}
for _, member in ipairs(redis.call('ZREVRANGE', base .. ':attention', 0, ARGV[4] - 1)) do
  local id = string.match(member, '^reply:(.*)$')
  local conversation = id and redis.call('HGET', key('reply', id), 'conversation')
  local last_at = conversation and redis.call('ZSCORE', base .. ':conversations', conversation)
  if last_at and not seen[conversation] then
    seen[conversation] = true
    local writes_from = redis.call('HGET', key('conversation', conversation), 'writes_from')
    answer[#answer + 1] = {conversation, last_at, writes_from or ''}
  end
end
return answer
