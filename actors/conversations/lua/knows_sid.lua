-- Whether some reply is this Twilio message. ARGV: again, time, keep, sid. Returns 1 or 0.

return redis.call('EXISTS', key('sid', ARGV[4]))
