// Drivers: how one kind of server is asked, and what its right answer is. The generator
// (generator.h) knows connections and time and nothing of protocols; a driver knows the protocol
// and nothing of connections.
//
// Drivers keep scratch space: one for each thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bench/tokens.h"

namespace tokend::bench {

enum class OperationKind : uint8_t {
  kValidate,  // ask for one token
  kInsert,    // store `count` tokens from `index` on, in one request
};

struct Operation {
  OperationKind kind = OperationKind::kValidate;
  bool is_open = false;     // sent and not answered yet
  bool is_present = false;  // kValidate: whether the token was stored
  uint32_t count = 1;       // kInsert
  uint64_t index = 0;
  uint64_t started_ns = 0;  // latency counts from here
};

// The operations that one connection is waiting for, numbered from 0 in the order sent.
class Window {
 public:
  explicit Window(size_t depth) : operations_(depth) {}

  // Requires open() < depth. The number is what Find takes.
  Operation* Add(uint32_t* number) {
    *number = next_++;
    Operation* operation = &operations_[*number % operations_.size()];
    operation->is_open = true;
    ++open_;
    return operation;
  }
  // The one that was sent so many operations ago, or null if it is not waited for.
  Operation* Find(uint32_t number) {
    Operation* operation = &operations_[number % operations_.size()];
    const bool is_recent = next_ - number - 1 < operations_.size();
    return is_recent && operation->is_open ? operation : nullptr;
  }
  // The one that has waited longest; for protocols that answer in order.
  Operation* Oldest() { return Find(next_ - static_cast<uint32_t>(open_)); }
  void Close(Operation* operation) {
    operation->is_open = false;
    --open_;
  }

  size_t open() const { return open_; }
  size_t depth() const { return operations_.size(); }

 private:
  std::vector<Operation> operations_;
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

  virtual void AppendRequest(const Operation& operation, uint32_t number, Output* out) = 0;
  // Takes the answer at the front of `bytes` and compares it with what the operation should get.
  virtual Answer Take(std::string_view bytes, Window* window) = 0;

  // How tokens are stored fastest: so many in a request, so many requests under way.
  virtual uint32_t insert_batch() const = 0;
  virtual size_t insert_depth() const = 0;
};

// `tokens` outlives the driver. Null for a name that is none of "tokend", "redis", "memcached",
// "floor".
std::unique_ptr<Driver> MakeDriver(std::string_view protocol, const TokenSpace* tokens);

std::unique_ptr<Driver> MakeTokendDriver(const TokenSpace* tokens);
std::unique_ptr<Driver> MakeRedisDriver(const TokenSpace* tokens);
std::unique_ptr<Driver> MakeMemcachedDriver(const TokenSpace* tokens);
std::unique_ptr<Driver> MakeFloorDriver(const TokenSpace* tokens);

}  // namespace tokend::bench
