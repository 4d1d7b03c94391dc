// How a text file delimits its rows and fields. The terms are those of LOAD DATA.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/error.h"

namespace tokend {

enum class InputFormat : uint8_t {
  kAuto,     // told by the first bytes, else by the file's name
  kSql,      // "sql"
  kXml,      // "xml": mysqldump --xml, mariadb --xml
  kBatch,    // "batch": mariadb --batch
  kOutfile,  // "outfile": INTO OUTFILE, mysqldump --tab
  kCsv,      // "csv"
};

std::string_view InputFormatName(InputFormat format);
std::optional<InputFormat> ParseInputFormat(std::string_view name);

struct TextFormat {
  char field_end = '\t';
  char quote = 0;  // 0: none
  // 0: none. The same as `quote`: a quote in quotes is doubled, and "N is NULL, as OUTFILE has it.
  char escape = '\\';
  bool null_word = false;           // NULL without quotes is NULL; \N is wherever it can be told
  std::optional<std::string> null;  // so is this, without quotes
  bool crlf = false;                // a \r before the line's end belongs to the end

  // "fields end with TAB, are escaped with \; NULL is \N": for the report.
  std::string Text() const;
};

// What the options say of text files, over what their format has.
struct TextOptions {
  std::optional<char> field_end, quote, escape;  // '\0': none
  std::optional<std::string> null;
  // Whether the first line has the columns' names; missing: if it has that of the token.
  std::optional<bool> header;
  std::vector<std::string> columns;  // names, in order; empty: the header's, or the table's
};

// Of kBatch, kOutfile and kCsv.
TextFormat MakeTextFormat(InputFormat format, const TextOptions& options);
// kBadParams: one byte is needed, or a name such as \t, or nothing.
Status ParseTextByte(std::string_view option, std::string_view text, std::optional<char>* out);

}  // namespace tokend
