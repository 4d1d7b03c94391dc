// Token tables that are known by name and columns.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "import/table_mapping.h"
#include "protocol/digest.h"

namespace tokend {

// A table of this name that has every column which is not marked "?" is taken without being told.
// `columns` is in the grammar of table_mapping.h, so a preset is also a --columns to start from.
// Columns that say a token is revoked stand here even where most installations lack them: not to
// see one would bring revoked tokens back to life.
struct Preset {
  std::string_view name;   // for --preset
  std::string_view table;  // in any case
  bool prefixed = false;   // anything and a _ may stand before the table's name
  std::string_view columns;
  std::string_view where;  // conditions, ";" between
  DigestScheme scheme = DigestScheme::kSha256;
  std::string_view secret;  // where the application has it, if TakesSecret(scheme)
  // How the table has the token, and what there is to know of it: for people.
  std::string_view stored;
  // Its tokens cannot be looked up: why, and what to do instead.
  std::string_view refused;
  // The expiry is in the application's configuration: so long after this, as --lifetime says.
  // kToken: there is none, or the table has it.
  Field lifetime_from = Field::kToken;
  bool by_name_only = false;  // with --preset, since another of that table is more likely
};

std::span<const Preset> Presets();
// By --preset's name; null if there is none.
const Preset* FindPreset(std::string_view name);
// Those that a table of this name may be, the likelier first; which one, its columns say.
std::vector<const Preset*> PresetsOfTable(std::string_view table);
// Of a preset, whose text is good.
TableMapping MappingOf(const Preset& preset);

}  // namespace tokend
