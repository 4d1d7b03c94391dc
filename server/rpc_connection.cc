#include "server/rpc_connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "server/context.h"
#include "server/dispatcher.h"
#include "server/loop.h"
#include "server/wipe.h"

namespace tokend {
namespace {

// Validates are looked up when so many are gathered, so that the lines that were prefetched are
// still in the cache, and answers do not pile up unseen.
constexpr size_t kGatheredMax = 256;
// A buffer for unfinished messages that grew larger than this is given back when it is empty.
constexpr size_t kHeldBytesKept = 16 << 10;
// One that has more of a message is read in turns with its like, and from the other on it gets room
// for the rest at once.
constexpr size_t kHeldBytesLong = Loop::kReadBytes;
constexpr size_t kHeldBytesReserved = 128 << 10;
constexpr size_t kHeldBytesAtOnce = 8 << 20;
constexpr size_t kHeldGrowth = 8;

}  // namespace

RpcConnection::RpcConnection(Loop& loop, StreamRef ref) : Connection(loop, ref, /*is_rpc=*/true) {}

RpcConnection::~RpcConnection() { loop().discards().Add(std::move(held_)); }

void RpcConnection::Refuse(std::string_view why) {
  // What was asked before is answered before.
  if (gathered()) loop().dispatcher().RunValidates();
  msgpack_io::Writer writer(&output());
  WriteProtocolError(why, &writer);
  loop().discards().Add(std::exchange(held_, std::string()));
  (void)SetInputBytes(0);  // less than before is never over the bound
  paused_ = false;
  CloseAfterFlush();
}

void RpcConnection::OnBytes(std::string_view bytes) {
  if (held_.empty()) {
    const size_t handled = Handle(bytes);
    if (!open()) return;
    held_.assign(bytes.substr(handled));
    CheckHeldBytes();
  } else {
    const size_t size = held_.size() + bytes.size();
    // To copy a message as it grows takes longer than all else about it, so one that is seen to be
    // long gets its room at once. Memory is not taken before it is written to.
    if (size > held_.capacity() && size > kHeldBytesReserved) {
      const size_t longest = loop().server().limits.message_bytes_max + Loop::kReadBytes;
      held_.reserve(longest <= kHeldBytesAtOnce ? longest : std::min(longest, kHeldGrowth * size));
    }
    held_.append(bytes);
    HandleHeld();
  }
}

std::string RpcConnection::TakeHeld(std::string_view part) {
  const bool is_within = std::greater_equal<>()(part.data(), held_.data()) &&
                         std::less<>()(part.data(), held_.data() + held_.size());
  if (!is_within || part.size() < held_.size() / 2) return {};
  (void)SetInputBytes(0);  // less than before is never over the bound
  return std::exchange(held_, std::string());
}

void RpcConnection::HandleHeld() {
  const std::string_view bytes = held_;
  const size_t handled = Handle(bytes);
  // They point into what is moved now.
  loop().dispatcher().RunValidates();
  Flush();
  if (!open()) return;  // refused
  if (held_.empty()) {
    // A long request has it, and is not answered before the next turn.
    held_.assign(bytes.substr(handled));
    CheckHeldBytes();
    return;
  }
  if (held_.capacity() > kHeldBytesKept && handled > 0) {
    std::string left = held_.substr(handled);
    loop().discards().Add(std::exchange(held_, std::move(left)));
  } else {
    // What moves away leaves no token behind it.
    const size_t left = held_.size() - handled;
    held_.replace(0, left, held_, handled, left);
    Wipe(held_.data() + left, handled);
    held_.resize(left);
  }
  CheckHeldBytes();
}

void RpcConnection::CheckHeldBytes() {
  if (SetInputBytes(held_.size())) return;
  Refuse("the server's buffers for unfinished messages are full; retry later");
}

size_t RpcConnection::Handle(std::string_view bytes) {
  const RpcLimits& limits = loop().server().limits;
  Dispatcher& dispatcher = loop().dispatcher();
  loop().TakeBuffer(&output());
  RefreshCaller();
  dispatcher.Begin();
  size_t pos = 0;
  bool has_answered = true;  // perhaps: output or requests under way may have grown
  while (pos < bytes.size()) {
    if (has_answered && OverBounds()) {
      // Perhaps the peer takes them at once.
      dispatcher.RunValidates();
      Flush();
      if (closed()) return pos;
      if (OverBounds()) {
        paused_ = true;
        StopReading();
        return pos;
      }
    }
    has_answered = dispatcher.batch().lookups() >= kGatheredMax;
    if (has_answered) dispatcher.RunValidates();
    const std::string_view rest = bytes.substr(pos);
    if (const size_t size = dispatcher.TryValidate(*this, rest); size != 0) {
      message_begun_ = false;
      pos += size;
      continue;
    }
    // One that was cut off is scanned on from where it ended.
    if (!message_begun_) scan_ = msgpack_io::ValueScan(limits.depth_max);
    const Frame frame = ReadFrame(rest, limits, &scan_);
    if (frame.result == FrameResult::kNeedMore) {
      if (!message_begun_) message_since_ms_ = loop().server().clock.SteadyMs();
      message_begun_ = true;
      break;
    }
    if (frame.result == FrameResult::kFatal) {
      loop().counters().protocol_errors.Add();
      Refuse(frame.error.message());
      return pos;
    }
    message_begun_ = false;
    has_answered = true;
    pos += frame.size;
    if (frame.result == FrameResult::kBadRequest) {
      AnswerError({frame.msgid, false, nullptr}, frame.error);
    } else {
      dispatcher.Dispatch(*this, frame);
      if (!takes_answers()) return pos;
    }
  }
  if (!gathered()) Flush();
  return pos;
}

bool RpcConnection::IsInLongMessage() const { return held_.size() >= kHeldBytesLong; }

bool RpcConnection::OverBounds() const {
  const Config& config = loop().server().config;
  return output_bytes() >= config.output_bytes_max || requests_pending() >= config.pipeline_max;
}

bool RpcConnection::WellUnderBounds() const {
  const Config& config = loop().server().config;
  return output_bytes() <= config.output_bytes_max / 2 &&
         requests_pending() <= config.pipeline_max / 2;
}

void RpcConnection::Resume() {
  if (!paused_ || closed() || !WellUnderBounds()) return;
  paused_ = false;
  HandleHeld();
  if (closed() || paused_) return;
  StartReading();
  EndIfDone();
}

void RpcConnection::OnOutputTaken() { Resume(); }

void RpcConnection::FlushAnswers() {
  Flush();
  if (!closed()) Resume();
}

void RpcConnection::AnswerError(const RequestTag& tag, const Status& error,
                                std::string_view id_hex) {
  if (tag.is_notification) {
    loop().dispatcher().NotificationFailed(tag.method, error);
    return;
  }
  loop().counters().errors.Add();
  msgpack_io::Writer writer(&output());
  WriteErrorResponse(tag.msgid, error, id_hex, &writer);
}

std::string* RpcConnection::BeginAnswer(const RequestTag& tag) {
  answer_begin_ = output().size();
  msgpack_io::Writer writer(&output());
  BeginResponse(tag.msgid, &writer);
  return &output();
}

void RpcConnection::EndAnswer(const RequestTag& tag) {
  const size_t limit = loop().server().limits.message_bytes_max;
  const size_t size = output().size() - answer_begin_;
  if (size <= limit) return;
  output().resize(answer_begin_);
  AnswerError(tag, Status(ErrorCode::kTooLarge,
                          fmt::format("answer: would be {} bytes and must be at most {}; ask for "
                                      "less at a time",
                                      size, limit)));
}

bool RpcConnection::IsOverdue(uint64_t steady_ms, bool active) {
  const Config& config = loop().server().config;
  if (active || paused_ || requests_pending() > 0 || !swept_) active_at_ms_ = steady_ms;
  swept_ = true;
  if (message_begun_ && !paused_ && steady_ms - message_since_ms_ >= config.message_timeout_ms) {
    return true;
  }
  return config.idle_timeout_ms != 0 && steady_ms - active_at_ms_ >= config.idle_timeout_ms;
}

}  // namespace tokend
