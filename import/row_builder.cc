#include "import/row_builder.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "import/hex.h"
#include "import/scopes.h"
#include "import/sql_text.h"
#include "protocol/msgpack.h"
#include "protocol/record.h"
#include "protocol/token.h"

namespace tokend {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

// Words of a status column that is not told otherwise. What is on neither list decides nothing.
constexpr std::string_view kLiveWords[] = {"active", "enabled", "valid", "live", "ok", "1"};
constexpr std::string_view kDeadWords[] = {"revoked",  "inactive",  "disabled", "invalid",
                                           "deleted",  "blocked",   "banned",   "suspended",
                                           "canceled", "cancelled", "expired",  "0"};
constexpr std::string_view kTrueWords[] = {"1", "true", "t", "yes", "y", "on"};
constexpr std::string_view kFalseWords[] = {"0", "false", "f", "no", "n", "off", ""};

template <typename Words>
bool OneOf(std::string_view text, const Words& words) {
  return std::any_of(std::begin(words), std::end(words),
                     [text](std::string_view word) { return EqualsIgnoreCase(text, word); });
}

// Of a digest of so many bytes.
bool ParseHexKey(std::string_view hex, size_t digest_bytes, TokenKey* key) {
  if (hex.size() != 2 * digest_bytes) return false;
  const bool rest_is_hex = std::all_of(hex.begin() + 2 * kTokenKeyBytes, hex.end(),
                                       [](char c) { return HexValue(c) != kNoHexDigit; });
  return rest_is_hex && DecodeHex(hex, kTokenKeyBytes, key->bytes.data());
}

int Base64Value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+' || c == '-') return 62;
  if (c == '/' || c == '_') return 63;
  return -1;
}

bool ParseBase64Key(std::string_view text, TokenKey* key) {
  while (text.ends_with('=')) text.remove_suffix(1);
  if (text.size() != (kTokenKeyBytes * 4 + 2) / 3) return false;
  uint32_t bits = 0;
  unsigned held = 0;
  size_t out = 0;
  for (char c : text) {
    const int value = Base64Value(c);
    if (value < 0) return false;
    bits = bits << 6 | static_cast<uint32_t>(value);
    held += 6;
    if (held >= 8 && out < kTokenKeyBytes) {
      held -= 8;
      key->bytes[out++] = static_cast<uint8_t>(bits >> held);
    }
  }
  return true;
}

// Salted, slow hashes: the same token gives another one each time, so there is nothing to look up.
bool IsPasswordHash(std::string_view text) {
  if (text.size() == 60 && text.starts_with("$2") && text[3] == '$') return true;
  if (text.size() == 34 && (text.starts_with("$P$") || text.starts_with("$H$"))) return true;
  return text.starts_with("$argon2") || text.starts_with("pbkdf2_") ||
         text.starts_with("$pbkdf2") || text.starts_with("$5$") || text.starts_with("$6$");
}

bool IsBinary(ColumnType type) {
  return type == ColumnType::kBinary || type == ColumnType::kVarBinary || type == ColumnType::kBit;
}

RefusalReason TimeRefusal(TimeResult result) {
  return result == TimeResult::kZero ? RefusalReason::kZeroDate : RefusalReason::kBadTime;
}

}  // namespace

RowBuilder::RowBuilder(TableMapping mapping, const Scheme& scheme, ZeroDates zero_dates,
                       const std::optional<Lifetime>& lifetime)
    : mapping_(std::move(mapping)),
      scheme_(scheme.scheme),
      secret_(scheme.secret),
      keeps_tokens_(scheme.keeps_tokens),
      zero_dates_(zero_dates),
      lifetime_(lifetime) {
  primary_key_mapping_.field = Field::kSourceId;
}

