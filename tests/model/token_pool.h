// The tokens that the clients of the model test use: few names in each namespace, so that threads
// meet on them, and what was issued.
#pragma once

#include <mutex>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/digest.h"

namespace tokend::testing {

struct PoolToken {
  std::string ns, text, id, key;
};

// Thread-safe.
class TokenPool {
 public:
  static constexpr int kNamesEach = 6;
  // The last two are made by the first insert.
  static constexpr std::string_view kNamespaces[] = {"default", "second", "bar", "late", "later"};
  static constexpr std::string_view kAfterBar = "bar";

  TokenPool() {
    for (const std::string_view ns : kNamespaces) {
      for (int i = 0; i < kNamesEach; ++i) Add(std::string(ns), "t" + std::to_string(i));
    }
  }

  PoolToken Add(const std::string& ns, const std::string& text) {
    const std::lock_guard lock(mutex_);
    const TokenKey key = digester_.Digest(
        ns == kAfterBar ? DigestScheme::kSha256AfterBar : DigestScheme::kSha256, text);
    return tokens_.emplace_back(
        PoolToken{ns, text, ToHex(TokenId::Of(key)), std::string(key.view())});
  }
  std::vector<PoolToken> All() const {
    const std::lock_guard lock(mutex_);
    return tokens_;
  }
  // One of the names, or one of the latest that were issued.
  PoolToken Draw(const std::string& ns, std::mt19937_64* random) const {
    const std::lock_guard lock(mutex_);
    std::vector<const PoolToken*> names, issued;
    for (const PoolToken& token : tokens_) {
      if (token.ns == ns) (names.size() < kNamesEach ? names : issued).push_back(&token);
    }
    if (!issued.empty() && (*random)() % 4 == 0) {
      const size_t latest = std::min<size_t>(issued.size(), 3);
      return *issued[issued.size() - 1 - (*random)() % latest];
    }
    return *names[(*random)() % names.size()];
  }

 private:
  mutable std::mutex mutex_;  // guards what follows
  Digester digester_;
  std::vector<PoolToken> tokens_;
};

}  // namespace tokend::testing
