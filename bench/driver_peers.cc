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
  std::string_view set_head, set_before_ttl, set_before_value, set_tail;
  bool is_ttl_first;  // memcached names the TTL before the value, Redis after it
  std::string_view hit_head, hit_tail, miss, stored;
};

constexpr Dialect kRedis = {
    .get_head = "*2\r\n$3\r\nGET\r\n$43\r\n",
    .get_tail = "\r\n",
    .set_head = "*5\r\n$3\r\nSET\r\n$43\r\n",
    .set_before_ttl = "\r\n$2\r\nEX\r\n$6\r\n",
    .set_before_value = "\r\n$64\r\n",
    .set_tail = "\r\n",
    .is_ttl_first = false,
    .hit_head = "$64\r\n",
    .hit_tail = "\r\n",
    .miss = "$-1\r\n",
    .stored = "+OK\r\n",
};

constexpr Dialect kMemcached = {
    .get_head = "mg ",
    .get_tail = " v\r\n",
    .set_head = "ms ",
    .set_before_ttl = " 64 T",
    .set_before_value = "\r\n",
    .set_tail = "\r\n",
    .is_ttl_first = true,
    .hit_head = "VA 64\r\n",
    .hit_tail = "\r\n",
    .miss = "EN\r\n",
    .stored = "HD\r\n",
};

class PeerDriver final : public Driver {
 public:
  PeerDriver(const Dialect& dialect, const TokenSpace* tokens)
      : dialect_(dialect), tokens_(*tokens) {}

  void AppendRequest(const Operation& operation, uint32_t /*number*/, Output* out) override {
    char* at = out->Room(kRequestBytesMax);
    if (operation.kind == OperationKind::kValidate) {
      at = Write(dialect_.get_head, at);
      tokens_.WriteToken(operation.index, at);
      at = Write(dialect_.get_tail, at + kTokenBytes);
    } else {
      at = Write(dialect_.set_head, at);
      tokens_.WriteToken(operation.index, at);
      at += kTokenBytes;
      if (dialect_.is_ttl_first) at = WriteTtl(operation.index, at);
      at = Write(dialect_.set_before_value, at);
      WriteValue(tokens_, operation.index, at);
      at += kValueBytes;
      if (!dialect_.is_ttl_first) at = WriteTtl(operation.index, at);
      at = Write(dialect_.set_tail, at);
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

  char* WriteTtl(uint64_t index, char* out) const {
    // A day, give or take 16 %, later by what makes it six digits for every token.
    const uint64_t ttl_s = 100000 + Mix(index, 0) % 27648;
    return std::to_chars(Write(dialect_.set_before_ttl, out), out + kRequestBytesMax, ttl_s).ptr;
  }

  // Views scratch_ or the dialect.
  std::string_view RightAnswer(const Operation& operation) {
    if (operation.kind == OperationKind::kInsert) return dialect_.stored;
    if (!operation.is_present) return dialect_.miss;
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
  std::array<char, 256> scratch_;
};

}  // namespace

std::unique_ptr<Driver> MakeRedisDriver(const TokenSpace* tokens) {
  return std::make_unique<PeerDriver>(kRedis, tokens);
}
std::unique_ptr<Driver> MakeMemcachedDriver(const TokenSpace* tokens) {
  return std::make_unique<PeerDriver>(kMemcached, tokens);
}

}  // namespace tokend::bench
