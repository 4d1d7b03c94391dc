// The cursor of a list: where the page before ended, and a mark of the filters it was of. Opaque to
// clients; good across restarts, so its form is persisted in their hands.
//
//   hex of: version:1 filters:8 expires:8 key:32
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/params.h"
#include "protocol/token.h"

namespace tokend {

struct ListPosition {
  uint64_t expires_at_ms = 0;
  TokenKey key;
};

std::string EncodeListCursor(const ListParams& params, const ListPosition& position);
// nullopt: not a cursor, or one of a list with other filters.
std::optional<ListPosition> DecodeListCursor(const ListParams& params, std::string_view cursor);

}  // namespace tokend
