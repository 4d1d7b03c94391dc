// Readers beside writers. A token's owner and scopes are functions of its number and of the
// generation, and the generation can be read from its expiry: so a reader notices a torn read, a
// slot or a name that was used again too early, and a token of somebody else's.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "storage/seeded_hash.h"
#include "storage/token_table.h"
#include "tests/test_seed.h"
#include "tests/token_table_fixture.h"

namespace tokend {
namespace {

#if defined(__SANITIZE_THREAD__)
constexpr int kSlowdown = 10;
#else
constexpr int kSlowdown = 1;
#endif

constexpr NamespaceId kNs = 3;
constexpr uint64_t kNow = 1'800'000'000'000;
constexpr uint64_t kGenerations = 1000;

uint64_t ExpiryOf(uint64_t number, uint64_t generation) {
  return kNow + 1'000'000'000 + number * kGenerations + generation;
}
uint64_t GenerationOf(uint64_t number, uint64_t expires_at_ms) {
  return expires_at_ms - ExpiryOf(number, 0);
}
// Names of many lengths, shared by many tokens; those of `kind` alone.
std::string OwnerOf(char kind, uint64_t number, uint64_t generation) {
  const uint64_t name = (number + generation * 7) % 40;
  return kind + std::to_string(name) + std::string(name * 5, kind);
}
std::string ScopesOf(uint64_t number, uint64_t generation) {
  const uint64_t count = (number + generation) % 4;
  return EncodedScopes(std::vector<std::string>(count, "s" + std::to_string(generation % 50)));
}

class Race {
 public:
  explicit Race(TokenTableOptions options) : table_(options) {}

  // `kind` says whose owners' names the token may have.
  void Put(char kind, uint64_t number, uint64_t generation, PutMode mode) {
    const std::string owner = OwnerOf(kind, number, generation);
    const std::string scopes = ScopesOf(number, generation);
    TokenEntry entry = EntryOf(number, ExpiryOf(number, generation));
    entry.namespace_id = kNs;
    entry.owner = owner;
    entry.scopes_encoded = scopes;
    if (table_.Put(entry, mode) == PutResult::kMemoryLimit) Fail("no room");
  }

  // Those below `tokens`, of generation 0, as loading does.
  void PutMany(char kind, uint64_t tokens) {
    constexpr uint64_t kBatch = 500;
    std::vector<std::string> owners, scopes;
    for (uint64_t first = 0; first < tokens; first += kBatch) {
      const uint64_t end = std::min(first + kBatch, tokens);
      owners.clear();
      scopes.clear();
      for (uint64_t i = first; i < end; ++i) {
        owners.push_back(OwnerOf(kind, i, 0));
        scopes.push_back(ScopesOf(i, 0));
      }
      std::vector<TokenEntry> entries;
      for (uint64_t i = first; i < end; ++i) {
        entries.push_back(EntryOf(i, ExpiryOf(i, 0)));
        entries.back().namespace_id = kNs;
        entries.back().owner = owners[i - first];
        entries.back().scopes_encoded = scopes[i - first];
      }
      if (table_.PutMany(entries, [](size_t) { return false; }) != PutResult::kPut) Fail("no room");
    }
  }

  // Looks a batch up and checks that what is valid hangs together.
  const std::vector<Lookup>& Find(TokenTable::Reader* reader, char kind,
                                  const std::vector<uint64_t>& numbers, uint64_t now_ms,
                                  std::vector<Lookup>* lookups) {
    lookups->assign(numbers.size(), Lookup());
    for (size_t i = 0; i < numbers.size(); ++i) {
      (*lookups)[i].key = KeyOf(numbers[i]);
      (*lookups)[i].namespace_id = kNs;
    }
    table_.FindBatch(reader, *lookups, now_ms);
    for (size_t i = 0; i < numbers.size(); ++i) {
      const Lookup& lookup = (*lookups)[i];
      if (lookup.verdict != Verdict::kValid) continue;
      const uint64_t generation = GenerationOf(numbers[i], lookup.expires_at_ms);
      if (generation >= kGenerations) Fail("expiry of another token");
      if (lookup.owner_encoded != EncodedStr(OwnerOf(kind, numbers[i], generation))) {
        Fail("owner of another generation");
      }
      if (lookup.scopes_encoded != ScopesOf(numbers[i], generation)) {
        Fail("scopes of another generation");
      }
      if (lookup.expires_at_ms <= now_ms) Fail("valid after its expiry");
    }
    return *lookups;
  }

