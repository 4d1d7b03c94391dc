#include "import/sql_ddl.h"

#include <array>

namespace tokend {
namespace {

struct TypeName {
  std::string_view name;
  ColumnType type;
};
constexpr TypeName kTypes[] = {
    {"tinyint", ColumnType::kInteger},
    {"smallint", ColumnType::kInteger},
    {"mediumint", ColumnType::kInteger},
    {"int", ColumnType::kInteger},
    {"integer", ColumnType::kInteger},
    {"bigint", ColumnType::kInteger},
    {"int1", ColumnType::kInteger},
    {"int2", ColumnType::kInteger},
    {"int3", ColumnType::kInteger},
    {"int4", ColumnType::kInteger},
    {"int8", ColumnType::kInteger},
    {"bool", ColumnType::kInteger},
    {"boolean", ColumnType::kInteger},
    {"serial", ColumnType::kInteger},
    {"year", ColumnType::kInteger},
    {"decimal", ColumnType::kDecimal},
    {"numeric", ColumnType::kDecimal},
    {"dec", ColumnType::kDecimal},
    {"fixed", ColumnType::kDecimal},
    {"float", ColumnType::kDecimal},
    {"double", ColumnType::kDecimal},
    {"real", ColumnType::kDecimal},
    {"bit", ColumnType::kBit},
    {"char", ColumnType::kText},
    {"varchar", ColumnType::kText},
    {"character", ColumnType::kText},
    {"nchar", ColumnType::kText},
    {"nvarchar", ColumnType::kText},
    {"national", ColumnType::kText},
    {"tinytext", ColumnType::kText},
    {"text", ColumnType::kText},
    {"mediumtext", ColumnType::kText},
    {"longtext", ColumnType::kText},
    {"long", ColumnType::kText},
    {"enum", ColumnType::kText},
    {"set", ColumnType::kText},
    {"json", ColumnType::kText},
    {"uuid", ColumnType::kText},
    {"inet4", ColumnType::kText},
    {"inet6", ColumnType::kText},
    {"binary", ColumnType::kBinary},
    {"varbinary", ColumnType::kVarBinary},
    {"tinyblob", ColumnType::kVarBinary},
    {"blob", ColumnType::kVarBinary},
    {"mediumblob", ColumnType::kVarBinary},
    {"longblob", ColumnType::kVarBinary},
    {"timestamp", ColumnType::kTimestamp},
    {"datetime", ColumnType::kDatetime},
    {"date", ColumnType::kDate},
};

constexpr size_t kColumnsMax = 4096;  // the server's own limit

// Unquoted first words of what is not a column.
constexpr std::array<std::string_view, 9> kNoColumn = {
    "PRIMARY", "UNIQUE", "KEY", "INDEX", "FULLTEXT", "SPATIAL", "FOREIGN", "CHECK", "CONSTRAINT"};

ColumnType TypeOf(std::string_view name) {
  for (const TypeName& type : kTypes) {
    if (type.name == name) return type.type;
  }
  return ColumnType::kOther;
}

// From behind an opening parenthesis to behind its closing one.
void SkipParenthesis(SqlTokenizer* sql) {
  for (int depth = 1; depth > 0;) {
    const SqlToken& token = sql->Skip();
    if (token.IsEnd()) {
      sql->Unread();
      return;
    }
    depth += token.Is('(') ? 1 : token.Is(')') ? -1 : 0;
  }
}

// The names in "(`a`, `b`(10) DESC)"; the current token is the parenthesis.
void ReadKeyColumns(SqlTokenizer* sql, std::vector<std::string>* names) {
  while (true) {
    const SqlToken& token = sql->Next();
    if (!token.IsIdentifier()) {
      sql->Unread();
      return SkipParenthesis(sql);
    }
    names->emplace_back(token.text);
    for (sql->Skip(); !sql->token().Is(','); sql->Skip()) {
      if (sql->token().Is('(')) {
        SkipParenthesis(sql);
      } else if (sql->token().Is(')') || sql->token().IsEnd()) {
        if (sql->token().IsEnd()) sql->Unread();
        return;
      }
    }
  }
}

// What text is written and compared in: of a column, or of a table for its columns.
struct TextRules {
  Charset charset = Charset::kUnknown;
  bool charset_is_named = false;  // it counts for more than what a collation implies
  std::string collation;          // as named, or the character set whose default it is
  bool collation_is_named = false;

