-- The code of the dissector. F (constants), NAMES (of values) and LAYERS (of fields) stand in
-- front of it: control/cli/dissector/generate.ts.
--
-- - Numbers are read in the order that each layer's own flag says.
-- - A unicast packet does not say whether it carries RPC or a group's message (the address
--   does, to its owner): told by form, as `proteus decode` does.
-- - Fragments are gathered at the first pass; the frame that completes a message shows it.
--   What is kept is bounded: the oldest unfinished message goes, and beyond so many bytes of
--   finished ones no more are put together.

local PENDING_MAX = 512
local PIECES_MAX = 65536
local KEPT_BYTES_MAX = 256 * 1024 * 1024

local proteus = Proto("proteus", "Proteus fragment control")
local flip = Proto("proteus.flip", "Fast Local Internet Protocol (Amoeba)")
local rpc = Proto("proteus.rpc", "Amoeba RPC")
local header = Proto("proteus.header", "Amoeba message header")
local group = Proto("proteus.group", "Amoeba group communication")

proteus.prefs.reassemble =
  Pref.bool("Put fragmented messages together", true, "Show a message whole in the frame that completes it")
proteus.prefs.check =
  Pref.bool("Verify checks", true, "Compute the check of CHECKED frames and of HELLO")

-- Fields

local registered = {}

