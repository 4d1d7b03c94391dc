// list and count, which take the same filters.
#include <span>
#include <string_view>

#include "protocol/params.h"
#include "protocol/params_fields.h"

namespace tokend {
namespace {

using namespace params_fields;

Status ReadOrder(Reader& in, std::string_view field, ListOrder* out) {
  std::string_view name;
  if (in.ReadStr(&name)) {
    for (const ListOrder order :
         {ListOrder::kKey, ListOrder::kExpiresAt, ListOrder::kExpiresAtDescending}) {
      if (name != ListOrderName(order)) continue;
      *out = order;
      return Status::Ok();
    }
  }
  return Bad(field, "must be \"key\", \"expires_at\" or \"-expires_at\"");
}

Status ReadLimit(Reader& in, std::string_view field, uint32_t* out) {
  uint64_t limit;
  if (!in.ReadUint(&limit) || limit < 1 || limit > kListLimitMax) {
    return Bad(field, "must be an integer, 1 to 1000");
  }
  *out = static_cast<uint32_t>(limit);
  return Status::Ok();
}

Status ReadCursor(Reader& in, std::string_view field, std::string_view* out) {
  if (in.ReadStr(out) && out->size() <= kCursorBytesMax) return Status::Ok();
  return Bad(field, "must be a str as an earlier answer gave it");
}

// count takes the first five: the filters.
constexpr Field<ListParams> kListFields[] = {
    {"namespace", Into<&ListParams::namespace_name, ReadNamespace>},
    {"owner", Into<&ListParams::owner, ReadText>},
    {"state", Into<&ListParams::state, ReadState>},
    {"expires_after", Into<&ListParams::expires_after_ms, ReadTimeMs>},
    {"expires_before", Into<&ListParams::expires_before_ms, ReadTimeMs>},
    {"order", Into<&ListParams::order, ReadOrder>},
    {"limit", Into<&ListParams::limit, ReadLimit>},
    {"cursor", Into<&ListParams::cursor, ReadCursor>},
};
constexpr std::span<const Field<ListParams>> kFields = kListFields;

Status Decode(std::string_view params, std::string_view method, std::string_view usage,
              std::span<const Field<ListParams>> fields, ListParams* out) {
  *out = ListParams();
  Positions positions(params);
  if (Status status = positions.Open(1, usage); !status.ok()) return status;
  if (!positions.Next()) return Status::Ok();
  return ReadMap(positions.in(), method, fields, out);
}

}  // namespace

std::string_view ListOrderName(ListOrder order) {
  switch (order) {
    case ListOrder::kKey:
      return "key";
    case ListOrder::kExpiresAt:
      return "expires_at";
    case ListOrder::kExpiresAtDescending:
      return "-expires_at";
  }
  return "unknown";
}

Status DecodeList(std::string_view params, ListParams* out) {
  return Decode(params, "list", "[{namespace, owner, ..., limit, cursor}]", kFields, out);
}

Status DecodeCount(std::string_view params, ListParams* out) {
  return Decode(params, "count", "[{namespace, owner, ..., expires_before}]", kFields.first(5),
                out);
}

}  // namespace tokend
