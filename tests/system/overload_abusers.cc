#include "tests/system/overload_abusers.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "protocol/params.h"
#include "tests/encoded.h"

namespace tokend::testing {
namespace {

using Json = nlohmann::json;

// So many requests at a turn, and no more while so many are not answered.
constexpr uint32_t kFloodRequests = 32;
constexpr uint32_t kFloodMissingMax = 256;
constexpr size_t kUnsentMax = 64 << 10;
constexpr size_t kSlowReadBytes = 16 << 10;

std::string Ping() { return Arr({Int(0), Int(7), Str("ping"), Arr({})}); }
std::string Pong() { return Arr({Int(1), Int(7), Nil(), Str("pong")}); }
std::string FatRequest() { return Arr({Int(0), Int(7), Str("validate"), Arr({Str(kFatToken)})}); }

std::string EncodedFatScopes() {
  std::string bytes = Written([&](auto& out) { out.ArrayHeader(kScopesMax); });
  for (const std::string& scope : FatScopes()) bytes += Str(scope);
  return bytes;
}

const std::string& FatAnswer() {
  static const std::string answer =
      Arr({Int(1), Int(7), Nil(), Arr({Bool(true), Nil(), Nil(), EncodedFatScopes()})});
  return answer;
}

std::string Request(std::string_view method, const std::string& params) {
  return Arr({Int(0), Int(9), Str(method), params});
}

// A validate_many of exactly so many bytes.
std::string ManyOfBytes(size_t bytes) {
  const auto request = [](const std::vector<size_t>& sizes) {
    std::string tokens = Written([&](auto& out) { out.ArrayHeader(sizes.size()); });
    for (const size_t size : sizes) tokens += Bin(std::string(size, 't'));
    return Request("validate_many", Arr({tokens}));
  };
  std::vector<size_t> sizes(17, 1);  // at least: the header's form stays the same
  size_t size = request(sizes).size();
  // Each grows to the most that a token may have, and the last one by what is left.
  for (size_t i = 0; size < bytes; ++i) {
    if (i == sizes.size()) sizes.push_back(1);
    sizes[i] = 1;
    const size_t without = request(sizes).size();
    sizes[i] = std::min(bytes - without + 1, kTokenBytesMax);
    while (request(sizes).size() > bytes) --sizes[i];
    size = request(sizes).size();
  }
  return request(sizes);
}

// Whether `message` is the protocol error that ends a connection.
bool IsProtocolError(const Json& message) {
  return message.size() == 3 && message.at(0) == 2 && message.at(1) == "error" &&
         message.at(2).at(0).at("code") == "protocol_error" &&
         !message.at(2).at(0).at("message").get<std::string>().empty();
}

std::string CodeOf(std::string_view bytes) {
  const Json message = Json::from_msgpack(bytes.begin(), bytes.end());
  if (IsProtocolError(message)) return "protocol_error";
  if (message.size() != 4 || message.at(0) != 1 || message.at(1) != 9) return "no answer to it";
  return message.at(2).is_null() ? "ok" : message.at(2).at("code").get<std::string>();
}

}  // namespace

std::vector<std::string> FatScopes() {
  std::vector<std::string> scopes;
  for (size_t i = 0; i < kScopesMax; ++i) {
    scopes.push_back(std::string(kScopeBytesMax - 2, 's') + std::to_string(10 + i));
  }
  return scopes;
}

std::vector<HostileMessage> HostileMessages(const OverloadLimits& limits) {
  std::vector<HostileMessage> messages;
  const auto add = [&](std::string name, std::string bytes, std::string code) {
    messages.push_back({std::move(name), std::move(bytes), std::move(code)});
  };
  const auto insert = [&](std::string_view key, const std::string& value) {
    return Request("insert", Arr({Map({{"token", Str("never stored")}, {key, value}})}));
  };
  const std::string fatal = "protocol_error";

  add("another protocol", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", fatal);
  add("the byte that is no value", Hex("c1"), fatal);
  add("the same inside", Hex("94 00 01 a4 70696e67 91 c1"), fatal);
  add("none of the forms", Arr({Int(5)}), fatal);
  add("a msgid of 33 bits", Hex("94 00 cf 0000000100000000 a4 70696e67 90"), fatal);

  add("an array of 2^32-1", Hex("dd ffffffff 00"), fatal);
  add("a map of 2^32-1", Hex("94 00 09 a4 70696e67 91 df ffffffff"), fatal);
  add("a str of 2 GiB", Hex("94 00 09 db 7fffffff"), fatal);
  add("an ext of 4 GiB", Hex("94 00 09 a4 70696e67 91 c9 ffffffff 01"), fatal);

  // The message itself is 1, params 2.
  const size_t nesting = limits.nesting_max;
  add("nesting at the limit", Request("ping", Nested(nesting - 1)), "bad_params");
  add("nesting past it", Request("ping", Nested(nesting)), "too_large");
  add("nesting of 100,000", Request("ping", Nested(100'000)), "too_large");
  add("a notification nested deep", Arr({Int(2), Str("ping"), Nested(nesting + 1)}), fatal);

  add("a message at the limit", ManyOfBytes(limits.message_bytes_max), "ok");
  add("a message past it", ManyOfBytes(limits.message_bytes_max + 1), fatal);
  const auto many = [](size_t count) {
    return Request("validate_many", Arr({ArrOf(static_cast<uint32_t>(count), Str("t"))}));
  };
  add("as many as may be", many(limits.many_max), "ok");
  add("one more", many(limits.many_max + 1), "too_large");

  const auto validate = [](size_t bytes) {
    return Request("validate", Arr({Str(std::string(bytes, 't'))}));
  };
  add("the longest token", validate(kTokenBytesMax), "ok");
  add("a longer one", validate(kTokenBytesMax + 1), "bad_params");
  add("no token", validate(0), "bad_params");
  add("an owner too long", insert("owner", Str(std::string(kTextBytesMax + 1, 'o'))), "bad_params");
  add("a name too long", insert("name", Str(std::string(kTextBytesMax + 1, 'n'))), "bad_params");
  add("a namespace too long", insert("namespace", Str(std::string(kNamespaceBytesMax + 1, 'n'))),
      "bad_params");
  add("too many scopes", insert("scopes", ArrOf(kScopesMax + 1, Str("s"))), "bad_params");
  add("a scope too long", insert("scopes", Arr({Str(std::string(kScopeBytesMax + 1, 's'))})),
      "bad_params");
  add("too many attributes",
      insert("attributes", Map({{"a", Bin(std::string(kAttributesBytesMax, 'a'))}})), "bad_params");
  add("an unknown key", insert("expire_at", Int(1)), "bad_params");
  add("a list too long", Request("list", Arr({Map({{"limit", Int(kListLimitMax + 1)}})})),
      "bad_params");
  add("an unknown method", Request("drop_everything", Arr({})), "unknown_method");
  add("an unknown namespace", Request("validate", Arr({Str("t"), Str("no such")})),
      "unknown_namespace");
  return messages;
}

// --- IdlePeer ---

void IdlePeer::Ask() { Send(Ping()); }

void IdlePeer::OnMessage(std::string_view message) {
  if (message != Pong()) Fail("an idle connection was told something else than pong");
  ++pongs_;
}

// --- SlowWriter ---

void SlowWriter::Act() {
  const std::string request = Ping();
  Send({&request[at_], 1});
  at_ = (at_ + 1) % request.size();
}

void SlowWriter::OnMessage(std::string_view message) {
  if (message != Pong()) Fail("a slow writer was told something else than pong");
  ++answered_;
}

void SlowWriter::OnClosed() { Fail("a slow writer was closed"); }

// --- EndlessWriter ---

void EndlessWriter::Act() {
  // A str of 64 KiB, of which a byte comes now and then.
  Send(has_begun_ ? std::string("t") : Hex("94 00 07 a8 76616c6964617465 91 da ffff"));
  has_begun_ = true;
}

void EndlessWriter::OnMessage(std::string_view message) {
  // Where all unfinished messages together are too much, that may be said.
  if (CodeOf(message) != "protocol_error") Fail("an endless writer was answered");
}

void EndlessWriter::OnClosed() {
  ++closed_;
  has_begun_ = false;
}

// --- NeverReader ---

void NeverReader::Act() {
  if (unsent() < kUnsentMax) Send(FatRequest());
}

// --- SlowReader ---

void SlowReader::Act() {
  if (asks_ && unsent() < kUnsentMax) {
    Send(FatRequest());
    ++asked_;
  }
  ReadSome(kSlowReadBytes);
}

void SlowReader::OnMessage(std::string_view message) {
  if (message != FatAnswer()) Fail("a slow reader got a wrong answer");
  ++answered_;
}

void SlowReader::OnClosed() { Fail("a slow reader was closed"); }

// --- Flooder ---

void Flooder::Act() {
  if (missing_ > kFloodMissingMax) return;
  std::string bytes;
  for (uint32_t i = 0; i < kFloodRequests; ++i) {
    const std::string token = "nobody's " + std::to_string(number_) + "-" + std::to_string(next_++);
    bytes += Arr({Int(0), Int(7), Str("validate"), Arr({Str(token)})});
  }
  missing_ += kFloodRequests;
  Send(bytes);
}

void Flooder::OnMessage(std::string_view message) {
  static const std::string unknown =
      Arr({Int(1), Int(7), Nil(), Arr({Bool(false), Str("unknown")})});
  if (message != unknown) Fail("a flooder was told something else than unknown");
  --missing_;
  ++answered_;
}

void Flooder::OnClosed() { Fail("a flooder was closed"); }

// --- HostilePeer ---

void HostilePeer::Act() {
  if (waits_for_ != nullptr) return;
  waits_for_ = &messages_[next_++ % messages_.size()];
  was_told_ = false;
  Send(waits_for_->bytes);
}

void HostilePeer::OnMessage(std::string_view message) {
  if (waits_for_ == nullptr || was_told_) {
    Fail("a hostile peer was told more than it is owed");
    return;
  }
  const std::string code = CodeOf(message);
  if (code != waits_for_->code) {
    Fail(waits_for_->name + ": " + code + ", and should be " + waits_for_->code);
  }
  ++told_;
  was_told_ = true;
  // One that ends the connection is over when it has ended.
  if (waits_for_->code != "protocol_error") waits_for_ = nullptr;
}

void HostilePeer::OnClosed() {
  if (waits_for_ == nullptr || waits_for_->code != "protocol_error" || !was_told_) {
    Fail((waits_for_ == nullptr ? "between messages" : waits_for_->name) +
         ": closed without a word");
  }
  waits_for_ = nullptr;
}

}  // namespace tokend::testing