  void Fail(const std::string& what) {
    std::lock_guard lock(mutex_);
    ++failures_[what];
  }
  void Writer(std::function<void()> body) { writers_.emplace_back(std::move(body)); }
  // Runs until the writers are done, and at least once.
  void Reader(std::function<void(TokenTable::Reader*, uint64_t turn)> body) {
    readers_.emplace_back([this, body = std::move(body)] {
      TokenTable::Reader reader(&table_);
      uint64_t turn = 0;
      do {
        body(&reader, turn++);
        if (turn % 3 == 0) {
          reader.GoOffline();
          reader.GoOnline();
        } else {
          reader.Quiesce();
        }
      } while (!stop_.load(std::memory_order_relaxed));
    });
  }
  void Finish() {
    for (std::thread& thread : writers_) thread.join();
    stop_.store(true);
    for (std::thread& thread : readers_) thread.join();
    for (const auto& [what, count] : failures_) ADD_FAILURE() << what << ", " << count << " times";
    table_.CheckInvariants();
    const TokenTableStats stats = table_.stats();
    std::printf("retries %llu, locks %llu\n",
                static_cast<unsigned long long>(stats.read_retries_total),
                static_cast<unsigned long long>(stats.read_locks_total));
  }

  TokenTable& table() { return table_; }

