-- Applies one batch of one partition, once: fence, cells, seen ids and changed sites in one step.
--
-- KEYS  1 fence hash · 2 changed sites (sorted set) · 3 its version counter
--       4 touched windows (sorted set) · 5 their causes (hash)
--       then, in the order of the payload: hashes to add to, hashes to raise, pairs of a hash and the set behind it,
--       sketches (their names without the part), hashes of facts, sets of seen ids
-- ARGV  1 fence field (app and topic) · 2 offset before the batch · 3 its last offset
--       4 seconds that cells live · 5 seconds that seen ids live · 6 seconds that members live · 7 payload, MessagePack:
--         {adds = {{field, amount, …}, …}, maxima = {{field, value, …}, …},
--          unions = {{field, {member, …}, …}, …}, sketches = {lines of members, …}, parts = number,
--          facts = {{field, text, …}, …}, touches = {window, cause, …}, sites = {…}}; a sketch is parted by the last
--          letter of its members, and how many there are is the sum of the parts
--       from 8 on: ids of one set each, 16 bytes an id (MessagePack's binary type is unknown to the server)
-- Answers COLD, DUP, GAP or OK; anything but OK has changed nothing. core/fence.py is the model of this decision.

local applied = redis.call('HGET', KEYS[1], ARGV[1])
if not applied then return 'COLD' end
applied = tonumber(applied)
if tonumber(ARGV[3]) <= applied then return 'DUP' end
if tonumber(ARGV[2]) ~= applied then return 'GAP' end

local payload = cmsgpack.unpack(ARGV[7])
local key = 5

for _, cells in ipairs(payload.adds) do
  key = key + 1
  for i = 1, #cells, 2 do
    redis.call('HINCRBY', KEYS[key], cells[i], cells[i + 1])
  end
  redis.call('EXPIRE', KEYS[key], ARGV[4])
end

for _, cells in ipairs(payload.maxima) do
  key = key + 1
  for i = 1, #cells, 2 do
    -- Values are epoch milliseconds as strings: a Lua number would be written in scientific notation.
    local now = redis.call('HGET', KEYS[key], cells[i])
    if not now or tonumber(now) < tonumber(cells[i + 1]) then
      redis.call('HSET', KEYS[key], cells[i], cells[i + 1])
    end
  end
end

for _, cells in ipairs(payload.unions) do
  local counts, set = KEYS[key + 1], KEYS[key + 2]
  key = key + 2
  for i = 1, #cells, 2 do
    local fresh = 0
    for _, member in ipairs(cells[i + 1]) do
      fresh = fresh + redis.call('SADD', set, cells[i] .. '|' .. member)
    end
    if fresh > 0 then redis.call('HINCRBY', counts, cells[i], fresh) end
  end
  redis.call('EXPIRE', counts, ARGV[4])
  redis.call('EXPIRE', set, ARGV[6])
end

local CHUNK = 1000 -- unpack() has a limited stack
for _, lines in ipairs(payload.sketches) do
  key = key + 1
  local name = KEYS[key] .. ':' -- of its parts: in the same slot, as the hash tag is the partition's
  local parts = {}
  for part = 0, payload.parts - 1 do parts[part] = {} end
  for member in string.gmatch(lines, '[^\n]+') do
    local members = parts[string.byte(member, -1) % payload.parts]
    members[#members + 1] = member
  end
  -- Asking once is cheaper than telling each part: they are made together and live a quarter longer than they must.
  local left = redis.call('TTL', name .. 0)
  for part, members in pairs(parts) do
    for start = 1, #members, CHUNK do
      redis.call('PFADD', name .. part, unpack(members, start, math.min(start + CHUNK - 1, #members)))
    end
    if left < tonumber(ARGV[4]) then
      if #members == 0 then redis.call('PFADD', name .. part) end
      redis.call('EXPIRE', name .. part, math.floor(ARGV[4] * 1.25))
    end
  end
end

for _, cells in ipairs(payload.facts) do
  key = key + 1
  for i = 1, #cells, 2 do
    redis.call('HSETNX', KEYS[key], cells[i], cells[i + 1])
  end
end

for place = 8, #ARGV do
  local blob = ARGV[place]
  key = key + 1
  local members = {}
  for start = 1, #blob, 16 do
    members[#members + 1] = string.sub(blob, start, start + 15)
    if #members == CHUNK then
      redis.call('SADD', KEYS[key], unpack(members))
      members = {}
    end
  end
  if #members > 0 then redis.call('SADD', KEYS[key], unpack(members)) end
  redis.call('EXPIRE', KEYS[key], ARGV[5])
end

if #payload.sites > 0 then
  local version = redis.call('INCR', KEYS[3])
  for _, site in ipairs(payload.sites) do
    redis.call('ZADD', KEYS[2], version, site)
  end
  for i = 1, #payload.touches, 2 do
    local window, cause = payload.touches[i], payload.touches[i + 1]
    redis.call('ZADD', KEYS[4], version, window)
    local now = redis.call('HGET', KEYS[5], window)
    if not now or tonumber(now) < tonumber(cause) then redis.call('HSET', KEYS[5], window, cause) end
  end
end

redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 'OK'
