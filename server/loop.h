// One event loop and its thread.
//
//   who           owns
//   loop thread   its listeners, connections, read buffer, timer, bell, and its Dispatcher:
//                 Digester, TokenTable::Reader, namespaces as it last saw them, the batch of
//                 validates
//   any thread    Post() and BeginDrain(), through the Mailbox; counters() to read
//   Committer     hands answers to writes over by Post()
//   worker pool   hands answers to queries over by Post()
//
// Life: constructed and given listeners by the starting thread, Start(), BeginDrain(), Join(),
// destructor. The destructor proves that no handle is left open. It outlives the Store, since the
// Committer may hand over answers until then.
#pragma once

#include <uv.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "protocol/error.h"
#include "server/completion.h"
#include "server/context.h"
#include "server/counters.h"
#include "server/discard_queue.h"
#include "server/http_date.h"
#include "server/long_validate.h"
#include "server/stream.h"
#include "server/uv_handle.h"

namespace tokend {

class Dispatcher;
class Connection;

enum class ListenerProtocol : uint8_t { kRpc, kHttp };
struct ListenerKind {
  ListenerProtocol protocol = ListenerProtocol::kRpc;
  bool is_unix = false;
  bool is_tls = false;
};

class Loop {
 public:
  // `number`: for the thread's name.
  Loop(ServerContext& server, size_t number);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // --- the starting thread, before Start() ---
  // Takes a listening socket.
  Status Listen(UniqueFd socket, const ListenerKind& kind);
  Status Start();

  // --- any thread ---
  void Post(std::unique_ptr<Completion> completion) { mailbox_.Post(std::move(completion)); }
  // Accepts no more, reads no more, answers what is under way and ends; once the steady clock shows
  // until_ms it ends whatever is under way.
  void BeginDrain(uint64_t until_ms);
  void Join();
  const LoopCounters& counters() const { return counters_; }

  // --- loop thread ---
  ServerContext& server() { return server_; }
  LoopCounters& counters() { return counters_; }
  Dispatcher& dispatcher() { return *dispatcher_; }
  LongValidates& long_validates() { return long_validates_; }
  DiscardQueue& discards() { return discards_; }
  HttpDate& http_date() { return http_date_; }
  // When something woke this turn up, in ns of the steady clock: not before the first read of it.
  uint64_t turn_woke_ns();
  // Which turn this is. A connection reads once in each, however much it has sent.
  uint64_t turn() const { return turn_; }
  // Whether a connection in the middle of a long message, or that read much the last time, may
  // read: one a turn, and each once before any does so again. `round` is the connection's, 0 at
  // first.
  bool MayReadLong(uint64_t* round);
  // The same of connections in their handshake, whose steps take long: they wait for each other,
  // and hold up nobody else by more than one of them.
  bool MayShakeHands(uint64_t* round) { return handshakes_.Pass(round); }
  // Where the next read goes, kReadBytes at most.
  char* read_space() { return read_buffer_.get() + read_kept_; }
  static constexpr size_t kReadBytes = 16 << 10;
  // Where a read of what is sealed goes; it is opened into read_space().
  char* sealed_space() {
    if (sealed_buffer_ == nullptr) sealed_buffer_ = std::make_unique<char[]>(kReadBytes);
    return sealed_buffer_.get();
  }
  // What was read there has been handled. It holds tokens, and stays no longer than the validates
  // that were gathered from it. Runs what is gathered if that is enough: the connection may be
  // closed by then.
  void ReadDone(size_t size);
  // The connection that `ref` names, or null if it is gone.
  Connection* FindConnection(StreamRef ref);
  // As Post, and not before so many milliseconds have passed.
  void PostLater(uint64_t delay_ms, std::unique_ptr<Completion> completion);
  LogLimiter& failed_tries_log() { return failed_tries_log_; }
  LogLimiter& tls_log() { return tls_log_; }
  // Has the connection flushed before the loop sleeps, so that answers which come together leave
  // together.
  void FlushLater(Connection& connection);
  // Output buffers go around: a connection has one only while it has output. Take does nothing for
  // a string that has one; after Give it is empty.
  void TakeBuffer(std::string* buffer);
  void GiveBuffer(std::string* buffer);
  // A connection is closed since all together have more untaken answers than they may.
  void LogBuffersFull();
  // Takes a closed connection out of the table; it is freed before the loop sleeps.
  void Bury(StreamRef ref);

 private:
  // Lets one through in each turn, and each once before any again.
  struct Turnstile {
    bool Pass(uint64_t* passed_in) {
      if (taken || *passed_in == round) {
        refused = true;
        return false;
      }
      taken = true;
      *passed_in = round;
      return true;
    }
    void NextTurn() {
      // Nobody waits for the round's end, or all who wait have passed in it.
      if (!refused || !taken) ++round;
      refused = taken = false;
    }

    uint64_t round = 1;
    bool taken = false, refused = false;  // in this turn
  };
  struct Listener;
  struct Slot {
    std::unique_ptr<Connection> connection;
    uint32_t generation = 0;
  };

  void Run();
  void OnConnection(Listener& listener, int status);
  void OnRing();
  void OnPrepare();
  // Answers the validates that were gathered, and flushes whom FlushLater has named.
  void RunGathered();
  void OnTick();
  void Drain(uint64_t until_ms);
  void EndIfDrained();

  ServerContext& server_;
  const size_t number_;
  LoopCounters counters_;
  Mailbox mailbox_;
  std::thread thread_;

  // Loop thread only, once it runs.
  uv_loop_t uv_{};
  std::unique_ptr<Dispatcher> dispatcher_;
  DiscardQueue discards_{server_.buffered_bytes};
  LongValidates long_validates_{*this};
  HttpDate http_date_;
  std::unique_ptr<char[]> read_buffer_, sealed_buffer_;
  size_t read_kept_ = 0;  // bytes at its start that gathered validates may point into
  std::vector<std::unique_ptr<Listener>> listeners_;
  UvHandle<uv_prepare_t> prepare_;
  UvHandle<uv_check_t> check_;
  UvHandle<uv_timer_t> tick_;
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_slots_;
  size_t streams_ = 0;     // slots in use
  size_t sweep_next_ = 0;  // slot that the next tick begins with
  std::vector<std::unique_ptr<Connection>> graveyard_;
  std::vector<StreamRef> to_flush_, flushing_;
  std::vector<std::unique_ptr<Completion>> taken_;
  std::vector<std::string> buffers_;
  LogLimiter accept_log_, buffers_log_, failed_tries_log_, tls_log_;
  std::multimap<uint64_t, std::unique_ptr<Completion>> later_;  // by when they are due
  uint64_t turn_ = 1;
  Turnstile long_reads_, handshakes_;
  uint64_t turn_began_cpu_ns_ = 0;
  uint64_t woke_ns_ = 0, woke_turn_ = 0;
  bool draining_ = false;
  uint64_t drain_until_ms_ = 0;
};

}  // namespace tokend
