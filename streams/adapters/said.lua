-- Keeps what was published about a window, and takes its mark away unless it was touched again since it was read.
--
-- KEYS  1 what was said in its UTC hour · 2 touched windows · 3 their causes
-- ARGV  1 its start, epoch ms · 2 the revision that was published ('' if there was nothing to say) · 3 what was said
--       4 its mark · 5 version of the mark when it was read · 6 seconds that the hash lives
-- Answers OK, or CONFLICT if another number was reserved since: then somebody else says it again.

if ARGV[2] ~= '' then
  if redis.call('HGET', KEYS[1], ARGV[1] .. '|r') ~= ARGV[2] then return 'CONFLICT' end
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
  redis.call('EXPIRE', KEYS[1], ARGV[6])
end
if redis.call('ZSCORE', KEYS[2], ARGV[4]) == ARGV[5] then
  redis.call('ZREM', KEYS[2], ARGV[4])
  redis.call('HDEL', KEYS[3], ARGV[4])
end
return 'OK'
