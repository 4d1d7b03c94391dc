// Which column of a table is which field of a token, and how its values are read.
//
//   mapping := entry { "," entry }
//   entry   := field "=" column [ "?" ] [ ":" reading ]
//   column  := name | "`" name "`"            with "?": the table may lack it
//   reading := "epoch_s" | "epoch_ms" | "datetime"       of times; else by the column's type
//            | "epoch_s0" | "epoch_ms0"                  of expires_at: and 0 is never
//            | "hex" | "text"                            of owner and source_id
//            | word { "/" word }                         of status: the words that mean live
//
// Exactly one entry says what the key is made of: token (in clear), key_hex, key_base64 or
// key_binary.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "import/table_schema.h"
#include "protocol/error.h"

namespace tokend {

enum class Field : uint8_t {
  kToken,      // in clear: digested here
  kKeyHex,     // its digest in hexadecimal digits of either case
  kKeyBase64,  // its digest in base64, of the usual alphabet or that of URLs, padded or not
  kKeyBinary,  // its digest in bytes
  kOwner,
  kName,
  kScopes,     // a JSON list, or words with spaces or commas between
  kExpiresAt,  // NULL = never
  kExpiresIn,  // in seconds from created_at on; NULL = never
  kCreatedAt,
  kUpdatedAt,
  kLastUsedAt,
  kUseCount,
  kSourceId,   // unless named: the primary key, where it does not hold the token
  kRevoked,    // true = revoked
  kActive,     // false = revoked
  kRevokedAt,  // not NULL = revoked
  kStatus,     // a word
  kType,       // a word, kept as the attribute "type"
  kNamespace,  // where the row goes
};
inline constexpr size_t kFields = 20;

std::string_view FieldName(Field field);  // "token", "key_hex", ...
// Of what the key is made.
bool IsKeyField(Field field);

enum class Reading : uint8_t {
  kAuto,
  kEpochSeconds,
  kEpochMilliseconds,
  kDateTime,
  kHex,
  kText,
  kWords,
};

struct FieldMapping {
  Field field = Field::kToken;
  std::string column;
  bool optional = false;
  Reading reading = Reading::kAuto;
  bool zero_is_never = false;           // of expires_at in epoch_s or epoch_ms
  std::vector<std::string> live_words;  // kWords: what else there is means revoked
};

// Rows are taken where the column has one of these values; NULL as a value is NULL.
struct RowCondition {
  std::string column;
  std::vector<std::string> values;
};

struct TableMapping {
  std::vector<FieldMapping> fields;
  std::vector<RowCondition> conditions;  // all of them must hold

  const FieldMapping* Find(Field field) const;
};

// Fields only. kBadParams names the entry and what it should be.
Status ParseMapping(std::string_view text, TableMapping* mapping);
// "column=value[,value...]"; the column may stand in backquotes.
Status ParseCondition(std::string_view text, RowCondition* condition);

}  // namespace tokend
