// The drivers of tokend itself and of the floor server, which is asked the same.
#include <cstring>
#include <utility>

#include "bench/driver.h"
#include "bench/floor.h"
#include "protocol/digest.h"
#include "protocol/params.h"
#include "protocol/rpc.h"
#include "protocol/token.h"

namespace tokend::bench {
namespace {

// [0, msgid, "validate", [token]]: msgid in five bytes, so that every request has the same size.
constexpr std::string_view kValidateHead("\x94\x00\xce", 3);
constexpr std::string_view kValidateTail("\xa8validate\x91\xd9\x2b", 12);
static_assert(kValidateHead.size() == kFloorMsgidOffset);
static_assert(kValidateHead.size() + kFloorMsgidBytes + kValidateTail.size() + kTokenBytes ==
              kFloorRequestBytes);

void WriteBigEndian(uint32_t value, char* out) {
  value = __builtin_bswap32(value);
  std::memcpy(out, &value, sizeof value);
}

uint32_t ReadBigEndian(const char* bytes) {
  uint32_t value;
  std::memcpy(&value, bytes, sizeof value);
  return __builtin_bswap32(value);
}

void AppendValidate(const TokenSpace& tokens, uint64_t index, uint32_t msgid, Output* out) {
  char* at = out->Room(kFloorRequestBytes);
  std::memcpy(at, kValidateHead.data(), kValidateHead.size());
  at += kValidateHead.size();
  WriteBigEndian(msgid, at);
  at += kFloorMsgidBytes;
  std::memcpy(at, kValidateTail.data(), kValidateTail.size());
  at += kValidateTail.size();
  tokens.WriteToken(index, at);
  out->AdvanceTo(at + kTokenBytes);
}

// The msgid of an answer frame [1, msgid, ...], if it stands there whole. *size counts the bytes up
// to and with it.
bool PeekMsgid(std::string_view bytes, uint32_t* msgid, size_t* size) {
  if (bytes.size() < 8 || bytes[0] != '\x94' || bytes[1] != 1) return false;
  const auto first = static_cast<uint8_t>(bytes[2]);
  if (first < 0x80) {
    *msgid = first;
    *size = 3;
  } else if (first == 0xcc) {
    *msgid = static_cast<uint8_t>(bytes[3]);
    *size = 4;
  } else if (first == 0xcd) {
    *msgid = ReadBigEndian(bytes.data() + 3) >> 16;
    *size = 5;
  } else if (first == 0xce) {
    *msgid = ReadBigEndian(bytes.data() + 3);
    *size = 7;
  } else {
    return false;
  }
  return true;
}

// What precedes each token in a validate_many: a str of one length byte.
constexpr std::string_view kTokenHead("\xd9\x2b", 2);

class TokendDriver final : public Driver {
 public:
  TokendDriver(const TokenSpace* tokens, Expectation expectation)
      : tokens_(*tokens), expectation_(expectation) {}

  void AppendRequest(const Operation& operation, uint32_t number, Output* out) override {
    if (operation.kind == OperationKind::kValidate && operation.count == 1) {
      AppendValidate(tokens_, operation.index, number, out);
    } else if (operation.kind == OperationKind::kValidate) {
      AppendValidateMany(operation, number, out);
    } else if (operation.kind == OperationKind::kRevoke) {
      AppendRevoke(operation, number, out);
    } else {
      AppendInsert(operation, number, out);
    }
  }

  Answer Take(std::string_view bytes, Window* window) override {
    // The usual case: the right bytes, in the shortest encoding, or the front of them. Anything
    // else is decoded.
    uint32_t msgid = 0;
    size_t head_size = 0;
    if (PeekMsgid(bytes, &msgid, &head_size)) {
      Operation* operation = window->Find(msgid);
      if (operation != nullptr && operation->kind == OperationKind::kValidate) {
        WriteRightAnswer(*operation);
        const std::string_view given = bytes.substr(head_size, right_.size());
        if (given == right_) {
          window->Close(operation);
          return {Answer::Result::kRight, head_size + right_.size(), operation};
        }
        if (right_.starts_with(given)) return {};
      }
    }
    return Decode(bytes, window);
  }

  uint32_t insert_batch() const override { return 500; }
  size_t insert_depth() const override { return 8; }

