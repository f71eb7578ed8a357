-- Tell whether some reply is this message of the channel's. ARGV: again, time, keep, its id there. Returns 1 or 0.

return redis.call('EXISTS', key('sid', ARGV[4]))
