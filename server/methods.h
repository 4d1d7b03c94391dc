// The method table: one row per method of docs/protocol.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "protocol/error.h"
#include "server/callers.h"

namespace tokend {

class Dispatcher;
class Connection;
struct Method;

// What becomes of a result, which is MessagePack, for those who want it otherwise.
using ResultForm = void (*)(std::string_view encoded, std::string* out);

// Which request an answer belongs to.
struct RequestTag {
  uint32_t msgid = 0;
  bool is_notification = false;
  const Method* method = nullptr;
  // Of the queries that run on workers, which see to it; null = MessagePack.
  ResultForm form = nullptr;
};

// One request on its way through a handler; lives for the handler's call.
struct Call {
  Dispatcher& dispatcher;
  Connection& connection;
  RequestTag tag;
  std::string_view params;  // one encoded array

  // What the method's right does not say: whether this caller may do it to tokens of that
  // namespace, in all of them, to those of that owner, or to whosever they are.
  Status Allow(std::string_view namespace_name) const;
  Status AllowEverywhere() const;
  Status AllowOwner(const std::optional<std::string_view>& owner) const;
  Status AllowAllOwners() const;

 private:
  Status Refuse(std::string_view what, std::string_view namespace_name = {}) const;
};

// A handler answers at once, or hands the request on (PendingRequest) and is answered for later.
using Handler = void (*)(Call& call);

struct Method {
  std::string_view name;
  uint32_t params_min = 0, params_max = 0;  // positions of the params array
  Right right = Right::kNone;
  Handler handler = nullptr;
};

std::span<const Method> Methods();
// Null if there is none of that name.
const Method* FindMethod(std::string_view name);
// The method's place in Methods(), which is also its place in LoopCounters::methods.
size_t MethodIndex(const Method& method);

// Whether the connection's caller has the method's right.
Status CheckRight(Connection& connection, const Method& method);

// Once at start: names are unique and whole, numbers fit together, each row has a handler.
Status CheckMethods();

// read_methods.cc
void HandleHello(Call& call);
void HandlePing(Call& call);
void HandleStats(Call& call);
void HandleValidate(Call& call);
void HandleValidateMany(Call& call);
// write_methods.cc
void HandleInsert(Call& call);
void HandleInsertMany(Call& call);
void HandleIssue(Call& call);
void HandleRevoke(Call& call);
void HandleRevokeId(Call& call);
void HandleRevokeOwner(Call& call);
void HandleExtend(Call& call);
void HandleUpdate(Call& call);
void HandleRotate(Call& call);
void HandlePurgeExpired(Call& call);
void HandleClockAccept(Call& call);
// query_methods.cc
void HandleGet(Call& call);
void HandleList(Call& call);
void HandleCount(Call& call);
// seal_methods.cc
void HandleReveal(Call& call);
void HandleRekey(Call& call);
// backup_methods.cc
void HandleBackup(Call& call);
// import_methods.cc
void HandleImportBegin(Call& call);
void HandleImportRows(Call& call);
void HandleImportEnd(Call& call);

}  // namespace tokend
