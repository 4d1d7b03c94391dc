#include "server/long_validate.h"

#include <fmt/format.h>
#include <strings.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "server/answers.h"
#include "server/context.h"
#include "server/dispatcher.h"
#include "server/loop.h"
#include "server/pending_request.h"
#include "server/rpc_connection.h"

namespace tokend {
namespace {

// What a slice has: either is some 40 us.
constexpr size_t kSliceLookups = 256;
constexpr size_t kSliceBytes = 64 << 10;

}  // namespace

class LongValidates::Request {
 public:
  Request(Call& call, const NamespaceInfo& space, std::vector<TokenRef> tokens)
      : request_(call),
        connection_(call.connection.ref()),
        server_(call.dispatcher.server()),
        space_(space),
        bytes_(call.connection.TakeHeld(call.params)),
        tokens_(std::move(tokens)) {
    if (bytes_.empty()) {
      bytes_ = call.params;
      for (TokenRef& token : tokens_) {
        if (token.is_key) continue;
        token.token = {bytes_.data() + (token.token.data() - call.params.data()),
                       token.token.size()};
      }
    }
    call.connection.RequestHandedOn();
    Charge();
  }
  ~Request() {
    Wipe(bytes_.data() + bytes_.size());
    server_.buffered_bytes.fetch_sub(charged_bytes_, std::memory_order_relaxed);
  }
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  // Answers a slice. True if that was the last one and the answer is in its connection's output, or
  // there is nobody to be answered any more.
  bool Run(Loop& loop) {
    RpcConnection* connection = loop.FindRpc(connection_);
    if (connection == nullptr || !connection->takes_answers()) return Over(loop, Status::Ok());
    if (!error_.ok()) return Over(loop, error_);
    Dispatcher& dispatcher = loop.dispatcher();
    lookups_.clear();
    const char* end = bytes_.data() + wiped_;
    for (size_t bytes = 0;
         next_ < tokens_.size() && lookups_.size() < kSliceLookups && bytes < kSliceBytes;
         ++next_) {
      Lookup& lookup = lookups_.emplace_back();
      lookup.namespace_id = space_.id;
      lookup.key = dispatcher.KeyOf(tokens_[next_], space_.scheme);
      bytes += tokens_[next_].token.size();
      if (!tokens_[next_].is_key) end = tokens_[next_].token.data() + tokens_[next_].token.size();
    }
    dispatcher.reader().Find(lookups_, server_.clock.NowMs());
    if (std::any_of(lookups_.begin(), lookups_.end(),
                    [](const Lookup& lookup) { return lookup.verdict == Verdict::kUnavailable; })) {
      dispatcher.reader().Quiesce();
      return AskAtOnce(dispatcher);
    }
    for (const Lookup& lookup : lookups_) {
      loop.counters().verdicts[static_cast<size_t>(lookup.verdict)].Add();
      WriteVerdict(lookup, &writer_);
    }
    dispatcher.reader().Quiesce();
    Wipe(end);
    if (answer_.size() > server_.limits.message_bytes_max) {
      return Over(loop, Status(ErrorCode::kTooLarge,
                               fmt::format("answer: would be more than {} bytes, which is the "
                                           "most; ask for less at a time",
                                           server_.limits.message_bytes_max)));
    }
    if (next_ == tokens_.size()) return Over(loop, Status::Ok());
    Charge();
    return false;
  }

 private:
  // Since it began the clock has been set back, or memory lacks tokens: all of it anew, with the
  // disk's help.
  bool AskAtOnce(Dispatcher& dispatcher) {
    RpcConnection* connection = request_.Return(dispatcher.loop());
    if (connection == nullptr) return true;
    dispatcher.batch().AddMany(*connection, request_.tag(), tokens_.size());
    for (const TokenRef& token : tokens_) dispatcher.batch().AddLookup(space_, token);
    // They point into what goes with this.
    dispatcher.RunValidates();
    return true;
  }

  bool Over(Loop& loop, const Status& status) {
    // Whose memory is not taken anew for the next long request.
    loop.dispatcher().tokens_params().tokens.swap(tokens_);
    RpcConnection* connection = request_.Return(loop);
    if (connection == nullptr) return true;
    if (!status.ok()) {
      connection->AnswerError(request_.tag(), status);
    } else {
      connection->Answer(request_.tag(), [&](msgpack_io::Writer& out) {
        out.ArrayHeader(static_cast<uint32_t>(next_));
        out.Raw(answer_);
      });
    }
    return true;
  }

  // Tokens up to there are done with. With each slice, since all at once takes as long as ten.
  void Wipe(const char* end) {
    const auto size = static_cast<size_t>(end - bytes_.data());
    explicit_bzero(bytes_.data() + wiped_, size - wiped_);
    wiped_ = size;
  }

  // Counts what is held among the connections' buffers, and gives up where that is too much.
  void Charge() {
    const size_t bytes = bytes_.size() + tokens_.size() * sizeof(TokenRef) + answer_.size();
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
  const NamespaceInfo space_;
  std::string bytes_;             // that tokens_ point into
  size_t wiped_ = 0;              // of those
  std::vector<TokenRef> tokens_;  // those from next_ on are still to be looked up
  size_t next_ = 0;
  std::vector<Lookup> lookups_;  // of the slice
  std::string answer_;           // verdicts so far
  msgpack_io::Writer writer_{&answer_};
  Status error_;
  size_t charged_bytes_ = 0;  // what of this is in ServerContext::buffered_bytes
};

LongValidates::LongValidates(Loop& loop) : loop_(loop) {}
LongValidates::~LongValidates() = default;

int LongValidates::Open(uv_loop_t* loop) {
  return idle_.Open(this, [&](uv_idle_t* idle) { return uv_idle_init(loop, idle); });
}

bool LongValidates::IsLong(const TokensParams& params, size_t encoded_bytes) {
  return params.tokens.size() > kSliceLookups || encoded_bytes > kSliceBytes + kTokenBytesMax;
}

void LongValidates::Add(Call& call, const NamespaceInfo& space, TokensParams params) {
  requests_.push_back(std::make_unique<Request>(call, space, std::move(params.tokens)));
  uv_idle_start(idle_.get(),
                [](uv_idle_t* idle) { static_cast<LongValidates*>(idle->data)->RunSlice(); });
}

void LongValidates::RunSlice() {
  std::unique_ptr<Request> request = std::move(requests_.front());
  requests_.pop_front();
  if (!request->Run(loop_)) requests_.push_back(std::move(request));
  if (requests_.empty()) uv_idle_stop(idle_.get());
}

}  // namespace tokend
