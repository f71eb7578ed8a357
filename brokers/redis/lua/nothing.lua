-- Write nothing, and fail where a write would.

although_memory_is_full()
