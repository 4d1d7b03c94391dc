// The SQL tokeniser with a large window and a small one, fed in one piece and byte by byte: the
// same tokens. The first byte chooses how it reads.
#include <string>
#include <vector>

#include "import/sql_tokenizer.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace tokend;
using fuzz::Require;

struct Token {
  SqlTokenKind kind;
  char punct;
  bool overlong;
  std::string text;
  uint64_t offset;
  bool operator==(const Token&) const = default;
};

struct Read {
  std::vector<Token> tokens;
  bool ended_within = false;
  bool operator==(const Read&) const = default;
};

Read ReadAll(std::string_view text, size_t step, size_t window, uint8_t choice) {
  MemorySource source(text, step);
  SqlTokenizer::Options options;
  options.window_bytes = window;
  options.value_bytes_max = 32;
  SqlTokenizer sql(&source, options, nullptr);
  sql.set_backslash_escapes((choice & 1) == 0);
  sql.set_ansi_quotes((choice & 2) != 0);
  Read read;
  while (true) {
    const SqlToken& token = sql.Next();
    read.tokens.push_back(
        {token.kind, token.punct, token.overlong, std::string(token.text), token.offset});
    Require(token.offset <= text.size(), "a token begins in the text");
    if (token.kind == SqlTokenKind::kEnd) break;
    Require(read.tokens.size() <= text.size() + 1, "each token takes a byte at least");
  }
  Require(sql.status().ok(), "memory is always read");
  read.ended_within = sql.ended_within();
  return read;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text = fuzz::View(data, size);
  const uint8_t choice = fuzz::TakeByte(&text);
  const Read at_once = ReadAll(text, SIZE_MAX, 256 * 1024, choice);
  Require(at_once == ReadAll(text, 1, 64, choice), "a small window gives the same tokens");
  Require(at_once == ReadAll(text, 7, 128, choice), "and so does another");
  return 0;
}
