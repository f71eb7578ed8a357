-- Prove that the server takes writes. ARGV: again.

ask('SET', base .. ':checked', digits(clock('')))