Status RowBuilder::Bind(const Layout& layout) {
  layout_ = layout;
  bound_.clear();
  source_id_.clear();
  conditions_.clear();
  loose_collation_.clear();
  wanted_.assign(layout.columns.size(), 0);

  auto find = [&](std::string_view column) -> std::optional<size_t> {
    for (size_t i = 0; i < layout.columns.size(); ++i) {
      if (EqualsIgnoreCase(layout.columns[i], column)) return i;
    }
    return std::nullopt;
  };
  auto bind = [&](const FieldMapping& mapping, size_t position) {
    const ColumnSchema* column =
        layout.schema != nullptr ? layout.schema->Find(layout.columns[position]) : nullptr;
    Bound bound{&mapping, position, ColumnType::kUnknown, "", Charset::kUnknown};
    if (column != nullptr) {
      bound.type = column->type;
      bound.type_name = column->type_name;
      bound.charset = column->charset;
    }
    (mapping.field == Field::kSourceId ? source_id_ : bound_).push_back(std::move(bound));
    wanted_[position] = 1;
  };

  std::string missing;
  std::optional<size_t> token_position;
  for (const FieldMapping& mapping : mapping_.fields) {
    std::optional<size_t> position = find(mapping.column);
    if (position) {
      if (IsKeyField(mapping.field)) token_position = position;
      bind(mapping, *position);
      if (mapping.field == Field::kToken && layout.schema != nullptr) {
        const ColumnSchema* const column = layout.schema->Find(mapping.column);
        if (column != nullptr) loose_collation_ = column->loose_collation;
      }
    } else if (!mapping.optional) {
      missing += (missing.empty() ? "" : ", ") + mapping.column;
    }
  }
  for (const RowCondition& condition : mapping_.conditions) {
    if (const std::optional<size_t> position = find(condition.column)) {
      conditions_.push_back({&condition, *position});
      wanted_[*position] = 1;
    } else {
      missing += (missing.empty() ? "" : ", ") + condition.column;
    }
  }
  // A token must not come out by another door.
  for (const std::vector<Bound>* all : {&bound_, &source_id_}) {
    for (const Bound& bound : *all) {
      if (bound.position == token_position && !IsKeyField(bound.mapping->field)) {
        return {ErrorCode::kBadParams, "column " + bound.mapping->column +
                                           " holds the token: it cannot be " +
                                           std::string(FieldName(bound.mapping->field)) + " too"};
      }
    }
  }
  if (!missing.empty()) {
    std::string columns;
    for (const std::string& column : layout.columns) {
      columns += (columns.empty() ? "" : ", ") + column;
    }
    return {ErrorCode::kBadParams, "no column " + missing + "; there are " + columns};
  }

  if (mapping_.Find(Field::kSourceId) == nullptr && layout.schema != nullptr) {
    for (const std::string& column : layout.schema->primary_key) {
      std::optional<size_t> position = find(column);
      if (!position || position == token_position) {
        // Nothing that holds a token may become an id.
        source_id_.clear();
        break;
      }
      bind(primary_key_mapping_, *position);
    }
  }
  return Status::Ok();
}

void RowBuilder::SetZones(const TimeZone* timestamps, const TimeZone* others) {
  timestamp_zone_ = timestamps;
  other_zone_ = others;
}

RowBuilder::Zone RowBuilder::ZoneOf(const Bound& bound) const {
  switch (bound.mapping->field) {
    case Field::kExpiresAt:
    case Field::kCreatedAt:
    case Field::kUpdatedAt:
    case Field::kLastUsedAt:
      break;
    default:
      return Zone::kNone;
  }
  if (bound.mapping->reading == Reading::kEpochSeconds ||
      bound.mapping->reading == Reading::kEpochMilliseconds) {
    return Zone::kNone;
  }
  if (bound.mapping->reading == Reading::kAuto &&
      (bound.type == ColumnType::kInteger || bound.type == ColumnType::kDecimal)) {
    return Zone::kNone;
  }
  return bound.type == ColumnType::kTimestamp ? Zone::kTimestamp : Zone::kOther;
}

