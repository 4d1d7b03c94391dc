// MessagePack-RPC: from received bytes to requests, and the frames of answers.
//
// Pure: bytes in, messages out; no I/O, no state. Limits come in as numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/error.h"
#include "protocol/msgpack.h"

namespace tokend {

struct RpcLimits {
  size_t message_bytes_max = 4 << 20;  // <= UINT32_MAX
  size_t depth_max = 16;               // 1 ... msgpack_io::kDepthMax
  size_t many_max = 10000;
};

enum class FrameResult : uint8_t {
  kRequest,       // msgid, method and params are set
  kNotification,  // method and params are set
  kBadRequest,    // msgid was read, method or params are wrong: answer `error`, carry on
  kNeedMore,      // a prefix of a message
  kFatal,         // not a message: send ProtocolErrorFrame(error), close, read nothing more
};

// Views point into the bytes that were given.
struct Frame {
  FrameResult result = FrameResult::kNeedMore;
  size_t size = 0;  // bytes taken; 0 for kNeedMore and kFatal
  uint32_t msgid = 0;
  std::string_view method;
  std::string_view params;  // one encoded array
  Status error;             // for kBadRequest and kFatal
};

// Takes one message off the front of `bytes`.
//
// - Nesting is that of the whole message: the frame is 1, params 2. A request nested past the limit
//   is kBadRequest (kTooLarge), since its end is found by counting values. A notification so nested
//   has no msgid to answer to: kFatal.
// - A message that announces more than message_bytes_max is kFatal as soon as it does, msgid read
//   or not, since its end cannot be found without taking all of it in. So is the byte 0xc1.
// - kFatal comes as early as the bytes show it: at the first byte for another protocol.
//
// Without `scan`, an unfinished message is scanned from its front at each call. With it, scanning
// goes on where it stopped: give a fresh one with a message's first bytes, and the same one while
// kNeedMore is the answer and the same bytes come back with more behind them.
Frame ReadFrame(std::string_view bytes, const RpcLimits& limits,
                msgpack_io::ValueScan* scan = nullptr);

// The client's side: response frames and the server's "error" notification.
enum class ResponseResult : uint8_t { kResponse, kNotification, kNeedMore, kFatal };
struct ResponseFrame {
  ResponseResult result = ResponseResult::kNeedMore;
  size_t size = 0;
  uint32_t msgid = 0;
  std::string_view error;   // an encoded value; encoded nil when there is none
  std::string_view value;   // the encoded result, or the params of a notification
  std::string_view method;  // notifications only
};
// Of the limits only message_bytes_max holds here: an answer nests deeper than what was inserted
// (attributes in a record in `items`), so depth has the parser's own bound. `scan` as in ReadFrame.
ResponseFrame ReadResponseFrame(std::string_view bytes, const RpcLimits& limits,
                                msgpack_io::ValueScan* scan = nullptr);

// Writers of frames. BeginResponse writes [1, msgid, nil and leaves the result to the caller.
void BeginRequest(uint32_t msgid, std::string_view method, msgpack_io::Writer* out);  // then params
void BeginResponse(uint32_t msgid, msgpack_io::Writer* out);
void WriteErrorResponse(uint32_t msgid, const Status& error, msgpack_io::Writer* out);
// An error map with an `id` beside code and message (exists, revoked), as `insert` answers it.
void WriteErrorResponse(uint32_t msgid, const Status& error, std::string_view id_hex,
                        msgpack_io::Writer* out);
// The error map alone: {code, message} and id when not empty. For elements of insert_many.
void WriteErrorMap(const Status& error, std::string_view id_hex, msgpack_io::Writer* out);
// [2, "error", [{code: "protocol_error", message}]]
void WriteProtocolError(std::string_view message, msgpack_io::Writer* out);

}  // namespace tokend
