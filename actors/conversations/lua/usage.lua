-- For scripts that count what is used: sums of a day, in days since the epoch, by our address and model, and by
-- conversation. Those of a conversation are kept as long as what was said in it.

local DAY_MS = 86400000

local function today() return math.floor(now / DAY_MS) end

-- The first day of which what was said is kept.
local function first_kept_day() return math.floor((now - tonumber(keep_ms)) / DAY_MS) end

-- Forget the days of a conversation that are over, before its first count of a day.
local function forget_days(of_conversation)
  for _, field in ipairs(redis.call('HKEYS', of_conversation)) do
    if tonumber(string.match(field, '^%d+')) < first_kept_day() then redis.call('HDEL', of_conversation, field) end
  end
end

-- Add to the sums of today: of each its name in SUMS, and how much.
local function count(conversation, model, ...)
  local address = redis.call('HGET', key('conversation', conversation), 'address')
  if not address then return end
  local day, more = digits(today()), {...}
  local sums, of_conversation, all = key('usage', day), key('usage-of', conversation), base .. ':usage-contacts'
  for i = 1, #more, 2 do
    if tonumber(more[i + 1]) ~= 0 then
      ask('HINCRBY', sums, more[i] .. '|' .. address .. '|' .. model, more[i + 1])
      ask('HINCRBY', of_conversation, day .. '|' .. more[i], more[i + 1])
    end
  end
  if redis.call('ZSCORE', all, conversation) ~= day then
    forget_days(of_conversation)
    redis.call('ZADD', all, day, conversation)
    redis.call('ZREMRANGEBYSCORE', all, '-inf', '(' .. digits(first_kept_day()))
  end
  redis.call('PEXPIRE', sums, digits((SUMS_KEPT_DAYS + 1) * DAY_MS))
  keep(false, of_conversation, all)
end
