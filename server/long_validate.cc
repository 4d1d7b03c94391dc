#include "server/long_validate.h"

#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/digest.h"
#include "protocol/tokens_cursor.h"
#include "server/answers.h"
#include "server/connection.h"
#include "server/context.h"
#include "server/dispatcher.h"
#include "server/loop.h"
#include "server/pending_request.h"
#include "server/wipe.h"

namespace tokend {
namespace {

// Requests with more are long.
constexpr size_t kShortLookups = 256;
constexpr size_t kShortBytes = (64 << 10) + kTokenBytesMax;
// A slice is pieces until its time is over. What a piece has: any of them is 5 to 10 us.
constexpr uint64_t kSliceNs = 12'000;
constexpr size_t kPieceLookups = 32;
constexpr size_t kPieceBytes = 8 << 10;
constexpr size_t kPieceChecks = 512;
// Of an answer that is to come, an element: room for them is made at once.
constexpr size_t kVerdictBytes = 16;

}  // namespace

// First all tokens are checked, so that one which is wrong makes nothing of it happen; then they
// are looked up. They are read anew for that: to keep what was read would take more than the bytes.
class LongValidates::Request {
 public:
  explicit Request(Call& call)
      : request_(call),
        connection_(call.connection.ref()),
        server_(call.dispatcher.server()),
        bytes_(call.connection.TakeHeld(call.params)),
        params_(bytes_.empty() ? bytes_.assign(call.params) : call.params),
        tokens_(params_) {
    error_ = tokens_.Open(server_.limits);
    count_ = tokens_.left();
    call.connection.RequestHandedOn();
    Charge();
  }
  ~Request() {
    if (!bytes_.empty()) WipeUpTo(bytes_.data() + bytes_.size());
    server_.buffered_bytes.fetch_sub(charged_bytes_, std::memory_order_relaxed);
  }
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  // Does a piece of it. True if that was the last one and the answer is in its connection's output,
  // or there is nobody to be answered any more.
  bool RunPiece(Loop& loop) {
    Connection* connection = loop.FindConnection(connection_);
    if (connection == nullptr || !connection->takes_answers()) return Over(loop, Status::Ok());
    if (!error_.ok()) return Over(loop, error_);
    if (!checked_) {
      error_ = Check(loop.dispatcher(), *connection);
      return false;
    }
    LookUp(loop);
    if (answer_.size() > server_.limits.message_bytes_max) {
      return Over(loop, Status(ErrorCode::kTooLarge,
                               fmt::format("answer: would be more than {} bytes, which is the "
                                           "most; ask for less at a time",
                                           server_.limits.message_bytes_max)));
    }
    if (tokens_.left() == 0 && long_part_.empty()) return Over(loop, Status::Ok());
    Charge();
    return false;
  }

 private:
  Status Check(Dispatcher& dispatcher, Connection& connection) {
    TokenRef token;
    for (size_t i = 0; i < kPieceChecks && tokens_.left() > 0; ++i) {
      if (Status status = tokens_.Next(&token); !status.ok()) return status;
    }
    if (tokens_.left() > 0) return Status::Ok();
    std::string_view name;
    if (Status status = tokens_.ReadNamespace(&name); !status.ok()) return status;
    const Call call{dispatcher, connection, request_.tag(), params_};
    if (Status status = call.Allow(name); !status.ok()) return status;
    const Space* space = dispatcher.namespaces().Find(name);
    if (space == nullptr) return UnknownNamespace(name);
    space_ = *space;
    checked_ = true;
    answer_.reserve(count_ * kVerdictBytes);
    tokens_ = TokensCursor(params_);
    return tokens_.Open(server_.limits);
  }

  void LookUp(Loop& loop) {
    Dispatcher& dispatcher = loop.dispatcher();
    lookups_.clear();
    unavailable_.clear();
    if (long_part_.empty()) {
      GatherLookups(dispatcher);
    } else {
      const std::string_view part = long_part_.substr(0, kPieceBytes);
      long_digest_->Add(part);
      long_part_.remove_prefix(part.size());
      if (long_part_.empty()) AddLookup(long_digest_->Finish());
    }
    // Where the clock was set back since it began, some may be kUnavailable. So they are answered.
    dispatcher.reader().Find(lookups_, server_.clock.NowMs());
    for (const size_t lookup : unavailable_) lookups_[lookup].verdict = Verdict::kUnavailable;
    for (const Lookup& lookup : lookups_) {
      loop.counters().verdicts[static_cast<size_t>(lookup.verdict)].Add();
      WriteVerdict(lookup, &writer_);
    }
    dispatcher.reader().Quiesce();
    WipeUpTo(long_part_.empty() ? params_.data() + tokens_.position() : long_part_.data());
  }

