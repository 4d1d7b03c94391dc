// TokensCursor: the tokens of validate_many one after the other, for who cannot take all of them at
// once.
#pragma once

#include <cstdint>
#include <string_view>

#include "protocol/params.h"
#include "protocol/params_fields.h"

namespace tokend {

// Views that it gives point into `params`, an encoded array that outlives it. An error ends it.
class TokensCursor {
 public:
  explicit TokensCursor(std::string_view params) : positions_(params) {}

  // First.
  Status Open(const RpcLimits& limits);
  uint32_t left() const { return count_ - next_; }
  // Requires left() > 0.
  Status Next(TokenRef* token);
  // Requires left() == 0.
  Status ReadNamespace(std::string_view* name);

  // How many bytes of the params are done with.
  size_t position() const { return positions_.in().position(); }

 private:
  params_fields::Positions positions_;
  uint32_t count_ = 0;
  uint32_t next_ = 0;
};

}  // namespace tokend