 private:
  // What follows the msgid: nil for no error, then the result.
  void WriteRightAnswer(const Operation& operation) {
    right_.assign(1, '\xc0');
    if (operation.count > 1) msgpack_io::Writer(&right_).ArrayHeader(operation.count);
    for (uint32_t i = 0; i < operation.count; ++i) AppendRightVerdict(operation.IndexAt(i));
  }

  void AppendRightVerdict(uint64_t index) {
    if (index >= kNeverStored) {
      right_.append("\x92\xc2\xa7unknown", 10);
      return;
    }
    if (expectation_ == Expectation::kExpired) {
      right_.append(
          "\x92\xc2\xa7"
          "expired",
          10);
      return;
    }
    char head[12] = {'\x94', '\xc3', '\xcf'};
    const uint64_t expires_at_ms = __builtin_bswap64(tokens_.ExpiresAtMs(index));
    std::memcpy(head + 3, &expires_at_ms, sizeof expires_at_ms);
    const std::string_view owner = tokens_.Owner(index);
    head[11] = static_cast<char>(0xa0 | owner.size());
    right_.append(head, sizeof head);
    right_.append(owner);
    right_.append(tokens_.ScopesEncoded(index));
  }

  void AppendValidateMany(const Operation& operation, uint32_t msgid, Output* out) {
    encoded_.clear();
    msgpack_io::Writer writer(&encoded_);
    BeginRequest(msgid, "validate_many", &writer);
    writer.ArrayHeader(1);
    writer.ArrayHeader(operation.count);
    constexpr size_t kElementBytes = kTokenHead.size() + kTokenBytes;
    char* at = out->Room(encoded_.size() + operation.count * kElementBytes);
    at += encoded_.copy(at, encoded_.size());
    for (uint32_t i = 0; i < operation.count; ++i) {
      at += kTokenHead.copy(at, kTokenHead.size());
      tokens_.WriteToken(operation.IndexAt(i), at);
      at += kTokenBytes;
    }
    out->AdvanceTo(at);
  }

  void AppendRevoke(const Operation& operation, uint32_t msgid, Output* out) {
    char token[kTokenBytes];
    tokens_.WriteToken(operation.index, token);
    encoded_.clear();
    msgpack_io::Writer writer(&encoded_);
    BeginRequest(msgid, "revoke", &writer);
    Encode(TokenParams{.token = {.token = SecretView({token, kTokenBytes})}}, &writer);
    out->Append(encoded_);
  }

  void AppendInsert(const Operation& operation, uint32_t msgid, Output* out) {
    encoded_.clear();
    msgpack_io::Writer writer(&encoded_);
    token_texts_.resize(operation.count * kTokenBytes);
    inserts_.resize(operation.count);
    for (uint32_t i = 0; i < operation.count; ++i) {
      const uint64_t index = operation.IndexAt(i);
      char* text = token_texts_.data() + i * kTokenBytes;
      tokens_.WriteToken(index, text);
      InsertParams& insert = inserts_[i];
      insert.token.token = SecretView({text, kTokenBytes});
      insert.expires_at_ms = tokens_.ExpiresAtMs(index);
      insert.owner = tokens_.Owner(index);
      const std::vector<std::string>& scopes = tokens_.Scopes(index);
      insert.scopes.assign(scopes.begin(), scopes.end());
      insert.replace = operation.kind == OperationKind::kReplace;
    }
    if (operation.count == 1) {
      BeginRequest(msgid, "insert", &writer);
      Encode(inserts_[0], &writer);
    } else {
      BeginRequest(msgid, "insert_many", &writer);
      EncodeInsertMany(inserts_, &writer);
    }
    out->Append(encoded_);
  }

  Answer Decode(std::string_view bytes, Window* window) {
    const ResponseFrame frame = ReadResponseFrame(bytes, limits_);
    if (frame.result == ResponseResult::kNeedMore) return {};
    Operation* operation =
        frame.result == ResponseResult::kResponse ? window->Find(frame.msgid) : nullptr;
    if (operation == nullptr) return {Answer::Result::kBroken, 0, nullptr};
    window->Close(operation);
    const bool is_right =
        msgpack_io::Reader(frame.error).ReadNil() && IsRightResult(frame.value, *operation);
    return {is_right ? Answer::Result::kRight : Answer::Result::kWrong, frame.size, operation};
  }

