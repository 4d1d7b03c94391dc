// What an import can be asked for, and whether it makes sense.
#include <algorithm>

#include "import/importer.h"
#include "import/presets.h"
#include "import/table_mapping.h"
#include "import/time_zone.h"
#include "protocol/msgpack.h"

namespace tokend {

const char kColumnsHelp[] =
    "FIELD=COLUMN[?][:READING],...  (COLUMN may stand in `backquotes`; with ? it may be missing)\n"
    "One of\n"
    "  token        the token itself\n"
    "  key_hex      its digest, in hexadecimal digits\n"
    "  key_base64   its digest, in base64 of either alphabet\n"
    "  key_binary   its digest, in bytes\n"
    "and any of\n"
    "  owner, source_id              :hex writes bytes as digits, :text does not\n"
    "                                (source_id is the primary key unless said otherwise)\n"
    "  name, scopes, use_count\n"
    "  expires_at, created_at, updated_at, last_used_at\n"
    "                                :epoch_s, :epoch_ms or :datetime; else by the column's type\n"
    "  expires_in   seconds from created_at on\n"
    "  type         a word, kept as the attribute type\n"
    "  namespace    where the row goes, in place of one namespace for all\n"
    "  revoked      true = revoked\n"
    "  active       false = revoked\n"
    "  revoked_at   anything but NULL = revoked\n"
    "  status       a word; :WORD/WORD are those that mean live\n"
    "Example: token=key,owner=user_id,expires_at=valid_until:epoch_s,revoked=is_revoked";

namespace {

Status Bad(const std::string& message) { return {ErrorCode::kBadParams, message}; }

std::string_view WithoutDatabase(std::string_view picked) {
  const size_t dot = picked.rfind('.');
  return dot == std::string_view::npos ? picked : picked.substr(dot + 1);
}

// Tokens in clear of such a scheme cannot become keys without it, and nothing else needs it.
Status CheckSecret(const ImportOptions& options, const TableMapping& mapping) {
  const bool needed =
      options.scheme && TakesSecret(*options.scheme) && mapping.Find(Field::kToken) != nullptr;
  if (needed && options.secret.empty()) {
    return Bad("secret: tokens in clear become keys of " +
               std::string(DigestSchemeName(*options.scheme)) +
               " with it: name a file that holds it with --secret-file");
  }
  if (!needed && !options.secret.empty()) {
    return Bad("secret: should come with token= in --columns and a --scheme that takes one");
  }
  return Status::Ok();
}

}  // namespace

bool IsNamespaceName(std::string_view name) {
  return !name.empty() && name.size() <= kNamespaceBytesMax && msgpack_io::IsValidUtf8(name) &&
         std::none_of(name.begin(), name.end(),
                      [](unsigned char c) { return c < ' ' || c == 0x7f; });
}

Status CheckImportOptions(const ImportOptions& options) {
  if (options.inputs.empty()) return Bad("inputs: at least one file, or - for standard input");
  if (std::count(options.inputs.begin(), options.inputs.end(), "-") > 1) {
    return Bad("inputs: standard input can be read once only");
  }
  if (options.cell_bytes_max == 0) return Bad("cell_bytes_max: should be at least 1");
  if (options.namespace_name && !IsNamespaceName(*options.namespace_name)) {
    return Bad("namespace: should be 1 to 255 bytes of UTF-8 without control characters");
  }
  if (options.namespace_name && !options.namespace_column.empty()) {
    return Bad("namespace: cannot come with --namespace-column");
  }
  if (!options.time_zone.empty()) {
    TimeZone zone;
    if (Status load = TimeZone::Load(options.time_zone, &zone); !load.ok()) return load;
  }
  for (const std::string& text : options.conditions) {
    RowCondition condition;
    if (Status parsed = ParseCondition(text, &condition); !parsed.ok()) return parsed;
  }
  if (!options.columns.empty()) {
    if (!options.preset.empty()) return Bad("columns: cannot come with --preset");
    if (options.tables.size() != 1) {
      return Bad("columns: should come with exactly one --table that they are of");
    }
    TableMapping mapping;
    if (Status parsed = ParseMapping(options.columns, &mapping); !parsed.ok()) return parsed;
    if (mapping.Find(Field::kNamespace) != nullptr &&
        (options.namespace_name || !options.namespace_column.empty())) {
      return Bad("columns: namespace= cannot come with --namespace or --namespace-column");
    }
    return CheckSecret(options, mapping);
  }
  if (!options.secret.empty()) {
    return Bad("secret: should come with --columns; tables of presets have digests already");
  }
  if (options.scheme) return Bad("scheme: should come with --columns; presets have their own");
  if (!options.preset.empty()) {
    if (options.tables.size() != 1) {
      return Bad("preset: should come with exactly one --table that it is for");
    }
    if (FindPreset(options.preset) == nullptr) {
      return Bad("preset: there is no " + options.preset + "; --presets lists them");
    }
    return Status::Ok();
  }
  for (const std::string& table : options.tables) {
    if (PresetsOfTable(WithoutDatabase(table)).empty()) {
      return Bad("table " + table +
                 " is not one that is known: name one of --presets with --preset, or say which "
                 "column is what with --columns");
    }
  }
  return Status::Ok();
}

}  // namespace tokend
