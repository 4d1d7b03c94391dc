#include "server/loop.h"

#include <fmt/format.h>
#include <strings.h>
#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <utility>

#include "protocol/rpc.h"
#include "server/dispatcher.h"
#include "server/http_connection.h"
#include "server/rpc_connection.h"
#include "server/wipe.h"
#include "storage/thread_role.h"

namespace tokend {
namespace {

// Connections looked at for time-outs in a tick: bounded, however many there are.
constexpr size_t kSweepMax = 1024;
// Output buffers kept for reuse, and the largest that is kept.
constexpr size_t kBuffersMax = 64;
constexpr size_t kBufferBytesMax = 256 << 10;
// Reads follow one another in the buffer while validates that point into it wait.
constexpr size_t kReadBufferBytes = 4 * Loop::kReadBytes;
// So many validates hide memory's latency; to gather more would only make the first ones wait.
constexpr size_t kGatheredEnough = 64;
// What a string holds without a buffer of its own.
constexpr size_t kNoBufferBytes = 15;

Status UvStatus(std::string_view what, int rc) {
  return Status(ErrorCode::kInternal, fmt::format("{}: {}", what, uv_strerror(rc)));
}

uint64_t ThreadCpuNs() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1000000000 + static_cast<uint64_t>(time.tv_nsec);
}

}  // namespace

struct Loop::Listener {
  Loop* loop = nullptr;
  ListenerKind kind;
  UvHandle<UvStreamHandle> handle;
};

Loop::Loop(ServerContext& server, size_t number)
    : server_(server), number_(number), read_buffer_(std::make_unique<char[]>(kReadBufferBytes)) {
  if (const int rc = uv_loop_init(&uv_); rc != 0) {
    throw std::runtime_error(UvStatus("event loop", rc).message());
  }
}

Loop::~Loop() {
  // Of a loop that was never started these are still there.
  mailbox_.Close();
  listeners_.clear();
  prepare_.Close();
  check_.Close();
  tick_.Close();
  long_validates_.Close();
  discards_.Close();
  uv_run(&uv_, UV_RUN_DEFAULT);
  if (uv_loop_close(&uv_) == 0) return;
  uv_walk(
      &uv_,
      [](uv_handle_t* handle, void*) {
        std::fprintf(stderr, "tokend: a %s handle was left open\n",
                     uv_handle_type_name(handle->type));
      },
      nullptr);
  std::abort();
}

Status Loop::Listen(UniqueFd socket, const ListenerKind& kind) {
  auto listener = std::make_unique<Listener>();
  listener->loop = this;
  listener->kind = kind;
  int rc = listener->handle.Open(listener.get(), [&](UvStreamHandle* handle) {
    return kind.is_unix ? uv_pipe_init(&uv_, &handle->pipe, 0) : uv_tcp_init(&uv_, &handle->tcp);
  });
  if (rc != 0) return UvStatus("listener", rc);
  UvStreamHandle* handle = listener->handle.get();
  rc = kind.is_unix ? uv_pipe_open(&handle->pipe, socket.get())
                    : uv_tcp_open(&handle->tcp, socket.get());
  if (rc != 0) return UvStatus("listener", rc);
  socket.Release();
  rc = uv_listen(&handle->stream, static_cast<int>(server_.config.backlog),
                 [](uv_stream_t* stream, int status) {
                   if (auto* self = static_cast<Listener*>(stream->data)) {
                     self->loop->OnConnection(*self, status);
                   }
                 });
  if (rc != 0) return UvStatus("listener", rc);
  listeners_.push_back(std::move(listener));
  return Status::Ok();
}

