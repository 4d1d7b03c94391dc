#include "server/dispatcher.h"

#include "server/connection.h"
#include "server/loop.h"

namespace tokend {

void NamespaceCache::Load(uint64_t version) {
  // The version first: what is loaded is at least as new, and a change in between shows at the next
  // Refresh().
  version_ = version;
  namespaces_ = store_.namespaces();
  with_keys_.clear();
  without_keys_.clear();
  std::unordered_map<std::string_view, const NamespaceConfig*> configured;
  for (const NamespaceConfig& space : config_.namespaces) configured[space.name] = &space;
  for (const auto& [name, info] : *namespaces_) {
    Space space{info, {}};
    if (const auto found = configured.find(name); found != configured.end()) {
      space.secret = found->second->secret;
      space.seals = found->second->seal;
    }
    (space.has_keys() ? with_keys_ : without_keys_).emplace(name, space);
  }
  const auto found = with_keys_.find(kDefaultNamespace);
  default_ = found == with_keys_.end() ? nullptr : &found->second;
}

namespace {

// Of a validate or a validate_many of the common form. If not, the general way says why.
template <typename SomeFrame>
bool MayValidate(const Connection& connection, const SomeFrame& frame) {
  if (connection.validates_all()) [[likely]]
    return true;
  return connection.caller().Has(Right::kValidate) &&
         connection.caller().MayUse(frame.has_namespace ? frame.namespace_name : kDefaultNamespace);
}

}  // namespace

Dispatcher::Dispatcher(Loop& loop, ServerContext& server)
    : loop_(loop),
      server_(server),
      validate_(FindMethod("validate")),
      validate_many_(FindMethod("validate_many")),
      namespaces_(server.store, server.config),
      reader_(server.store.table()) {}

size_t Dispatcher::TryValidate(Connection& connection, std::string_view bytes) {
  ValidateFrame& frame = frame_;
  const size_t size = ReadValidateFrame(bytes, &frame);
  if (size == 0) return TryValidateMany(connection, bytes);
  const Space* space = frame.has_namespace ? namespaces_.FindWithKeys(frame.namespace_name)
                                           : namespaces_.DefaultWithKeys();
  if (space == nullptr || !MayValidate(connection, frame)) return 0;
  ++taken_;
  batch_.Add(connection, {frame.msgid, false, validate_}, *space, frame.token);
  return size;
}

size_t Dispatcher::TryValidateMany(Connection& connection, std::string_view bytes) {
  ValidateManyFrame& frame = many_frame_;
  const size_t size = ReadValidateManyFrame(bytes, &frame);
  if (size == 0 || frame.tokens.size() > server_.limits.many_max) return 0;
  const Space* space = frame.has_namespace ? namespaces_.FindWithKeys(frame.namespace_name)
                                           : namespaces_.DefaultWithKeys();
  if (space == nullptr || !MayValidate(connection, frame)) return 0;
  loop_.counters().requests.Add();
  loop_.counters().methods[MethodIndex(*validate_many_)].Add();
  batch_.AddMany(connection, {frame.msgid, false, validate_many_}, frame.tokens.size());
  for (const std::string_view token : frame.tokens) batch_.AddLookup(*space, SecretView(token));
  return size;
}

void Dispatcher::RunValidates() {
  if (batch_.empty()) return;
  loop_.counters().requests.Add(taken_);
  loop_.counters().methods[MethodIndex(*validate_)].Add(taken_);
  taken_ = 0;
  batch_.Run(*this);
}

void Dispatcher::Dispatch(Connection& connection, const Frame& frame) {
  const bool is_notification = frame.result == FrameResult::kNotification;
  (is_notification ? loop_.counters().notifications : loop_.counters().requests).Add();
  const Method* method = FindMethod(frame.method);
  const RequestTag tag{frame.msgid, is_notification, method};
  if (method == nullptr) {
    connection.AnswerError(tag, Status(ErrorCode::kUnknownMethod,
                                       "method: " + QuoteName(frame.method) + " is not one"));
    return;
  }
  loop_.counters().methods[MethodIndex(*method)].Add();
  if (Status status = CheckRight(connection, *method); !status.ok()) {
    connection.AnswerError(tag, status);
    return;
  }
  Call call{*this, connection, tag, frame.params};
  method->handler(call);
}

void Dispatcher::NotificationFailed(const Method* method, const Status& error) {
  loop_.counters().notifications_failed.Add();
  uint64_t held_back = 0;
  if (!log_limiter_.Allow(server_.clock.SteadyMs(), &held_back)) return;
  // The error's message stays out: it may repeat a name that the peer has sent.
  server_.log.Warning("notification_failed", {{"method", method ? method->name : "unknown"},
                                              {"code", ErrorCodeName(error.code())},
                                              {"more_like_it", held_back}});
}

}  // namespace tokend
