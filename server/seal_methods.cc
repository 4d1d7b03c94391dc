// reveal and rekey: what the keys of sealed tokens are for, besides sealing.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/params.h"
#include "protocol/sealer.h"
#include "protocol/secret.h"
#include "server/answers.h"
#include "server/connection.h"
#include "server/dispatcher.h"
#include "server/loop.h"
#include "server/write_request.h"

namespace tokend {
namespace {

// Found and opened on a worker, recorded by the Committer, answered on its loop.
class RevealRequest final : public Job, public Submission, public Completion {
 public:
  RevealRequest(const Call& call, const RevealParams& params)
      : request_(call),
        server_(call.dispatcher.server()),
        namespace_name_(params.namespace_name),
        id_(params.id),
        caller_(call.connection.caller().name()),
        owners_(call.connection.caller().owners()),
        origin_(call.connection.origin()) {
    if (params.owner) owner_ = std::string(*params.owner);
  }

  void Run(std::unique_ptr<Job> self) override {
    status_ = Open();
    // Before anybody has it.
    if (status_.ok() && found_) {
      server_.log.Info("revealed", {{"caller", caller_},
                                    {"namespace", namespace_name_},
                                    {"id", ToHex(TokenId::Of(found_->key))}});
    }
    (void)self.release();
    std::unique_ptr<Submission> submission(this);
    if (status_.ok() && server_.store.audits()) {
      Record();
      const Status submitted = server_.store.Submit(submission);
      if (submitted.ok()) return;  // another thread has it by now
      status_ = submitted;
    }
    Done(std::move(submission));
  }

  void Done(std::unique_ptr<Submission> self) override {
    if (!outcomes.empty()) status_ = outcomes.front().status;
    (void)self.release();
    request_.Post(std::unique_ptr<Completion>(this));
  }

  void OnLoop(Loop& loop) override {
    Connection* connection = request_.Return(loop);
    const RequestTag& tag = request_.tag();
    if (tag.is_notification && !status_.ok()) {
      loop.dispatcher().NotificationFailed(tag.method, status_);
    } else if (connection == nullptr) {
      return;
    } else if (status_.ok()) {
      connection->Answer(tag, [this](msgpack_io::Writer& out) { Write(out); });
    } else {
      connection->AnswerError(tag, status_);
    }
  }

 private:
  // What was not there is told, too: somebody has looked for it.
  void Record() {
    AuditMutation reveal{.op = "reveal", .result = found_ ? "ok" : "unknown", .is_awaited = true};
    if (found_) reveal.key = found_->key;
    mutations.push_back({namespace_name_, reveal, owners_, origin_});
  }

  Status Open() {
    const Sealer* const sealer = server_.config.sealer.get();
    if (sealer == nullptr) {
      return {ErrorCode::kUnavailable,
              "the server has no key to open tokens by; give it a seal_key_file in its "
              "configuration"};
    }
    RevealParams params;
    params.namespace_name = namespace_name_;
    params.owner = owner_;
    params.id = id_;
    if (Status status = server_.store.FindSealed(params, owners_, &found_); !status.ok()) {
      return status;
    }
    return found_ ? sealer->Open(namespace_name_, found_->key, found_->sealed, &token_)
                  : Status::Ok();
  }

  void Write(msgpack_io::Writer& out) const {
    if (!found_) {
      out.Nil();
      return;
    }
    out.MapHeader(4);
    out.Str("id");
    out.Str(ToHex(TokenId::Of(found_->key)));
    out.Str("token");
    // A token need not be UTF-8.
    const std::string_view token = token_.bytes();
    msgpack_io::IsValidUtf8(token) ? out.Str(token) : out.Bin(token);
    out.Str("expires_at");
    WriteExpiry(found_->expires_at_ms, &out);
    out.Str("key_id");
    out.Str(ToHex(*SealKeyIdOf(found_->sealed)));
  }

  PendingRequest request_;
  ServerContext& server_;
  const std::string namespace_name_;
  std::optional<std::string> owner_;
  const std::optional<TokenId> id_;
  const std::string caller_;
  const std::vector<std::string> owners_;  // whose tokens the caller manages; empty = all
  const std::shared_ptr<const Origin> origin_;
  Status status_;
  std::optional<SealedToken> found_;
  Secret token_;
};

void WriteRekeyed(const WriteRequest& request, msgpack_io::Writer& out) {
  const Outcome& outcome = request.outcomes[0];
  out.MapHeader(2);
  out.Str("resealed");
  out.Uint(outcome.count);
  out.Str("unopened");
  out.Uint(outcome.unopened);
}

}  // namespace

void HandleReveal(Call& call) {
  RevealParams params;
  Status status = DecodeReveal(call.params, &params);
  if (status.ok()) status = call.Allow(params.namespace_name);
  // Whose an id is, is known once it is found.
  if (status.ok() && !params.id) status = call.AllowOwner(params.owner);
  if (!status.ok()) {
    call.connection.AnswerError(call.tag, status);
    return;
  }
  std::unique_ptr<Job> job = std::make_unique<RevealRequest>(call, params);
  if (call.dispatcher.server().workers.TrySubmit(job)) {
    call.connection.RequestHandedOn();
  } else {
    call.connection.AnswerError(
        call.tag, Status(ErrorCode::kBusy, "too many queries are waiting; retry later"));
  }
}

void HandleRekey(Call& call) {
  std::optional<std::string_view> namespace_name;
  Status status = DecodeRekey(call.params, &namespace_name);
  if (status.ok()) status = namespace_name ? call.Allow(*namespace_name) : call.AllowEverywhere();
  if (status.ok()) status = call.AllowAllOwners();
  if (!status.ok()) {
    call.connection.AnswerError(call.tag, status);
    return;
  }
  auto request = std::make_unique<WriteRequest>(call, &WriteRekeyed);
  request->Add<RekeyMutation>(namespace_name.value_or(std::string_view()));
  WriteRequest::Submit(call, std::move(request));
}

}  // namespace tokend
