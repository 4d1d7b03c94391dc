// TokenTable: finding tokens one at a time and in batches, in cache and out of it, and putting
// them.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

#include "bench/micro.h"
#include "bench/tokens.h"
#include "protocol/digest.h"
#include "protocol/msgpack.h"
#include "storage/token_table.h"

namespace tokend::bench {
namespace {

constexpr uint64_t kNowMs = 1'800'000'000'000;
constexpr NamespaceId kNamespace = 1;

const TokenSpace& Tokens() {
  static const TokenSpace tokens(1, kNowMs);
  return tokens;
}

TokenKey KeyOf(uint64_t index) {
  static Digester digester;
  return digester.Digest(DigestScheme::kSha256, Tokens().Token(index));
}

PutResult PutToken(TokenTable* table, uint64_t index, const TokenKey& key) {
  TokenEntry entry;
  entry.namespace_id = kNamespace;
  entry.key = key;
  entry.expires_at_ms = Tokens().ExpiresAtMs(index);
  entry.owner = Tokens().Owner(index);
  entry.scopes_encoded = Tokens().ScopesEncoded(index);
  return table->Put(entry, PutMode::kReset);
}

// A table of tokens 0 ... count - 1, with keys to ask for.
struct Filled {
  explicit Filled(size_t count) : table(std::make_unique<TokenTable>(TokenTableOptions{})) {
    keys.reserve(count);
    for (uint64_t i = 0; i < count; ++i) {
      keys.push_back(KeyOf(i));
      Require(PutToken(table.get(), i, keys.back()) == PutResult::kPut, "Put");
    }
    for (uint64_t i = 0; i < count; ++i) missing_keys.push_back(KeyOf(count + i));
    Check();
  }

  // Everything that was put is found with its fields, nothing else is.
  void Check() const {
    TokenTable::Reader reader(table.get());
    for (uint64_t i = 0; i < keys.size(); ++i) {
      Lookup lookup{.key = keys[i], .namespace_id = kNamespace};
      table->FindBatch(&reader, {&lookup, 1}, kNowMs);
      std::string owner;
      msgpack_io::Writer(&owner).Str(Tokens().Owner(i));
      Require(
          lookup.verdict == Verdict::kValid && lookup.expires_at_ms == Tokens().ExpiresAtMs(i) &&
              lookup.owner_encoded == owner && lookup.scopes_encoded == Tokens().ScopesEncoded(i),
          "FindBatch of a token that is there");
      reader.Quiesce();
    }
    for (const TokenKey& key : missing_keys) {
      Lookup lookup{.key = key, .namespace_id = kNamespace};
      table->FindBatch(&reader, {&lookup, 1}, kNowMs);
      Require(lookup.verdict == Verdict::kUnknown, "FindBatch of a token that is not there");
    }
  }

  std::unique_ptr<TokenTable> table;
  std::vector<TokenKey> keys;
  std::vector<TokenKey> missing_keys;
};

// Asks in random order, `batch` at a time, as a loop does: fill the lookups, find, read the
// answers, quiesce. What it costs without the finding is a few ns a token.
void Find(benchmark::State& state, const TokenTable& table, const std::vector<TokenKey>& keys,
          size_t batch) {
  auto* mutable_table = const_cast<TokenTable*>(&table);
  TokenTable::Reader reader(mutable_table);
  std::vector<Lookup> lookups(batch);
  uint64_t count = 0;
  for (auto _ : state) {
    for (Lookup& lookup : lookups) {
      lookup.key = keys[static_cast<size_t>(
          (static_cast<unsigned __int128>(Mix(7, ++count)) * keys.size()) >> 64)];
      lookup.namespace_id = kNamespace;
    }
    mutable_table->FindBatch(&reader, lookups, kNowMs);
    for (const Lookup& lookup : lookups) {
      benchmark::DoNotOptimize(lookup.verdict);
      if (!lookup.owner_encoded.empty()) benchmark::DoNotOptimize(lookup.owner_encoded.front());
    }
    reader.Quiesce();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(batch));
}

// From an empty table to a full one: growth is in it, and the first touch of each page.
void Put(benchmark::State& state, const std::vector<TokenKey>& keys) {
  for (auto _ : state) {
    state.PauseTiming();
    auto table = std::make_unique<TokenTable>(TokenTableOptions{});
    state.ResumeTiming();
    for (uint64_t i = 0; i < keys.size(); ++i) PutToken(table.get(), i, keys[i]);
    state.PauseTiming();
    table.reset();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(keys.size()));
}

}  // namespace

void RegisterBenchmarks(size_t tokens_max) {
  for (const size_t count : DataSetSizes(tokens_max)) {
    // Lives as long as the program: benchmarks run after this.
    static std::vector<std::unique_ptr<Filled>> filled;
    const Filled* data = filled.emplace_back(std::make_unique<Filled>(count)).get();
    const std::string tokens = std::to_string(count) + "_tokens";
    for (const size_t batch : {size_t{1}, size_t{16}, size_t{64}}) {
      const auto add = [&](const char* name, const std::vector<TokenKey>* keys) {
        benchmark::RegisterBenchmark(
            (name + tokens + "/batch_" + std::to_string(batch)).c_str(),
            [=](benchmark::State& state) { Find(state, *data->table, *keys, batch); });
      };
      add("Find/", &data->keys);
      add("FindMissing/", &data->missing_keys);
    }
    benchmark::RegisterBenchmark(("Put/" + tokens).c_str(),
                                 [data](benchmark::State& state) { Put(state, data->keys); });
  }
}

}  // namespace tokend::bench
