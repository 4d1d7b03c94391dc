#include "import/sql_tokenizer.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "import/byte_scan.h"
#include "import/hex.h"

namespace tokend {
namespace {

constexpr uint64_t kSandboxVersion = 999999;  // "/*!999999\- enable the sandbox mode */" is no SQL

bool IsBlank(int c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool IsDigit(int c) { return c >= '0' && c <= '9'; }
bool IsWordByte(int c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || IsDigit(c) || c == '_' || c == '$' ||
         c >= 0x80;
}
char Upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

// Messages of dump programs start so.
constexpr std::array<std::string_view, 5> kMessagePrefixes = {
    "mysqldump: ", "mariadb-dump: ", "mysqldump.exe: ", "mariadb-dump.exe: ", "Warning: "};
constexpr std::string_view kPasswordPrompt = "Enter password: ";

}  // namespace

bool SqlToken::IsWord(std::string_view word) const {
  return kind == SqlTokenKind::kWord && EqualsIgnoreCase(text, word);
}

SqlTokenizer::SqlTokenizer(ByteSource* source, const Options& options, SqlListener* listener)
    : source_(source),
      listener_(listener),
      value_bytes_max_(options.value_bytes_max),
      capacity_(std::max(options.window_bytes, kLookaheadBytes)),
      buffer_(std::make_unique<char[]>(capacity_)),
      pos_(buffer_.get()),
      end_(buffer_.get()) {}

bool SqlTokenizer::Fill() {
  if (source_end_) return false;
  base_ += static_cast<uint64_t>(pos_ - buffer_.get());
  pos_ = end_ = buffer_.get();
  size_t got = 0;
  status_ = source_->Read(buffer_.get(), capacity_, &got);
  if (!status_.ok()) got = 0;
  source_end_ = got == 0;
  end_ += got;
  return got > 0;
}

std::string_view SqlTokenizer::Ahead(size_t bytes) {
  size_t have = static_cast<size_t>(end_ - pos_);
  if (have < bytes && !source_end_) {
    base_ += static_cast<uint64_t>(pos_ - buffer_.get());
    std::memmove(buffer_.get(), pos_, have);
    pos_ = buffer_.get();
    end_ = pos_ + have;
    while (have < bytes && !source_end_) {
      size_t got = 0;
      status_ = source_->Read(end_, capacity_ - have, &got);
      if (!status_.ok()) got = 0;
      source_end_ = got == 0;
      end_ += got;
      have += got;
    }
  }
  return {pos_, std::min(have, bytes)};
}

const SqlToken& SqlTokenizer::Read(bool keep) {
  if (unread_) {
    unread_ = false;
    return token_;
  }
  token_.punct = 0;
  token_.overlong = false;
  token_.text = {};
  text_.clear();
  do {
    SkipBlanks();
  } while (ReadRemark());
  token_.offset = offset();

  int c = Peek();
  if (c < 0 || cut_) {
    token_.kind = SqlTokenKind::kEnd;
    return token_;
  }
  if (AtDelimiter()) {
    pos_ += delimiter_.size();
    at_start_ = true;
    token_.kind = SqlTokenKind::kDelimiter;
    return token_;
  }
  at_start_ = false;

  if (c == '\'' || (c == '"' && !ansi_quotes_)) {
    token_.kind = SqlTokenKind::kString;
    ++pos_;
    ReadQuoted(static_cast<char>(c), backslash_escapes_, keep, value_bytes_max_);
  } else if (c == '`' || c == '"') {
    token_.kind = SqlTokenKind::kName;
    ++pos_;
    ReadQuoted(static_cast<char>(c), false, true, kWordBytesMax);
  } else if (IsDigit(c)) {
    std::string_view ahead = Ahead(3);
    bool hex = ahead.size() == 3 && c == '0' && Upper(ahead[1]) == 'X' &&
               HexValue(ahead[2]) != kNoHexDigit;
    bool bit = ahead.size() == 3 && c == '0' && ahead[1] == 'b' && (ahead[2] | 1) == '1';
    if (hex || bit) {
      pos_ += 2;
      ReadDigits(hex ? SqlTokenKind::kHex : SqlTokenKind::kBit, 0, keep);
    } else {
      ReadNumber();
    }
  } else if (IsWordByte(c)) {
    std::string_view ahead = Ahead(2);
    char quoted = ahead.size() == 2 && ahead[1] == '\'' ? Upper(ahead[0]) : '\0';
    if (quoted == 'X' || quoted == 'B') {
      pos_ += 2;
      ReadDigits(quoted == 'X' ? SqlTokenKind::kHex : SqlTokenKind::kBit, '\'', keep);
    } else if (quoted == 'N') {
      token_.kind = SqlTokenKind::kString;
      pos_ += 2;
      ReadQuoted('\'', backslash_escapes_, keep, value_bytes_max_);
    } else {
      ReadWord();
    }
  } else if (c == '@') {
    ReadVariable();
  } else if (c == '.' && Ahead(2).size() == 2 && IsDigit(static_cast<unsigned char>(pos_[1]))) {
    ReadNumber();
  } else {
    token_.kind = SqlTokenKind::kPunct;
    token_.punct = static_cast<char>(c);
    ++pos_;
  }
  if (cut_) {
    // Half a value is no value.
    token_.kind = SqlTokenKind::kEnd;
    token_.punct = 0;
    return token_;
  }
  if (token_.text.data() == nullptr) token_.text = text_;
  return token_;
}

// What is no token: a comment, a line of the client's or of a dump program's.
bool SqlTokenizer::ReadRemark() {
  switch (Peek()) {
    case '#':
    case '-':
    case '/':
    case '*':
      return ReadComment();
    case 'D':
    case 'd':
    case 'E':
      return at_start_ && ReadClientLine();
    case 'm':
    case 'W':
      return ReadMessage();
    default:
      return false;
  }
}

void SqlTokenizer::SkipStatement() {
  while (token_.kind != SqlTokenKind::kDelimiter && token_.kind != SqlTokenKind::kEnd) {
    unread_ = false;
    Skip();
  }
  unread_ = false;
}

bool SqlTokenizer::SkipRows(uint64_t* rows) {
  static constexpr std::string_view kRow = "ROW";
  // Bytes that mean something in a row, besides the delimiter.
  std::array<bool, 256> stops{};
  for (char c : std::string_view("'\"`()#-/*mW")) stops[static_cast<unsigned char>(c)] = true;
  stops[static_cast<unsigned char>(delimiter_.front())] = true;
  *rows = 0;
  uint64_t depth = 0;
  while (true) {
    if (depth == 0) {
      SkipBlanks();
      if (ReadRemark()) continue;
      if (Peek() == ',' && !AtDelimiter()) {
        ++pos_;
        continue;
      }
      if (EqualsIgnoreCase(Ahead(kRow.size()), kRow)) {
        pos_ += kRow.size();
        continue;
      }
      if (Peek() != '(' || AtDelimiter()) return true;
      ++pos_;
      ++depth;
    }
    while (pos_ < end_ && !stops[static_cast<unsigned char>(*pos_)]) ++pos_;
    const int c = Peek();
    if (c < 0) {
      cut_ = true;
      return true;
    }
    if (!stops[static_cast<unsigned char>(c)]) continue;
    if (AtDelimiter()) return false;
    if (c == '\'' || c == '"' || c == '`') {
      ++pos_;
      const bool is_string = c == '\'' || (c == '"' && !ansi_quotes_);
      ReadQuoted(static_cast<char>(c), is_string && backslash_escapes_, false, value_bytes_max_);
      if (cut_) return true;
    } else if (c == '(') {
      ++pos_;
      ++depth;
    } else if (c == ')') {
      ++pos_;
      if (--depth == 0) ++*rows;
    } else if (!ReadRemark()) {
      ++pos_;
    }
  }
}

void SqlTokenizer::SkipBlanks() {
  while (IsBlank(Peek())) ++pos_;
}

bool SqlTokenizer::ReadComment() {
  int c = Peek();
  if (c == '#') {
    ++pos_;
  } else if (c == '-') {
    std::string_view ahead = Ahead(3);
    if (!ahead.starts_with("--")) return false;
    if (ahead.size() == 3 && static_cast<unsigned char>(ahead[2]) > ' ') return false;
    pos_ += 2;
  } else if (c == '/') {
    if (!AheadIs("/*")) return false;
    if (AheadIs("/*!")) {
      std::string_view ahead = Ahead(10);
      uint64_t version = 0;
      size_t digits = 3;
      while (digits < ahead.size() && digits < 9 && IsDigit(ahead[digits])) {
        version = version * 10 + static_cast<uint64_t>(ahead[digits++] - '0');
      }
      if (version < kSandboxVersion) {
        pos_ += digits;
        ++executable_depth_;
        return true;
      }
    }
    pos_ += 2;
    ReadBlockComment();
    return true;
  } else if (c == '*' && executable_depth_ > 0 && AheadIs("*/")) {
    pos_ += 2;
    --executable_depth_;
    return true;
  } else {
    return false;
  }
  std::string line;
  ReadLine(&line, kCommentBytesMax);
  if (listener_ != nullptr) listener_->OnComment(line, at_start_ && executable_depth_ == 0);
  return true;
}

void SqlTokenizer::ReadBlockComment() {
  std::string text;
  while (Peek() >= 0) {
    const char* star = FindEither(pos_, end_, '*', '*');
    size_t bytes = std::min(static_cast<size_t>(star - pos_), kCommentBytesMax - text.size());
    text.append(pos_, bytes);
    pos_ += star - pos_;
    if (Peek() != '*') continue;
    if (AheadIs("*/")) {
      pos_ += 2;
      if (listener_ != nullptr) listener_->OnComment(text, at_start_ && executable_depth_ == 0);
      return;
    }
    if (text.size() < kCommentBytesMax) text += '*';
    ++pos_;
  }
  cut_ = true;
}

void SqlTokenizer::ReadLine(std::string* line, size_t bytes_max) {
  while (Peek() >= 0) {
    const char* newline = FindEither(pos_, end_, '\n', '\n');
    line->append(pos_, std::min(static_cast<size_t>(newline - pos_), bytes_max - line->size()));
    bool found = newline < end_;
    pos_ += newline - pos_;
    if (found) {
      ++pos_;
      break;
    }
  }
  while (!line->empty() && line->back() == '\r') line->pop_back();
}

bool SqlTokenizer::ReadClientLine() {
  if (executable_depth_ > 0) return false;
  int c = Peek();
  if (c == 'D' || c == 'd') {
    constexpr std::string_view kCommand = "DELIMITER";
    std::string_view ahead = Ahead(kCommand.size() + 1);
    if (ahead.size() <= kCommand.size() || !IsBlank(static_cast<unsigned char>(ahead.back())) ||
        !EqualsIgnoreCase(ahead.substr(0, kCommand.size()), kCommand)) {
      return false;
    }
    pos_ += kCommand.size();
    std::string line;
    ReadLine(&line, kWordBytesMax);
    size_t begin = line.find_first_not_of(" \t");
    if (begin != std::string::npos) {
      size_t stop = std::min(line.find_first_of(" \t", begin), line.size());
      delimiter_ = line.substr(begin, std::min(stop - begin, kDelimiterBytesMax));
    }
    return true;
  }
  if (c == 'E' && AheadIs(kPasswordPrompt)) {
    pos_ += kPasswordPrompt.size();
    return true;
  }
  return false;
}

bool SqlTokenizer::ReadMessage() {
  const int c = Peek();
  if (c != 'm' && (c != 'W' || !at_start_)) return false;
  for (std::string_view prefix : kMessagePrefixes) {
    if (!AheadIs(prefix)) continue;
    std::string line;
    ReadLine(&line, kWordBytesMax);
    if (listener_ != nullptr) listener_->OnMessage(line, at_start_);
    return true;
  }
  return false;
}

void SqlTokenizer::ReadQuoted(char quote, bool escapes, bool keep, size_t bytes_max) {
  const char special = escapes ? '\\' : quote;
  // Most values have nothing to decode and stand in the window as a whole.
  const char* end = FindEither(pos_, end_, quote, special);
  if (end_ - end > 1 && end[0] == quote && end[1] != quote && text_.empty() &&
      static_cast<size_t>(end - pos_) <= bytes_max) {
    if (keep) token_.text = {pos_, static_cast<size_t>(end - pos_)};
    pos_ += end - pos_ + 1;
    return;
  }
  while (Peek() >= 0) {
    const char* stop = FindEither(pos_, end_, quote, special);
    if (keep) Append(pos_, static_cast<size_t>(stop - pos_), bytes_max);
    pos_ += stop - pos_;
    if (pos_ == end_) continue;
    if (*pos_ == quote) {
      ++pos_;
      if (Peek() != quote) return;
      ++pos_;
      if (keep) AppendByte(quote, bytes_max);
      continue;
    }
    ++pos_;
    int c = Peek();
    if (c < 0) break;
    ++pos_;
    if (!keep) continue;
    // \% and \_ keep the backslash: they mean something to LIKE only.
    if (c == '%' || c == '_') AppendByte('\\', bytes_max);
    AppendByte(UnescapeSql(static_cast<char>(c)), bytes_max);
  }
  cut_ = true;
}

void SqlTokenizer::ReadWord() {
  token_.kind = SqlTokenKind::kWord;
  // A delimiter such as $$ ends a word.
  const bool check = IsWordByte(static_cast<unsigned char>(delimiter_.front()));
  while (IsWordByte(Peek()) && !(check && AtDelimiter())) {
    AppendByte(*pos_, kWordBytesMax);
    ++pos_;
  }
}

void SqlTokenizer::ReadNumber() {
  token_.kind = SqlTokenKind::kNumber;
  const char* end = pos_;
  while (end < end_ && IsDigit(static_cast<unsigned char>(*end))) ++end;
  const auto size = static_cast<size_t>(end - pos_);
  if (end < end_ && *end != '.' && *end != 'e' && *end != 'E' && size > 0 &&
      size <= kWordBytesMax) {
    token_.text = {pos_, size};
    pos_ += size;
    return;
  }
  auto digits = [this] {
    while (IsDigit(Peek())) {
      AppendByte(*pos_, kWordBytesMax);
      ++pos_;
    }
  };
  digits();
  if (Peek() == '.') {
    AppendByte('.', kWordBytesMax);
    ++pos_;
    digits();
  }
  if (Peek() == 'e' || Peek() == 'E') {
    std::string_view ahead = Ahead(3);
    size_t sign = ahead.size() > 1 && (ahead[1] == '+' || ahead[1] == '-') ? 1 : 0;
    if (ahead.size() > sign + 1 && IsDigit(static_cast<unsigned char>(ahead[sign + 1]))) {
      Append(pos_, sign + 1, kWordBytesMax);
      pos_ += sign + 1;
      digits();
    }
  }
}

void SqlTokenizer::ReadVariable() {
  token_.kind = SqlTokenKind::kVariable;
  while (Peek() == '@' && text_.size() < 2) {
    text_ += '@';
    ++pos_;
  }
  while (true) {
    int c = Peek();
    if (c == '`' || c == '\'' || c == '"') {
      ++pos_;
      ReadQuoted(static_cast<char>(c), c != '`' && backslash_escapes_, true, kWordBytesMax);
    } else if (IsWordByte(c) || c == '.') {
      AppendByte(static_cast<char>(c), kWordBytesMax);
      ++pos_;
      continue;
    }
    if (Peek() != '.' || cut_) break;
  }
}

void SqlTokenizer::ReadDigits(SqlTokenKind kind, char quote, bool keep) {
  token_.kind = kind;
  const bool hex = kind == SqlTokenKind::kHex;
  // In digits; decoded they take a half or an eighth of it.
  const size_t digits_max = value_bytes_max_ * (hex ? 2 : 8);
  int c;
  while ((c = Peek()) >= 0 &&
         (hex ? HexValue(static_cast<char>(c)) != kNoHexDigit : (c | 1) == '1')) {
    if (keep) AppendByte(static_cast<char>(c), digits_max);
    ++pos_;
  }
  if (quote != 0) {
    // Anything but digits in the quotes is malformed: to the closing quote, as nothing.
    while (c >= 0 && c != quote) {
      text_.clear();
      ++pos_;
      c = Peek();
    }
    if (c < 0) {
      cut_ = true;
      return;
    }
    ++pos_;
  }
  if (hex) {
    DecodeHex();
  } else {
    DecodeBits();
  }
}

void SqlTokenizer::Append(const char* text, size_t bytes, size_t bytes_max) {
  if (text_.size() + bytes > bytes_max) {
    token_.overlong = true;
    bytes = bytes_max - text_.size();
  }
  text_.append(text, bytes);
}

// In place: an odd number of digits has an implied zero in front.
void SqlTokenizer::DecodeHex() {
  size_t out = 0;
  size_t in = 0;
  if (text_.size() % 2 == 1) text_[out++] = static_cast<char>(HexValue(text_[in++]));
  for (; in < text_.size(); in += 2) {
    text_[out++] = static_cast<char>(HexValue(text_[in]) << 4 | HexValue(text_[in + 1]));
  }
  text_.resize(out);
}

void SqlTokenizer::DecodeBits() {
  size_t out = 0;
  size_t in = 0;
  while (in < text_.size()) {
    size_t take = (text_.size() - in) % 8 == 0 ? 8 : (text_.size() - in) % 8;
    unsigned byte = 0;
    for (; take > 0; --take) byte = byte << 1 | static_cast<unsigned>(text_[in++] - '0');
    text_[out++] = static_cast<char>(byte);
  }
  text_.resize(out);
}

}  // namespace tokend
