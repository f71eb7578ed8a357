-- Prove that the server takes writes. ARGV: again. Returns since when it has kept what is Recado's.

ask('SET', base .. ':checked', digits(clock('')))
return kept_since()
