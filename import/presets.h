// Token tables that are known by name.
#pragma once

#include <span>
#include <string_view>

#include "protocol/digest.h"

namespace tokend {

// A table of this name that has every column which is not marked "?" is taken without being told.
// `columns` is in the grammar of table_mapping.h, so a preset is also a --columns to start from.
// Columns that say a token is revoked stand here even where most installations lack them: not to
// see one would bring revoked tokens back to life.
struct Preset {
  std::string_view table;
  std::string_view columns;
  DigestScheme scheme = DigestScheme::kSha256;
};

std::span<const Preset> Presets();
const Preset* FindPreset(std::string_view table);

}  // namespace tokend
