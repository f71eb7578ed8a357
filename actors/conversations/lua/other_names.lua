-- What else a contact is known by. ARGV: again, time, keep, conversation.

return redis.call('HMGET', key('conversation', ARGV[4]), 'writes_from', 'contact_id')
