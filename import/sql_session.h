// The session settings that a dump makes with SET, and that decide how what follows is read.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "import/charset.h"
#include "import/sql_tokenizer.h"

namespace tokend {

// Settings nobody made are missing: nothing is known of the server that the dump came from. They
// are saved to and restored from user variables as that.
class SqlSession {
 public:
  using Value = std::optional<std::string>;

  // Reads "SET ..." from the token behind SET on, including the delimiter, and applies it to `sql`
  // too. False when it could not be understood to its end.
  bool ReadSet(SqlTokenizer* sql);

  // As in SET TIME_ZONE; missing also for 'SYSTEM', which says nothing outside of its server.
  Value time_zone() const;
  Charset client_charset() const { return client_charset_; }
  const Value& client_charset_name() const { return charset_; }

  // GTID_PURGED or gtid_slave_pos, whichever was set last; empty when neither was.
  const std::string& gtid() const { return gtid_; }

  bool backslash_escapes() const { return backslash_escapes_; }
  bool ansi_quotes() const { return ansi_quotes_; }

 private:
  static constexpr size_t kVariablesMax = 1024;

  struct Operand {
    bool known = false;  // else an expression that is not computed
    Value value;
  };

  bool ReadAssignment(SqlTokenizer* sql);
  Operand ReadOperand(SqlTokenizer* sql);
  bool Assign(std::string_view scope, const std::string& variable, const Operand& operand);
  Operand Lookup(std::string_view variable) const;
  void ApplySqlMode();

  Value sql_mode_;
  Value time_zone_;
  Value charset_;
  Charset client_charset_ = Charset::kUnknown;  // that which charset_ names
  std::string gtid_;
  std::map<std::string, Value> user_variables_;
  bool backslash_escapes_ = true;
  bool ansi_quotes_ = false;
};

}  // namespace tokend
