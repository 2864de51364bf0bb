-- Puts a fence where there is none, and notes beside it what is counted anew from there, if state of our format may be
-- written here: looked at in the same step, since another program may be taking everything away at this moment.
--
-- KEYS  1 fence hash · 2 hash of what is counted anew
-- ARGV  1 fence field · 2 offset · 3 version of our format · 4 epoch ms now · 5 the note, JSON ('' = none)
-- Answers '' if it is our format, else the one found; then nothing was changed. A fence that stands is left alone.

local format = redis.call('HGET', KEYS[1], 'format')
if format and format ~= ARGV[3] then return format end
redis.call('HSETNX', KEYS[1], 'format', ARGV[3])
redis.call('HSETNX', KEYS[1], 'since', ARGV[4])
if redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2]) == 1 and ARGV[5] ~= '' then
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[5])
end
return ''
