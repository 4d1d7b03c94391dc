// Requests as they come off the wire: the general decoder in one piece and byte by byte, the direct
// ones beside it, and every method's parameters. What is refused is refused in plain words.
#include <string>
#include <vector>

#include "protocol/params.h"
#include "protocol/rpc.h"
#include "server/validate_frame.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace tokend;
using fuzz::Require;

void CheckRefusal(const Status& status) {
  if (status.ok()) return;
  Require(!status.message().empty(), "a refusal says why");
  for (const char c : status.message()) Require(c >= ' ' && c <= '~', "a message is plain ASCII");
}

// By every method: which one it is for is in the bytes, and they change.
void DecodeAll(std::string_view params) {
  const RpcLimits limits;
  TokenParams token;
  TokensParams tokens;
  InsertParams insert;
  std::vector<InsertElement> inserts;
  IdParams id;
  OwnerParams owner;
  ExtendParams extend;
  UpdateParams update;
  RotateParams rotate;
  GetParams get;
  RevealParams reveal;
  std::optional<std::string_view> rekeyed;
  ListParams list;
  PurgeParams purge;
  ImportBeginParams begin;
  ImportRowsParams rows;
  std::string_view import_id;
  CheckRefusal(DecodeNoParams(params));
  HelloParams hello;
  CheckRefusal(DecodeHello(params, &hello));
  CheckRefusal(DecodeToken(params, &token));
  CheckRefusal(DecodeTokens(params, limits, &tokens));
  if (DecodeInsert(params, &insert).ok()) {
    std::string encoded;
    msgpack_io::Writer writer(&encoded);
    Encode(insert, &writer);
    InsertParams again;
    Require(DecodeInsert(encoded, &again).ok() &&
                again.token.token.bytes() == insert.token.token.bytes() &&
                again.owner == insert.owner && again.scopes == insert.scopes &&
                again.expires_at_ms == insert.expires_at_ms && again.ttl_ms == insert.ttl_ms,
            "what was decoded is encoded and decoded again");
  }
  CheckRefusal(DecodeInsertMany(params, limits, &inserts));
  CheckRefusal(DecodeIssue(params, &insert));
  CheckRefusal(DecodeRevokeId(params, &id));
  CheckRefusal(DecodeRevokeOwner(params, &owner));
  CheckRefusal(DecodeExtend(params, &extend));
  CheckRefusal(DecodeUpdate(params, &update));
  CheckRefusal(DecodeRotate(params, &rotate));
  CheckRefusal(DecodeGet(params, &get));
  CheckRefusal(DecodeList(params, &list));
  CheckRefusal(DecodeCount(params, &list));
  CheckRefusal(DecodeReveal(params, &reveal));
  CheckRefusal(DecodeRekey(params, &rekeyed));
  CheckRefusal(DecodePurge(params, &purge));
  CheckRefusal(DecodeImportBegin(params, &begin));
  CheckRefusal(DecodeImportRows(params, limits, &rows));
  CheckRefusal(DecodeImportEnd(params, &import_id));
}

void CheckDirect(std::string_view bytes, const Frame& frame) {
  ValidateFrame direct;
  if (const size_t size = ReadValidateFrame(bytes, &direct); size != 0) {
    Require(frame.result == FrameResult::kRequest && frame.size == size &&
                frame.msgid == direct.msgid && frame.method == "validate",
            "the direct decoder takes what the general one takes");
    TokenParams params;
    const Status status = DecodeToken(frame.params, &params);
    Require(status.ok() ? params.token.is_key == direct.token.is_key &&
                              params.token.token.bytes() == direct.token.token.bytes()
                        : direct.has_namespace,
            "and reads the same");
  }
  ValidateManyFrame many;
  if (const size_t size = ReadValidateManyFrame(bytes, &many); size != 0) {
    Require(frame.result == FrameResult::kRequest && frame.size == size &&
                frame.msgid == many.msgid && frame.method == "validate_many",
            "the direct decoder of many takes what the general one takes");
    TokensParams params;
    const Status status = DecodeTokens(frame.params, RpcLimits(), &params);
    Require(status.ok() ? params.tokens.size() == many.tokens.size() : many.has_namespace,
            "and reads as many");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes = fuzz::View(data, size);
  const RpcLimits limits;
  while (!bytes.empty()) {
    const Frame frame = ReadFrame(bytes, limits);
    CheckDirect(bytes, frame);
    CheckRefusal(frame.error);

    msgpack_io::ValueScan scan(limits.depth_max);
    Frame in_pieces;
    const size_t pieces_end = frame.size != 0 ? frame.size : bytes.size();
    for (size_t end = 1; end <= pieces_end && in_pieces.result == FrameResult::kNeedMore; ++end) {
      in_pieces = ReadFrame(bytes.substr(0, end), limits, &scan);
    }
    Require(in_pieces.result == frame.result && in_pieces.size == frame.size &&
                in_pieces.method == frame.method && in_pieces.params == frame.params,
            "a frame in pieces is the frame in one");
    if (frame.result == FrameResult::kNeedMore || frame.result == FrameResult::kFatal) break;
    Require(frame.size != 0 && frame.size <= bytes.size(), "a frame lies in its bytes");
    if (frame.error.ok()) DecodeAll(frame.params);
    bytes.remove_prefix(frame.size);
  }
  return 0;
}
