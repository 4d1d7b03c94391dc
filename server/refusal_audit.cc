#include "server/refusal_audit.h"

#include <algorithm>
#include <memory>
#include <string>

#include "server/connection.h"

namespace tokend {
namespace {

// Nobody waits for it.
class RefusalNote final : public Submission {
 public:
  void Done(std::unique_ptr<Submission> /*self*/) override {}
};

}  // namespace

bool RefusalAudit::Take(uint64_t* suppressed) {
  const uint64_t now_ms = clock_.SteadyMs();
  const MutexLock lock(&mutex_);
  const uint64_t refill = (now_ms - refilled_steady_ms_) * kPerSecond / 1000;
  if (refill != 0) {
    left_ = std::min(left_ + refill, kAtOnceMax);
    refilled_steady_ms_ = now_ms;
  }
  if (left_ == 0) {
    ++suppressed_;
    suppressed_total_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  --left_;
  *suppressed = suppressed_;
  suppressed_ = 0;
  return true;
}

void RefusalAudit::Suppress(uint64_t count) {
  suppressed_total_.fetch_add(1, std::memory_order_relaxed);
  const MutexLock lock(&mutex_);
  suppressed_ += count;
}

void RefusalAudit::Note(Connection& connection, std::string_view op, ErrorCode code,
                        std::string_view namespace_name) {
  if (!store_.audits()) return;
  AuditMutation refusal;
  if (!Take(&refusal.suppressed)) return;
  refusal.op = op;
  refusal.result = ErrorCodeName(code);
  std::unique_ptr<Submission> submission = std::make_unique<RefusalNote>();
  Mutation& mutation = submission->mutations.emplace_back();
  mutation.namespace_name = std::string(namespace_name);
  mutation.origin = connection.origin();
  mutation.op = refusal;
  if (!store_.Submit(submission).ok()) Suppress(refusal.suppressed + 1);
}

}  // namespace tokend
