#include "server/connection.h"

#include "server/context.h"
#include "server/loop.h"

namespace tokend {

Connection::Connection(Loop& loop, StreamRef ref, bool is_rpc)
    : Stream(loop, ref), is_rpc_(is_rpc) {}

void Connection::OnAccepted() { ResetIdentity(); }

void Connection::ResetIdentity() {
  identity_ = {};
  if (const auto uid = PeerUser()) {
    identity_.kind = Identity::Kind::kUnixUser;
    identity_.uid = *uid;
  } else if (std::vector<std::string> names = PeerNames(); !names.empty()) {
    identity_.kind = Identity::Kind::kCertificate;
    identity_.certificate_names = std::move(names);
  }
  ResolveCaller();
}

uint64_t Connection::loop_callers_version() const { return loop().server().callers.version(); }

void Connection::ResolveCaller() {
  // The version first: what is taken is at least as new.
  callers_version_ = loop_callers_version();
  callers_ = loop().server().callers.Get();
  caller_ = &callers_->Find(identity_);
  origin_.reset();
  validates_all_ = caller_->Has(Right::kValidate) && caller_->has_all_namespaces();
}

const std::shared_ptr<const Origin>& Connection::origin() {
  if (origin_ == nullptr && loop().server().store.audits()) {
    origin_ = std::make_shared<const Origin>(
        Origin{caller_->name(), PeerEndpoint(), is_rpc_ ? "rpc" : "http"});
  }
  return origin_;
}

void Connection::NoteRefusal(std::string_view op, ErrorCode code, std::string_view namespace_name) {
  loop().server().refusals.Note(*this, op, code, namespace_name);
}

bool Connection::SignIn(Identity identity) {
  RefreshCaller();
  if (callers_->enabled() && !callers_->Knows(identity)) return false;
  identity_ = std::move(identity);
  ResolveCaller();
  return true;
}

void Connection::BeginGathered() {
  gathered_ = true;
  loop().FlushLater(*this);
}

}  // namespace tokend