Status Loop::Start() {
  int rc = mailbox_.Open(&uv_, this, [](uv_poll_t* bell, int /*status*/, int /*events*/) {
    static_cast<Loop*>(bell->data)->OnRing();
  });
  if (rc == 0) {
    rc = prepare_.Open(this, [&](uv_prepare_t* prepare) { return uv_prepare_init(&uv_, prepare); });
  }
  if (rc == 0) {
    rc = uv_prepare_start(prepare_.get(), [](uv_prepare_t* prepare) {
      static_cast<Loop*>(prepare->data)->OnPrepare();
    });
  }
  if (rc == 0) {
    rc = check_.Open(this, [&](uv_check_t* check) { return uv_check_init(&uv_, check); });
  }
  if (rc == 0) {
    rc = uv_check_start(check_.get(),
                        [](uv_check_t* check) { static_cast<Loop*>(check->data)->RunGathered(); });
  }
  if (rc == 0) {
    rc = tick_.Open(this, [&](uv_timer_t* timer) { return uv_timer_init(&uv_, timer); });
  }
  if (rc == 0) {
    rc = uv_timer_start(
        tick_.get(), [](uv_timer_t* timer) { static_cast<Loop*>(timer->data)->OnTick(); },
        server_.tick_ms, server_.tick_ms);
  }
  if (rc == 0) rc = long_validates_.Open(&uv_);
  if (rc == 0) rc = discards_.Open(&uv_);
  if (rc != 0) return UvStatus("event loop", rc);
  thread_ = std::thread([this] { Run(); });
  return Status::Ok();
}

void Loop::Run() {
  BeginThread(fmt::format("loop-{}", number_).c_str(), ThreadRole::kAnswering);
  // Here, since its Reader belongs to this thread.
  dispatcher_ = std::make_unique<Dispatcher>(*this, server_);
  uv_run(&uv_, UV_RUN_DEFAULT);
  graveyard_.clear();
  dispatcher_.reset();
}

void Loop::BeginDrain(uint64_t until_ms) {
  class DrainOrder final : public Completion {
   public:
    explicit DrainOrder(uint64_t until_ms) : until_ms_(until_ms) {}
    void OnLoop(Loop& loop) override { loop.Drain(until_ms_); }

   private:
    const uint64_t until_ms_;
  };
  Post(std::make_unique<DrainOrder>(until_ms));
}

void Loop::Join() {
  if (thread_.joinable()) thread_.join();
}

void Loop::OnConnection(Listener& listener, int status) {
  if (status < 0) {
    uint64_t held_back = 0;
    if (accept_log_.Allow(server_.clock.SteadyMs(), &held_back)) {
      server_.log.Warning("accept_failed",
                          {{"error", uv_strerror(status)}, {"more_like_it", held_back}});
    }
    return;
  }
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const StreamRef ref{free_slots_.back(), slots_[free_slots_.back()].generation};
  free_slots_.pop_back();
  ++streams_;
  const bool full =
      server_.connections.load(std::memory_order_relaxed) >= server_.config.connections_max;
  Slot& slot = slots_[ref.slot];
  if (listener.kind.protocol == ListenerProtocol::kRpc) {
    slot.connection = std::make_unique<RpcConnection>(*this, ref);
  } else {
    slot.connection = std::make_unique<HttpConnection>(*this, ref);
  }
  Connection& connection = *slot.connection;
  if (connection.Accept(&listener.handle.get()->stream,
                        listener.kind.is_tls ? server_.tls.Get() : nullptr) != 0) {
    connection.Close();
    return;
  }
  if (full) {
    counters_.connections_refused.Add();
    connection.Refuse(
        fmt::format("too many connections: at most {}", server_.config.connections_max));
  }
}

uint64_t Loop::turn_woke_ns() {
  if (woke_turn_ != turn_) {
    woke_turn_ = turn_;
    woke_ns_ = uv_hrtime();
  }
  return woke_ns_;
}

bool Loop::MayReadLong(uint64_t* round) {
  // Not in the same turn as a slice of a long request.
  if (!long_validates_.empty() && turn_ % 2 == 0) {
    long_reads_.refused = true;
    return false;
  }
  return long_reads_.Pass(round);
}

Connection* Loop::FindConnection(StreamRef ref) {
  Slot& slot = slots_[ref.slot];
  if (slot.generation != ref.generation) return nullptr;
  return slot.connection.get();
}

void Loop::FlushLater(Connection& connection) {
  const StreamRef ref = connection.ref();
  // Answers of one connection often come in a row.
  if (to_flush_.empty() || to_flush_.back() != ref) to_flush_.push_back(ref);
}

void Loop::TakeBuffer(std::string* buffer) {
  if (buffers_.empty() || !buffer->empty() || buffer->capacity() > kNoBufferBytes) return;
  *buffer = std::move(buffers_.back());
  buffers_.pop_back();
}