bool RowBuilder::uses_timestamp_zone() const {
  return std::any_of(bound_.begin(), bound_.end(),
                     [this](const Bound& bound) { return ZoneOf(bound) == Zone::kTimestamp; });
}
bool RowBuilder::uses_other_zone() const {
  return std::any_of(bound_.begin(), bound_.end(),
                     [this](const Bound& bound) { return ZoneOf(bound) == Zone::kOther; });
}

std::vector<FieldUse> RowBuilder::Describe(const std::string& timestamp_note,
                                           const std::string& other_note) const {
  std::vector<FieldUse> uses;
  for (const Bound& bound : bound_) {
    FieldUse use;
    use.field = FieldName(bound.mapping->field);
    use.column = layout_.columns[bound.position];
    const std::string type = bound.type_name.empty() ? "text" : bound.type_name;
    const std::string scheme(DigestSchemeName(scheme_));
    switch (bound.mapping->field) {
      case Field::kToken:
        use.reading = "in clear; kept as " + scheme;
        break;
      case Field::kKeyHex:
        use.reading = scheme + " in hexadecimal digits";
        break;
      case Field::kKeyBase64:
        use.reading = scheme + " in base64";
        break;
      case Field::kKeyBinary:
        use.reading = scheme + " in bytes";
        break;
      case Field::kExpiresIn:
        use.reading = "seconds from created_at on";
        break;
      case Field::kType:
        use.reading = "kept as the attribute type";
        break;
      case Field::kExpiresAt:
      case Field::kCreatedAt:
      case Field::kUpdatedAt:
      case Field::kLastUsedAt:
        switch (ZoneOf(bound)) {
          case Zone::kTimestamp:
            use.reading.append(type).append(" in ").append(timestamp_note);
            break;
          case Zone::kOther:
            use.reading.append(type).append(" in ").append(other_note);
            break;
          case Zone::kNone:
            use.reading = bound.mapping->reading == Reading::kEpochSeconds ? "epoch seconds"
                          : bound.mapping->reading == Reading::kEpochMilliseconds
                              ? "epoch milliseconds"
                              : type + ", epoch seconds, or milliseconds above 100000000000";
            if (bound.mapping->zero_is_never) use.reading += "; 0 is never";
            break;
        }
        break;
      case Field::kRevoked:
        use.reading = "true means revoked";
        break;
      case Field::kActive:
        use.reading = "false means revoked";
        break;
      case Field::kRevokedAt:
        use.reading = "anything but NULL means revoked";
        break;
      case Field::kStatus:
        if (bound.mapping->reading == Reading::kWords) {
          for (const std::string& word : bound.mapping->live_words) {
            use.reading += (use.reading.empty() ? "revoked unless " : " or ") + word;
          }
        } else {
          use.reading = "words such as active and revoked";
        }
        break;
      default:
        break;
    }
    uses.push_back(std::move(use));
  }
  for (const Bound& bound : source_id_) {
    uses.push_back({std::string(FieldName(Field::kSourceId)), layout_.columns[bound.position], ""});
  }
  return uses;
}

std::vector<std::string> RowBuilder::IgnoredColumns() const {
  std::vector<std::string> ignored;
  for (size_t i = 0; i < layout_.columns.size(); ++i) {
    if (wanted_[i] == 0) ignored.push_back(layout_.columns[i]);
  }
  return ignored;
}

bool RowBuilder::Selects(const std::vector<Cell>& cells) const {
  // A row of the wrong length is refused, and not passed over.
  if (cells.size() != layout_.columns.size()) return true;
  return std::all_of(conditions_.begin(), conditions_.end(), [&](const Condition& one) {
    const Cell& cell = cells[one.position];
    const std::string_view bytes = cell.kind == CellKind::kNull ? "NULL" : cell.bytes;
    const std::vector<std::string>& values = one.condition->values;
    return std::find(values.begin(), values.end(), bytes) != values.end();
  });
}

