-- ARGV[4] a consumer, ARGV[5] who asks, ARGV[6] renew, release or load. To renew: ARGV[7] a term that may be taken over,
-- or empty; then fields that its holder has changed, each with its value.
local name, asks, what = ARGV[4], ARGV[5], ARGV[6]
if what == 'load' then
  local kept = redis.call('HMGET', CONSUMERS, name .. ':told', name .. ':table')
  return {epoch, last, committed, floor, needed, kept[1], kept[2]}
end
local kept = redis.call('HMGET', CONSUMERS, name .. ':term', name .. ':holder', name .. ':beat')
local term, holder, beat = tonumber(kept[1] or 0), kept[2] or '', tonumber(kept[3] or 0)
local function keep(...) redis.call('HSET', CONSUMERS, ...) end
if holder == asks then
  for i = 8, #ARGV, 2 do keep(name .. ':' .. ARGV[i], ARGV[i + 1]) end
  if what == 'release' then
    holder = ''
    keep(name .. ':holder', '')
  else
    beat = beat + 1
    keep(name .. ':beat', text(beat))
  end
elseif what == 'renew' and (holder == '' or ARGV[7] == text(term) .. ' ' .. text(beat) .. ' ' .. holder) then
  term, holder, beat = term + 1, asks, 0
  keep(name .. ':term', text(term), name .. ':holder', holder, name .. ':beat', '0')
end
return {epoch, last, committed, floor, needed, term, holder, beat}
