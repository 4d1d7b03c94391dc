#include "protocol/rpc.h"

#include <string>
#include <utility>

namespace tokend {
namespace {

using msgpack_io::CheckResult;
using msgpack_io::Reader;
using msgpack_io::Type;
using msgpack_io::ValueScan;
using msgpack_io::Writer;

// The first element of a message. On the wire: these never change.
constexpr uint64_t kRequestType = 0;
constexpr uint64_t kResponseType = 1;
constexpr uint64_t kNotificationType = 2;

enum class Step : uint8_t { kDone, kNeedMore, kWrong };

// Whether the next value is of the type, as far as it has come. kDone says so of the type alone.
Step ExpectType(const Reader& in, Type type) {
  if (in.AtEnd()) return Step::kNeedMore;
  return in.PeekType() == type ? Step::kDone : Step::kWrong;
}

Step TakeUint(Reader& in, uint64_t max, uint64_t* value) {
  const Step step = ExpectType(in, Type::kInt);
  if (step != Step::kDone) return step;
  if (in.ReadUint(value)) return *value <= max ? Step::kDone : Step::kWrong;
  int64_t negative;
  return in.ReadInt(&negative) ? Step::kWrong : Step::kNeedMore;
}

// What comes before the parts that ReadFrame and ReadResponseFrame tell apart.
struct MessageHead {
  uint32_t count = 0;
  uint64_t type = 0;
  uint64_t msgid = 0;  // requests and responses
};

Step TakeHead(Reader& in, MessageHead* head) {
  Step step = ExpectType(in, Type::kArray);
  if (step != Step::kDone) return step;
  if (!in.ReadArrayHeader(&head->count)) return Step::kNeedMore;
  if (head->count < 2) return Step::kWrong;
  step = TakeUint(in, kNotificationType, &head->type);
  if (step != Step::kDone) return step;
  if (head->type == kNotificationType) return head->count == 3 ? Step::kDone : Step::kWrong;
  return TakeUint(in, UINT32_MAX, &head->msgid);
}

// What a notification has between its type and the body of its params.
Step TakeMethod(Reader& in, std::string_view* method) {
  const Step step = ExpectType(in, Type::kStr);
  if (step != Step::kDone) return step;
  if (!in.ReadStr(method)) return Step::kNeedMore;
  return ExpectType(in, Type::kArray);
}

Frame Fatal(std::string message) {
  Frame frame;
  frame.result = FrameResult::kFatal;
  frame.error = Status(ErrorCode::kProtocolError, std::move(message));
  return frame;
}

Frame NotAMessage() {
  return Fatal(
      "not a message: must be a request [0, msgid, method, params] with a msgid of 0 to 4294967295 "
      "or a notification [2, method, params], method a str and params an array");
}

std::string TooDeepMessage(const RpcLimits& limits) {
  return "message: nesting must be at most " + std::to_string(limits.depth_max);
}

// What is wrong with a whole request after its msgid.
Status TakeRequest(Reader& in, uint32_t count, std::string_view* method) {
  if (count != 4) {
    return Status(
        ErrorCode::kBadParams,
        "request: must have 4 elements [0, msgid, method, params], not " + std::to_string(count));
  }
  if (!in.ReadStr(method)) return Status(ErrorCode::kBadParams, "method: must be a str");
  if (in.PeekType() != Type::kArray) {
    return Status(ErrorCode::kBadParams, "params: must be an array");
  }
  return Status::Ok();
}

}  // namespace

Frame ReadFrame(std::string_view bytes, const RpcLimits& limits, ValueScan* scan) {
  Reader in(bytes);
  MessageHead head;
  Step step = TakeHead(in, &head);
  if (step == Step::kWrong || head.type == kResponseType) return NotAMessage();

  ValueScan scan_here(limits.depth_max);
  if (scan == nullptr) scan = &scan_here;
  const CheckResult checked = scan->Advance(bytes, limits.message_bytes_max);
  if (checked == CheckResult::kMalformed)
    return Fatal("malformed: the byte 0xc1 is no MessagePack");
  if (checked == CheckResult::kTooLarge) {
    return Fatal("message: must be at most " + std::to_string(limits.message_bytes_max) + " bytes");
  }

  Frame frame;
  if (step == Step::kDone && head.type == kNotificationType) {
    if (scan->too_deep()) return Fatal(TooDeepMessage(limits));
    step = TakeMethod(in, &frame.method);
    if (step == Step::kWrong) return NotAMessage();
  }
  if (checked == CheckResult::kNeedMore) return Frame();

  frame.size = scan->size();
  frame.result = FrameResult::kNotification;
  if (head.type == kRequestType) {
    frame.msgid = static_cast<uint32_t>(head.msgid);
    frame.error = scan->too_deep() ? Status(ErrorCode::kTooLarge, TooDeepMessage(limits))
                                   : TakeRequest(in, head.count, &frame.method);
    frame.result = frame.error.ok() ? FrameResult::kRequest : FrameResult::kBadRequest;
  }
  // The last element, so it needs no second look to find its end.
  if (frame.error.ok()) frame.params = bytes.substr(in.position(), frame.size - in.position());
  return frame;
}

ResponseFrame ReadResponseFrame(std::string_view bytes, const RpcLimits& limits, ValueScan* scan) {
  ResponseFrame fatal;
  fatal.result = ResponseResult::kFatal;

  Reader in(bytes);
  MessageHead head;
  Step step = TakeHead(in, &head);
  if (step == Step::kWrong || (step == Step::kDone && head.type == kRequestType)) return fatal;
  if (step == Step::kDone && head.type == kResponseType && head.count != 4) return fatal;

  ValueScan scan_here;
  if (scan == nullptr) scan = &scan_here;
  const CheckResult checked = scan->Advance(bytes, limits.message_bytes_max);
  if (scan->too_deep()) return fatal;
  if (checked != CheckResult::kOk && checked != CheckResult::kNeedMore) return fatal;

  ResponseFrame frame;
  if (step == Step::kDone && head.type == kNotificationType) {
    step = TakeMethod(in, &frame.method);
    if (step == Step::kWrong) return fatal;
  }
  if (checked == CheckResult::kNeedMore) return ResponseFrame();

  frame.size = scan->size();
  frame.result = ResponseResult::kNotification;
  if (head.type == kResponseType) {
    if (!in.Skip(&frame.error)) return fatal;
    frame.msgid = static_cast<uint32_t>(head.msgid);
    frame.result = ResponseResult::kResponse;
  }
  frame.value = bytes.substr(in.position(), frame.size - in.position());
  return frame;
}

void BeginRequest(uint32_t msgid, std::string_view method, Writer* out) {
  out->ArrayHeader(4);
  out->Uint(kRequestType);
  out->Uint(msgid);
  out->Str(method);
}

void BeginResponse(uint32_t msgid, Writer* out) {
  out->ArrayHeader(4);
  out->Uint(kResponseType);
  out->Uint(msgid);
  out->Nil();
}

void WriteErrorResponse(uint32_t msgid, const Status& error, Writer* out) {
  WriteErrorResponse(msgid, error, {}, out);
}

void WriteErrorResponse(uint32_t msgid, const Status& error, std::string_view id_hex, Writer* out) {
  out->ArrayHeader(4);
  out->Uint(kResponseType);
  out->Uint(msgid);
  WriteErrorMap(error, id_hex, out);
  out->Nil();
}

void WriteErrorMap(const Status& error, std::string_view id_hex, Writer* out) {
  out->MapHeader(id_hex.empty() ? 2 : 3);
  out->Str("code");
  out->Str(ErrorCodeName(error.code()));
  out->Str("message");
  out->Str(error.message());
  if (!id_hex.empty()) {
    out->Str("id");
    out->Str(id_hex);
  }
}

void WriteProtocolError(std::string_view message, Writer* out) {
  out->ArrayHeader(3);
  out->Uint(kNotificationType);
  out->Str("error");
  out->ArrayHeader(1);
  WriteErrorMap(Status(ErrorCode::kProtocolError, std::string(message)), {}, out);
}

}  // namespace tokend