std::optional<RefusalReason> RowBuilder::Build(const std::vector<Cell>& cells, ImportRow* row) {
  *row = ImportRow();
  expires_in_s_.reset();
  loose_token_ = {};
  if (cells.size() != layout_.columns.size()) return RefusalReason::kColumnCount;
  for (const Bound& bound : bound_) {
    if (Refusal refusal = Apply(bound, cells[bound.position], row)) return refusal;
  }
  if (expires_in_s_) {
    if (Refusal refusal = ExpireAfter(row->created_at_ms, *expires_in_s_ * 1000, row)) {
      return refusal;
    }
  }
  if (lifetime_) {
    const auto& from_ms =
        lifetime_->from == Field::kLastUsedAt ? row->last_used_at_ms : row->created_at_ms;
    if (Refusal refusal = ExpireAfter(from_ms, lifetime_->ms, row)) return refusal;
  }
  TakeSourceId(cells, row);
  return std::nullopt;
}

RowBuilder::Refusal RowBuilder::Apply(const Bound& bound, const Cell& cell, ImportRow* row) {
  switch (bound.mapping->field) {
    case Field::kName:
    case Field::kCreatedAt:
    case Field::kUpdatedAt:
    case Field::kLastUsedAt:
    case Field::kUseCount:
      TakeRest(bound, cell, row);
      return std::nullopt;
    case Field::kType:
      TakeType(bound, cell, row);
      return std::nullopt;
    default:
      break;
  }
  // On these hangs who may come in: what is not understood refuses the row.
  if (cell.kind == CellKind::kExpression) return RefusalReason::kExpression;
  if (cell.overlong) return RefusalReason::kValueTooLong;
  switch (bound.mapping->field) {
    case Field::kToken:
    case Field::kKeyHex:
    case Field::kKeyBase64:
    case Field::kKeyBinary:
      return TakeToken(bound, cell, row);
    case Field::kOwner:
      return TakeOwner(bound, cell, row);
    case Field::kNamespace:
      return TakeNamespace(bound, cell);
    case Field::kScopes:
      return TakeScopes(bound, cell, row);
    case Field::kExpiresAt:
      return TakeExpiry(bound, cell, row);
    case Field::kExpiresIn:
      return TakeExpiresIn(cell);
    default:
      return TakeState(bound, cell, row);
  }
}

RowBuilder::Refusal RowBuilder::ReadText(const Bound& bound, const Cell& cell, std::string* buffer,
                                         std::string_view* text) const {
  *text = cell.bytes;
  if (cell.kind == CellKind::kNumber || IsBinary(bound.type)) return std::nullopt;
  // Bytes, and text of a SET NAMES binary, are in the column's own character set.
  Charset charset = cell.kind == CellKind::kBytes || cell.charset == Charset::kBinary
                        ? bound.charset
                        : cell.charset;
  switch (ToUtf8(cell.bytes, charset, buffer, text)) {
    case ConvertResult::kOk:
      return std::nullopt;
    case ConvertResult::kInvalid:
      return RefusalReason::kBadText;
    case ConvertResult::kUnsupported:
      return RefusalReason::kBadCharset;
  }
  return RefusalReason::kBadText;
}

RowBuilder::Refusal RowBuilder::ReadId(const Bound& bound, const Cell& cell, std::string* buffer,
                                       std::string_view* text) const {
  const Reading reading = bound.mapping->reading;
  bool hex = reading == Reading::kHex;
  if (reading == Reading::kAuto) {
    hex = bound.type == ColumnType::kBinary || bound.type == ColumnType::kBit ||
          (bound.type == ColumnType::kUnknown && cell.kind == CellKind::kBytes &&
           !msgpack_io::IsValidUtf8(cell.bytes));
  }
  if (hex) {
    buffer->clear();
    for (char c : cell.bytes) {
      *buffer += kHexDigits[static_cast<unsigned char>(c) >> 4];
      *buffer += kHexDigits[static_cast<unsigned char>(c) & 15];
    }
    *text = *buffer;
    return std::nullopt;
  }
  if (Refusal refusal = ReadText(bound, cell, buffer, text)) return refusal;
  if (!msgpack_io::IsValidUtf8(*text)) return RefusalReason::kBadText;
  return std::nullopt;
}

