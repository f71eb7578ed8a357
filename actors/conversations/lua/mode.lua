-- Return who answers in a conversation. ARGV: again, time, keep, conversation. Returns the mode.

return redis.call('HGET', key('conversation', ARGV[4]), 'mode') or 'assistant'
