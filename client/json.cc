#include "client/json.h"

#include <cstdint>

#include "protocol/msgpack.h"

namespace tokend::client {

namespace {

using Json = nlohmann::ordered_json;
using msgpack_io::Reader;
using msgpack_io::Type;

std::string Hex(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  hex.reserve(bytes.size() * 2);
  for (unsigned char byte : bytes) {
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  return hex;
}

// A float's bits, which Reader has no call for since the protocol itself holds none.
Json Float(Reader& reader) {
  std::string_view encoded;
  if (!reader.Skip(&encoded)) return nullptr;
  return Json::from_msgpack(encoded.begin(), encoded.end(), true, false);
}

// Requires bytes that CheckValue has passed: recursion and loops are bounded by that.
Json ReadJson(Reader& reader) {
  bool boolean = false;
  uint64_t natural = 0;
  int64_t integer = 0;
  int8_t ext_type = 0;
  uint32_t count = 0;
  std::string_view text;
  switch (reader.PeekType()) {
    case Type::kBool:
      if (reader.ReadBool(&boolean)) return boolean;
      break;
    case Type::kInt:
      if (reader.ReadUint(&natural)) return natural;
      if (reader.ReadInt(&integer)) return integer;
      break;
    case Type::kFloat:
      return Float(reader);
    case Type::kStr:
      if (reader.ReadStr(&text)) return std::string(text);
      break;
    case Type::kBin:
      if (reader.ReadBin(&text)) return Json{{"hex", Hex(text)}};
      break;
    case Type::kExt:
      if (reader.ReadExt(&ext_type, &text)) return Json{{"ext", ext_type}, {"hex", Hex(text)}};
      break;
    case Type::kArray: {
      Json array = Json::array();
      if (!reader.ReadArrayHeader(&count)) break;
      for (uint32_t i = 0; i < count; ++i) {
        array.push_back(ReadJson(reader));
      }
      return array;
    }
    case Type::kMap: {
      Json object = Json::object();
      if (!reader.ReadMapHeader(&count)) break;
      for (uint32_t i = 0; i < count; ++i) {
        Json key = ReadJson(reader);
        std::string name = key.is_string() ? key.get<std::string>() : Dump(key);
        object[name] = ReadJson(reader);
      }
      return object;
    }
    case Type::kNil:
    case Type::kInvalid:
      (void)reader.ReadNil();
      return nullptr;
  }
  return nullptr;
}

}  // namespace

Json ToJson(std::string_view encoded) {
  size_t size = 0;
  if (msgpack_io::CheckValue(encoded, msgpack_io::kDepthMax, encoded.size(), &size) !=
      msgpack_io::CheckResult::kOk) {
    return nullptr;
  }
  Reader reader(encoded);
  return ReadJson(reader);
}

Result<std::string> FromJson(const Json& json) {
  try {
    std::string encoded;
    Json::to_msgpack(json, encoded);
    return encoded;
  } catch (const Json::exception& error) {
    return Error{Error::Source::kCaller, "bad_params", error.what(), ""};
  }
}

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string MsgpackToJson(std::string_view encoded) {
  if (encoded.empty()) return "";
  return Dump(ToJson(encoded));
}

Result<std::string> JsonToMsgpack(std::string_view json) {
  bool too_deep = false;
  auto watch = [&](int depth, Json::parse_event_t, const Json&) {
    too_deep = too_deep || depth >= static_cast<int>(msgpack_io::kDepthMax);
    return !too_deep;
  };
  try {
    Json parsed = Json::parse(json, watch);
    if (too_deep) return Error{Error::Source::kCaller, "bad_params", "nested too deeply", ""};
    return FromJson(parsed);
  } catch (const Json::parse_error& error) {
    return Error{Error::Source::kCaller, "bad_params",
                 "not JSON, at byte " + std::to_string(error.byte), ""};
  }
}

}  // namespace tokend::client