RowBuilder::Refusal RowBuilder::TakeToken(const Bound& bound, const Cell& cell, ImportRow* row) {
  if (cell.kind == CellKind::kNull) return RefusalReason::kNullToken;
  row->token.is_key = true;
  if (bound.mapping->field == Field::kKeyBinary) {
    if (cell.bytes.empty()) return RefusalReason::kEmptyToken;
    if (cell.bytes.size() != DigestBytes(scheme_)) return RefusalReason::kBadKey;
    row->token.key = TokenKey::FromBytes(cell.bytes.substr(0, kTokenKeyBytes));
    return std::nullopt;
  }
  std::string_view text;
  if (Refusal refusal = ReadText(bound, cell, &token_buffer_, &text)) return refusal;
  if (text.empty()) return RefusalReason::kEmptyToken;
  if (bound.mapping->field == Field::kKeyHex) {
    if (ParseHexKey(text, DigestBytes(scheme_), &row->token.key)) return std::nullopt;
    return IsPasswordHash(text) ? RefusalReason::kPasswordHash : RefusalReason::kBadKey;
  }
  if (bound.mapping->field == Field::kKeyBase64) {
    if (ParseBase64Key(text, &row->token.key)) return std::nullopt;
    return IsPasswordHash(text) ? RefusalReason::kPasswordHash : RefusalReason::kBadKey;
  }
  if (text.size() > kTokenBytesMax) return RefusalReason::kTokenTooLong;
  if (IsPasswordHash(text)) return RefusalReason::kPasswordHash;
  ++tokens_;
  if (TokenKey key; ParseHexKey(text, kTokenKeyBytes, &key)) ++tokens_like_digests_;
  row->token.key = digester_.Digest(scheme_, text, secret_.bytes());
  if (keeps_tokens_) {
    row->token.is_key = false;
    row->token.token = SecretView(text);
  }
  if (!loose_collation_.empty()) loose_token_ = text;
  return std::nullopt;
}

RowBuilder::Refusal RowBuilder::TakeOwner(const Bound& bound, const Cell& cell, ImportRow* row) {
  if (cell.kind == CellKind::kNull) return std::nullopt;
  std::string_view text;
  if (Refusal refusal = ReadId(bound, cell, &owner_buffer_, &text)) return refusal;
  if (text.size() > kTextBytesMax) return RefusalReason::kOwnerTooLong;
  row->owner = text;
  return std::nullopt;
}

RowBuilder::Refusal RowBuilder::TakeNamespace(const Bound& bound, const Cell& cell) {
  if (cell.kind == CellKind::kNull) return RefusalReason::kBadNamespace;
  if (Refusal refusal = ReadId(bound, cell, &namespace_buffer_, &row_namespace_)) return refusal;
  if (!IsNamespaceName(row_namespace_)) return RefusalReason::kBadNamespace;
  return std::nullopt;
}

RowBuilder::Refusal RowBuilder::TakeExpiry(const Bound& bound, const Cell& cell, ImportRow* row) {
  row->expires_at_ms = kNever;
  if (cell.kind == CellKind::kNull) return std::nullopt;
  TimeResult result = ReadTime(bound, cell, &row->expires_at_ms);
  if (result == TimeResult::kOk) return std::nullopt;
  if (result == TimeResult::kZero &&
      (bound.mapping->zero_is_never || zero_dates_ == ZeroDates::kTakeAsNever)) {
    row->expires_at_ms = kNever;
    return std::nullopt;
  }
  return TimeRefusal(result);
}

RowBuilder::Refusal RowBuilder::TakeExpiresIn(const Cell& cell) {
  if (cell.kind == CellKind::kNull) return std::nullopt;
  uint64_t seconds = 0;
  const char* end = cell.bytes.data() + cell.bytes.size();
  const auto [stop, error] = std::from_chars(cell.bytes.data(), end, seconds);
  if (error != std::errc() || stop != end) return RefusalReason::kBadTime;
  if (seconds > kTimeMsMax / 1000) return RefusalReason::kBadTime;
  expires_in_s_ = seconds;
  return std::nullopt;
}

