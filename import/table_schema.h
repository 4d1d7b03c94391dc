// Tables as their DDL describes them, whatever format brought it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "import/charset.h"

namespace tokend {

enum class ColumnType : uint8_t {
  kUnknown,  // no DDL was seen
  kInteger,  // also YEAR
  kDecimal,  // also FLOAT, DOUBLE
  kBit,
  kText,       // CHAR, VARCHAR, TEXT, ENUM, SET, JSON
  kBinary,     // BINARY(n): an identifier or a digest, no text
  kVarBinary,  // VARBINARY, BLOB: may well be text
  kTimestamp,  // an instant
  kDatetime,   // without zone
  kDate,
  kOther,  // TIME, GEOMETRY, ...
};

struct ColumnSchema {
  std::string name;
  ColumnType type = ColumnType::kUnknown;
  std::string type_name;  // as written, without arguments and in lower case: "datetime"
  Charset charset = Charset::kUnknown;  // of text
  // Of text that is compared by more than its bytes: the collation's name, or that of the character
  // set whose default it is; "the default collation" where none is named.
  std::string loose_collation;
};

struct TableName {
  std::string database;  // empty: not known
  std::string name;

  friend auto operator<=>(const TableName&, const TableName&) = default;
  // "database.name", or the name alone.
  std::string Text() const { return database.empty() ? name : database + "." + name; }
};

struct TableSchema {
  TableName table;
  std::vector<ColumnSchema> columns;  // generated and invisible ones too: dumps write their values
  std::vector<std::string> primary_key;

  // Without case, as the server has it; null if there is none.
  const ColumnSchema* Find(std::string_view column) const;
};

}  // namespace tokend
