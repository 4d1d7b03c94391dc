#include "import/table_mapping.h"

#include <algorithm>
#include <array>

namespace tokend {
namespace {

constexpr std::array<std::string_view, kFields> kFieldNames = {
    "token",      "key_hex",      "key_base64", "key_binary", "owner",
    "name",       "scopes",       "expires_at", "expires_in", "created_at",
    "updated_at", "last_used_at", "use_count",  "source_id",  "revoked",
    "active",     "revoked_at",   "status",     "type",       "namespace"};

bool IsTime(Field field) {
  return field == Field::kExpiresAt || field == Field::kCreatedAt || field == Field::kUpdatedAt ||
         field == Field::kLastUsedAt;
}

Status Bad(std::string_view entry, const std::string& what) {
  return {ErrorCode::kBadParams, "columns: '" + std::string(entry) + "': " + what};
}

std::string AllFields() {
  std::string all;
  for (std::string_view name : kFieldNames) all += (all.empty() ? "" : ", ") + std::string(name);
  return all;
}

// Up to the next `separator` outside of backquotes.
std::string_view TakeUntil(std::string_view* text, char separator) {
  bool quoted = false;
  size_t end = 0;
  for (; end < text->size() && (quoted || (*text)[end] != separator); ++end) {
    if ((*text)[end] == '`') quoted = !quoted;
  }
  std::string_view taken = text->substr(0, end);
  text->remove_prefix(std::min(end + 1, text->size()));
  return taken;
}

Status ParseReading(std::string_view entry, std::string_view text, FieldMapping* out) {
  if (out->field == Field::kExpiresAt && (text == "epoch_s0" || text == "epoch_ms0")) {
    out->zero_is_never = true;
    text.remove_suffix(1);
  }
  if (IsTime(out->field)) {
    if (text == "epoch_s") {
      out->reading = Reading::kEpochSeconds;
    } else if (text == "epoch_ms") {
      out->reading = Reading::kEpochMilliseconds;
    } else if (text == "datetime") {
      out->reading = Reading::kDateTime;
    } else {
      return Bad(entry, "a time is read as epoch_s, epoch_ms or datetime");
    }
    return Status::Ok();
  }
  if (out->field == Field::kOwner || out->field == Field::kSourceId) {
    if (text != "hex" && text != "text") return Bad(entry, "is read as hex or text");
    out->reading = text == "hex" ? Reading::kHex : Reading::kText;
    return Status::Ok();
  }
  if (out->field == Field::kStatus) {
    out->reading = Reading::kWords;
    while (!text.empty()) {
      std::string_view word = TakeUntil(&text, '/');
      if (word.empty()) return Bad(entry, "an empty word");
      out->live_words.emplace_back(word);
    }
    return Status::Ok();
  }
  return Bad(entry, "this field has no other way to be read");
}

}  // namespace

bool IsKeyField(Field field) {
  return field == Field::kToken || field == Field::kKeyHex || field == Field::kKeyBase64 ||
         field == Field::kKeyBinary;
}

std::string_view FieldName(Field field) { return kFieldNames[static_cast<size_t>(field)]; }

const FieldMapping* TableMapping::Find(Field field) const {
  for (const FieldMapping& mapped : fields) {
    if (mapped.field == field) return &mapped;
  }
  return nullptr;
}

Status ParseMapping(std::string_view text, TableMapping* mapping) {
  mapping->fields.clear();
  size_t keys = 0;
  while (!text.empty()) {
    std::string_view entry = TakeUntil(&text, ',');
    std::string_view column = entry;
    std::string_view name = TakeUntil(&column, '=');
    auto known = std::find(kFieldNames.begin(), kFieldNames.end(), name);
    if (known == kFieldNames.end() || name.size() == entry.size()) {
      return Bad(entry, "should be FIELD=COLUMN, where FIELD is one of " + AllFields());
    }
    FieldMapping mapped;
    mapped.field = static_cast<Field>(known - kFieldNames.begin());
    if (mapping->Find(mapped.field) != nullptr) return Bad(entry, "the field is named twice");

    std::string_view reading = column;
    column = TakeUntil(&reading, ':');
    const bool has_reading = column.data() + column.size() < entry.data() + entry.size();
    if (column.ends_with('?')) {
      mapped.optional = true;
      column.remove_suffix(1);
    }
    if (column.size() >= 2 && column.front() == '`' && column.back() == '`') {
      column = column.substr(1, column.size() - 2);
    }
    if (column.empty()) return Bad(entry, "names no column");
    mapped.column = column;
    if (has_reading) {
      if (reading.empty()) return Bad(entry, "nothing follows the colon");
      if (Status parsed = ParseReading(entry, reading, &mapped); !parsed.ok()) return parsed;
    }
    if (IsKeyField(mapped.field)) {
      ++keys;
      mapped.optional = false;
    }
    mapping->fields.push_back(std::move(mapped));
  }
  if (keys != 1) {
    return {ErrorCode::kBadParams,
            "columns: should have exactly one of token=, key_hex=, key_base64= and key_binary="};
  }
  if (mapping->Find(Field::kExpiresIn) != nullptr) {
    if (mapping->Find(Field::kExpiresAt) != nullptr) {
      return {ErrorCode::kBadParams, "columns: should have expires_at= or expires_in=, not both"};
    }
    const FieldMapping* created = mapping->Find(Field::kCreatedAt);
    if (created == nullptr || created->optional) {
      return {ErrorCode::kBadParams,
              "columns: expires_in= counts from created_at=, which should be there too"};
    }
  }
  return Status::Ok();
}

Status ParseCondition(std::string_view text, RowCondition* condition) {
  std::string_view values = text;
  std::string_view column = TakeUntil(&values, '=');
  if (column.size() >= 2 && column.front() == '`' && column.back() == '`') {
    column = column.substr(1, column.size() - 2);
  }
  if (column.empty() || text.find('=') == std::string_view::npos) {
    return {ErrorCode::kBadParams,
            "where: '" + std::string(text) + "': should be COLUMN=VALUE[,VALUE...]"};
  }
  condition->column = column;
  condition->values.clear();
  bool more = true;
  while (more) {
    more = values.find(',') != std::string_view::npos;
    condition->values.emplace_back(TakeUntil(&values, ','));
  }
  return Status::Ok();
}

}  // namespace tokend
