-- Changes one field of a hash if it still holds what was read.
--
-- KEYS  1 the hash
-- ARGV  1 field · 2 its text when it was read ('' if it was not there) · 3 its new text
-- Answers OK or CONFLICT.

if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then return 'CONFLICT' end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 'OK'
