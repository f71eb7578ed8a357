-- Store messages. ARGV: again, time, token of this call, and for each message its id, queue, actor,
-- payload, priority, delay, unique key and how long that stays taken.
-- Returns one character for each: 1 stored, 0 there already.

local RECEIPT_MS = 60000

local receipt = key('receipt', ARGV[3])
if again then
  local answer = redis.call('GET', receipt)
  if answer then
    -- A write, because the wait that follows is for what this connection wrote, and for all before it.
    redis.call('PEXPIRE', receipt, RECEIPT_MS)
    return answer
  end
end
local now = clock(ARGV[2])
local answers = {}
for i = 4, #ARGV, 8 do
  local stored = store({
    id = ARGV[i], queue = ARGV[i + 1], actor = ARGV[i + 2], payload = ARGV[i + 3], priority = ARGV[i + 4],
    due = now + tonumber(ARGV[i + 5]), enqueued = now, deliveries = 0, crashes = 0, error = '',
    unique_key = ARGV[i + 6], unique_for = tonumber(ARGV[i + 7]),
  }, now)
  answers[#answers + 1] = stored and '1' or '0'
end
local answer = table.concat(answers)
redis.call('SET', receipt, answer, 'PX', RECEIPT_MS)
return answer
