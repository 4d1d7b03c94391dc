// OverloadCheck: whether each abuser is answered or closed as the protocol says, the well-behaved
// get every answer right, and the server's memory stays within what its settings add up to.
#pragma once

#include <functional>
#include <string>

#include "tests/system/overload_scene.h"

namespace tokend::testing {

// The settings of the server under check: small, so that abusers reach them soon, and with
// connections time enough to be slow in.
struct OverloadSettings {
  uint64_t threads = 2;
  uint64_t message_bytes_max = kMiB;
  uint64_t many_max = 1000;
  uint64_t nesting_max = 16;
  uint64_t output_bytes_max = 64 << 10;
  uint64_t buffer_bytes_max = 64 * kMiB;
  uint64_t timeout_ms = 5000;  // of a message, and of a write
  uint64_t memory_bytes_max = 8 * kMiB;
  uint64_t queue_bytes_max = 8 * kMiB;
  uint64_t write_buffer_bytes = 8 * kMiB;
  uint64_t block_cache_bytes = 4 * kMiB;

  std::vector<std::string> Args(size_t connections) const {
    std::vector<std::string> args;
    const auto add = [&](const char* flag, uint64_t value) {
      args.insert(args.end(), {flag, std::to_string(value)});
    };
    add("--threads", threads);
    add("--connections-max", connections);
    add("--message-bytes-max", message_bytes_max);
    add("--many-max", many_max);
    add("--nesting-max", nesting_max);
    add("--output-bytes-max", output_bytes_max);
    add("--buffer-bytes-max", buffer_bytes_max);
    add("--message-timeout-ms", timeout_ms);
    add("--write-timeout-ms", timeout_ms);
    add("--memory-bytes-max", memory_bytes_max);
    add("--queue-bytes-max", queue_bytes_max);
    add("--write-buffer-bytes", write_buffer_bytes);
    add("--block-cache-bytes", block_cache_bytes);
    return args;
  }

  // What may be resident beyond an empty server.
  uint64_t MemoryBytes(size_t connections) const {
    // A connection itself, as the setting's text has it.
    uint64_t bytes = connections * 1024;
    // A string that grows is at most twice as large as what it holds.
    bytes += 2 * buffer_bytes_max;
    // Buffers that each loop keeps for reuse (server/loop.cc): 64 of 256 KiB.
    bytes += threads * 16 * kMiB;
    bytes += memory_bytes_max;
    bytes += 2 * queue_bytes_max;
    // RocksDB fills one memtable while it writes another.
    bytes += 2 * write_buffer_bytes + block_cache_bytes;
    return bytes;
  }
};

class OverloadCheck : public OverloadScene {
 public:
  explicit OverloadCheck(const OverloadOptions& options) : OverloadScene(options) {}

  // The exit status: 0 where all is right, 1 where something was wrong, which is printed.
  int Run();

 private:
  void CheckAbuse(Abusers* abusers);
  void CheckConnectionLimit();
  void CheckFullBuffers();
  void CheckMemoryLimit();
  void CheckAsBefore();
  void CheckLog();
  void Until(const std::string& what, const std::function<void()>& step,
             const std::function<bool()>& holds);

  const OverloadSettings settings_;
};

}  // namespace tokend::testing