  // What follows CHARSET or CHARACTER SET or COLLATE: [=] name.
  void Read(bool is_collation, SqlTokenizer* sql) {
    if (!sql->Next().Is('=')) sql->Unread();
    const SqlToken& token = sql->Next();
    if (!token.IsIdentifier() && token.kind != SqlTokenKind::kString) {
      sql->Unread();
      return;
    }
    if (!is_collation || !charset_is_named) charset = ParseCharset(token.text);
    if (is_collation || !collation_is_named) collation = ToLowerAscii(token.text);
    (is_collation ? collation_is_named : charset_is_named) = true;
  }
  bool IsLoose() const {
    return charset != Charset::kBinary && !collation.ends_with("_bin") &&
           !collation.ends_with("_cs");
  }
};

// The current token opens one entry of the list. Stops at the comma or parenthesis behind it.
void ReadEntry(SqlTokenizer* sql, TableSchema* schema) {
  bool column = sql->token().IsIdentifier();
  bool primary = false;
  if (sql->token().kind == SqlTokenKind::kWord) {
    for (std::string_view word : kNoColumn) {
      if (sql->token().IsWord(word)) column = false;
    }
  }
  ColumnSchema entry;
  TextRules rules;
  if (column) {
    entry.name = sql->token().text;
    sql->Next();
    if (sql->token().kind != SqlTokenKind::kWord) {
      sql->Unread();
    } else {
      entry.type_name = ToLowerAscii(sql->token().text);
      entry.type = TypeOf(entry.type_name);
      // PERIOD is no reserved word, so a column may have the name without quotes.
      if (entry.type_name == "for" && EqualsIgnoreCase(entry.name, "PERIOD")) column = false;
      if (entry.type_name == "json") {
        rules.charset = Charset::kUtf8;
        rules.charset_is_named = rules.collation_is_named = true;
        rules.collation = "utf8mb4_bin";
      }
    }
  } else {
    sql->Unread();
  }

  bool previous_primary = false;
  while (true) {
    const SqlToken& token = sql->Next();
    if (token.IsEnd() || token.Is(',') || token.Is(')')) break;
    bool primary_word = false;
    if (token.Is('(')) {
      if (primary && !column) {
        ReadKeyColumns(sql, &schema->primary_key);
        primary = false;
      } else {
        SkipParenthesis(sql);
      }
    } else if (token.IsWord("PRIMARY")) {
      primary_word = true;
    } else if (token.IsWord("KEY") && previous_primary) {
      primary = true;
    } else if (column && (token.IsWord("CHARSET") || token.IsWord("COLLATE"))) {
      rules.Read(token.IsWord("COLLATE"), sql);
    } else if (column && (token.IsWord("CHARACTER") || token.IsWord("CHAR"))) {
      if (sql->Next().IsWord("SET")) {
        rules.Read(/*is_collation=*/false, sql);
      } else {
        sql->Unread();
      }
    } else if (column && token.IsWord("VARBINARY") && entry.type_name == "long") {
      entry.type = ColumnType::kVarBinary;
    }
    previous_primary = primary_word;
  }
  if (!column) return;
  entry.charset = rules.charset;
  // Else as the table has it.
  if (entry.charset != Charset::kUnknown && entry.type == ColumnType::kText && rules.IsLoose()) {
    entry.loose_collation = rules.collation;
  }
  // Text in the character set `binary` is bytes.
  if (entry.type == ColumnType::kText && entry.charset == Charset::kBinary) {
    entry.type = ColumnType::kVarBinary;
  }
  if (primary) schema->primary_key.push_back(entry.name);
  schema->columns.push_back(std::move(entry));
}

}  // namespace

const ColumnSchema* TableSchema::Find(std::string_view column) const {
  for (const ColumnSchema& candidate : columns) {
    if (EqualsIgnoreCase(candidate.name, column)) return &candidate;
  }
  return nullptr;
}

bool ReadTableName(SqlTokenizer* sql, TableName* name) {
  if (!sql->token().IsIdentifier()) return false;
  name->name = sql->token().text;
  name->database.clear();
  if (sql->Next().Is('.')) {
    sql->Next();
    if (!sql->token().IsIdentifier()) return false;
    name->database = std::move(name->name);
    name->name = sql->token().text;
    sql->Next();
  }
  return true;
}

bool ReadTableDefinition(SqlTokenizer* sql, TableSchema* schema) {
  if (!sql->token().Is('(')) {
    sql->SkipStatement();
    return false;
  }
  do {
    sql->Next();
    if (sql->token().IsEnd()) return false;
    if (sql->token().IsWord("LIKE")) {
      sql->SkipStatement();
      return false;
    }
    ReadEntry(sql, schema);
    if (schema->columns.size() > kColumnsMax || schema->primary_key.size() > kColumnsMax)
      return false;
  } while (sql->token().Is(','));
  if (!sql->token().Is(')')) return false;

  TextRules rules;
  while (!sql->Next().IsEnd()) {
    if (sql->token().IsWord("CHARSET") || sql->token().IsWord("COLLATE")) {
      rules.Read(sql->token().IsWord("COLLATE"), sql);
    } else if (sql->token().IsWord("CHARACTER")) {
      if (sql->Next().IsWord("SET")) {
        rules.Read(/*is_collation=*/false, sql);
      } else {
        sql->Unread();
      }
    } else if (sql->token().Is('(')) {
      SkipParenthesis(sql);  // partitions
    }
  }
  if (rules.collation.empty()) rules.collation = "the default collation";
  for (ColumnSchema& column : schema->columns) {
    if (column.charset != Charset::kUnknown) continue;
    column.charset = rules.charset;
    if (column.type == ColumnType::kText && rules.IsLoose()) {
      column.loose_collation = rules.collation;
    }
  }
  return sql->token().kind == SqlTokenKind::kDelimiter && !schema->columns.empty();
}

}  // namespace tokend