// Unless it expires before that. A row that does not say when it began would live for ever.
RowBuilder::Refusal RowBuilder::ExpireAfter(const std::optional<uint64_t>& from_ms,
                                            uint64_t lifetime_ms, ImportRow* row) const {
  if (!from_ms || *from_ms + lifetime_ms > kTimeMsMax) return RefusalReason::kBadTime;
  row->expires_at_ms = std::min(row->expires_at_ms, *from_ms + lifetime_ms);
  return std::nullopt;
}

RowBuilder::Refusal RowBuilder::TakeScopes(const Bound& bound, const Cell& cell, ImportRow* row) {
  if (cell.kind == CellKind::kNull) return std::nullopt;
  std::string_view text;
  if (Refusal refusal = ReadText(bound, cell, &scopes_buffer_, &text)) return refusal;
  if (!ReadScopes(text, &scopes_)) return RefusalReason::kBadScopes;
  row->scopes.assign(scopes_.begin(), scopes_.end());
  return std::nullopt;
}

RowBuilder::Refusal RowBuilder::TakeState(const Bound& bound, const Cell& cell, ImportRow* row) {
  const FieldMapping& mapping = *bound.mapping;
  if (mapping.field == Field::kRevokedAt) {
    uint64_t ms = 0;
    // A zero date is how old tables write NULL; a time yet to come fails closed.
    if (cell.kind != CellKind::kNull && ReadTime(bound, cell, &ms) != TimeResult::kZero) {
      row->revoked = true;
    }
    return std::nullopt;
  }
  bool revoked = false;
  if (mapping.field == Field::kStatus && mapping.reading == Reading::kWords) {
    revoked = cell.kind == CellKind::kNull || !OneOf(cell.bytes, mapping.live_words);
  } else if (mapping.field == Field::kStatus) {
    if (cell.kind != CellKind::kNull && OneOf(cell.bytes, kDeadWords)) {
      revoked = true;
    } else if (cell.kind == CellKind::kNull || !OneOf(cell.bytes, kLiveWords)) {
      return RefusalReason::kBadFlag;
    }
  } else {
    bool flag = false;
    const bool bits = bound.type == ColumnType::kBit || cell.kind == CellKind::kBytes ||
                      (bound.type == ColumnType::kUnknown && cell.bytes.size() == 1 &&
                       static_cast<unsigned char>(cell.bytes[0]) < ' ');
    if (cell.kind == CellKind::kNull) {
      // Nobody said "revoked", nor "active".
      flag = false;
    } else if (bits) {
      flag = std::any_of(cell.bytes.begin(), cell.bytes.end(), [](char c) { return c != 0; });
    } else if (cell.kind == CellKind::kNumber || bound.type == ColumnType::kInteger) {
      int64_t number = 0;
      const char* end = cell.bytes.data() + cell.bytes.size();
      auto [stop, error] = std::from_chars(cell.bytes.data(), end, number);
      if (error != std::errc() || stop != end) return RefusalReason::kBadFlag;
      flag = number != 0;
    } else if (OneOf(cell.bytes, kTrueWords)) {
      flag = true;
    } else if (!OneOf(cell.bytes, kFalseWords)) {
      return RefusalReason::kBadFlag;
    }
    revoked = mapping.field == Field::kActive ? !flag : flag;
  }
  row->revoked = row->revoked || revoked;
  return std::nullopt;
}

