#include "import/text_reader.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "tests/import_fixture.h"

namespace tokend {
namespace {

using Fields = std::vector<std::optional<std::string>>;

// Takes all cells of everything.
class AllRows : public RowsConsumer {
 public:
  std::vector<std::string> columns;
  std::vector<Fields> rows;
  std::vector<uint64_t> offsets;
  uint64_t skipped = 0;
  std::vector<uint8_t> wanted = std::vector<uint8_t>(100, 1);
  bool take = true;

  bool OnTable(const TableName&) override { return true; }
  Status BeginRows(const RowsHeader& header, RowsPlan* plan) override {
    if (header.columns != nullptr) columns = *header.columns;
    plan->take = take;
    plan->wanted = wanted;
    return Status::Ok();
  }
  Status Row(const std::vector<Cell>& cells, const RowPosition& position) override {
    auto& row = rows.emplace_back();
    for (const Cell& cell : cells) {
      if (cell.kind == CellKind::kNull) {
        row.emplace_back();
      } else {
        row.emplace_back(cell.kind == CellKind::kSkipped ? "-" : std::string(cell.bytes));
      }
    }
    offsets.push_back(position.offset);
    return Status::Ok();
  }
  void SkippedRows(const TableName&, uint64_t count) override { skipped += count; }
  void SkippedChange(const TableName&, std::string_view) override {}
};

struct Read {
  AllRows got;
  InputReport report;
  bool had_header = false;
};

TextFormat Csv(const TextOptions& options = {}) {
  return MakeTextFormat(InputFormat::kCsv, options);
}
TextFormat Outfile() { return MakeTextFormat(InputFormat::kOutfile, {}); }
TextFormat Batch() { return MakeTextFormat(InputFormat::kBatch, {}); }

Read ReadAll(std::string_view text, const TextFormat& format, TextReader::Table table = {},
             size_t step = SIZE_MAX) {
  table.name = {"", "t"};
  if (!table.header && table.token_columns.empty()) table.header = false;
  MemorySource source(text, step);
  Read read;
  TextReader reader(&source, "in", format, table, 1 << 20, &read.got);
  EXPECT_TRUE(reader.Run(&read.report).ok());
  read.had_header = reader.had_header();
  return read;
}

// Wherever a read cuts the text.
std::vector<Fields> Rows(std::string_view text, const TextFormat& format) {
  const Read whole = ReadAll(text, format);
  EXPECT_TRUE(whole.report.complete);
  EXPECT_EQ(whole.report.text_bytes, text.size());
  for (size_t step : {1, 2, 3, 7}) {
    const Read cut = ReadAll(text, format, {}, step);
    EXPECT_EQ(cut.got.rows, whole.got.rows) << step;
    EXPECT_EQ(cut.got.offsets, whole.got.offsets) << step;
  }
  return whole.got.rows;
}

TEST(TextReaderTest, ReadsWhatOutfileWrites) {
  EXPECT_EQ(Rows("1\ta\n2\tb\n", Outfile()), (std::vector<Fields>{{"1", "a"}, {"2", "b"}}));
  EXPECT_EQ(Rows("1\ta", Outfile()), (std::vector<Fields>{{"1", "a"}}));
  EXPECT_EQ(Rows("\\N\ta\\\tb\\\nc\\\\\n", Outfile()),
            (std::vector<Fields>{{std::nullopt, "a\tb\nc\\"}}));
  EXPECT_EQ(Rows("\\0\\b\\n\\r\\t\\Z\\x\\'\t\n", Outfile()),
            (std::vector<Fields>{{std::string("\0\b\n\r\t\x1ax'", 8), ""}}));
  // Only the whole field is NULL.
  EXPECT_EQ(Rows("a\\N\t\\Nb\tNULL\n", Outfile()), (std::vector<Fields>{{"aN", "Nb", "NULL"}}));
  EXPECT_EQ(Rows("a\r\n", Outfile()), (std::vector<Fields>{{"a\r"}}));
  EXPECT_EQ(Rows("\"a\"\n", Outfile()), (std::vector<Fields>{{"\"a\""}}));
  EXPECT_EQ(Rows("\n\na\n\n", Outfile()), (std::vector<Fields>{{"a"}}));
  EXPECT_TRUE(Rows("", Outfile()).empty());
}

TEST(TextReaderTest, ReadsWhatBatchWrites) {
  EXPECT_EQ(Rows("NULL\t\\N\tNULLx\ta\\tb\\nc\\\\\n", Batch()),
            (std::vector<Fields>{{std::nullopt, std::nullopt, "NULLx", "a\tb\nc\\"}}));
}

TEST(TextReaderTest, ReadsCsv) {
  EXPECT_EQ(Rows("1,\"a,b\"\r\n2,\"c\"\"d\ne\"\r\n", Csv()),
            (std::vector<Fields>{{"1", "a,b"}, {"2", "c\"d\ne"}}));
  EXPECT_EQ(Rows("\"N,\"a\",\"N\n\"N\",NULL,\"NULL\",\\N\n", Csv()),
            (std::vector<Fields>{{std::nullopt, "a", std::nullopt},
                                 {"N", std::nullopt, "NULL", std::nullopt}}));
  EXPECT_EQ(Rows("a\\b,c\"d\n", Csv()), (std::vector<Fields>{{"a\\b", "c\"d"}}));
  EXPECT_EQ(Rows(",\"\",\n", Csv()), (std::vector<Fields>{{"", "", ""}}));
  // A carriage return is part of a line's end only.
  EXPECT_EQ(Rows("a\rb,c\r\n", Csv()), (std::vector<Fields>{{"a\rb", "c"}}));
  EXPECT_EQ(Rows("\"a\"\r", Csv()), (std::vector<Fields>{{"a"}}));
  EXPECT_EQ(Rows("x;y\n", Csv({.field_end = ';'})), (std::vector<Fields>{{"x", "y"}}));
  EXPECT_EQ(Rows("'x''y',\"\n", Csv({.quote = '\''})), (std::vector<Fields>{{"x'y", "\""}}));
  EXPECT_EQ(Rows("-,x\n", Csv({.null = "-"})), (std::vector<Fields>{{std::nullopt, "x"}}));
  EXPECT_EQ(Rows(",\"\"\n", Csv({.null = ""})), (std::vector<Fields>{{std::nullopt, ""}}));
}

TEST(TextReaderTest, ReadsCsvWithBackslashesAndWithoutEscapes) {
  EXPECT_EQ(Rows("\"a\\\"b\\\\\",\\N\n", Csv({.escape = '\\'})),
            (std::vector<Fields>{{"a\"b\\", std::nullopt}}));
  // Ends at the quote that an end follows.
  EXPECT_EQ(Rows("\"a\"\"b\\\",\"c\"d\"\n", Csv({.escape = '\0'})),
            (std::vector<Fields>{{"a\"\"b\\", "c\"d"}}));
}

TEST(TextReaderTest, AValueThatIsCutIsNoRow) {
  for (const auto& [text, format] : {std::pair("1,a\n2,\"b", Csv()), {"1\ta\n2\tb\\", Outfile()}}) {
    const Read read = ReadAll(text, format);
    EXPECT_EQ(read.got.rows, (std::vector<Fields>{{"1", "a"}}));
    EXPECT_FALSE(read.report.complete);
    EXPECT_EQ(read.report.incomplete_reason, "it ends within a value");
  }
}

TEST(TextReaderTest, AHeaderNamesTheColumns) {
  const auto read = [](std::string_view text, std::optional<bool> header,
                       std::vector<std::string> columns = {}) {
    TextReader::Table table;
    table.header = header;
    table.columns = std::move(columns);
    table.token_columns = {"token"};
    return ReadAll(text, Batch(), table);
  };
  Read named = read("id\tToken\n1\ta\n", std::nullopt);
  EXPECT_TRUE(named.had_header);
  EXPECT_EQ(named.got.columns, (std::vector<std::string>{"id", "Token"}));
  EXPECT_EQ(named.got.rows, (std::vector<Fields>{{"1", "a"}}));
  EXPECT_EQ(read("1\ta\n", std::nullopt).got.rows, (std::vector<Fields>{{"1", "a"}}));
  EXPECT_EQ(read("1\ttoken\n", false).got.rows, (std::vector<Fields>{{"1", "token"}}));
  // Names that were told win over the header's.
  named = read("x\ty\n1\ta\n", true, {"id", "token"});
  EXPECT_EQ(named.got.columns, (std::vector<std::string>{"id", "token"}));
  EXPECT_EQ(named.got.rows, (std::vector<Fields>{{"1", "a"}}));
}

TEST(TextReaderTest, KeepsWhatIsWanted) {
  MemorySource source("a\tb\tc\nd\te\tf\n");
  AllRows got;
  got.wanted = {0, 1};
  InputReport report;
  TextReader reader(&source, "in", Outfile(), {.name = {"", "t"}, .header = false}, 1 << 20, &got);
  ASSERT_TRUE(reader.Run(&report).ok());
  // The first line is read before it is known what is wanted.
  EXPECT_EQ(got.rows, (std::vector<Fields>{{"a", "b", "c"}, {"-", "e", "-"}}));

  MemorySource again("a\tb\nc\td\n");
  AllRows nothing;
  nothing.take = false;
  TextReader counting(&again, "in", Outfile(), {.name = {"", "t"}, .header = false}, 1 << 20,
                      &nothing);
  ASSERT_TRUE(counting.Run(&report).ok());
  EXPECT_TRUE(nothing.rows.empty());
  EXPECT_EQ(nothing.skipped, 2u);
}

TEST(TextReaderTest, RowsOfTheWrongLengthAndOverlongValuesAreRefused) {
  TempDirectory directory;
  ImportOptions options;
  options.inputs = {directory.Write(
      "t.csv", "token,owner\na,1\nb\nc,2,3\n" + std::string(100, 'x') + ",4\nd,5\n")};
  options.tables = {"t"};
  options.columns = "token=token,owner=owner";
  options.cell_bytes_max = 50;
  Outcome outcome;
  outcome.status = RunImport(options, &outcome.sink, {}, &outcome.report);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.message();
  EXPECT_EQ(outcome.keys(), (std::vector<std::string>{KeyOf("a"), KeyOf("d")}));
  EXPECT_EQ(outcome.refusals(), (std::vector<std::string>{"column_count:2", "value_too_long:1"}));
  EXPECT_EQ(outcome.table().refusals[1].first[0].offset, 24u);
}

TEST(TextFormatTest, OptionsAreOneByte) {
  std::optional<char> byte;
  EXPECT_TRUE(ParseTextByte("x", "", &byte).ok());
  EXPECT_EQ(byte, '\0');
  EXPECT_TRUE(ParseTextByte("x", "\\t", &byte).ok());
  EXPECT_EQ(byte, '\t');
  EXPECT_TRUE(ParseTextByte("x", "\\\\", &byte).ok());
  EXPECT_EQ(byte, '\\');
  EXPECT_TRUE(ParseTextByte("x", ";", &byte).ok());
  EXPECT_EQ(byte, ';');
  for (const char* wrong : {"ab", "\n", "\\x"}) EXPECT_FALSE(ParseTextByte("x", wrong, &byte).ok());
  EXPECT_EQ(Csv().Text(),
            "fields end with ,, may stand in \", which is doubled inside; NULL is \"N, \\N, NULL");
  EXPECT_EQ(Outfile().Text(), "fields end with TAB, are escaped with \\; NULL is \\N");
}

}  // namespace
}  // namespace tokend
