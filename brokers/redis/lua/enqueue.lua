-- Store messages. ARGV: again, time, a name for this call, and for each message its id, queue, actor,
-- payload, priority, delay, unique key and how long that stays taken, and how long ago it first came in.
-- Returns one character for each: 1 stored, 0 there already.

local call = ARGV[3]
local former = former_answer(call)
if former then return former end
local now = clock(ARGV[2])
local messages = {}
for i = 4, #ARGV, 9 do
  messages[#messages + 1] = {
    id = ARGV[i], queue = ARGV[i + 1], actor = ARGV[i + 2], payload = ARGV[i + 3], priority = ARGV[i + 4],
    due = now + tonumber(ARGV[i + 5]), enqueued = now - tonumber(ARGV[i + 8]), deliveries = 0, crashes = 0, error = '',
    unique_key = ARGV[i + 6], unique_for = tonumber(ARGV[i + 7]),
  }
end
local answers = store_all(messages, now)
for i, is_new in ipairs(answers) do answers[i] = is_new and '1' or '0' end
return receipted(call, table.concat(answers))
