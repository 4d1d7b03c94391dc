// TokenTable: what memory keeps of every token, and the answer to "is it good right now?".
//
// Threads: FindBatch runs on any number of reader threads at once and never takes a lock until its
// optimistic tries have run out; each reader thread owns one Reader. Everything else is for writers
// and may be called from any thread; a shard's mutex orders it.
//
// Ownership: views in a Lookup point into the table and live until the Reader's next Quiesce() or
// GoOffline(). What a reader might still see (slots, owner and scope bytes) is reused only after
// every online reader has passed such a point.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/token.h"
#include "storage/table_room.h"

namespace tokend {

using NamespaceId = uint16_t;

enum class Verdict : uint8_t { kValid, kUnknown, kExpired, kRevoked, kUnavailable };
inline constexpr size_t kVerdicts = 5;

struct Lookup {
  // in
  TokenKey key;
  NamespaceId namespace_id = 0;
  // out; the rest is set for kValid alone
  Verdict verdict = Verdict::kUnknown;
  uint64_t expires_at_ms = 0;       // kNever if it does not expire
  std::string_view owner_encoded;   // one encoded MessagePack value: str or nil
  std::string_view scopes_encoded;  // one encoded MessagePack array
};

// What is put: the state of one token as memory keeps it.
// The scopes of a token that has none, encoded.
inline constexpr std::string_view kNoScopes = "\x90";

struct TokenEntry {
  NamespaceId namespace_id = 0;
  TokenKey key;
  uint64_t expires_at_ms = 0;             // kNever if it does not expire
  std::optional<std::string_view> owner;  // the name itself, not encoded
  std::string_view scopes_encoded;        // one encoded MessagePack array
  bool revoked = false;
};

enum class PutMode : uint8_t {
  kReset,     // a new token or a replace: usage starts again, a denial is lifted
  kKeep,      // other fields of the same token: usage and a denial stay
  kIfAbsent,  // loading: what is in memory already is newer and stays
};

enum class PutResult : uint8_t { kPut, kPresent /* kIfAbsent only */, kMemoryLimit };

struct TokenTableOptions {
  size_t shards = 256;             // a power of two
  uint64_t tokens_max = 1u << 30;  // address space is reserved for so many, memory is not
  // 0 = no limit; at the limit new tokens are refused. Counted: slots in use, and all of the index
  // and of the names that was ever touched. Slots fall on shards by chance, so that of memory
  // touched there may be a few per cent more than of memory in use.
  uint64_t memory_bytes_max = 0;
  uint64_t hash_seed = 0;  // random for each process, so that nobody can aim at a shard
  // Expired tokens stay for this long, so that a small step back of the clock changes nothing.
  uint64_t reclaim_grace_ms = 1000;
};

struct TokenTableStats {
  uint64_t tokens = 0;          // slots in use, whatever their state
  uint64_t tokens_retired = 0;  // freed, waiting for readers to pass
  uint64_t owners = 0;
  uint64_t scope_sets = 0;
  uint64_t slot_bytes = 0, index_bytes = 0, wheel_bytes = 0, owner_bytes = 0;  // touched memory
  uint64_t reclaimed_total = 0;
  uint64_t read_retries_total = 0, read_locks_total = 0;
};

// What memory has of one namespace, at a moment.
struct TokenCounts {
  static constexpr uint64_t kHourMs = 3600 * 1000;
  // Tokens that are live and expire within so long.
  static constexpr std::array<uint64_t, 3> kHorizonsMs = {kHourMs, 24 * kHourMs, 7 * 24 * kHourMs};

  uint64_t live = 0, revoked = 0, expired = 0;
  std::array<uint64_t, kHorizonsMs.size()> expiring{};
};

struct TokenName {
  NamespaceId ns = 0;
  TokenKey key;
  friend bool operator==(const TokenName&, const TokenName&) = default;
};

class TokenTable {
 public:
  // One reader thread's part in reclamation. A new Reader is online.
  class Reader {
   public:
    explicit Reader(TokenTable* table);
    ~Reader();
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    void Quiesce();    // online, and holds no view from before this call
    void GoOffline();  // before sleeping: holds nothing
    void GoOnline();   // after waking, before any FindBatch

   private:
    friend class TokenTable;
    TokenTable* table_;
    void* record_;
  };

  struct Usage {
    uint64_t last_used_at_ms = 0;  // 0 = not used since it was taken last
    uint64_t use_count = 0;        // uses since it was taken last
  };
  struct UsageEntry {
    NamespaceId namespace_id = 0;
    TokenKey key;
    uint64_t expires_at_ms = 0;
    Usage usage;
  };
  // What a writer sees of a token.
  struct Peeked {
    uint64_t expires_at_ms = 0;
    bool revoked = false;  // by Put or MarkRevoked
    bool denied = false;   // by Deny, DenyOwner or an owner's cut-off
    Usage usage;           // not yet taken
  };

  // Throws std::runtime_error where the address space cannot be reserved, saying what to change.
  explicit TokenTable(const TokenTableOptions& options);
  ~TokenTable();
  TokenTable(const TokenTable&) = delete;
  TokenTable& operator=(const TokenTable&) = delete;

