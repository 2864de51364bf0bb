-- Takes a revision number for a window, unless somebody else took one since the window was read.
--
-- KEYS  1 what was said in its UTC hour
-- ARGV  1 its start, epoch ms · 2 the number reserved when it was read ('' if none was) · 3 the number to take
--       4 seconds that the hash lives
-- Answers OK or CONFLICT. Numbers are compared as text: a Lua number would lose digits.

local field = ARGV[1] .. '|r'
if (redis.call('HGET', KEYS[1], field) or '') ~= ARGV[2] then return 'CONFLICT' end
redis.call('HSET', KEYS[1], field, ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[4])
return 'OK'
