// Text for people: tables that fit a terminal, and values that do it no harm.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tokend::tokenctl {

// The text with control characters (C0, DEL, C1) as \n, \t or \x1b and bytes that are not UTF-8 as
// \xff: an owner's name must not be able to steer the terminal of whoever lists it.
std::string Printable(std::string_view text);

// 1234567 as 1,234,567.
std::string WithCommas(uint64_t number);

// Rows of cells under a header. Cells are made printable here.
class Table {
 public:
  enum class Align : uint8_t { kLeft, kRight };
  struct Column {
    std::string title;
    Align align = Align::kLeft;
  };
  // A table without titles has no header line.
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // Requires as many cells as there are columns. An empty cell shows as "-".
  void Add(std::vector<std::string> cells);
  // Lines of at most `width` characters; 0 = however wide. Where that is too narrow the widest
  // columns are cut, ending in "…", but none below 8 characters.
  std::string ToString(size_t width) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// Characters of UTF-8 text, each taken to be one column wide.
size_t DisplayWidth(std::string_view text);
// The text, or where it is wider its beginning and "…". `width` is at least 1.
std::string CutToWidth(const std::string& text, size_t width);

}  // namespace tokend::tokenctl
