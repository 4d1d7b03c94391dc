#include "protocol/msgpack_json.h"

#include <bit>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "protocol/msgpack.h"
#include "protocol/msgpack_head.h"

namespace tokend::msgpack_io {
namespace {

using nlohmann::json;

void AppendText(std::string_view text, std::string* out) {
  out->append(json(text).dump(-1, ' ', false, json::error_handler_t::replace));
}

// The rest of a map that has begun.
void AppendHex(std::string_view bytes, std::string* out) {
  constexpr char kDigits[] = "0123456789abcdef";
  out->append("\"hex\":\"");
  for (const unsigned char byte : bytes) {
    out->push_back(kDigits[byte >> 4]);
    out->push_back(kDigits[byte & 15]);
  }
  out->append("\"}");
}

// Its bits, since the protocol itself holds none and so Reader has no call for it.
double FloatOf(std::string_view encoded) {
  if (encoded.size() == 1 + sizeof(float)) {
    return std::bit_cast<float>(
        static_cast<uint32_t>(LoadBigEndian(encoded.data() + 1, sizeof(float))));
  }
  return std::bit_cast<double>(LoadBigEndian(encoded.data() + 1, sizeof(double)));
}

// Requires bytes that CheckValue has passed: recursion and loops are bounded by that.
void AppendValue(Reader& in, std::string* out) {
  bool boolean = false;
  uint64_t natural = 0;
  int64_t integer = 0;
  int8_t ext_type = 0;
  uint32_t count = 0;
  std::string_view bytes;
  switch (in.PeekType()) {
    case Type::kBool:
      in.ReadBool(&boolean);
      out->append(boolean ? "true" : "false");
      return;
    case Type::kInt:
      if (in.ReadUint(&natural)) {
        out->append(std::to_string(natural));
      } else {
        in.ReadInt(&integer);
        out->append(std::to_string(integer));
      }
      return;
    case Type::kFloat:
      in.Skip(&bytes);
      out->append(json(FloatOf(bytes)).dump());
      return;
    case Type::kStr:
      in.ReadStr(&bytes);
      AppendText(bytes, out);
      return;
    case Type::kBin:
      in.ReadBin(&bytes);
      out->push_back('{');
      AppendHex(bytes, out);
      return;
    case Type::kExt:
      in.ReadExt(&ext_type, &bytes);
      out->append("{\"ext\":").append(std::to_string(ext_type)).push_back(',');
      AppendHex(bytes, out);
      return;
    case Type::kArray:
      in.ReadArrayHeader(&count);
      out->push_back('[');
      for (uint32_t i = 0; i < count; ++i) {
        if (i != 0) out->push_back(',');
        AppendValue(in, out);
      }
      out->push_back(']');
      return;
    case Type::kMap:
      in.ReadMapHeader(&count);
      out->push_back('{');
      for (uint32_t i = 0; i < count; ++i) {
        if (i != 0) out->push_back(',');
        if (in.PeekType() == Type::kStr) {
          AppendValue(in, out);
        } else {
          std::string name;
          AppendValue(in, &name);
          AppendText(name, out);
        }
        out->push_back(':');
        AppendValue(in, out);
      }
      out->push_back('}');
      return;
    case Type::kNil:
    case Type::kInvalid:
      in.ReadNil();
      out->append("null");
  }
}

}  // namespace

bool AppendJson(std::string_view encoded, std::string* out) {
  size_t size = 0;
  if (CheckValue(encoded, kDepthMax, encoded.size(), &size) != CheckResult::kOk) return false;
  Reader in(encoded);
  AppendValue(in, out);
  return true;
}

}  // namespace tokend::msgpack_io
