// The driver of HTTP/1.1: what a gateway asks with each request that it gets. Answers are in order.
#include <charconv>
#include <cstring>

#include "bench/driver.h"

namespace tokend::bench {
namespace {

constexpr std::string_view kRequestHead =
    "GET /auth HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ";
constexpr std::string_view kRequestTail = "\r\n\r\n";
constexpr size_t kHeaderBytesMax = 4096;

class HttpDriver final : public Driver {
 public:
  // `says_owner`: a good answer has the owner in X-Auth-Owner; else its status is all there is.
  HttpDriver(const TokenSpace* tokens, Expectation expectation, bool says_owner)
      : tokens_(*tokens), expectation_(expectation), says_owner_(says_owner) {}

  void AppendRequest(const Operation& operation, uint32_t /*number*/, Output* out) override {
    char* at = out->Room(kRequestHead.size() + kTokenBytes + kRequestTail.size());
    std::memcpy(at, kRequestHead.data(), kRequestHead.size());
    at += kRequestHead.size();
    tokens_.WriteToken(operation.index, at);
    at += kTokenBytes;
    std::memcpy(at, kRequestTail.data(), kRequestTail.size());
    out->AdvanceTo(at + kRequestTail.size());
  }

  Answer Take(std::string_view bytes, Window* window) override {
    Answer answer;
    const size_t end = bytes.find("\r\n\r\n");
    if (end == std::string_view::npos) {
      if (bytes.size() > kHeaderBytesMax) answer.result = Answer::Result::kBroken;
      return answer;
    }
    const std::string_view header = bytes.substr(0, end + 2);
    const size_t size = end + 4 + BodySize(header);
    if (bytes.size() < size) return answer;
    Operation* operation = window->Oldest();
    if (operation == nullptr || !header.starts_with("HTTP/1.1 ")) {
      answer.result = Answer::Result::kBroken;
      return answer;
    }
    answer.result = IsRight(*operation, header) ? Answer::Result::kRight : Answer::Result::kWrong;
    answer.size = size;
    answer.operation = operation;
    window->Close(operation);
    return answer;
  }

  // Nothing can be stored so.
  uint32_t insert_batch() const override { return 1; }
  size_t insert_depth() const override { return 1; }

 private:
  static std::string_view Field(std::string_view header, std::string_view name) {
    const size_t begin = header.find(name);
    if (begin == std::string_view::npos) return {};
    header.remove_prefix(begin + name.size());
    return header.substr(0, header.find('\r'));
  }

  static size_t BodySize(std::string_view header) {
    const std::string_view text = Field(header, "\r\nContent-Length: ");
    size_t size = 0;
    std::from_chars(text.data(), text.data() + text.size(), size);
    return size;
  }

  bool IsRight(const Operation& operation, std::string_view header) const {
    if (operation.index >= kNeverStored || expectation_ == Expectation::kExpired) {
      return header.substr(9, 4) == "401 ";
    }
    return header.substr(9, 4) == "200 " &&
           (!says_owner_ || Field(header, "\r\nX-Auth-Owner: ") == tokens_.Owner(operation.index));
  }

  const TokenSpace& tokens_;
  const Expectation expectation_;
  const bool says_owner_;
};

}  // namespace

std::unique_ptr<Driver> MakeHttpDriver(const TokenSpace* tokens, Expectation expectation,
                                       bool says_owner) {
  return std::make_unique<HttpDriver>(tokens, expectation, says_owner);
}

}  // namespace tokend::bench
