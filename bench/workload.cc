#include "bench/workload.h"

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <string>

namespace tokend::bench {
namespace {

uint64_t Of2To32(double ratio) { return static_cast<uint64_t>(ratio * 4294967296.0); }

// About 0.618 of `keys`, and without a common divisor: multiplied with it, modulo keys, numbers
// stay different and their neighbours come to lie far apart.
uint64_t ScatterFactor(uint64_t keys) {
  auto factor = static_cast<uint64_t>(static_cast<double>(keys) * 0.6180339887498949);
  while (std::gcd(factor, keys) != 1) ++factor;
  return factor;
}

}  // namespace

Workload::Workload(const WorkloadOptions& options)
    : options_(options),
      hits_of_2_32_(options.kind == OperationKind::kValidate ? Of2To32(options.hit_ratio) : kOne),
      revokes_of_2_32_(Of2To32(options.revoke_ratio)),
      state_(Mix(options.seed, 0x5eed)),
      zipf_(options.zipf_exponent
                ? std::optional<Zipf>(std::in_place, options.keys, *options.zipf_exponent)
                : std::nullopt),
      scatter_(ScatterFactor(options.keys)) {}

uint64_t Workload::RandomZipfKey() {
  const uint64_t rank = zipf_->Draw([this] { return Random(); });
  return static_cast<uint64_t>(static_cast<unsigned __int128>(rank) * scatter_ % options_.keys);
}

void Workload::Revoke(Operation* operation) {
  if (revoked_ == options_.revoke_count) {
    throw std::runtime_error("all " + std::to_string(options_.revoke_count) +
                             " tokens to revoke are used up: store more (--load --first N --keys "
                             "C) and name them (--revoke-first N --revoke-count C)");
  }
  operation->kind = OperationKind::kRevoke;
  operation->count = 1;
  operation->index = options_.revoke_first + revoked_++;
}

bool Workload::Insert(Operation* operation) {
  const uint64_t left = options_.keys - inserted_;
  if (left == 0) return false;
  operation->count = static_cast<uint32_t>(std::min<uint64_t>(options_.batch, left));
  operation->index = options_.first + inserted_;
  if (operation->count > 1) {
    std::iota(operation->indexes, operation->indexes + operation->count, operation->index);
  }
  inserted_ += operation->count;
  return true;
}

}  // namespace tokend::bench
