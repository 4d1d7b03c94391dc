// The drivers of Redis (RESP) and memcached (meta commands). Both answer in order, and keep for
// each token a value of 64 bytes: what a gateway would put beside a token in a cache.
#include <array>
#include <charconv>
#include <cstring>

#include "bench/driver.h"

namespace tokend::bench {
namespace {

constexpr size_t kValueBytes = 64;

// The owner, dots, and eight bytes that no other token's value has.
void WriteValue(const TokenSpace& tokens, uint64_t index, char* out) {
  std::memset(out, '.', kValueBytes);
  const std::string_view owner = tokens.Owner(index);
  std::memcpy(out, owner.data(), owner.size());
  const uint64_t unique = Mix(index, index);
  std::memcpy(out + kValueBytes - sizeof unique, &unique, sizeof unique);
}

char* Write(std::string_view text, char* out) {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

// What sets the two apart; all of it text around the token and its value.
struct Dialect {
  std::string_view get_head, get_tail;
  std::string_view set_head, set_before_expiry, set_before_value, set_tail;
  bool is_expiry_first;  // memcached names the expiry before the value, Redis after it
  std::string_view delete_head, delete_tail;
  std::string_view hit_head, hit_tail, miss, stored, deleted;
};

constexpr Dialect kRedis = {
    .get_head = "*2\r\n$3\r\nGET\r\n$43\r\n",
    .get_tail = "\r\n",
    .set_head = "*5\r\n$3\r\nSET\r\n$43\r\n",
    .set_before_expiry = "\r\n$4\r\nEXAT\r\n$10\r\n",
    .set_before_value = "\r\n$64\r\n",
    .set_tail = "\r\n",
    .is_expiry_first = false,
    .delete_head = "*2\r\n$3\r\nDEL\r\n$43\r\n",
    .delete_tail = "\r\n",
    .hit_head = "$64\r\n",
    .hit_tail = "\r\n",
    .miss = "$-1\r\n",
    .stored = "+OK\r\n",
    .deleted = ":1\r\n",
};

constexpr Dialect kMemcached = {
    .get_head = "mg ",
    .get_tail = " v\r\n",
    .set_head = "ms ",
    .set_before_expiry = " 64 T",
    .set_before_value = "\r\n",
    .set_tail = "\r\n",
    .is_expiry_first = true,
    .delete_head = "md ",
    .delete_tail = "\r\n",
    .hit_head = "VA 64\r\n",
    .hit_tail = "\r\n",
    .miss = "EN\r\n",
    .stored = "HD\r\n",
    .deleted = "HD\r\n",
};

class PeerDriver final : public Driver {
 public:
  PeerDriver(const Dialect& dialect, const TokenSpace* tokens, Expectation expectation)
      : dialect_(dialect), tokens_(*tokens), expectation_(expectation) {}

  void AppendRequest(const Operation& operation, uint32_t /*number*/, Output* out) override {
    char* at = out->Room(kRequestBytesMax);
    switch (operation.kind) {
      case OperationKind::kValidate:
        at = WriteKeyCommand(dialect_.get_head, operation.index, dialect_.get_tail, at);
        break;
      case OperationKind::kRevoke:
        at = WriteKeyCommand(dialect_.delete_head, operation.index, dialect_.delete_tail, at);
        break;
      case OperationKind::kInsert:
      case OperationKind::kReplace:
        at = WriteSet(operation.index, at);
        break;
    }
    out->AdvanceTo(at);
  }

  Answer Take(std::string_view bytes, Window* window) override {
    Answer answer;
    if (bytes.empty()) return answer;
    Operation* operation = window->Oldest();
    if (operation == nullptr) {
      answer.result = Answer::Result::kBroken;
      return answer;
    }
    const std::string_view right = RightAnswer(*operation);
    if (bytes.size() >= right.size() && bytes.substr(0, right.size()) == right) {
      answer.result = Answer::Result::kRight;
      answer.size = right.size();
    } else {
      answer.size = AnswerSize(bytes, &answer.result);
      if (answer.result != Answer::Result::kWrong) return answer;
    }
    answer.operation = operation;
    window->Close(operation);
    return answer;
  }

  uint32_t insert_batch() const override { return 1; }
  size_t insert_depth() const override { return 128; }

 private:
  static constexpr size_t kRequestBytesMax = 256;
  static constexpr size_t kExpiryDigitsMax = 20;

  char* WriteKeyCommand(std::string_view head, uint64_t index, std::string_view tail,
                        char* at) const {
    at = Write(head, at);
    tokens_.WriteToken(index, at);
    return Write(tail, at + kTokenBytes);
  }

  char* WriteSet(uint64_t index, char* at) const {
    at = Write(dialect_.set_head, at);
    tokens_.WriteToken(index, at);
    at += kTokenBytes;
    if (dialect_.is_expiry_first) at = WriteExpiry(index, at);
    at = Write(dialect_.set_before_value, at);
    WriteValue(tokens_, index, at);
    at += kValueBytes;
    if (!dialect_.is_expiry_first) at = WriteExpiry(index, at);
    return Write(dialect_.set_tail, at);
  }

  // Unix seconds, in ten digits; a token does not expire early by being rounded.
  char* WriteExpiry(uint64_t index, char* at) const {
    const uint64_t expires_at_s = (tokens_.ExpiresAtMs(index) + 999) / 1000;
    at = Write(dialect_.set_before_expiry, at);
    return std::to_chars(at, at + kExpiryDigitsMax, expires_at_s).ptr;
  }

  // Views scratch_ or the dialect.
  std::string_view RightAnswer(const Operation& operation) {
    if (operation.kind == OperationKind::kRevoke) return dialect_.deleted;
    if (operation.kind != OperationKind::kValidate) return dialect_.stored;
    if (operation.index >= kNeverStored || expectation_ == Expectation::kExpired) {
      return dialect_.miss;
    }
    char* at = Write(dialect_.hit_head, scratch_.data());
    WriteValue(tokens_, operation.index, at);
    at = Write(dialect_.hit_tail, at + kValueBytes);
    return {scratch_.data(), static_cast<size_t>(at - scratch_.data())};
  }

  // How long an answer is that is not the right one, or not all there.
  size_t AnswerSize(std::string_view bytes, Answer::Result* result) const {
    *result = Answer::Result::kNeedMore;
    const size_t line_end = bytes.find("\r\n");
    if (line_end == std::string_view::npos) {
      if (bytes.size() > 4096) *result = Answer::Result::kBroken;
      return 0;
    }
    size_t size = line_end + 2;
    if (bytes.substr(0, size) == dialect_.hit_head) {
      size += kValueBytes + dialect_.hit_tail.size();
      if (bytes.size() < size) return 0;
    }
    *result = Answer::Result::kWrong;
    return size;
  }

  const Dialect& dialect_;
  const TokenSpace& tokens_;
  const Expectation expectation_;
  std::array<char, 256> scratch_;
};

}  // namespace

std::unique_ptr<Driver> MakeRedisDriver(const TokenSpace* tokens, Expectation expectation) {
  return std::make_unique<PeerDriver>(kRedis, tokens, expectation);
}
std::unique_ptr<Driver> MakeMemcachedDriver(const TokenSpace* tokens, Expectation expectation) {
  return std::make_unique<PeerDriver>(kMemcached, tokens, expectation);
}

}  // namespace tokend::bench
