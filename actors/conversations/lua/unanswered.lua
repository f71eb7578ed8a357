-- What waits for an answer. ARGV: again, time, keep, conversation. Returns what utterance() says of each message.

local said = {}
for _, member in ipairs(waiting(ARGV[4])) do said[#said + 1] = utterance(name_of(member)) end
return said
