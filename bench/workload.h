// What a stream asks for: which operation on which tokens, as a function of a seed.
#pragma once

#include <cstdint>
#include <optional>

#include "bench/driver.h"
#include "bench/tokens.h"
#include "bench/zipf.h"

namespace tokend::bench {

struct WorkloadOptions {
  OperationKind kind = OperationKind::kValidate;  // kRevoke comes by revoke_ratio alone
  uint64_t seed = 1;
  uint32_t batch = 1;  // tokens in a request; a revoke is always of one

  // kInsert: tokens from `first` on, each once, `keys` of them, and the last batch may be smaller.
  // Else random ones of these.
  uint64_t first = 0;
  uint64_t keys = 1;
  std::optional<double> zipf_exponent;  // empty = uniform

  double hit_ratio = 1;     // kValidate: share of the tokens that are stored ones
  double revoke_ratio = 0;  // share of the requests that revoke, each the next token of a pool
  uint64_t revoke_first = 0;
  uint64_t revoke_count = 0;
};

class Workload {
 public:
  explicit Workload(const WorkloadOptions& options);

  // Sets kind, count and tokens; false when every insert has been given. Throws std::runtime_error
  // when the pool to revoke from is used up.
  bool Next(Operation* operation) {
    if (revokes_of_2_32_ != 0 && IsRevokeNext()) {
      Revoke(operation);
      return true;
    }
    operation->kind = options_.kind;
    if (options_.kind == OperationKind::kInsert) return Insert(operation);
    operation->count = options_.batch;
    if (options_.batch == 1) {
      operation->index = RandomIndex();
    } else {
      for (uint32_t i = 0; i < options_.batch; ++i) operation->indexes[i] = RandomIndex();
    }
    return true;
  }

 private:
  // 32 bits of fraction, as ratios are compared.
  static constexpr uint64_t kOne = uint64_t{1} << 32;

  bool IsRevokeNext() { return (Random() & (kOne - 1)) < revokes_of_2_32_; }
  void Revoke(Operation* operation);
  bool Insert(Operation* operation);

  uint64_t Random() { return Mix(state_, ++draws_); }

  uint64_t RandomIndex() {
    const uint64_t random = Random();
    // The high bits choose the token, the low ones whether it is a stored one.
    const uint64_t key = zipf_ ? RandomZipfKey() : HighProduct(random, options_.keys);
    const bool is_hit = (random & (kOne - 1)) < hits_of_2_32_;
    return options_.first + key + (is_hit ? 0 : kNeverStored);
  }
  uint64_t RandomZipfKey();

  static uint64_t HighProduct(uint64_t a, uint64_t b) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(a) * b) >> 64);
  }

  const WorkloadOptions options_;
  const uint64_t hits_of_2_32_;
  const uint64_t revokes_of_2_32_;
  const uint64_t state_;
  const std::optional<Zipf> zipf_;
  uint64_t scatter_ = 1;
  uint64_t draws_ = 0;
  uint64_t inserted_ = 0;
  uint64_t revoked_ = 0;
};

}  // namespace tokend::bench
