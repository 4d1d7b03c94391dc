#include "client/tokenctl/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <numeric>

#include "protocol/msgpack.h"

namespace tokend::tokenctl {

namespace {

constexpr size_t kColumnWidthMin = 8;
constexpr std::string_view kGap = "  ";

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// The bytes of the character at the front; 0 where it is not UTF-8.
size_t CharacterSize(std::string_view text) {
  for (size_t size = 1; size <= 4 && size <= text.size(); ++size) {
    if (msgpack_io::IsValidUtf8(text.substr(0, size))) return size;
  }
  return 0;
}

}  // namespace

size_t DisplayWidth(std::string_view text) {
  return static_cast<size_t>(
      std::ranges::count_if(text, [](char c) { return !IsContinuation(c); }));
}

std::string Printable(std::string_view text) {
  std::string shown;
  while (!text.empty()) {
    size_t size = CharacterSize(text);
    auto byte = static_cast<unsigned char>(text.front());
    if (text.front() == '\n') {
      shown += "\\n";
    } else if (text.front() == '\t') {
      shown += "\\t";
    } else if (size == 0 || byte < 0x20 || byte == 0x7f) {
      shown += fmt::format("\\x{:02x}", byte);
    } else if (byte == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0) {  // C1
      shown += fmt::format("\\u{:04x}", static_cast<unsigned char>(text[1]));
    } else {
      shown += text.substr(0, size);
    }
    text.remove_prefix(std::max<size_t>(size, 1));
  }
  return shown;
}

std::string CutToWidth(const std::string& text, size_t width) {
  if (DisplayWidth(text) <= width) return text;
  size_t end = 0;
  for (size_t shown = 0; shown + 1 < width; ++shown) {
    ++end;
    while (end < text.size() && IsContinuation(text[end])) ++end;
  }
  return text.substr(0, end) + "…";
}

std::string WithCommas(uint64_t number) {
  std::string text = std::to_string(number);
  for (size_t end = text.size(); end > 3; end -= 3) text.insert(end - 3, 1, ',');
  return text;
}

void Table::Add(std::vector<std::string> cells) {
  assert(cells.size() == columns_.size());
  for (std::string& cell : cells) cell = cell.empty() ? "-" : Printable(cell);
  rows_.push_back(std::move(cells));
}

std::string Table::ToString(size_t width) const {
  std::vector<size_t> widths;
  bool has_header = false;
  for (const Column& column : columns_) {
    widths.push_back(DisplayWidth(column.title));
    has_header = has_header || !column.title.empty();
  }
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], DisplayWidth(row[i]));
  }
  size_t gaps = kGap.size() * (columns_.size() - 1);
  while (width != 0 && std::accumulate(widths.begin(), widths.end(), gaps) > width) {
    auto widest = std::ranges::max_element(widths);
    if (*widest <= kColumnWidthMin) break;
    --*widest;
  }

  std::string out;
  auto add_line = [&](auto cell_of) {
    std::string line;
    for (size_t i = 0; i < columns_.size(); ++i) {
      std::string cell = CutToWidth(cell_of(i), widths[i]);
      std::string padding(widths[i] - DisplayWidth(cell), ' ');
      bool left = columns_[i].align == Align::kLeft;
      if (i > 0) line += kGap;
      line += left ? cell + padding : padding + cell;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  };
  if (has_header) add_line([&](size_t i) -> const std::string& { return columns_[i].title; });
  for (const auto& row : rows_) add_line([&](size_t i) -> const std::string& { return row[i]; });
  return out;
}

}  // namespace tokend::tokenctl
