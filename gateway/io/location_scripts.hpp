#pragma once

// What the store does in one step (Redis EVAL). Keys and values are whole arguments, whatever
// octets are in them: nothing is put together from what a user says but the key of that user.
namespace trunkline::io {

/// KEYS: start number of the node. ARGV: Unix time in ms. → the number of this start: higher than
/// all before, whatever the clock says.
inline constexpr const char* kBeginScript = R"lua(
local epoch = math.max(tonumber(ARGV[1]), tonumber(redis.call('GET', KEYS[1]) or '0') + 1)
redis.call('SET', KEYS[1], string.format('%.0f', epoch), 'PX', 604800000)
return epoch
)lua";

/// KEYS: sign of life of the node. ARGV: epoch, life time in ms. → 1: it was there; 0: it was not,
/// and what else this node has written may be gone too; -1: a later start of that name lives.
inline constexpr const char* kBeatScript = R"lua(
local was = redis.call('GET', KEYS[1])
if was and tonumber(was) > tonumber(ARGV[1]) then return -1 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if was == ARGV[1] then return 1 end
return 0
)lua";

/// KEYS: sign of life of the node. ARGV: epoch. The node goes: nobody follows its bindings any
/// more.
inline constexpr const char* kFarewellScript = R"lua(
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
)lua";

/// KEYS: binding, bindings of the user. ARGV: fresh (1, 0), node, epoch, at, life time in ms, then
/// names and values. → at, as it is kept; -1: another node has a later registration, or a later
/// start of this one has written.
inline constexpr const char* kPublishScript = R"lua(
local was = redis.call('HMGET', KEYS[1], 'node', 'epoch', 'at')
local at = tonumber(ARGV[4])
if was[1] then
  local own = was[1] == ARGV[2]
  if own and tonumber(was[2]) > tonumber(ARGV[3]) then return -1 end
  if ARGV[1] == '1' then
    if not own then at = math.max(at, tonumber(was[3]) + 1) end
  elseif not own and tonumber(was[3]) > at then
    return -1
  end
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'node', ARGV[2], 'epoch', ARGV[3], 'at', string.format('%.0f', at),
           unpack(ARGV, 6))
redis.call('PEXPIRE', KEYS[1], ARGV[5])
if redis.call('SCARD', KEYS[2]) >= 16 then
  for _, key in ipairs(redis.call('SMEMBERS', KEYS[2])) do
    if redis.call('EXISTS', key) == 0 then redis.call('SREM', KEYS[2], key) end
  end
end
redis.call('SADD', KEYS[2], KEYS[1])
if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[5]) then redis.call('PEXPIRE', KEYS[2], ARGV[5]) end
return at
)lua";

/// KEYS: binding, bindings of the user. ARGV: node, epoch. → 1: it was this node's, and is gone.
inline constexpr const char* kWithdrawScript = R"lua(
local was = redis.call('HMGET', KEYS[1], 'node', 'epoch')
if was[1] ~= ARGV[1] or tonumber(was[2]) > tonumber(ARGV[2]) then return 0 end
redis.call('DEL', KEYS[1])
redis.call('SREM', KEYS[2], KEYS[1])
return 1
)lua";

/// KEYS: bindings of the user. ARGV: the node that asks, prefix of the signs of life. → of each
/// binding of another node that lives, at most 32: node, address, id, contact, instance, agent,
/// transport, source, registered, life time in ms.
inline constexpr const char* kFindScript = R"lua(
local found = {}
for _, key in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local one = redis.call('HMGET', key, 'node', 'address', 'id', 'contact', 'instance', 'agent',
                         'transport', 'source', 'registered', 'epoch')
  if #found < 32 and one[1] and one[1] ~= ARGV[1] and
     redis.call('GET', ARGV[2] .. one[1]) == one[10] then
    one[10] = redis.call('PTTL', key)
    found[#found + 1] = one
  end
end
return found
)lua";

}  // namespace trunkline::io