  bool IsRightResult(std::string_view value, const Operation& operation) {
    msgpack_io::Reader reader(value);
    uint32_t count = 1;
    switch (operation.kind) {
      case OperationKind::kValidate:
        if (operation.count > 1 && !reader.ReadArrayHeader(&count)) return false;
        if (count != operation.count) return false;
        for (uint32_t i = 0; i < count; ++i) {
          if (!IsRightVerdict(&reader, operation.IndexAt(i))) return false;
        }
        return true;
      case OperationKind::kRevoke: {
        bool was_live = false;
        return reader.ReadBool(&was_live) && was_live;
      }
      case OperationKind::kInsert:
      case OperationKind::kReplace:
        return AreRightIds(&reader, operation);
    }
    return false;
  }

  bool IsRightVerdict(msgpack_io::Reader* reader, uint64_t index) const {
    uint32_t count = 0;
    bool is_valid = false;
    if (!reader->ReadArrayHeader(&count) || !reader->ReadBool(&is_valid)) return false;
    const bool is_stored = index < kNeverStored;
    if (is_valid != (is_stored && expectation_ == Expectation::kValid)) return false;
    if (!is_valid) {
      std::string_view reason;
      return count == 2 && reader->ReadStr(&reason) &&
             (reason == "unknown" || (is_stored && reason == "expired"));
    }
    uint64_t expires_at_ms = 0;
    std::string_view owner;
    uint32_t scope_count = 0;
    const std::vector<std::string>& scopes = tokens_.Scopes(index);
    if (count != 4 || !reader->ReadUint(&expires_at_ms) || !reader->ReadStr(&owner) ||
        !reader->ReadArrayHeader(&scope_count)) {
      return false;
    }
    if (expires_at_ms != tokens_.ExpiresAtMs(index) || owner != tokens_.Owner(index) ||
        scope_count != scopes.size()) {
      return false;
    }
    for (const std::string& scope : scopes) {
      std::string_view text;
      if (!reader->ReadStr(&text) || text != scope) return false;
    }
    return true;
  }

  bool AreRightIds(msgpack_io::Reader* reader, const Operation& operation) {
    uint32_t count = 1;
    if (operation.count > 1 && !reader->ReadArrayHeader(&count)) return false;
    if (count != operation.count) return false;
    char token[kTokenBytes];
    for (uint32_t i = 0; i < count; ++i) {
      tokens_.WriteToken(operation.IndexAt(i), token);
      const TokenKey key = digester_.Digest(DigestScheme::kSha256, {token, kTokenBytes});
      std::string_view id;
      if (!reader->ReadStr(&id) || id != ToHex(TokenId::Of(key))) return false;
    }
    return true;
  }

  const TokenSpace& tokens_;
  const Expectation expectation_;
  const RpcLimits limits_;
  Digester digester_;
  std::string right_;
  std::string encoded_;
  std::vector<char> token_texts_;
  std::vector<InsertParams> inserts_;
};

class FloorDriver final : public Driver {
 public:
  explicit FloorDriver(const TokenSpace* tokens) : tokens_(*tokens) {}

  void AppendRequest(const Operation& operation, uint32_t number, Output* out) override {
    AppendValidate(tokens_, operation.index, number, out);
  }

  Answer Take(std::string_view bytes, Window* window) override {
    if (bytes.size() < kFloorAnswerBytes) return {};
    Operation* operation = window->Find(ReadBigEndian(bytes.data() + kFloorMsgidOffset));
    if (operation == nullptr) return {Answer::Result::kBroken, 0, nullptr};
    window->Close(operation);
    constexpr size_t kTailOffset = kFloorMsgidOffset + kFloorMsgidBytes;
    const bool is_right = std::memcmp(bytes.data() + kTailOffset, kFloorAnswer + kTailOffset,
                                      kFloorAnswerBytes - kTailOffset) == 0;
    return {is_right ? Answer::Result::kRight : Answer::Result::kWrong, kFloorAnswerBytes,
            operation};
  }

  // It stores nothing.
  uint32_t insert_batch() const override { return 0; }
  size_t insert_depth() const override { return 0; }

 private:
  const TokenSpace& tokens_;
};

}  // namespace

std::unique_ptr<Driver> MakeTokendDriver(const TokenSpace* tokens, Expectation expectation) {
  return std::make_unique<TokendDriver>(tokens, expectation);
}
std::unique_ptr<Driver> MakeFloorDriver(const TokenSpace* tokens) {
  return std::make_unique<FloorDriver>(tokens);
}

}  // namespace tokend::bench