void Loop::GiveBuffer(std::string* buffer) {
  // It may hold a token that was issued: shown once, kept nowhere.
  Wipe(buffer->data(), buffer->size());
  buffer->clear();
  // One so short that the string holds it itself is sent and stays.
  if (buffer->capacity() <= kNoBufferBytes) return;
  if (buffers_.size() < kBuffersMax && buffer->capacity() <= kBufferBytesMax) {
    buffers_.push_back(std::move(*buffer));
  }
  *buffer = std::string();
}

void Loop::LogBuffersFull() {
  uint64_t held_back = 0;
  if (!buffers_log_.Allow(server_.clock.SteadyMs(), &held_back)) return;
  server_.log.Warning("buffers_full", {{"closed", "a connection with untaken answers"},
                                       {"more_like_it", held_back}});
}

void Loop::Bury(StreamRef ref) {
  Slot& slot = slots_[ref.slot];
  graveyard_.push_back(std::move(slot.connection));
  ++slot.generation;
  free_slots_.push_back(ref.slot);
  --streams_;
}

void Loop::OnRing() {
  mailbox_.Take(&taken_);
  for (std::unique_ptr<Completion>& completion : taken_) completion->OnLoop(*this);
  taken_.clear();
}

void Loop::ReadDone(size_t size) {
  read_kept_ += size;
  // Answers count as buffered once their connection is flushed. To have them wait for the turn's
  // end would let each connection that is read in it have some that nobody counts.
  const size_t gathered = dispatcher_->batch().lookups();
  if (gathered == 0 || gathered >= kGatheredEnough || read_kept_ + kReadBytes > kReadBufferBytes) {
    RunGathered();
  }
}

void Loop::RunGathered() {
  dispatcher_->RunValidates();
  explicit_bzero(read_buffer_.get(), read_kept_);
  read_kept_ = 0;
  // A connection that goes on with what waited may name itself again.
  while (!to_flush_.empty()) {
    // What such a one has gathered is answered before it is flushed.
    dispatcher_->RunValidates();
    flushing_.swap(to_flush_);
    for (const StreamRef ref : flushing_) {
      if (Connection* connection = FindConnection(ref)) connection->FlushAnswers();
    }
    flushing_.clear();
  }
}

void Loop::OnPrepare() {
  // What was answered since the last check, such as by a slice of a long request, would wait for
  // whatever wakes the loop next.
  if (!to_flush_.empty()) RunGathered();
  ++turn_;
  long_reads_.NextTurn();
  handshakes_.NextTurn();
  graveyard_.clear();
  if (draining_) EndIfDrained();
  // About to sleep: the table need not wait for this loop.
  dispatcher_->Sleep();
  // The thread's own time: what others took of the processor meanwhile is not the turn's.
  const uint64_t cpu_ns = ThreadCpuNs();
  if (turn_began_cpu_ns_ != 0) counters_.turns.Add((cpu_ns - turn_began_cpu_ns_) / 1000);
  turn_began_cpu_ns_ = cpu_ns;
}

void Loop::PostLater(uint64_t delay_ms, std::unique_ptr<Completion> completion) {
  later_.emplace(server_.clock.SteadyMs() + delay_ms, std::move(completion));
}

void Loop::OnTick() {
  const uint64_t now_ms = server_.clock.SteadyMs();
  while (!later_.empty() && later_.begin()->first <= now_ms) {
    const auto due = later_.extract(later_.begin());
    due.mapped()->OnLoop(*this);
  }
  for (size_t looked = 0; looked < kSweepMax && looked < slots_.size(); ++looked) {
    if (sweep_next_ >= slots_.size()) sweep_next_ = 0;
    Slot& slot = slots_[sweep_next_++];
    if (slot.connection != nullptr) slot.connection->Sweep(now_ms);
  }
  if (!draining_ || now_ms < drain_until_ms_) return;
  for (Slot& slot : slots_) {
    if (slot.connection != nullptr) slot.connection->Close();
  }
}

void Loop::Drain(uint64_t until_ms) {
  if (draining_) return;
  draining_ = true;
  drain_until_ms_ = until_ms;
  listeners_.clear();
  for (Slot& slot : slots_) {
    if (slot.connection != nullptr) slot.connection->Finish();
  }
}

void Loop::EndIfDrained() {
  if (streams_ != 0) return;
  // Nothing may ring any more before the bell is closed; then no handle keeps the loop alive.
  mailbox_.Close();
  tick_.Close();
  prepare_.Close();
  check_.Close();
  long_validates_.Close();
  discards_.Close();
}

}  // namespace tokend
