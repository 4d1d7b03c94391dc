#include "import/sql_session.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace tokend {
namespace {

// Bits of a numeric sql_mode.
constexpr uint64_t kAnsiQuotesBit = 4;
constexpr uint64_t kNoBackslashEscapesBit = uint64_t{1} << 20;

// Modes that bring ANSI_QUOTES along.
constexpr std::string_view kAnsiModes[] = {"ANSI_QUOTES", "ANSI",   "DB2",       "MAXDB",
                                           "MSSQL",       "ORACLE", "POSTGRESQL"};

}  // namespace

bool SqlSession::ReadSet(SqlTokenizer* sql) {
  bool understood = true;
  while (true) {
    if (!ReadAssignment(sql)) {
      understood = false;
      // To the next comma outside of parentheses.
      for (int depth = 0; !sql->token().IsEnd() && (depth > 0 || !sql->token().Is(','));
           sql->Skip()) {
        depth += sql->token().Is('(') ? 1 : sql->token().Is(')') ? -1 : 0;
      }
    }
    if (sql->token().IsEnd()) break;
    sql->Next();  // behind the comma
  }
  sql->set_backslash_escapes(backslash_escapes_);
  sql->set_ansi_quotes(ansi_quotes_);
  return understood;
}

// On return the current token is the comma or the end, or else what was not understood.
bool SqlSession::ReadAssignment(SqlTokenizer* sql) {
  std::string scope;
  if (sql->token().IsWord("GLOBAL") || sql->token().IsWord("SESSION") ||
      sql->token().IsWord("LOCAL") || sql->token().IsWord("PERSIST")) {
    scope = ToLowerAscii(sql->token().text);
    sql->Next();
  }
  std::string variable;
  bool equals_wanted = true;
  if (sql->token().kind == SqlTokenKind::kVariable) {
    variable = ToLowerAscii(sql->token().text);
    sql->Next();
  } else if (sql->token().IsWord("NAMES") || sql->token().IsWord("CHARSET")) {
    variable = "@@character_set_client";
    equals_wanted = false;
    sql->Next();
  } else if (sql->token().IsWord("CHARACTER")) {
    if (!sql->Next().IsWord("SET")) return false;
    variable = "@@character_set_client";
    equals_wanted = false;
    sql->Next();
  } else if (sql->token().kind == SqlTokenKind::kWord || sql->token().kind == SqlTokenKind::kName) {
    variable = "@@" + ToLowerAscii(sql->token().text);
    sql->Next();
  } else {
    return false;
  }
  if (equals_wanted) {
    if (sql->token().Is(':')) sql->Next();
    if (!sql->token().Is('=')) return false;
    sql->Next();
  }
  Operand operand = ReadOperand(sql);
  if (!equals_wanted && sql->token().IsWord("COLLATE")) {
    sql->Next();
    sql->Next();
  }
  if (!sql->token().IsEnd() && !sql->token().Is(',')) operand.known = false;
  return Assign(scope, variable, operand);
}

SqlSession::Operand SqlSession::ReadOperand(SqlTokenizer* sql) {
  Operand operand;
  switch (sql->token().kind) {
    case SqlTokenKind::kString:
      operand.known = true;
      operand.value.emplace();
      // MySQL writes GTID_PURGED=/*!80000 '+'*/ 'uuid:1-36, ...': adjacent strings are one.
      while (sql->token().kind == SqlTokenKind::kString) {
        *operand.value += sql->token().text;
        sql->Next();
      }
      return operand;
    case SqlTokenKind::kNumber:
    case SqlTokenKind::kName:
      operand = {true, std::string(sql->token().text)};
      break;
    case SqlTokenKind::kWord:
      operand.known = true;
      if (!sql->token().IsWord("DEFAULT") && !sql->token().IsWord("NULL")) {
        operand.value = sql->token().text;
      }
      break;
    case SqlTokenKind::kVariable:
      operand = Lookup(ToLowerAscii(sql->token().text));
      break;
    default:
      return operand;
  }
  sql->Next();
  return operand;
}