 private:
  TokenTable table_;
  std::atomic<bool> stop_{false};
  std::vector<std::thread> writers_, readers_;
  std::mutex mutex_;
  std::map<std::string, int> failures_;
};

std::vector<uint64_t> SomeOf(std::mt19937_64* random, uint64_t first, uint64_t count,
                             size_t how_many) {
  std::vector<uint64_t> numbers(how_many);
  for (uint64_t& number : numbers) number = first + (*random)() % count;
  return numbers;
}

TokenTableOptions RaceOptions() {
  TokenTableOptions options = SmallOptions();
  options.shards = 2;  // few, so that threads meet
  return options;
}

// Tokens that are only ever replaced are always found, while others come and go around them.
TEST(TokenTableConcurrencyTest, WhatStaysIsAlwaysFound) {
  constexpr uint64_t kStaying = 300, kComing = 5000;
  const uint64_t seed = TestSeed();
  Race race(RaceOptions());
  for (uint64_t i = 0; i < kStaying; ++i) race.Put('a', i, 0, PutMode::kReset);
  race.Writer([&] {
    std::mt19937_64 random(seed);
    for (int i = 0; i < 40000 / kSlowdown; ++i) {
      race.Put('a', random() % kStaying, random() % kGenerations,
               random() % 2 ? PutMode::kReset : PutMode::kKeep);
    }
  });
  race.Writer([&] {  // growth, splits, overflow, and slots used again
    for (int round = 0; round < 6 / std::min(kSlowdown, 3); ++round) {
      for (uint64_t i = 0; i < kComing; ++i) {
        race.Put('b', kStaying + i, 1, PutMode::kReset);
        if (i % 8 == 0) race.table().Reclaim(0, 16);
      }
      for (uint64_t i = 0; i < kComing; ++i) race.table().Erase(kNs, KeyOf(kStaying + i));
    }
  });
  for (uint64_t r = 0; r < 2; ++r) {
    race.Reader([&, random = std::mt19937_64(seed + r + 1), lookups = std::vector<Lookup>()](
                    TokenTable::Reader* reader, uint64_t turn) mutable {
      const auto numbers = SomeOf(&random, 0, kStaying, turn % 2 ? 64 : 3);
      for (const Lookup& lookup : race.Find(reader, 'a', numbers, kNow, &lookups)) {
        if (lookup.verdict != Verdict::kValid) race.Fail("a token that stays was not found");
      }
      race.Find(reader, 'b', SomeOf(&random, kStaying, kComing, 64), kNow, &lookups);
    });
  }
  race.Finish();
}

// Everything at once on the same few tokens.
TEST(TokenTableConcurrencyTest, WhatIsValidHangsTogether) {
  constexpr uint64_t kTokens = 200;
  const uint64_t seed = TestSeed();
  Race race(RaceOptions());
  for (uint64_t w = 0; w < 2; ++w) {
    race.Writer([&, w] {
      std::mt19937_64 random(seed + w);
      std::vector<TokenTable::UsageEntry> usage;
      uint64_t cursor = 0;
      for (int i = 0; i < 60000 / kSlowdown; ++i) {
        const uint64_t number = random() % kTokens, generation = random() % kGenerations;
        switch (random() % 12) {
          case 0:
          case 1:
          case 2:
          case 3:
            race.Put('c', number, generation, PutMode::kReset);
            break;
          case 4:
            race.Put('c', number, generation, PutMode::kKeep);
            break;
          case 5:
            race.Put('c', number, generation, PutMode::kIfAbsent);
            break;
          case 6:
          case 7:
            race.table().Erase(kNs, KeyOf(number));
            break;
          case 8:
            race.table().Deny(kNs, KeyOf(number));
            if (random() % 2) race.table().LiftDenial(kNs, KeyOf(number));
            break;
          case 9:
            if (random() % 4 == 0) race.table().DenyOwner(kNs, OwnerOf('c', number, generation));
            break;
          case 10:
            // All of them expire now and then: as far as this table knows, the time is late.
            race.table().Reclaim(random() % 50 ? kNow : kNow + 2'000'000'000, 64);
            break;
          default:
            usage.clear();
            TakeUsage(&race.table(), w, &cursor, 10, &usage);
            race.table().Peek(kNs, KeyOf(number));
        }
      }
    });
  }
  for (uint64_t r = 0; r < 2; ++r) {
    race.Reader([&, random = std::mt19937_64(seed + r + 10), lookups = std::vector<Lookup>()](
                    TokenTable::Reader* reader, uint64_t turn) mutable {
      race.Find(reader, 'c', SomeOf(&random, 0, kTokens, turn % 3 ? 64 : 1), kNow, &lookups);
    });
  }
  race.Finish();
}

// Deny fails closed: once Deny or DenyOwner has returned, nobody gets "valid" any more; and once
// Erase has, nobody finds the token.
TEST(TokenTableConcurrencyTest, WhatIsDeniedStaysDenied) {
  const uint64_t tokens = 6000 / std::min(kSlowdown, 4);
  const uint64_t seed = TestSeed();
  Race race(RaceOptions());
  // Tokens below these were denied, hit by their owner's cut-off, and erased.
  std::atomic<uint64_t> denied{0}, cut_off{0}, erased{0};
  constexpr uint64_t kDenied = 1'000'000, kCutOff = 2'000'000, kErased = 3'000'000;
  const auto owner_of = [](uint64_t i) { return "one " + std::to_string(i / 10); };
  race.Writer([&] {
    for (uint64_t i = 0; i < tokens; ++i) {
      race.Put('d', kDenied + i, 0, PutMode::kReset);
      race.table().Deny(kNs, KeyOf(kDenied + i));
      denied.store(i + 1, std::memory_order_release);
    }
  });
  race.Writer([&] {
    for (uint64_t i = 0; i < tokens; ++i) {
      const std::string owner = owner_of(i);
      TokenEntry entry = EntryOf(kCutOff + i);
      entry.namespace_id = kNs;
      entry.owner = owner;
      race.table().Put(entry, PutMode::kReset);
      if (i % 10 == 9) {
        race.table().DenyOwner(kNs, owner);
        cut_off.store(i + 1, std::memory_order_release);
      }
    }
  });
  race.Writer([&] {
    for (uint64_t i = 0; i < tokens; ++i) {
      race.Put('e', kErased + i, 0, PutMode::kReset);
      race.table().Erase(kNs, KeyOf(kErased + i));
      erased.store(i + 1, std::memory_order_release);
      if (i % 64 == 0) race.table().Reclaim(0, 64);
    }
  });
  for (uint64_t r = 0; r < 2; ++r) {
    race.Reader([&, random = std::mt19937_64(seed + r), lookups = std::vector<Lookup>()](
                    TokenTable::Reader* reader, uint64_t) mutable {
      const auto expect = [&](const std::atomic<uint64_t>& below, uint64_t first, Verdict verdict,
                              const char* what) {
        const uint64_t count = below.load(std::memory_order_acquire);
        if (count == 0) return;
        // The latest one above all.
        auto numbers = SomeOf(&random, first, count, 20);
        numbers.push_back(first + count - 1);
        lookups.assign(numbers.size(), Lookup());
        for (size_t i = 0; i < numbers.size(); ++i) {
          lookups[i].key = KeyOf(numbers[i]);
          lookups[i].namespace_id = kNs;
        }
        race.table().FindBatch(reader, lookups, kNow);
        for (const Lookup& lookup : lookups) {
          if (lookup.verdict != verdict) race.Fail(what);
        }
      };
      expect(denied, kDenied, Verdict::kRevoked, "a denied token was not revoked");
      expect(cut_off, kCutOff, Verdict::kRevoked, "a token of a cut-off owner was not revoked");
      expect(erased, kErased, Verdict::kUnknown, "an erased token was found");
    });
  }
  race.Finish();
}

// While Reclaim drops what has expired, a reader whose clock is behind gets "unavailable" and never
// "unknown"; and loading being over means that what was loaded is found.
TEST(TokenTableConcurrencyTest, AMissIsOnlySaidWhereItIsCertain) {
  const uint64_t tokens = 20000 / kSlowdown;
  const uint64_t seed = TestSeed();
  Race race(RaceOptions());
  std::atomic<uint64_t> loaded{0};
  race.table().SetMissesUnavailable(true);
  constexpr uint64_t kDropped = 1'000'000;
  race.Writer([&] {
    race.PutMany('f', tokens);
    race.table().SetMissesUnavailable(false);
    loaded.store(1, std::memory_order_release);
    // From here on tokens end one millisecond after the other, and go at once.
    for (uint64_t i = 0; i < tokens; ++i) {
      TokenEntry entry = EntryOf(kDropped + i, kNow + i);
      entry.namespace_id = kNs;
      race.table().Put(entry, PutMode::kReset);
      race.table().Reclaim(kNow + i, 64);
      loaded.store(1 + i, std::memory_order_release);
    }
  });
  for (uint64_t r = 0; r < 2; ++r) {
    race.Reader([&, random = std::mt19937_64(seed + r), lookups = std::vector<Lookup>()](
                    TokenTable::Reader* reader, uint64_t) mutable {
      const uint64_t known = loaded.load(std::memory_order_acquire);
      const auto numbers = SomeOf(&random, 0, tokens, 64);
      for (const Lookup& lookup : race.Find(reader, 'f', numbers, kNow, &lookups)) {
        const bool good = lookup.verdict == Verdict::kValid ||
                          (known == 0 && lookup.verdict == Verdict::kUnavailable);
        if (!good) race.Fail("a token that was being loaded was said to be unknown");
      }
      if (known == 0) return;
      // Those put last and those not put yet, by a clock at which each of them would be live.
      const auto late = SomeOf(&random, kDropped + known - 1, 4, 64);
      lookups.assign(late.size(), Lookup());
      for (size_t i = 0; i < late.size(); ++i) {
        lookups[i].key = KeyOf(late[i]);
        lookups[i].namespace_id = kNs;
      }
      race.table().FindBatch(reader, lookups, kNow + known - 2);
      for (size_t i = 0; i < late.size(); ++i) {
        // The first of them was put and dropped before we looked.
        if (late[i] == kDropped + known - 1 && lookups[i].verdict == Verdict::kUnknown &&
            known > 1) {
          race.Fail("a token that was dropped was said to be unknown before its expiry");
        }
      }
    });
  }
  race.Finish();
}

// Uses of one token never turn up on another, however slots go round.
TEST(TokenTableConcurrencyTest, UsageStaysWithItsToken) {
  constexpr uint64_t kUsed = 50, kUnused = 1'000'000, kUnusedCount = 200;
  const uint64_t seed = TestSeed();
  Race race(RaceOptions());
  race.Writer([&] {
    std::mt19937_64 random(seed);
    std::vector<TokenTable::UsageEntry> usage;
    for (int i = 0; i < 60000 / kSlowdown; ++i) {
      const uint64_t used = random() % kUsed, unused = kUnused + random() % kUnusedCount;
      // Erasing and putting in turns, so that slots change hands as fast as readers let them.
      race.table().Erase(kNs, KeyOf(used));
      race.table().Reclaim(0, 8);
      race.Put('g', unused, 0, PutMode::kReset);
      race.table().Erase(kNs, KeyOf(kUnused + random() % kUnusedCount));
      race.Put('g', used, 0, PutMode::kReset);
      if (i % 16 != 0) continue;
      for (size_t shard = 0; shard < race.table().shard_count(); ++shard) {
        uint64_t cursor = 0;
        do {
          usage.clear();
          TakeUsage(&race.table(), shard, &cursor, 100, &usage);
          for (const auto& entry : usage) {
            uint64_t number = 0;
            std::memcpy(&number, entry.key.bytes.data(), sizeof(number));
            if (number >= kUnused) race.Fail("a token that nobody used has uses");
            if (entry.usage.last_used_at_ms > kNow) race.Fail("used in the future");
          }
        } while (cursor != 0);
      }
    }
  });
  for (uint64_t r = 0; r < 2; ++r) {
    race.Reader([&, random = std::mt19937_64(seed + r + 1), lookups = std::vector<Lookup>()](
                    TokenTable::Reader* reader, uint64_t) mutable {
      race.Find(reader, 'g', SomeOf(&random, 0, kUsed, 64), kNow, &lookups);
    });
  }
  race.Finish();
}

// Readers of their own come and go, as loops start and stop.
TEST(TokenTableConcurrencyTest, ReadersComeAndGo) {
  constexpr uint64_t kTokens = 100;
  const uint64_t seed = TestSeed();
  Race race(RaceOptions());
  for (uint64_t i = 0; i < kTokens; ++i) race.Put('h', i, 0, PutMode::kReset);
  race.Writer([&] {
    std::mt19937_64 random(seed);
    for (int i = 0; i < 20000 / kSlowdown; ++i) {
      race.Put('h', random() % kTokens, random() % kGenerations, PutMode::kReset);
      if (i % 16 == 0) race.table().Reclaim(0, 16);
    }
  });
  for (uint64_t r = 0; r < 2; ++r) {
    race.Reader([&, random = std::mt19937_64(seed + r + 1), lookups = std::vector<Lookup>()](
                    TokenTable::Reader*, uint64_t) mutable {
      TokenTable::Reader own(&race.table());
      race.Find(&own, 'h', SomeOf(&random, 0, kTokens, 16), kNow, &lookups);
    });
  }
  race.Finish();
}

// --- duels: one writer and readers on very few tokens, so that each race is run often ---

// Writes go on until there were enough of both.
class Duel : public Race {
 public:
  explicit Duel(TokenTableOptions options) : Race(options) {}

  void Write(std::function<void(uint64_t turn)> body) {
    Writer([this, body = std::move(body)] {
      for (uint64_t turn = 0; turn < kTurns || reads_.load(std::memory_order_relaxed) < kTurns;
           ++turn) {
        body(turn);
      }
    });
  }
  // check(lookup) after each look at `number` as of now_ms().
  void Read(uint64_t number, std::function<uint64_t()> now_ms,
            std::function<void(const Lookup&)> check) {
    Reader([this, number, now_ms = std::move(now_ms), check = std::move(check)](
               TokenTable::Reader* reader, uint64_t) {
      std::vector<Lookup> lookups(16);
      for (int i = 0; i < 16; ++i) {
        for (Lookup& lookup : lookups) {
          lookup.key = KeyOf(number);
          lookup.namespace_id = kNs;
        }
        table().FindBatch(reader, lookups, now_ms());
        for (const Lookup& lookup : lookups) check(lookup);
      }
      reads_.fetch_add(256, std::memory_order_relaxed);
    });
  }

 private:
  static constexpr uint64_t kTurns = 500'000 / kSlowdown;
  std::atomic<uint64_t> reads_{0};
};

TokenTableOptions OneShard() {
  TokenTableOptions options = SmallOptions();
  options.shards = 1;
  return options;
}

TEST(TokenTableDuelTest, ATokenIsReadWhole) {
  Duel duel(OneShard());
  struct Side {
    std::string owner, scopes;
    uint64_t expires_at_ms;
  };
  const Side sides[2] = {{"left", EncodedScopes({"left"}), kNow + 1},
                         {"right", EncodedScopes({"right"}), kNow + 2}};
  const auto put = [&](uint64_t turn, PutMode mode) {
    const Side& side = sides[turn % 2];
    TokenEntry entry = EntryOf(1, side.expires_at_ms);
    entry.namespace_id = kNs;
    entry.owner = side.owner;
    entry.scopes_encoded = side.scopes;
    duel.table().Put(entry, mode);
  };
  put(0, PutMode::kReset);
  // Both owners and scope sets stay, so that they keep their entries.
  for (uint64_t turn = 0; turn < 2; ++turn) {
    TokenEntry entry = EntryOf(2 + turn);
    entry.namespace_id = kNs;
    entry.owner = sides[turn].owner;
    entry.scopes_encoded = sides[turn].scopes;
    duel.table().Put(entry, PutMode::kReset);
  }
  const std::string encoded[2] = {EncodedStr("left"), EncodedStr("right")};
  duel.Write([&](uint64_t turn) { put(turn, PutMode::kKeep); });
  {
    duel.Read(
        1, [] { return kNow; },
        [&](const Lookup& lookup) {
          const size_t side = lookup.expires_at_ms == kNow + 1 ? 0 : 1;
          if (lookup.verdict != Verdict::kValid || lookup.owner_encoded != encoded[side] ||
              lookup.scopes_encoded != sides[side].scopes) {
            duel.Fail("half of one state and half of another");
          }
        });
  }
  duel.Finish();
}

TEST(TokenTableDuelTest, ATokenIsFoundWhileItsChainMoves) {
  Duel duel(OneShard());
  // A chain of buckets: tokens that stay in the first one while there are eight or fewer.
  std::vector<uint64_t> chain;
  for (uint64_t number = 0; chain.size() < 50; ++number) {
    if (HashKey(KeyOf(number).bytes.data(), kNs, OneShard().hash_seed) % 8 == 0) {
      chain.push_back(number);
    }
  }
  const auto put = [&](uint64_t number) {
    TokenEntry entry = EntryOf(number);
    entry.namespace_id = kNs;
    duel.table().Put(entry, PutMode::kReset);
  };
  for (const uint64_t number : chain) put(number);
  // Erasing near the front brings the last of the chain there, and putting sends it back.
  duel.Write([&](uint64_t turn) {
    const uint64_t number = chain[turn % 40];
    duel.table().Erase(kNs, KeyOf(number));
    put(number);
    if (turn % 64 == 0) duel.table().Reclaim(0, 0);
  });
  for (uint64_t r = 0; r < 2; ++r) {
    duel.Read(
        chain[45 + r], [] { return kNow; },
        [&](const Lookup& lookup) {
          if (lookup.verdict != Verdict::kValid) duel.Fail("a token was missed");
        });
  }
  duel.Finish();
}

// A token is away only while misses are unavailable.
TEST(TokenTableDuelTest, AMissWhileLoadingIsUnavailable) {
  Duel duel(OneShard());
  TokenEntry entry = EntryOf(1);
  entry.namespace_id = kNs;
  duel.table().Put(entry, PutMode::kReset);
  duel.Write([&](uint64_t turn) {
    duel.table().SetMissesUnavailable(true);
    duel.table().Erase(kNs, KeyOf(1));
    duel.table().Put(entry, PutMode::kReset);
    duel.table().SetMissesUnavailable(false);
    if (turn % 64 == 0) duel.table().Reclaim(0, 0);
  });
  {
    duel.Read(
        1, [] { return kNow; },
        [&](const Lookup& lookup) {
          if (lookup.verdict == Verdict::kUnknown) duel.Fail("unknown while loading");
        });
  }
  duel.Finish();
}

// A token is put, ends and is dropped; who looks by a clock at which it is live yet must not be
// told that there is no such token.
TEST(TokenTableDuelTest, AMissOfWhatWasDroppedIsUnavailable) {
  Duel duel(OneShard());
  std::atomic<uint64_t> expiry{kNow};
  const auto put = [&](uint64_t expires_at_ms) {
    TokenEntry entry = EntryOf(1, expires_at_ms);
    entry.namespace_id = kNs;
    duel.table().Put(entry, PutMode::kReset);
    expiry.store(expires_at_ms);
  };
  put(kNow);
  duel.Write([&](uint64_t turn) {
    put(kNow + 10 * turn + 10);
    duel.table().Reclaim(kNow + 10 * turn + 10, 10);
  });
  {
    duel.Read(
        1, [&] { return expiry.load() - 1; },
        [&](const Lookup& lookup) {
          if (lookup.verdict == Verdict::kUnknown) duel.Fail("unknown before its expiry");
        });
  }
  duel.Finish();
}

}  // namespace
}  // namespace tokend
