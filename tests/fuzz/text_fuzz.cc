// Delimited text and XML, fed in one piece and in small ones: the same rows. Fields that are
// written as OUTFILE writes them are read as they were. The first byte chooses the format.
#include <optional>
#include <string>
#include <vector>

#include "import/text_reader.h"
#include "import/xml_dump_reader.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace tokend;
using fuzz::Require;

constexpr size_t kCellBytesMax = 32;

struct Field {
  CellKind kind;
  bool overlong;
  std::string bytes;
  bool operator==(const Field&) const = default;
};

struct Got : public RowsConsumer {
  std::vector<std::string> columns;
  std::vector<std::vector<Field>> rows;
  std::vector<uint64_t> offsets;
  uint64_t tables = 0, text_bytes = 0;
  bool complete = false;

  bool OnTable(const TableName& /*table*/) override {
    ++tables;
    return true;
  }
  Status BeginRows(const RowsHeader& header, RowsPlan* plan) override {
    if (header.columns != nullptr) {
      columns.insert(columns.end(), header.columns->begin(), header.columns->end());
    }
    plan->take = true;
    plan->wanted = {1, 0, 1, 1};
    return {};
  }
  Status Row(const std::vector<Cell>& cells, const RowPosition& position) override {
    auto& row = rows.emplace_back();
    for (const Cell& cell : cells) {
      Require(cell.bytes.size() <= kCellBytesMax, "cells are bounded");
      row.push_back({cell.kind, cell.overlong, std::string(cell.bytes)});
    }
    offsets.push_back(position.offset);
    return {};
  }
  void SkippedRows(const TableName& /*table*/, uint64_t /*rows*/) override {}
  void SkippedChange(const TableName& /*table*/, std::string_view /*kind*/) override {}

  void RequireSame(const Got& other) const {
    Require(rows == other.rows && columns == other.columns, "each cut gives the same rows");
    Require(offsets == other.offsets, "in the same places");
    Require(tables == other.tables && text_bytes == other.text_bytes && complete == other.complete,
            "and the same end");
  }
};

Got ReadAll(std::string_view text, size_t step, uint8_t choice) {
  MemorySource source(text, step);
  Got got;
  InputReport report;
  Status status;
  if (choice % 5 == 4) {
    TableCatalog catalog;
    XmlDumpReader reader(&source, "in", kCellBytesMax, {"", "t"}, &catalog, &got);
    status = reader.Run(&report);
  } else {
    constexpr InputFormat kFormats[] = {InputFormat::kOutfile, InputFormat::kBatch,
                                        InputFormat::kCsv, InputFormat::kCsv};
    TextOptions options;
    if (choice % 5 == 3) options.escape = (choice & 64) != 0 ? '\\' : '\0';
    TextReader::Table table;
    table.name.name = "t";
    table.token_columns = {"token"};
    if ((choice & 128) != 0) table.header = false;
    TextReader reader(&source, "in", MakeTextFormat(kFormats[choice % 5], options), table,
                      kCellBytesMax, &got);
    status = reader.Run(&report);
  }
  Require(status.ok(), "memory is always read");
  got.text_bytes = report.text_bytes;
  got.complete = report.complete;
  return got;
}

std::string AsOutfile(const std::vector<std::vector<Field>>& rows) {
  std::string text;
  for (const std::vector<Field>& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      if (i > 0) text += '\t';
      if (row[i].kind == CellKind::kNull) {
        text += "\\N";
        continue;
      }
      for (const char c : row[i].bytes) {
        if (c == '\0') {
          text += "\\0";
          continue;
        }
        if (c == '\t' || c == '\n' || c == '\\') text += '\\';
        text += c;
      }
    }
    text += '\n';
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text = fuzz::View(data, size);
  const uint8_t choice = fuzz::TakeByte(&text);
  const Got at_once = ReadAll(text, SIZE_MAX, choice);
  Require(at_once.text_bytes <= text.size(), "no more is read than there is");
  at_once.RequireSame(ReadAll(text, 1, choice));
  at_once.RequireSame(ReadAll(text, 5, choice));

  if (choice % 5 != 0 || (choice & 128) == 0) return 0;
  std::vector<std::vector<Field>> rows = at_once.rows;
  // An empty field alone is an empty line, which is none.
  std::erase_if(rows, [](const auto& row) { return row.size() == 1 && row[0].bytes.empty(); });
  const Got again = ReadAll(AsOutfile(rows), SIZE_MAX, choice);
  Require(again.rows.size() == rows.size(), "as many rows");
  for (size_t i = 1; i < rows.size(); ++i) {
    Require(again.rows[i].size() == rows[i].size(), "as many fields");
    for (size_t j = 0; j < rows[i].size(); ++j) {
      Require(again.rows[i][j].bytes == rows[i][j].bytes, "what was written is read");
    }
  }
  return 0;
}
