// A token, or a secret that a caller shows: bytes that nobody may read again. Neither Secret nor
// SecretView becomes text by itself, so that none can be formatted, logged, streamed or put into
// JSON by mistake. Whoever has to work on the bytes says so: bytes().
#pragma once

#include <string.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace tokend {

class SecretView {
 public:
  constexpr SecretView() = default;
  constexpr explicit SecretView(std::string_view bytes) : bytes_(bytes) {}

  constexpr std::string_view bytes() const { return bytes_; }
  constexpr size_t size() const { return bytes_.size(); }
  constexpr bool empty() const { return bytes_.empty(); }

 private:
  std::string_view bytes_;
};

// One that owns its bytes, and wipes them when they go.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string bytes) : bytes_(std::move(bytes)) {}
  // The bytes of a short string lie in it, and would stay where they were.
  Secret(Secret&& other) noexcept : bytes_(std::move(other.bytes_)) { other.Wipe(); }
  Secret& operator=(Secret&& other) noexcept {
    if (this == &other) return *this;
    Wipe();
    bytes_ = std::move(other.bytes_);
    other.Wipe();
    return *this;
  }
  Secret(const Secret& other) = default;
  Secret& operator=(const Secret& other) {
    if (this != &other) *this = Secret(other);
    return *this;
  }
  ~Secret() { Wipe(); }

  // Empty afterwards, and nothing of it is left in its memory.
  void Wipe() {
    bytes_.resize(bytes_.capacity());
    explicit_bzero(bytes_.data(), bytes_.size());
    bytes_.clear();
  }

  operator SecretView() const { return SecretView(bytes_); }
  std::string_view bytes() const { return bytes_; }
  // To fill it: what grows beyond its capacity leaves the bytes before behind.
  std::string* mutable_bytes() { return &bytes_; }
  size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }

 private:
  std::string bytes_;
};

}  // namespace tokend
