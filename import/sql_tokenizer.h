// SQL text as the mysql client sees it, token by token, out of a stream.
//
//   input      := { blank | comment | client-line | message | token }
//   comment    := "-- " ... \n | "#" ... \n | "/*" ... "*/"      (also "/*M!" and "/*!999999")
//   executable := "/*!" [version] { token } "*/"                 its tokens are given like any
//   others client-line := "DELIMITER x" at a statement's start token      := word | `name` | "name"
//   | 'string' | "string" | N'..' | X'..' | 0x.. | B'..' | 0b..
//               | number | @variable | @@variable | delimiter | any other byte
//
// Nothing is ever looked for by lines: what stands in a value stays in the value. As the client
// does it, the delimiter counts everywhere but in quotes and comments, in executable ones too.
//
// Memory: one window, and one value of at most Options::value_bytes_max. A value read by Skip() is
// not kept at all, whatever its length.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "import/byte_source.h"
#include "import/sql_text.h"
#include "protocol/error.h"

namespace tokend {

enum class SqlTokenKind : uint8_t {
  kEnd,        // of the input, or of what could be read of it: see status()
  kDelimiter,  // of statements
  kWord,       // an identifier without quotes, a keyword, an introducer such as _utf8mb4
  kName,       // a quoted identifier; text is without quotes
  kString,     // text is decoded
  kHex,        // 0x.. and X'..': text is the bytes
  kBit,        // 0b.. and B'..': text is the bytes, big-endian
  kNumber,     // unsigned, as written
  kVariable,   // text is "@name" or "@@name", with quotes removed
  kPunct,      // one byte
};

struct SqlToken {
  SqlTokenKind kind = SqlTokenKind::kEnd;
  char punct = 0;         // kPunct only, else 0
  bool overlong = false;  // the text was longer than what may be kept, and is cut
  std::string_view text;  // until the next call; empty after Skip()
  uint64_t offset = 0;    // of its first byte in the input

  bool Is(char c) const { return punct == c; }
  // An unquoted word, compared without case; `word` in upper case.
  bool IsWord(std::string_view word) const;
  // Of a name: in quotes or without.
  bool IsIdentifier() const { return kind == SqlTokenKind::kName || kind == SqlTokenKind::kWord; }
  // Of the statement or of the input.
  bool IsEnd() const { return kind == SqlTokenKind::kEnd || kind == SqlTokenKind::kDelimiter; }
};

// Hears what is no SQL.
class SqlListener {
 public:
  virtual ~SqlListener() = default;
  // The text of a comment without its marks, cut at kCommentBytesMax. `between`: not in a
  // statement.
  virtual void OnComment(std::string_view text, bool between) = 0;
  // A line of a dump program's own messages, as they get into files by 2>&1. Not `between`: it
  // broke off a statement.
  virtual void OnMessage(std::string_view line, bool between) = 0;
};

class SqlTokenizer {
 public:
  static constexpr size_t kCommentBytesMax = 64 * 1024;
  static constexpr size_t kWordBytesMax = 1024;

  struct Options {
    size_t window_bytes = 256 * 1024;  // at least kLookaheadBytes are taken
    size_t value_bytes_max = size_t{1} << 20;
  };

  // `source` and `listener` (may be null) must outlive the tokenizer.
  SqlTokenizer(ByteSource* source, const Options& options, SqlListener* listener);
  SqlTokenizer(const SqlTokenizer&) = delete;
  SqlTokenizer& operator=(const SqlTokenizer&) = delete;

  const SqlToken& Next() { return Read(true); }
  // The same without text for strings, hex and bits.
  const SqlToken& Skip() { return Read(false); }
  // The next call gives the current token again, as it is.
  void Unread() { unread_ = true; }
  const SqlToken& token() const { return token_; }

  // Passes over "(..), (..) ..." and counts them, up to what is neither; from behind VALUES on. The
  // next token is that. False: a delimiter broke off the last one, which is not counted.
  bool SkipRows(uint64_t* rows);
  // To just behind the next delimiter; nothing when the current token is one.
  void SkipStatement();

  // What SQL_MODE says; they apply from the next token on.
  void set_backslash_escapes(bool on) { backslash_escapes_ = on; }
  void set_ansi_quotes(bool on) { ansi_quotes_ = on; }

  // After kEnd: reading failed.
  const Status& status() const { return status_; }
  // After kEnd: it came within a statement, a value or a comment.
  bool ended_within() const { return !at_start_ || executable_depth_ > 0 || cut_; }
  // Bytes consumed so far.
  uint64_t offset() const { return base_ + static_cast<uint64_t>(pos_ - buffer_.get()); }

 private:
  static constexpr size_t kLookaheadBytes = 64;  // the longest thing looked for at once, and more
  static constexpr size_t kDelimiterBytesMax = 15;  // as in the client

  const SqlToken& Read(bool keep);
  // The next byte without taking it; -1 at the end.
  int Peek() { return pos_ < end_ || Fill() ? static_cast<unsigned char>(*pos_) : -1; }
  bool Fill();
  // Makes `bytes` (<= kLookaheadBytes) of the input contiguous at pos_; gives what there is.
  std::string_view Ahead(size_t bytes);
  bool AheadIs(std::string_view text) { return Ahead(text.size()) == text; }
  bool AtDelimiter() {
    return Peek() == delimiter_.front() && (delimiter_.size() == 1 || AheadIs(delimiter_));
  }

  void SkipBlanks();
  bool ReadRemark();   // false: there is none here
  bool ReadComment();  // the same
  bool ReadClientLine();
  bool ReadMessage();
  void ReadLine(std::string* line, size_t bytes_max);
  void ReadBlockComment();
  void ReadQuoted(char quote, bool escapes, bool keep, size_t bytes_max);
  void ReadWord();
  void ReadNumber();
  void ReadVariable();
  void ReadDigits(SqlTokenKind kind, char quote, bool keep);
  void Append(const char* text, size_t bytes, size_t bytes_max);
  void AppendByte(char c, size_t bytes_max) { Append(&c, 1, bytes_max); }
  void DecodeHex();
  void DecodeBits();

  ByteSource* const source_;
  SqlListener* const listener_;
  const size_t value_bytes_max_;
  const size_t capacity_;
  std::unique_ptr<char[]> buffer_;
  char* pos_;
  char* end_;
  uint64_t base_ = 0;  // offset of buffer_'s first byte
  bool source_end_ = false;
  Status status_;

  SqlToken token_;
  std::string text_;
  std::string delimiter_ = ";";
  bool backslash_escapes_ = true;
  bool ansi_quotes_ = false;
  bool unread_ = false;
  bool at_start_ = true;  // of a statement
  bool cut_ = false;      // the input ended in a value or comment
  uint32_t executable_depth_ = 0;
};

}  // namespace tokend
