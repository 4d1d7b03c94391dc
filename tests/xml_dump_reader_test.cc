#include "import/xml_dump_reader.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/import_fixture.h"

namespace tokend {
namespace {

Outcome ImportXml(std::string_view xml, const std::string& columns = "token=token,owner=owner?") {
  TempDirectory directory;
  ImportOptions options;
  options.inputs = {directory.Write("dump.xml", xml)};
  options.tables = {"t"};
  options.columns = columns;
  Outcome outcome;
  outcome.status = RunImport(options, &outcome.sink, {}, &outcome.report);
  return outcome;
}

std::string Resultset(const std::string& rows) {
  return "<?xml version=\"1.0\"?>\n\n<resultset statement=\"select * from t\" "
         "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">" +
         rows + "</resultset>\n";
}
std::string Field(const std::string& name, const std::string& text) {
  return "<field name=\"" + name + "\">" + text + "</field>";
}

TEST(XmlDumpReaderTest, ReadsAResultset) {
  Outcome outcome =
      ImportXml(Resultset("<row>" + Field("token", "a&lt;&amp;&quot;&gt;&#65;&#x20ac;&nbsp;& b") +
                          Field("owner", "7") + "</row>\n<row>" + Field("token", "b") +
                          "<field name=\"owner\" xsi:nil=\"true\" /></row><row>" +
                          Field("token", "") + Field("owner", "") + "</row>"));
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.message();
  EXPECT_TRUE(outcome.report.complete());
  ASSERT_EQ(outcome.rows().size(), 2u);
  EXPECT_EQ(outcome.rows()[0].key, KeyOf("a<&\">A\u20ac&nbsp;& b"));
  EXPECT_EQ(outcome.rows()[0].owner, "7");
  EXPECT_EQ(outcome.rows()[1].key, KeyOf("b"));
  EXPECT_EQ(outcome.rows()[1].owner, std::nullopt);
  EXPECT_EQ(outcome.refusals(), (std::vector<std::string>{"empty_token:1"}));
}

TEST(XmlDumpReaderTest, ReadsStructureAndData) {
  const std::string key(64, '1');
  Outcome outcome = ImportXml(
      "<?xml version=\"1.0\"?>\n<mysqldump><!-- a > b \" c -->\n<database name=\"d\">"
      "<table_structure name=\"t\">"
      "<field Field=\"id\" Type=\"int(11)\" Null=\"NO\" Key=\"PRI\" Extra=\"a > b\" />"
      "<field Field=\"k\" Type=\"binary(32)\" Key=\"\" />"
      "<key Table=\"t\" Key_name=\"PRIMARY\" Column_name=\"id\" /></table_structure>"
      "<table_data name=\"other\"><row>" +
          Field("x", "y") +
          "</row></table_data>"
          "<table_data name=\"t\"><row>" +
          Field("id", "5") + "<field name=\"k\" xsi:type=\"xs:hexBinary\">" + key +
          "</field></row><row>" + Field("id", "6") +
          "<field name=\"k\" xsi:type=\"xs:hexBinary\">zz</field></row>"
          "</table_data></database></mysqldump>",
      "key_binary=k");
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.message();
  EXPECT_TRUE(outcome.report.complete());
  ASSERT_EQ(outcome.rows().size(), 1u);
  EXPECT_EQ(outcome.rows()[0].key, key);
  EXPECT_EQ(outcome.rows()[0].source_id, "5");
  EXPECT_EQ(outcome.table().table.database, "d");
  EXPECT_EQ(outcome.refusals(), (std::vector<std::string>{"expression:1"}));
  ASSERT_EQ(outcome.report.skipped_tables.size(), 1u);
  EXPECT_EQ(outcome.report.skipped_tables[0].rows, 1u);
}

// Each at any cut, and whatever is cut off is said to be missing.
TEST(XmlDumpReaderTest, EveryCutGivesTheRowsBeforeIt) {
  const std::string xml =
      Resultset("<row>" + Field("token", "a&amp;b") + Field("owner", "7") + "</row><row>" +
                Field("token", "c") + Field("owner", "8") + "</row>");
  const size_t first_end = xml.find("</row>") + 6;
  const size_t second_end = xml.rfind("</row>") + 6;
  for (size_t size = xml.find("<row>"); size < xml.size(); ++size) {
    Outcome outcome = ImportXml(std::string_view(xml).substr(0, size));
    ASSERT_TRUE(outcome.status.ok()) << outcome.status.message();
    const size_t want = size >= second_end ? 2 : size >= first_end ? 1 : 0;
    EXPECT_EQ(outcome.rows().size(), want) << size;
    EXPECT_EQ(outcome.report.complete(), size >= xml.size() - 1) << size;
  }
}

TEST(XmlDumpReaderTest, ReadsTheSameWhereverAReadEnds) {
  const std::string xml = Resultset("<row>" + Field("token", "a&amp;&#x20ac;b") + "</row>");
  class Count : public RowsConsumer {
   public:
    std::string bytes;
    bool OnTable(const TableName&) override { return true; }
    Status BeginRows(const RowsHeader&, RowsPlan* plan) override {
      plan->take = true;
      return Status::Ok();
    }
    Status Row(const std::vector<Cell>& cells, const RowPosition&) override {
      for (const Cell& cell : cells) bytes += std::string(cell.bytes) + "|";
      return Status::Ok();
    }
    void SkippedRows(const TableName&, uint64_t) override {}
    void SkippedChange(const TableName&, std::string_view) override {}
  };
  for (size_t step = 1; step < 20; ++step) {
    MemorySource source(xml, step);
    TableCatalog catalog;
    Count count;
    InputReport report;
    XmlDumpReader reader(&source, "in", 1 << 20, {"", "t"}, &catalog, &count);
    ASSERT_TRUE(reader.Run(&report).ok());
    EXPECT_EQ(count.bytes, "a&\u20acb|") << step;
    EXPECT_TRUE(report.complete);
  }
}

}  // namespace
}  // namespace tokend
