// Reads SQL dumps: statements in, tables and rows out.
//
// INSERT and REPLACE give rows, in all their forms but SELECT; CREATE TABLE names their columns;
// SET, USE and CREATE DATABASE set how they are read. Bodies of triggers, procedures, functions,
// events and views are passed over as the one statement each is. Everything else is counted by
// kind.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "import/byte_source.h"
#include "import/report.h"
#include "import/row_cells.h"
#include "import/sql_session.h"
#include "import/sql_tokenizer.h"
#include "import/table_catalog.h"
#include "import/table_rows.h"
#include "import/table_schema.h"
#include "protocol/error.h"

namespace tokend {

class SqlDumpReader : private SqlListener {
 public:
  // `source`, `catalog` and `consumer` must outlive the reader. `name` is the input's, for
  // positions.
  SqlDumpReader(ByteSource* source, std::string_view name, const SqlTokenizer::Options& options,
                TableCatalog* catalog, RowsConsumer* consumer);
  // What tables without a database's name belong to until the input says so.
  void set_database(std::string database) { database_ = std::move(database); }

  // Reads to the end. Fills what a reader knows of its input: producer, text_bytes, footer,
  // complete, incomplete_reason, position. An error is the source's or the consumer's.
  Status Run(InputReport* report);

  // As the input left them.
  const std::string& database() const { return database_; }
  std::optional<std::string> time_zone() const { return session_.time_zone(); }

  const std::map<std::string, uint64_t>& skipped_statements() const { return skipped_; }
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  static constexpr size_t kKindsMax = 200;  // of skipped statements; more are one kind
  static constexpr size_t kNotesMax = 20;

  void OnComment(std::string_view text, bool between) override;
  void OnMessage(std::string_view line, bool between) override;

  // Each reads one statement, from the token that names it to the delimiter.
  Status ReadStatement();
  void ReadCreate();
  void ReadUse();
  Status ReadInsert();
  void ReadChangeMaster(SqlTokenizer* sql);
  void ReadChange(std::string_view kind);
  void SkipCounted(const std::string& kind);

  Status ReadRows(const TableName& table, bool columns_listed);
  Status ReadSetForm(const TableName& table);
  // The values of one row in parentheses; the current token is "(". False: cut short or malformed.
  bool ReadRow();
  // From the value's first token to the token behind it. ReadLiteral may stop anywhere when it
  // gives false; *depth is then how many parentheses it opened.
  void ReadValue(bool wanted);
  bool ReadLiteral(Cell* cell, bool wanted, int* depth);
  bool ReadColumnList();
  Status Begin(const TableName& table, bool columns_listed);
  Status GiveRow(uint64_t offset);

  TableName Qualified(TableName name) const;
  void ReadPositionFrom(std::string_view statement);
  void TakeGtid(const std::string& gtid);
  void Note(const std::string& note);

  const std::string_view name_;
  TableCatalog* const catalog_;
  RowsConsumer* const consumer_;
  SqlTokenizer::Options options_;
  SqlTokenizer sql_;
  SqlSession session_;

  std::string database_;  // of the last USE, or of the dump's header
  std::map<std::string, uint64_t> skipped_;
  std::vector<std::string> notes_;

  // What remarks between statements told.
  std::string producer_;
  bool footer_expected_ = false;
  bool footer_ = false;
  bool broken_off_ = false;  // by a message of the dump program
  bool upstream_ = false;    // the next position is that of the dumped server's own source
  std::optional<BinlogPosition> position_;

  // Of the statement in hand.
  std::vector<std::string> columns_;
  RowsPlan plan_;
  uint64_t skipped_rows_ = 0;

  RowCells cells_;  // of the row in hand

  std::map<TableName, uint64_t> rows_;  // given so far, of tables that are taken
  uint64_t* row_count_ = nullptr;       // that of the table in hand
};

}  // namespace tokend
