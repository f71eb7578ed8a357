-- A process stops consuming. What it still holds goes back. ARGV: again, owner.

although_memory_is_full()
return take_over(ARGV[2], clock(''), false, 0, '')
