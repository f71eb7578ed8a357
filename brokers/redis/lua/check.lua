-- Prove that the server takes writes. ARGV: again.

redis.call('SET', base .. ':checked', digits(clock('')))