namespace {

// "@@global.x" → ("global", "@@x"); others keep their scope.
std::pair<std::string_view, std::string> SplitScope(std::string_view scope,
                                                    std::string_view variable) {
  for (std::string_view prefix : {"global", "session", "local", "persist"}) {
    if (variable.size() > prefix.size() + 3 && variable.substr(2, prefix.size()) == prefix &&
        variable[prefix.size() + 2] == '.') {
      return {prefix, "@@" + std::string(variable.substr(prefix.size() + 3))};
    }
  }
  return {scope, std::string(variable)};
}

}  // namespace

bool SqlSession::Assign(std::string_view scope, const std::string& variable,
                        const Operand& operand) {
  if (!variable.starts_with("@@")) {
    if (user_variables_.size() < kVariablesMax || user_variables_.count(variable) > 0) {
      user_variables_[variable] = operand.known ? operand.value : std::nullopt;
    }
    return operand.known;
  }
  auto [where, name] = SplitScope(scope, variable);
  if (name == "@@gtid_purged" || name == "@@gtid_slave_pos") {
    if (!operand.known || !operand.value) return operand.known;
    gtid_.clear();
    for (char c : *operand.value) {
      if (c != '\n' && c != '\r' && c != ' ') gtid_ += c;
    }
    if (gtid_.starts_with('+')) gtid_.erase(0, 1);
    return true;
  }
  if (where == "global" || where == "persist") return operand.known;
  if (name == "@@sql_mode") {
    if (!operand.known) return false;
    sql_mode_ = operand.value;
    ApplySqlMode();
  } else if (name == "@@time_zone") {
    if (!operand.known) return false;
    time_zone_ = operand.value;
  } else if (name == "@@character_set_client") {
    if (!operand.known) return false;
    charset_ = operand.value;
    client_charset_ = charset_ ? ParseCharset(*charset_) : Charset::kUnknown;
  }
  return operand.known;
}

SqlSession::Operand SqlSession::Lookup(std::string_view variable) const {
  if (!variable.starts_with("@@")) {
    auto found = user_variables_.find(std::string(variable));
    // A variable that nobody set is NULL.
    return {true, found == user_variables_.end() ? std::nullopt : found->second};
  }
  std::string name = SplitScope("", variable).second;
  if (name == "@@sql_mode") return {true, sql_mode_};
  if (name == "@@time_zone") return {true, time_zone_};
  if (name == "@@character_set_client") return {true, charset_};
  return {true, std::nullopt};
}

void SqlSession::ApplySqlMode() {
  backslash_escapes_ = true;
  ansi_quotes_ = false;
  if (!sql_mode_) return;
  uint64_t bits = 0;
  const char* end = sql_mode_->data() + sql_mode_->size();
  auto [stop, error] = std::from_chars(sql_mode_->data(), end, bits);
  if (error == std::errc() && stop == end) {
    backslash_escapes_ = (bits & kNoBackslashEscapesBit) == 0;
    ansi_quotes_ = (bits & kAnsiQuotesBit) != 0;
    return;
  }
  std::string_view rest = *sql_mode_;
  while (!rest.empty()) {
    size_t comma = std::min(rest.find(','), rest.size());
    std::string_view mode = rest.substr(0, comma);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    if (EqualsIgnoreCase(mode, "NO_BACKSLASH_ESCAPES")) backslash_escapes_ = false;
    for (std::string_view ansi : kAnsiModes) {
      if (EqualsIgnoreCase(mode, ansi)) ansi_quotes_ = true;
    }
  }
}

SqlSession::Value SqlSession::time_zone() const {
  if (time_zone_ && EqualsIgnoreCase(*time_zone_, "SYSTEM")) return std::nullopt;
  return time_zone_;
}

}  // namespace tokend