local function register(field)
  registered[#registered + 1] = field
  return field
end

local function make_field(field)
  local names = field.names and NAMES[field.names] or nil
  if field.kind == "bytes" or field.bytes > 4 then
    return register(ProtoField.bytes(field.filter, field.label))
  elseif field.kind == "signed" then
    local kind = field.bytes == 2 and ProtoField.int16 or ProtoField.int32
    return register(kind(field.filter, field.label, base.DEC, names))
  end
  local kinds = { ProtoField.uint8, ProtoField.uint16, ProtoField.uint24, ProtoField.uint32 }
  local shown = field.hex and base.HEX or base.DEC
  return register(kinds[field.bytes](field.filter, field.label, shown, names))
end

for _, layer in pairs(LAYERS) do
  for _, field in ipairs(layer) do
    field.proto_field = make_field(field)
    for _, part in ipairs(field.parts) do
      part.proto_field =
        register(ProtoField.bool(field.filter .. "." .. part.name, part.label, field.bytes * 8, nil, part.mask))
    end
  end
end

local CHECK = register(ProtoField.uint32("proteus.check", "Check of the frame", base.HEX))
local CHECK_GOOD = register(ProtoField.bool("proteus.check.good", "The check holds"))
local HELLO_GOOD = register(ProtoField.bool("proteus.hello.good", "The check holds"))
local PROTO = register(ProtoField.uint32("proteus.flip.proto", "Protocol", base.DEC, {
  [F.PROTOCOL_RPC] = "RPC",
  [F.PROTOCOL_GROUP] = "group",
}))
local DATA = register(ProtoField.bytes("proteus.data", "Data"))
local FORWARD = register(ProtoField.bytes("proteus.rpc.forward", "Address of the new server"))
local REPEAT_START = register(ProtoField.uint32("proteus.rpc.repeat.start", "From byte"))
local REPEAT_END = register(ProtoField.uint32("proteus.rpc.repeat.end", "To byte"))
local SYNC = register(ProtoField.uint16("proteus.group.sync", "Must answer"))
local JOINER = register(ProtoField.bytes("proteus.group.join.address", "Joiner's address"))
local STATE = register(ProtoField.uint32("proteus.group.result.state", "State"))
local IN_FRAME = register(ProtoField.framenum("proteus.flip.reassembled.in", "Message put together in frame"))
local OF_FRAME =
  register(ProtoField.framenum("proteus.flip.fragment", "Fragment", base.NONE, frametype.NONE))
local WHOLE = register(ProtoField.uint32("proteus.flip.reassembled.length", "Length of the whole message"))
proteus.fields = registered

local MALFORMED = ProtoExpert.new("proteus.malformed", "Malformed", expert.group.MALFORMED, expert.severity.ERROR)
local BAD_CHECK =
  ProtoExpert.new("proteus.check.bad", "The check does not hold", expert.group.CHECKSUM, expert.severity.ERROR)
proteus.experts = { MALFORMED, BAD_CHECK }

local eth_dst = Field.new("eth.dst")
local eth_src = Field.new("eth.src")
local eth_type = Field.new("eth.type")

local function number_at(tvb, at, bytes, little)
  local range = tvb(at, bytes)
  if little then return range:le_uint() end
  return range:uint()
end

--- Adds the fields of a layer that begins at `base`.
local function add_layer(tree, tvb, layer, base_at, little)
  for _, field in ipairs(LAYERS[layer]) do
    local range = tvb(base_at + field.at, field.bytes)
    local item
    if field.bytes > 4 or not (little or field.little) then
      item = tree:add(field.proto_field, range)
    else
      item = tree:add_le(field.proto_field, range)
    end
    for _, part in ipairs(field.parts) do
      item:add(part.proto_field, range)
    end
  end
end

local function field_named(layer, name)
  for _, field in ipairs(LAYERS[layer]) do
    if field.name == name then return field end
  end
end

local function add_field(tree, tvb, layer, name, base_at, little)
  local field = field_named(layer, name)
  local range = tvb(base_at + field.at, field.bytes)
  if field.bytes <= 4 and (little or field.little) then return tree:add_le(field.proto_field, range) end
  return tree:add(field.proto_field, range)
end

local function malformed(tree, why)
  tree:add_proto_expert_info(MALFORMED, why)
end

local function name_of(names, value)
  return NAMES[names][value] or tostring(value)
end

local function hex(range)
  return range:bytes():tohex(true)
end

-- The check of frames between two Proteus machines: core-wasm/wire/check.ts

local function signed_half(low, high)
  local value = low + high * 256
  return value < 32768 and value or value - 65536
end

--- The check of a binary string, without its own bytes.
local function check_of(bytes)
  local length = #bytes
  local padded = bytes .. string.rep("\0", (64 - length % 64) % 64)
  local sums, sums_of_sums = { 0, 0, 0, 0 }, { 0, 0, 0, 0 }
  for block = 0, #padded - 64, 64 do
    for quarter = 0, 3 do
      local low_factor, high_factor = 4 * quarter + 1, 4 * quarter + 3
      for word = 0, 3 do
        local a, b, c, d = padded:byte(block + quarter * 16 + word * 4 + 1, block + quarter * 16 + word * 4 + 4)
        sums[word + 1] = sums[word + 1] + signed_half(a, b) * low_factor + signed_half(c, d) * high_factor
      end
    end
    for word = 1, 4 do
      sums_of_sums[word] = sums_of_sums[word] + sums[word]
    end
  end
  local wrap = 4294967296
  local function pair(low, high)
    return UInt64.new(low % wrap, high % wrap)
  end
  local h = pair(sums[1], sums[2]) * UInt64.new(0x7f4a7c15, 0x9e3779b9)
    + pair(sums[3], sums[4]) * UInt64.new(0x27d4eb4f, 0xc2b2ae3d)
    + pair(sums_of_sums[1], sums_of_sums[2]) * UInt64.new(0x9e3779f9, 0x165667b1)
    + pair(sums_of_sums[3], sums_of_sums[4]) * UInt64.new(0x165667c5, 0x27d4eb2f)
  h = h:bxor(h:rshift(29))
  h = h * UInt64.new(0x1ce4e5b9, 0xbf58476d)
  h = h:bxor(h:rshift(32))
  local value = h:lower()
  return value == 0 and 1 or value
end

local function judge_check(tree, field, holds)
  tree:add(field, holds):set_generated()
  if not holds then tree:add_proto_expert_info(BAD_CHECK, "the check does not hold") end
end

-- Fragments

local pending, pending_order = {}, {}
local whole_in, parts_of, kept_bytes = {}, {}, 0

function proteus.init()
  pending, pending_order = {}, {}
  whole_in, parts_of, kept_bytes = {}, {}, 0
end

local function forget_oldest()
  while #pending_order > PENDING_MAX do
    pending[table.remove(pending_order, 1)] = nil
  end
end

--- The message when its pieces cover it all.
local function assemble(message)
  local pieces = {}
  for _, piece in pairs(message.pieces) do
    pieces[#pieces + 1] = piece
  end
  table.sort(pieces, function(one, other) return one.offset < other.offset end)
  local parts, at = {}, 0
  for _, piece in ipairs(pieces) do
    if piece.offset > at then return nil end
    local from = at - piece.offset
    if from < #piece.data then
      parts[#parts + 1] = piece.data:sub(from + 1)
      at = piece.offset + #piece.data
    end
  end
  if at < message.total then return nil end
  return table.concat(parts), pieces
end

--- First pass: keeps a fragment; the frame that completes a message gets it.
local function gather(key, fields, data, frame)
  local message = pending[key]
  if message == nil then
    message = { total = fields.total, pieces = {}, count = 0, bytes = 0 }
    pending[key] = message
    pending_order[#pending_order + 1] = key
    forget_oldest()
  end
  local before = message.pieces[fields.offset]
  if message.count >= PIECES_MAX or (before ~= nil and #before.data >= #data) then return end
  message.pieces[fields.offset] = { offset = fields.offset, data = data, frame = frame }
  message.count = message.count + (before == nil and 1 or 0)
  message.bytes = message.bytes + #data - (before and #before.data or 0)
  if message.bytes < message.total or kept_bytes + message.total > KEPT_BYTES_MAX then return end
  local whole, pieces = assemble(message)
  if whole == nil then return end
  kept_bytes = kept_bytes + #whole
  local frames = {}
  for _, piece in ipairs(pieces) do
    frames[#frames + 1] = piece.frame
    parts_of[piece.frame .. "/" .. key] = frame
  end
  whole_in[frame .. "/" .. key] = { data = whole, frames = frames }
  pending[key] = nil
  for index, waiting in ipairs(pending_order) do
    if waiting == key then
      table.remove(pending_order, index)
      break
    end
  end
end

-- The message header

local function dissect_header(tvb, at, little, root, is_reply)
  local tree = root:add(header, tvb(at, F.HEADER))
  for _, name in ipairs({ "port", "signature" }) do
    add_field(tree, tvb, "header", name, at, little)
  end
  local private = add_field(tree, tvb, "header", "priv", at, little)
  add_layer(private, tvb, "private", at + F.HEADER_PRIVATE_AT, little)
  local command = number_at(tvb, at + F.HEADER_COMMAND_AT, 2, little)
  local is_status = is_reply or command >= 32768
  add_field(tree, tvb, "header", is_status and "status" or "command", at, little)
  for _, name in ipairs({ "offset", "size", "extra" }) do
    add_field(tree, tvb, "header", name, at, little)
  end
  local said
  if is_status then
    local value = command >= 32768 and command - 65536 or command
    said = "status " .. name_of("status", value)
  else
    said = "command " .. name_of("command", command)
  end
  tree:append_text(", " .. said)
  return said
end

local function add_data(tvb, at, root)
  if at < tvb:len() then root:add(DATA, tvb(at)) end
end

-- RPC

--- Why an RPC message is none, or nil.
local function rpc_fault(tvb)
  if tvb:len() < F.RPC_HEADER then return "too short for the header of RPC" end
  local kind = tvb(F.RPC_TYPE_AT, 1):uint()
  if NAMES.rpc[kind] == nil then return "unknown type " .. kind .. " of RPC" end
  local rest = tvb:len() - F.RPC_HEADER
  if (kind == F.RPC_REQUEST or kind == F.RPC_REPLY) and rest < F.HEADER then return "the message header is missing" end
  if kind == F.RPC_FORWARD and rest < F.FLIP_ADDRESS then return "the address is missing" end
end

local function dissect_rpc(tvb, root, pinfo)
  local fault = rpc_fault(tvb)
  if fault then
    malformed(root, fault)
    add_data(tvb, 0, root)
    return "RPC malformed"
  end
  local kind = tvb(F.RPC_TYPE_AT, 1):uint()
  local flags = tvb(F.RPC_FLAGS_AT, 1):uint()
  local little = flags % 2 == 0 -- RPC_BIGENDIAN is bit 0
  local tree = root:add(rpc, tvb(0, F.RPC_HEADER))
  add_layer(tree, tvb, "rpc", 0, little)
  local info = string.format(
    "RPC %s port %s, tid %d, thread %d",
    NAMES.rpc[kind],
    hex(tvb(F.RPC_PORT_AT, F.PORT_BYTES)),
    number_at(tvb, F.RPC_TID_AT, 4, little),
    number_at(tvb, F.RPC_FROM_AT, 2, little)
  )
  tree:append_text(", " .. NAMES.rpc[kind])
  pinfo.cols.protocol = "RPC"
  local at = F.RPC_HEADER
  if kind == F.RPC_REQUEST or kind == F.RPC_REPLY then
    info = info .. ", " .. dissect_header(tvb, at, little, root, kind == F.RPC_REPLY)
    at = at + F.HEADER
  elseif kind == F.RPC_FORWARD then
    tree:add(FORWARD, tvb(at, F.FLIP_ADDRESS))
    at = at + F.FLIP_ADDRESS
  elseif kind == F.RPC_REPEAT then
    while at + F.RPC_REPEAT_RANGE <= tvb:len() do
      tree:add_le(REPEAT_START, tvb(at, 4))
      tree:add_le(REPEAT_END, tvb(at + 4, 4))
      at = at + F.RPC_REPEAT_RANGE
    end
  end
  add_data(tvb, at, root)
  return info
end

-- Groups

local function group_length_fits(kind, length)
  if kind == F.GROUP_LOCATE then return length >= F.GROUP_LOCATE_BYTES end
  if kind == F.GROUP_HEREIS then return length >= F.GROUP_HEREIS_BYTES end
  if kind == F.GROUP_JOIN then return length == 0 or length >= F.GROUP_JOIN_MEMBERS_AT + F.GROUP_JOIN_TAIL end
  if kind == F.GROUP_RESULT then return length == 0 or length >= F.GROUP_RESULT_STATES_AT + F.GROUP_RESULT_TAIL end
  if kind == F.GROUP_SYNC then return length % 2 == 0 end
  if kind >= F.GROUP_JOINREQ and kind <= F.GROUP_BCAST then return length == 0 or length >= F.HEADER end
  return true
end

local function group_fault(tvb)
  if tvb:len() < F.GROUP_HEADER then return "too short for the header of a group" end
  local kind = tvb(F.GROUP_TYPE_AT, 1):uint()
  if NAMES.group[kind] == nil then return "unknown type " .. kind .. " of a group" end
  if not group_length_fits(kind, tvb:len() - F.GROUP_HEADER) then
    return "its length does not fit " .. NAMES.group[kind]
  end
end

--- Whether a message that does not say so is a group's: control/kernel/wire.ts.
local function is_group(tvb)
  if group_fault(tvb) then return false end
  local kind = tvb(F.GROUP_TYPE_AT, 1):uint()
  if kind == F.GROUP_LOCATE or tvb(F.GROUP_FLAGS_AT, 1):uint() > F.GROUP_BIGENDIAN then return false end
  local tells_features = kind == F.GROUP_JOINREQ or kind == F.GROUP_JOIN or kind == F.GROUP_RESULT
  return tvb(F.GROUP_RESERVED_AT, 2):le_uint() <= (tells_features and F.EXTENSIONS_ALL or 0)
end

--- JOIN and RESULT behind the message header: rows, then a tail. Only of a whole message.
local function dissect_table(tvb, kind, little, tree)
  local first = F.GROUP_HEADER
  if kind == F.GROUP_JOIN then
    tree:add(JOINER, tvb(first + F.GROUP_JOIN_ADDRESS_AT, F.FLIP_ADDRESS))
    local at = first + F.GROUP_JOIN_MEMBERS_AT
    local number = 0
    while at + F.GROUP_MEMBER_BYTES + F.GROUP_JOIN_TAIL <= tvb:len() do
      local member = tree:add(tvb(at, F.GROUP_MEMBER_BYTES), "Member " .. number)
      add_layer(member, tvb, "member", at, little)
      at = at + F.GROUP_MEMBER_BYTES
      number = number + 1
    end
    add_layer(tree, tvb, "join_tail", at, little)
    return at + F.GROUP_JOIN_TAIL
  end
  local at = first + F.GROUP_RESULT_STATES_AT
  while at + 4 + F.GROUP_RESULT_TAIL <= tvb:len() do
    if little then tree:add_le(STATE, tvb(at, 4)) else tree:add(STATE, tvb(at, 4)) end
    at = at + 4
  end
  add_layer(tree, tvb, "result_tail", at, little)
  return at + F.GROUP_RESULT_TAIL
end

local function dissect_group(tvb, root, pinfo, is_whole)
  local fault = group_fault(tvb)
  if fault then
    malformed(root, fault)
    add_data(tvb, 0, root)
    return "group malformed"
  end
  local kind = tvb(F.GROUP_TYPE_AT, 1):uint()
  local little = tvb(F.GROUP_FLAGS_AT, 1):uint() % 2 == 0 -- GROUP_BIGENDIAN is bit 0
  local tree = root:add(group, tvb(0, F.GROUP_HEADER))
  add_layer(tree, tvb, "group", 0, little)
  tree:append_text(", " .. NAMES.group[kind])
  pinfo.cols.protocol = "group"
  local info = string.format(
    "group %s from member %d, seqno %d, message %d",
    NAMES.group[kind],
    number_at(tvb, F.GROUP_CPU_AT, 2, little),
    number_at(tvb, F.GROUP_SEQNO_AT, 4, little),
    number_at(tvb, F.GROUP_MESSAGE_ID_AT, 4, little)
  )
  local at = F.GROUP_HEADER
  if tvb:len() == at then return info end
  local has_header = kind == F.GROUP_LOCATE or kind == F.GROUP_RESULT
    or (kind >= F.GROUP_JOINREQ and kind <= F.GROUP_BCAST)
  if has_header then
    info = info .. ", " .. dissect_header(tvb, at, little, root, false)
  end
  if kind == F.GROUP_LOCATE then
    add_layer(tree, tvb, "group_locate", at, little)
    at = at + F.GROUP_LOCATE_BYTES
  elseif kind == F.GROUP_HEREIS then
    add_layer(tree, tvb, "group_hereis", at, little)
    at = at + F.GROUP_HEREIS_BYTES
  elseif kind == F.GROUP_SYNC then
    while at + 2 <= tvb:len() do
      if little then tree:add_le(SYNC, tvb(at, 2)) else tree:add(SYNC, tvb(at, 2)) end
      at = at + 2
    end
  elseif (kind == F.GROUP_JOIN or kind == F.GROUP_RESULT) and is_whole then
    at = dissect_table(tvb, kind, little, tree)
  elseif has_header then
    at = at + F.HEADER
  end
  add_data(tvb, at, root)
  return info
end

-- FLIP

local function flip_fault(tvb)
  if tvb:len() < F.FLIP_HEADER then return "too short for the header of FLIP" end
  local kind = tvb(F.FLIP_TYPE_AT, 1):uint()
  if NAMES.flip[kind] == nil then return "unknown type " .. kind .. " of FLIP" end
end

local function sizes_fault(fields, available)
  if fields.length > available then return "length " .. fields.length .. ", but only " .. available .. " bytes arrived" end
  if fields.total > F.FLIP_SIZE_MAX then return "the total is out of range" end
  if fields.offset + fields.length > fields.total then return "offset and length pass the total" end
  if fields.kind == F.FLIP_HEREIS and fields.length ~= F.HEREIS_BYTES then return "a HEREIS with another length" end
end

--- What a message says, from its first byte on; it may be its first fragment only.
local function dissect_message(tvb, to_all, root, tree, pinfo, is_whole)
  if to_all then
    if tvb:len() < F.PROTOCOL_WORD then
      malformed(tree, "a broadcast without a protocol word")
      return "malformed"
    end
    local protocol = tvb(0, F.PROTOCOL_WORD):uint()
    tree:add(PROTO, tvb(0, F.PROTOCOL_WORD))
    if tvb:len() > F.PROTOCOL_WORD then
      local message = tvb(F.PROTOCOL_WORD):tvb()
      if protocol == F.PROTOCOL_RPC then return dissect_rpc(message, root, pinfo) end
      if protocol == F.PROTOCOL_GROUP then return dissect_group(message, root, pinfo, is_whole) end
    end
    malformed(tree, "a broadcast for an unknown protocol")
    add_data(tvb, F.PROTOCOL_WORD, root)
    return "protocol " .. protocol
  end
  if is_group(tvb) then return dissect_group(tvb, root, pinfo, is_whole) end
  return dissect_rpc(tvb, root, pinfo)
end

--- A fragment: gathered, and shown whole where it completes its message.
local function dissect_fragment(payload, fields, to_all, root, tree, pinfo)
  local key = string.format(
    "%s %s %s %d %d", tostring(pinfo.dl_src), fields.source, fields.destination, fields.message, fields.total)
  if not pinfo.visited then gather(key, fields, payload:range():raw(), pinfo.number) end
  local whole = whole_in[pinfo.number .. "/" .. key]
  if whole then
    local shown = ByteArray.new(whole.data, true):tvb("Whole message")
    tree:add(WHOLE, #whole.data):set_generated()
    for _, frame in ipairs(whole.frames) do
      tree:add(OF_FRAME, frame):set_generated()
    end
    return dissect_message(shown, to_all, root, tree, pinfo, true)
  end
  local completed = parts_of[pinfo.number .. "/" .. key]
  if completed then tree:add(IN_FRAME, completed):set_generated() end
end

--- The packet at the start of `tvb`; answers its info and how many bytes it has.
local function dissect_flip(tvb, root, pinfo)
  local fault = flip_fault(tvb)
  if fault then
    malformed(root, fault)
    return "malformed", tvb:len()
  end
  local kind = tvb(F.FLIP_TYPE_AT, 1):uint()
  local flags = tvb(F.FLIP_FLAGS_AT, 1):uint()
  local little = flags % 2 == 0 -- FLIP_BIGENDIAN is bit 0
  local fields = {
    kind = kind,
    source = hex(tvb(F.FLIP_SOURCE_AT, F.FLIP_ADDRESS)),
    destination = hex(tvb(F.FLIP_DESTINATION_AT, F.FLIP_ADDRESS)),
    message = number_at(tvb, F.FLIP_MESSAGE_ID_AT, 4, little),
    length = number_at(tvb, F.FLIP_LENGTH_AT, 4, little),
    offset = number_at(tvb, F.FLIP_OFFSET_AT, 4, little),
    total = number_at(tvb, F.FLIP_TOTAL_AT, 4, little),
  }
  local tree = root:add(flip, tvb(0, F.FLIP_HEADER))
  add_layer(tree, tvb, "flip", 0, little)
  tree:append_text(string.format(", %s, %s > %s", NAMES.flip[kind], fields.source, fields.destination))
  pinfo.cols.protocol = "FLIP"
  local info = string.format(
    "%s %s > %s, message %d, bytes %d+%d/%d",
    NAMES.flip[kind], fields.source, fields.destination, fields.message, fields.offset, fields.length, fields.total)
  fault = sizes_fault(fields, tvb:len() - F.FLIP_HEADER)
  if fault then
    malformed(tree, fault)
    return info .. " malformed", tvb:len()
  end
  local ends = F.FLIP_HEADER + fields.length
  if kind == F.FLIP_HEREIS then
    add_layer(tree, tvb, "hereis", 0, little)
    local count = number_at(tvb, F.HEREIS_COUNT_AT, 2, little)
    if count < 1 or count < number_at(tvb, F.HEREIS_TRUSTED_AT, 2, little) then
      malformed(tree, "the counts of the HEREIS make no sense")
    end
    return info, ends
  end
  if fields.length == 0 then
    if kind ~= F.FLIP_LOCATE and fields.offset == 0 then malformed(tree, "an empty message") end
    return info, ends
  end
  local payload = tvb(F.FLIP_HEADER, fields.length):tvb()
  if kind == F.FLIP_LOCATE then
    add_data(payload, 0, root)
    return info, ends
  end
  local to_all = fields.destination:find("^0+$") ~= nil
  local said
  if fields.length < fields.total and proteus.prefs.reassemble then
    said = dissect_fragment(payload, fields, to_all, root, tree, pinfo)
  end
  if said == nil then
    if fields.offset > 0 then
      add_data(payload, 0, root)
    else
      said = dissect_message(payload, to_all, root, tree, pinfo, fields.length == fields.total)
    end
  end
  if said then info = info .. " | " .. said end
  return info, ends
end

-- Fragment control

--- The bytes that a frame's check is made of, its own as zeros; nil without an Ethernet header.
local function checked_bytes(tvb, length)
  local to, from, kind = eth_dst(), eth_src(), eth_type()
  if not (to and from and kind) then return nil end
  local own = F.FRAME_PAYLOAD - F.ETHERNET_HEADER
  local behind = own + F.FC_CHECK_BYTES
  return to.range:raw() .. from.range:raw() .. kind.range:raw() .. tvb(0, own):raw()
    .. string.rep("\0", F.FC_CHECK_BYTES) .. tvb(behind, length):raw()
end

local function dissect_checked(tvb, at, tree, root, pinfo)
  if tvb:len() < at + F.FC_CHECK_BYTES then
    malformed(tree, "the check is missing")
    return "malformed", tvb:len()
  end
  local given = tvb(at, F.FC_CHECK_BYTES)
  local item = tree:add_le(CHECK, given)
  local info, length = dissect_flip(tvb(at + F.FC_CHECK_BYTES):tvb(), root, pinfo)
  local bytes = proteus.prefs.check and checked_bytes(tvb, length) or nil
  if bytes then
    local holds = check_of(bytes) == given:le_uint()
    judge_check(item, CHECK_GOOD, holds)
    if not holds then info = info .. " BAD CHECK" end
  end
  return info, at + F.FC_CHECK_BYTES + length
end

local function dissect_hello(tvb, at, tree)
  add_layer(tree, tvb, "hello", at, true)
  if proteus.prefs.check then
    local given = tvb(at + F.FC_HELLO_CHECK_AT, 4):le_uint()
    judge_check(tree, HELLO_GOOD, check_of(tvb(at, F.FC_HELLO_CHECK_AT):raw()) == given)
  end
end

local carried = {
  [F.FC_MCREQ] = { layer = "mcast", bytes = 2 * F.FLIP_ADDRESS },
  [F.FC_MCACK] = { layer = "mcack", bytes = F.FLIP_ADDRESS },
  [F.FC_MCNAK] = { layer = "mcack", bytes = F.FLIP_ADDRESS },
  [F.FC_HELLO] = { layer = "hello", bytes = F.FC_HELLO_BYTES },
}

function proteus.dissector(tvb, pinfo, root)
  local at = F.FRAGMENT_CONTROL
  pinfo.cols.protocol = "FLIP"
  if tvb:len() < at then
    malformed(root, "the frame ends before its fragment control")
    return tvb:len()
  end
  local kind = tvb(0, 1):uint()
  local count = tvb(1, 1):uint()
  local name = name_of("fragment", kind)
  local tree = root:add(proteus, tvb(0, at))
  add_layer(tree, tvb, "fc", 0, true)
  tree:append_text(string.format(", %s %d", name, count))
  if NAMES.fragment[kind] == nil then
    malformed(tree, "unknown type of fragment control")
    pinfo.cols.info = "fragment control " .. kind
    return at
  end
  if kind == F.FC_DATA or kind == F.FC_CHECKED then
    local info, used
    if kind == F.FC_CHECKED then
      info, used = dissect_checked(tvb, at, tree, root, pinfo)
    elseif tvb:len() > at then
      info, used = dissect_flip(tvb(at):tvb(), root, pinfo)
      used = used + at
    else
      malformed(tree, "nothing behind the fragment control")
      info, used = "malformed", at
    end
    pinfo.cols.info = (count > 0 and (name .. " " .. count .. " | ") or "") .. info
    return used
  end
  pinfo.cols.info = name .. " " .. count
  local more = carried[kind]
  if more == nil then return at end
  if tvb:len() < at + more.bytes then
    malformed(tree, "too short for " .. name)
    return tvb:len()
  end
  tree:set_len(at + more.bytes)
  if kind == F.FC_HELLO then dissect_hello(tvb, at, tree) else add_layer(tree, tvb, more.layer, at, true) end
  return at + more.bytes
end

DissectorTable.get("ethertype"):add(F.ETHERTYPE_FLIP, proteus)
