-- One window as it is at this moment: its mark, what was said of it, and its minutes.
--
-- A window of a partition that was emptied, and whose scans were not all counted again since, is not read: half of it
-- would pass for all.
--
-- KEYS  1 minute cells of its UTC hour · 2 what was said in that hour · 3 touched windows · 4 their causes
--       5 until when everything is counted
-- ARGV  1 its mark (site|start) · 2 its start, epoch ms · 3 its first minute in the hour · 4 the minute after its last
--       5 first minute of the hour that belongs to its business day · 6 field of the scans in 5
-- Answers {version of the mark, cause, said, number reserved, {cell, people, …}, {gate, …}}, texts, '' where there is
-- none: the cells of its minutes, and the gates that have a cell in the hour and day before its end. A mark that is gone
-- answers {''}, as does a window that is not read.

local version = redis.call('ZSCORE', KEYS[3], ARGV[1])
if not version or redis.call('HEXISTS', KEYS[5], ARGV[6]) == 0 then return {''} end
local said = redis.call('HMGET', KEYS[2], ARGV[2], ARGV[2] .. '|r')
local first, after, day = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])

local cells, gates, met = {}, {}, {}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local gate, minute = string.match(all[i], '^(.+)|(%d%d)|[a-z_]+$')
  minute = tonumber(minute)
  if minute and minute < after then
    if minute >= first then
      cells[#cells + 1] = all[i]
      cells[#cells + 1] = all[i + 1]
    end
    if minute >= day and not met[gate] then
      met[gate] = true
      gates[#gates + 1] = gate
    end
  end
end
return {version, redis.call('HGET', KEYS[4], ARGV[1]) or '', said[1] or '', said[2] or '', cells, gates}