  // --- readers ---

  // Sets the out fields of each lookup as of now_ms and counts the use of those that are valid
  // (unless usage tracking is off). A miss is kUnknown, or kUnavailable while SetMissesUnavailable
  // holds or now_ms is before the expiry of something that Reclaim has dropped.
  void FindBatch(Reader* reader, std::span<Lookup> lookups, uint64_t now_ms);
  void SetUsageTracking(bool on);
  void SetMissesUnavailable(bool unavailable);  // while loading; one thread at a time
  // Whether a miss would be kUnavailable now. Any thread; a hint, since it may change at once.
  bool AreMissesUnavailable(uint64_t now_ms) const;

  // --- writers ---

  // `denied_by_queue`, if given, is called under the shard's mutex just before a token that was not
  // here (in any mode), is reset or gets another owner becomes visible; true makes it visible as
  // denied. So a Deny that found no token yet cannot be lost: its caller notes it first and calls
  // Deny second. kMemoryLimit, and nothing has changed, where no slot or no room for its names is
  // left; for kIfAbsent also at the memory limit. Other modes put what is durable by then, after
  // HasRoomFor. Requires expires_at_ms <= kTimeMsMax or kNever.
  PutResult Put(const TokenEntry& entry, PutMode mode,
                const std::function<bool()>* denied_by_queue = nullptr);
  // Puts each as kIfAbsent does, in a fraction of the time; denied_by_queue(i) is asked for
  // entries[i]. kMemoryLimit where one of them did not fit; others may be here then.
  PutResult PutMany(std::span<const TokenEntry> entries,
                    const std::function<bool(size_t)>& denied_by_queue);
  // Makes room in the index for so many tokens that are about to be put: they go in faster.
  void Reserve(uint64_t tokens);
  // From now on the token answers kRevoked. false if it is not here.
  bool Deny(NamespaceId ns, const TokenKey& key);
  bool LiftDenial(NamespaceId ns, const TokenKey& key);
  // The same, as the outcome of a committed Mutation.
  bool MarkRevoked(NamespaceId ns, const TokenKey& key);
  // Whether so many new tokens fit below the memory limit and below tokens_max; asked before a
  // write is made durable. What fits stays fitting until that many were put, as long as one thread
  // alone asks, and for all that is yet to be put.
  bool HasRoomFor(const TableRoom& room) const;
  // Every token of this owner that is here answers kRevoked from now on, in O(1). Tokens put later
  // under the same name belong to a new entry and are not touched.
  void DenyOwner(NamespaceId ns, std::string_view owner);
  bool Erase(NamespaceId ns, const TokenKey& key);
  std::optional<Peeked> Peek(NamespaceId ns, const TokenKey& key) const;
  // It is about to be peeked at.
  void PrefetchPeek(NamespaceId ns, const TokenKey& key) const;

  // Frees tokens that expired at now_ms - reclaim_grace_ms or before, and memory that was retired
  // and that every reader has passed. Handles at most `budget` tokens, freeing one or moving it
  // nearer in its wheel, and gives how many: fewer than `budget` means that nothing due is left.
  // Usage of freed tokens that was not taken yet is appended to *unsaved, and all that were freed
  // to *dropped (either may be null). Call it once before loading: wheels that know the time put
  // each token near its place at once, else all are moved again and again on the way from 1970.
  size_t Reclaim(uint64_t now_ms, size_t budget, std::vector<UsageEntry>* unsaved = nullptr,
                 std::vector<TokenName>* dropped = nullptr);
  // A token with this expiry was left out (it had expired when it would have been put).
  void NoteDropped(uint64_t expires_at_ms);
  // The latest expiry of anything Reclaim has dropped; misses before that time are kUnavailable.
  uint64_t reclaimed_expiry_max_ms() const;
  // What was dropped with an expiry of now_ms or later has been put back.
  void ForgetReclaimedAfter(uint64_t now_ms);

  // Adds what a shard has, from *cursor on (0 = start), to the counts of each token's namespace,
  // which are made where there are none; *cursor becomes 0 when the shard is done. A call looks at
  // a bounded number of slots. Tokens of an owner who was revoked a moment ago may count as live.
  void CountTokens(size_t shard, uint64_t* cursor, uint64_t now_ms,
                   std::vector<TokenCounts>* by_namespace) const;
  // Names tokens of one shard that have usage to take, at most `limit` from *cursor on (0 = start);
  // *cursor becomes 0 when the shard is done. A call looks at a bounded number of slots, so it may
  // name none and yet not be done.
  void ListUsed(size_t shard, uint64_t* cursor, size_t limit, std::vector<TokenName>* out) const;
  // Takes what has gathered since the last call; nullopt if it is nothing.
  std::optional<UsageEntry> TakeUsage(const TokenName& token);
  size_t shard_count() const;

  TokenTableStats stats() const;
  // Walks everything and throws std::logic_error naming the first broken invariant. For tests.
  void CheckInvariants() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tokend
