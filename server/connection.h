// A connection as the handlers of methods know it, whatever is spoken on it.
//
// Loop thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "protocol/error.h"
#include "protocol/msgpack.h"
#include "server/callers.h"
#include "server/methods.h"
#include "server/stream.h"
#include "storage/mutation.h"

namespace tokend {

class Connection : public Stream {
 public:
  // --- who asks ---

  const Caller& caller() const { return *caller_; }
  // Who asks, for the audit log; null where there is none.
  const std::shared_ptr<const Origin>& origin();
  // Whether any are configured; else everybody may do everything.
  bool has_callers() const { return callers_->enabled(); }
  // Whether the caller may have any token of any namespace validated.
  bool validates_all() const { return validates_all_; }
  // The caller asked for what it may not do: into the audit log.
  void NoteRefusal(std::string_view op, ErrorCode code, std::string_view namespace_name = {});
  // The peer has shown who it is. False, and nothing changes, where nobody is known by that.
  bool SignIn(Identity identity);
  // Back to what the connection itself shows.
  void SignOut() {
    if (identity_.kind == Identity::Kind::kSecret) ResetIdentity();
  }

  // A wrong secret was shown, and the answer to that is held back. Whoever does not wait for it
  // ties up memory for nothing.
  bool has_failed_try() const { return has_failed_try_; }
  void set_failed_try(bool has) { has_failed_try_ = has; }

  // --- answers: they are sent when the read, or the list of completions, has been worked off ---

  // `encode` is given a Writer and writes the result, one value. For a notification it is not
  // called.
  template <typename Encode>
  void Answer(const RequestTag& tag, Encode&& encode) {
    if (tag.is_notification) return;
    msgpack_io::Writer writer(BeginAnswer(tag));
    std::forward<Encode>(encode)(writer);
    EndAnswer(tag);
  }
  // `id_hex`: of the token that is in the way (exists, revoked), or empty.
  virtual void AnswerError(const RequestTag& tag, const Status& error,
                           std::string_view id_hex = {}) = 0;
  // Whether the answer to a validate may be put into output() as the bytes that MessagePack-RPC has
  // for it, without Answer().
  bool is_rpc() const { return is_rpc_; }

  // --- requests that are answered later (PendingRequest) ---
  void RequestHandedOn() { ++requests_pending_; }
  void RequestReturned() { --requests_pending_; }
  // A validate of this connection waits in the batch; its answer is there when the batch has run.
  void ValidateGathered() {
    if (!gathered_) BeginGathered();
  }
  void ValidatesAnswered() { gathered_ = false; }
  // For the handler of a long request whose params are `part` of what was kept of this connection's
  // bytes: all of it, so that it need not be copied, or an empty string where that would be a
  // waste. The params stay where they are.
  virtual std::string TakeHeld(std::string_view) { return {}; }
  // After answers to such requests were written: sends them and goes on with what waited.
  virtual void FlushAnswers() = 0;

  // While it lives, the connection's caller manages this owner's tokens alone, if it does those.
  class WithinOwner {
   public:
    WithinOwner(Connection& connection, std::string_view owner)
        : connection_(connection),
          caller_(connection.caller_),
          within_(connection.caller_->Within(owner)) {
      connection_.caller_ = &within_;
    }
    ~WithinOwner() { connection_.caller_ = caller_; }
    WithinOwner(const WithinOwner&) = delete;
    WithinOwner& operator=(const WithinOwner&) = delete;

   private:
    Connection& connection_;
    const Caller* const caller_;
    const Caller within_;
  };

 protected:
  Connection(Loop& loop, StreamRef ref, bool is_rpc);

  // To be called before requests are handled: callers may have been configured anew.
  void RefreshCaller() {
    if (loop_callers_version() != callers_version_) ResolveCaller();
  }

  uint32_t requests_pending() const { return requests_pending_; }
  // Validates wait in the batch.
  bool gathered() const { return gathered_; }

 private:
  // Where the result of this request is to be written.
  virtual std::string* BeginAnswer(const RequestTag& tag) = 0;
  virtual void EndAnswer(const RequestTag& tag) = 0;
  void BeginGathered();
  uint64_t loop_callers_version() const;
  void ResolveCaller();
  void ResetIdentity();
  void OnAccepted() override;

  const bool is_rpc_;
  Identity identity_;
  std::shared_ptr<const Callers> callers_;  // of which caller_ is one
  uint64_t callers_version_ = 0;
  const Caller* caller_ = nullptr;        // set once a peer is there
  std::shared_ptr<const Origin> origin_;  // made when it is asked for
  bool validates_all_ = false;
  bool has_failed_try_ = false;
  bool gathered_ = false;
  uint32_t requests_pending_ = 0;
};

}  // namespace tokend
