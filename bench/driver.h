// Drivers: how one kind of server is asked, and what its right answer is. The generator
// (generator.h) knows connections and time and nothing of protocols; a driver knows the protocol
// and nothing of connections.
//
// Drivers keep scratch space: one for each thread.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bench/tokens.h"

namespace tokend::bench {

enum class OperationKind : uint8_t {
  kValidate,  // ask for tokens
  kInsert,    // store tokens that are not there
  kReplace,   // store tokens, whatever is there
  kRevoke,    // revoke one token
};
inline constexpr size_t kOperationKinds = 4;
std::string_view OperationName(OperationKind kind);

// Tokens numbered from here on are never stored: to ask for one is to ask for a miss.
inline constexpr uint64_t kNeverStored = uint64_t{1} << 48;

// What a validate of a stored token should find.
enum class Expectation : uint8_t {
  kValid,
  kExpired,  // which a server may have forgotten by now
};

// One request: for one token, or in one batch for `count` of them.
struct Operation {
  OperationKind kind = OperationKind::kValidate;
  bool is_open = false;  // sent and not answered yet
  uint32_t count = 1;
  uint64_t index = 0;           // the token of one
  uint64_t* indexes = nullptr;  // the tokens of a batch, in the window's room for them
  uint64_t started_ns = 0;      // latency counts from here

  uint64_t IndexAt(uint32_t i) const { return count == 1 ? index : indexes[i]; }
};

// The operations that one connection is waiting for, numbered from 0 in the order sent. At most
// `depth` are open, and the oldest and the next are less than the next power of two of `depth`
// apart: where answers overtake, one that does not come holds up those after it, and no more memory
// is needed than that.
class Window {
 public:
  explicit Window(size_t depth, uint32_t batch_max = 1)
      : depth_(depth), operations_(std::bit_ceil(depth)) {
    if (batch_max == 1) return;
    indexes_.resize(operations_.size() * batch_max);
    for (size_t i = 0; i < operations_.size(); ++i) {
      operations_[i].indexes = &indexes_[i * batch_max];
    }
  }

  bool HasRoom() const { return open_ < depth_ && !At(next_).is_open; }
  // The operation that comes next, to be filled in before it is opened. Requires HasRoom().
  Operation* Next() { return &At(next_); }
  // Its number is what Find takes.
  uint32_t OpenNext() {
    At(next_).is_open = true;
    ++open_;
    return next_++;
  }
  // The one of that number, or null if it is not waited for.
  Operation* Find(uint32_t number) {
    const bool is_recent = next_ - number - 1 < operations_.size();
    return is_recent && At(number).is_open ? &At(number) : nullptr;
  }
  // The one that has waited longest; for protocols that answer in order.
  Operation* Oldest() { return Find(next_ - static_cast<uint32_t>(open_)); }
  void Close(Operation* operation) {
    operation->is_open = false;
    --open_;
  }

  size_t open() const { return open_; }

 private:
  Operation& At(uint32_t number) { return operations_[number & (operations_.size() - 1)]; }
  const Operation& At(uint32_t number) const {
    return operations_[number & (operations_.size() - 1)];
  }

  const size_t depth_;
  std::vector<Operation> operations_;
  std::vector<uint64_t> indexes_;
  uint32_t next_ = 0;
  size_t open_ = 0;
};

// Bytes to send: room is asked for once a request, and written without further checks.
class Output {
 public:
  char* Room(size_t bytes) {
    if (bytes_.size() - size_ < bytes) bytes_.resize(2 * bytes_.size() + bytes);
    return bytes_.data() + size_;
  }
  // What was written ends here: a pointer into the last room.
  void AdvanceTo(const char* end) { size_ = static_cast<size_t>(end - bytes_.data()); }
  void Append(std::string_view bytes);

  std::string_view view() const { return {bytes_.data(), size_}; }
  bool empty() const { return size_ == 0; }
  void Clear() { size_ = 0; }

 private:
  std::vector<char> bytes_;
  size_t size_ = 0;
};

struct Answer {
  enum class Result : uint8_t {
    kRight,
    kWrong,     // an answer to `operation`, and not the one that is due
    kNeedMore,  // the bytes end before the answer does
    kBroken,    // not an answer to anything that was asked: hang up
  };
  Result result = Result::kNeedMore;
  size_t size = 0;                 // bytes taken, for kRight and kWrong
  Operation* operation = nullptr;  // for kRight and kWrong
};

class Driver {
 public:
  virtual ~Driver() = default;

  // Batches are for tokend alone.
  virtual void AppendRequest(const Operation& operation, uint32_t number, Output* out) = 0;
  // Takes the answer at the front of `bytes` and compares it with what the operation should get.
  virtual Answer Take(std::string_view bytes, Window* window) = 0;

  // How tokens are stored fastest: so many in a request, so many requests under way.
  virtual uint32_t insert_batch() const = 0;
  virtual size_t insert_depth() const = 0;
};

// `tokens` outlives the driver. Null for a name that is none of "tokend", "redis", "memcached",
// "http-auth", "http", "floor".
std::unique_ptr<Driver> MakeDriver(std::string_view protocol, const TokenSpace* tokens,
                                   Expectation expectation = Expectation::kValid);

std::unique_ptr<Driver> MakeTokendDriver(const TokenSpace* tokens,
                                         Expectation expectation = Expectation::kValid);
std::unique_ptr<Driver> MakeRedisDriver(const TokenSpace* tokens,
                                        Expectation expectation = Expectation::kValid);
std::unique_ptr<Driver> MakeMemcachedDriver(const TokenSpace* tokens,
                                            Expectation expectation = Expectation::kValid);
// /auth of tokend, or with `says_owner` = false whatever answers 200 to it.
std::unique_ptr<Driver> MakeHttpDriver(const TokenSpace* tokens, Expectation expectation,
                                       bool says_owner);
// Its server knows validate of one token and nothing else.
std::unique_ptr<Driver> MakeFloorDriver(const TokenSpace* tokens);

}  // namespace tokend::bench
