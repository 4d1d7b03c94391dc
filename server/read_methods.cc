// hello, ping, validate, validate_many.
#include <utility>

#include "protocol/params.h"
#include "server/answers.h"
#include "server/connection.h"
#include "server/dispatcher.h"
#include "server/failed_tries.h"
#include "server/loop.h"
#include "tokend_version.h"

namespace tokend {
namespace {

constexpr uint64_t kProtocolVersion = 1;

}  // namespace

void HandleHello(Call& call) {
  HelloParams params;
  if (Status status = DecodeHello(call.params, &params); !status.ok()) {
    call.connection.AnswerError(call.tag, status);
    return;
  }
  if (!params.client_id.empty() &&
      !call.connection.SignIn(Identity::OfSecret(params.client_id, params.client_secret))) {
    AnswerFailedTry(call.connection, call.tag);
    return;
  }
  const RpcLimits& limits = call.dispatcher.server().limits;
  call.connection.Answer(call.tag, [&](msgpack_io::Writer& out) {
    out.MapHeader(4);
    out.Str("server");
    out.Str("tokend");
    out.Str("version");
    out.Str(TOKEND_VERSION);
    out.Str("protocol");
    out.Uint(kProtocolVersion);
    out.Str("limits");
    out.MapHeader(3);
    out.Str("message_bytes");
    out.Uint(limits.message_bytes_max);
    out.Str("nesting");
    out.Uint(limits.depth_max);
    out.Str("many");
    out.Uint(limits.many_max);
  });
}

void HandlePing(Call& call) {
  if (Status status = DecodeNoParams(call.params); !status.ok()) {
    call.connection.AnswerError(call.tag, status);
    return;
  }
  call.connection.Answer(call.tag, [](msgpack_io::Writer& out) { out.Str("pong"); });
}

void HandleValidate(Call& call) {
  TokenParams params;
  if (Status status = DecodeToken(call.params, &params); !status.ok()) {
    call.connection.AnswerError(call.tag, status);
    return;
  }
  if (Status status = call.Allow(params.namespace_name); !status.ok()) {
    call.connection.AnswerError(call.tag, status);
    return;
  }
  const Space* space = call.dispatcher.namespaces().Find(params.namespace_name);
  if (space == nullptr) {
    call.connection.AnswerError(call.tag, UnknownNamespace(params.namespace_name));
    return;
  }
  if (!params.token.is_key && !space->has_keys()) {
    call.dispatcher.loop().counters().verdicts[static_cast<size_t>(Verdict::kUnavailable)].Add();
    call.connection.AnswerError(call.tag, MissingSecret(params.namespace_name, *space));
    return;
  }
  call.dispatcher.batch().Add(call.connection, call.tag, *space, params.token);
}

void HandleValidateMany(Call& call) {
  ServerContext& server = call.dispatcher.server();
  // Where the disk may have to be asked, it is for the request as a whole.
  if (LongValidates::IsLong(call.params, server.limits) &&
      !server.store.table().AreMissesUnavailable(server.clock.NowMs())) {
    call.dispatcher.loop().long_validates().Add(call);
    return;
  }
  TokensParams& params = call.dispatcher.tokens_params();
  if (Status status = DecodeTokens(call.params, server.limits, &params); !status.ok()) {
    call.connection.AnswerError(call.tag, status);
    return;
  }
  if (Status status = call.Allow(params.namespace_name); !status.ok()) {
    call.connection.AnswerError(call.tag, status);
    return;
  }
  const Space* space = call.dispatcher.namespaces().Find(params.namespace_name);
  if (space == nullptr) {
    call.connection.AnswerError(call.tag, UnknownNamespace(params.namespace_name));
    return;
  }
  ValidateBatch& batch = call.dispatcher.batch();
  batch.AddMany(call.connection, call.tag, params.tokens.size());
  for (const TokenRef& token : params.tokens) {
    if (token.is_key || space->has_keys()) {
      batch.AddLookup(*space, token);
    } else {
      batch.AddUnavailable();
    }
  }
}

}  // namespace tokend
