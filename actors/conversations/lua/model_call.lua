-- How a reply came about. ARGV: again, time, keep, its id.
-- Returns its model, input tokens, tokens, cost and time, what the model was asked, and the tool calls; or nothing when
-- no model wrote it.

local reply = redis.call('HMGET', key('reply', ARGV[4]), 'model', 'input_tokens', 'tokens', 'cost', 'took_ms')
if not reply[1] then return false end
local call = redis.call('HMGET', key('model-call', ARGV[4]), 'prompt', 'tool_calls')
return {reply[1], reply[2], reply[3], reply[4], reply[5], call[1], call[2]}
