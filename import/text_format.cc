#include "import/text_format.h"

#include <utility>

namespace tokend {
namespace {

constexpr std::pair<InputFormat, std::string_view> kNames[] = {
    {InputFormat::kAuto, "auto"},   {InputFormat::kSql, "sql"},         {InputFormat::kXml, "xml"},
    {InputFormat::kBatch, "batch"}, {InputFormat::kOutfile, "outfile"}, {InputFormat::kCsv, "csv"},
};

std::string ByteName(char c) {
  if (c == '\t') return "TAB";
  return std::string(1, c);
}

}  // namespace

std::string_view InputFormatName(InputFormat format) {
  for (const auto& [known, name] : kNames) {
    if (known == format) return name;
  }
  return "";
}

std::optional<InputFormat> ParseInputFormat(std::string_view name) {
  for (const auto& [format, known] : kNames) {
    if (known == name) return format;
  }
  return std::nullopt;
}

std::string TextFormat::Text() const {
  std::string text = "fields end with " + ByteName(field_end);
  if (quote != 0) text += ", may stand in " + ByteName(quote);
  if (escape != 0 && escape == quote) {
    text += ", which is doubled inside";
  } else {
    text += escape != 0 ? ", are escaped with " + ByteName(escape) : ", nothing is escaped";
  }
  text += "; NULL is ";
  if (escape != 0 && escape == quote) text += ByteName(quote) + "N, ";
  text += "\\N";
  if (null_word) text += ", NULL";
  if (null) text += null->empty() ? ", nothing" : ", " + *null;
  return text;
}

TextFormat MakeTextFormat(InputFormat format, const TextOptions& options) {
  TextFormat text;
  if (format == InputFormat::kBatch) text.null_word = true;
  if (format == InputFormat::kCsv) {
    text.field_end = ',';
    text.quote = text.escape = '"';
    text.null_word = true;
    text.crlf = true;
  }
  if (options.field_end) text.field_end = *options.field_end;
  if (options.quote) {
    if (text.escape == text.quote && !options.escape) text.escape = *options.quote;
    text.quote = *options.quote;
  }
  if (options.escape) text.escape = *options.escape;
  text.null = options.null;
  return text;
}

Status ParseTextByte(std::string_view option, std::string_view text, std::optional<char>* out) {
  if (text.empty()) {
    *out = '\0';
  } else if (text == "\\t") {
    *out = '\t';
  } else if (text == "\\\\") {
    *out = '\\';
  } else if (text.size() == 1 && text[0] != '\n' && text[0] != '\r') {
    *out = text[0];
  } else {
    return {ErrorCode::kBadParams,
            std::string(option) + ": should be one byte, \\t, or nothing for none"};
  }
  return Status::Ok();
}

}  // namespace tokend