  void GatherLookups(Dispatcher& dispatcher) {
    const size_t begin = tokens_.position();
    TokenRef token;
    while (tokens_.left() > 0 && lookups_.size() < kPieceLookups &&
           tokens_.position() - begin < kPieceBytes) {
      error_ = tokens_.Next(&token);  // that was checked
      if (!token.is_key && token.token.size() > kPieceBytes && IsSha256(space_.scheme)) {
        long_part_ = DigestedPart(space_.scheme, token.token.bytes());
        // Of a prefix and a bar alone there may be nothing left.
        if (!long_part_.empty()) {
          if (!long_digest_) long_digest_.emplace();
          return;
        }
      }
      if (token.is_key || space_.has_keys()) {
        AddLookup(dispatcher.KeyOf(token, space_));
      } else {
        unavailable_.push_back(lookups_.size());
        lookups_.emplace_back();
      }
    }
  }

  void AddLookup(const TokenKey& key) {
    Lookup& lookup = lookups_.emplace_back();
    lookup.namespace_id = space_.id;
    lookup.key = key;
  }

  bool Over(Loop& loop, const Status& status) {
    loop.discards().Add(std::move(bytes_));
    bytes_.clear();
    Connection* connection = request_.Return(loop);
    if (connection == nullptr) return true;
    if (!status.ok()) {
      connection->AnswerError(request_.tag(), status);
    } else {
      connection->Answer(request_.tag(), [&](msgpack_io::Writer& out) {
        out.ArrayHeader(count_);
        out.Raw(answer_);
      });
    }
    return true;
  }

  // With each piece, since all at once would take as long as many of them.
  void WipeUpTo(const char* end) {
    const auto size = static_cast<size_t>(end - bytes_.data());
    Wipe(bytes_.data() + wiped_, size - wiped_);
    wiped_ = size;
  }

  // Counts what is held among the connections' buffers, and gives up where that is too much.
  void Charge() {
    const size_t bytes = bytes_.size() + answer_.capacity();
    const uint64_t all =
        server_.buffered_bytes.fetch_add(bytes - charged_bytes_, std::memory_order_relaxed) +
        (bytes - charged_bytes_);
    charged_bytes_ = bytes;
    if (all <= server_.config.buffer_bytes_max) return;
    error_ = Status(ErrorCode::kBusy, "the server's buffers are full; retry, or ask for less");
  }

  PendingRequest request_;
  const StreamRef connection_;
  ServerContext& server_;
  std::string bytes_;  // with the params in them
  const std::string_view params_;
  size_t wiped_ = 0;  // of bytes_
  TokensCursor tokens_;
  uint32_t count_ = 0;
  bool checked_ = false;
  Space space_;
  std::vector<Lookup> lookups_;      // of the piece
  std::vector<size_t> unavailable_;  // of them: tokens that cannot become keys
  // What of a token that is more than a piece is to be digested yet.
  std::string_view long_part_;
  std::optional<PartwiseSha256> long_digest_;
  std::string answer_;  // verdicts so far
  msgpack_io::Writer writer_{&answer_};
  Status error_;
  size_t charged_bytes_ = 0;  // what of this is in ServerContext::buffered_bytes
};

LongValidates::LongValidates(Loop& loop) : loop_(loop) {}
LongValidates::~LongValidates() = default;

int LongValidates::Open(uv_loop_t* loop) {
  return idle_.Open(this, [&](uv_idle_t* idle) { return uv_idle_init(loop, idle); });
}

bool LongValidates::IsLong(std::string_view params, const RpcLimits& limits) {
  if (params.size() > kShortBytes) return true;
  if (params.size() <= kShortLookups) return false;
  TokensCursor tokens(params);
  return tokens.Open(limits).ok() && tokens.left() > kShortLookups;
}

void LongValidates::Add(Call& call) {
  requests_.push_back(std::make_unique<Request>(call));
  uv_idle_start(idle_.get(),
                [](uv_idle_t* idle) { static_cast<LongValidates*>(idle->data)->RunSlice(); });
}

void LongValidates::RunSlice() {
  if (loop_.turn() % 2 != 0) return;  // long messages are read in these
  std::unique_ptr<Request> request = std::move(requests_.front());
  requests_.pop_front();
  const uint64_t until_ns = uv_hrtime() + kSliceNs;
  bool over = false;
  do {
    over = request->RunPiece(loop_);
  } while (!over && uv_hrtime() < until_ns);
  if (!over) requests_.push_back(std::move(request));
  if (requests_.empty()) uv_idle_stop(idle_.get());
}

}  // namespace tokend