TimeResult RowBuilder::ReadTime(const Bound& bound, const Cell& cell, uint64_t* ms) const {
  switch (bound.mapping->reading) {
    case Reading::kEpochSeconds:
      return ReadEpoch(cell.bytes, EpochUnit::kSeconds, ms);
    case Reading::kEpochMilliseconds:
      return ReadEpoch(cell.bytes, EpochUnit::kMilliseconds, ms);
    case Reading::kDateTime:
      break;
    default:
      if (bound.type == ColumnType::kInteger || bound.type == ColumnType::kDecimal) {
        return ReadEpoch(cell.bytes, EpochUnit::kAuto, ms);
      }
      if (bound.type == ColumnType::kTimestamp || bound.type == ColumnType::kDatetime ||
          bound.type == ColumnType::kDate) {
        break;
      }
      // No type to go by: a bare number, or text of digits too few or too many for a date.
      if (cell.kind == CellKind::kNumber ||
          (cell.bytes.size() != 8 && cell.bytes.size() != 14 &&
           cell.bytes.find_first_not_of("0123456789") == std::string_view::npos)) {
        return ReadEpoch(cell.bytes, EpochUnit::kAuto, ms);
      }
  }
  const TimeZone& zone = bound.type == ColumnType::kTimestamp ? *timestamp_zone_ : *other_zone_;
  return ReadDateTime(cell.bytes, zone, ms);
}

void RowBuilder::TakeType(const Bound& bound, const Cell& cell, ImportRow* row) {
  if (cell.kind == CellKind::kNull) return;
  std::string_view text;
  if (cell.kind == CellKind::kExpression || cell.overlong ||
      ReadText(bound, cell, &type_buffer_, &text) || text.size() > kTextBytesMax ||
      !msgpack_io::IsValidUtf8(text)) {
    return LeaveOut(Field::kType);
  }
  const auto known = types_.find(std::string(text));
  if (known != types_.end()) {
    ++known->second;
  } else {
    ++types_[types_.size() < kTypesMax ? std::string(text) : "..."];
  }
  attributes_.clear();
  msgpack_io::Writer writer(&attributes_);
  writer.MapHeader(1);
  writer.Str("type");
  writer.Str(text);
  row->attributes = attributes_;
}

// What a row can do without.
void RowBuilder::TakeRest(const Bound& bound, const Cell& cell, ImportRow* row) {
  const Field field = bound.mapping->field;
  if (cell.kind == CellKind::kNull) return;
  if (cell.kind == CellKind::kExpression || cell.overlong) return LeaveOut(field);
  if (field == Field::kName) {
    std::string_view text;
    if (ReadText(bound, cell, &name_buffer_, &text) || text.size() > kTextBytesMax ||
        !msgpack_io::IsValidUtf8(text)) {
      return LeaveOut(field);
    }
    row->name = text;
    return;
  }
  if (field == Field::kUseCount) {
    const char* end = cell.bytes.data() + cell.bytes.size();
    auto [stop, error] = std::from_chars(cell.bytes.data(), end, row->use_count);
    if (error != std::errc() || stop != end) {
      row->use_count = 0;
      LeaveOut(field);
    }
    return;
  }
  uint64_t ms = 0;
  TimeResult result = ReadTime(bound, cell, &ms);
  if (result == TimeResult::kZero) return;  // how old tables write NULL
  if (result != TimeResult::kOk) return LeaveOut(field);
  if (field == Field::kCreatedAt) row->created_at_ms = ms;
  if (field == Field::kUpdatedAt) row->updated_at_ms = ms;
  if (field == Field::kLastUsedAt) row->last_used_at_ms = ms;
}

// A key of several columns is joined with commas.
void RowBuilder::TakeSourceId(const std::vector<Cell>& cells, ImportRow* row) {
  source_id_buffer_.clear();
  std::string part;
  for (const Bound& bound : source_id_) {
    const Cell& cell = cells[bound.position];
    std::string_view text;
    if (cell.kind == CellKind::kNull && source_id_.size() == 1) return;
    if (cell.kind == CellKind::kExpression || cell.overlong || ReadId(bound, cell, &part, &text)) {
      return LeaveOut(Field::kSourceId);
    }
    if (!source_id_buffer_.empty()) source_id_buffer_ += ',';
    source_id_buffer_ += text;
  }
  if (source_id_buffer_.size() > kTextBytesMax) return LeaveOut(Field::kSourceId);
  row->source_id = source_id_buffer_;
}

}  // namespace tokend
