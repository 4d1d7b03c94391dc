#include "client/answers.h"

#include "protocol/msgpack.h"

namespace tokend::client {

namespace {

using msgpack_io::Reader;
using msgpack_io::Type;

Error BadAnswer(std::string_view wanted) {
  return {Error::Source::kTransport, "bad_answer",
          "the server's answer should be " + std::string(wanted), ""};
}

// The readers below take one value and say whether it was of the type; `Or nil` ones leave an empty
// value for nil.

bool Read(Reader& reader, std::string* out) {
  std::string_view text;
  if (!reader.ReadStr(&text)) return false;
  *out = text;
  return true;
}

bool Read(Reader& reader, uint64_t* out) { return reader.ReadUint(out); }

template <class T>
bool ReadOrNil(Reader& reader, std::optional<T>* out) {
  if (reader.ReadNil()) {
    out->reset();
    return true;
  }
  return Read(reader, &out->emplace());
}

bool ReadOrNil(Reader& reader, std::string* out) { return reader.ReadNil() || Read(reader, out); }
bool ReadOrNil(Reader& reader, uint64_t* out) { return reader.ReadNil() || Read(reader, out); }

bool ReadOrNil(Reader& reader, std::vector<std::string>* out) {
  if (reader.ReadNil()) return true;
  uint32_t count = 0;
  if (!reader.ReadArrayHeader(&count)) return false;
  for (uint32_t i = 0; i < count; ++i) {
    if (!Read(reader, &out->emplace_back())) return false;
  }
  return true;
}

// A value that is kept encoded; nil is none.
bool ReadEncoded(Reader& reader, std::string* out) {
  std::string_view encoded;
  if (reader.ReadNil()) return true;
  if (!reader.Skip(&encoded)) return false;
  *out = encoded;
  return true;
}

// Calls field(key, reader) for each entry of a map; the field reads the value, or answers nullopt
// for a key that it does not know.
template <class Field>
bool ReadMap(Reader& reader, Field field) {
  uint32_t count = 0;
  if (!reader.ReadMapHeader(&count)) return false;
  for (uint32_t i = 0; i < count; ++i) {
    std::string_view key;
    if (!reader.ReadStr(&key)) return false;
    std::optional<bool> read = field(key);
    if (!read.has_value()) read = reader.Skip();
    if (!*read) return false;
  }
  return true;
}

bool ReadVerdict(Reader& reader, Verdict* out) {
  uint32_t count = 0;
  if (!reader.ReadArrayHeader(&count) || count == 0) return false;
  bool valid = false;
  uint32_t taken = 2;
  if (reader.ReadNil()) {
    out->kind = Verdict::Kind::kCannotSay;
    if (count < taken || !Read(reader, &out->reason)) return false;
  } else if (!reader.ReadBool(&valid)) {
    return false;
  } else if (!valid) {
    out->kind = Verdict::Kind::kInvalid;
    if (count < taken || !Read(reader, &out->reason)) return false;
  } else {
    out->kind = Verdict::Kind::kValid;
    taken = 4;
    if (count < taken || !ReadOrNil(reader, &out->expires_at_ms) ||
        !ReadOrNil(reader, &out->owner) || !ReadOrNil(reader, &out->scopes)) {
      return false;
    }
  }
  for (uint32_t i = taken; i < count; ++i) {
    if (!reader.Skip()) return false;
  }
  return true;
}

bool ReadIssued(Reader& reader, IssuedToken* out) {
  bool complete = ReadMap(reader, [&](std::string_view key) -> std::optional<bool> {
    if (key == "id") return Read(reader, &out->id);
    if (key == "token") return Read(reader, &out->token);
    if (key == "expires_at") return ReadOrNil(reader, &out->expires_at_ms);
    return std::nullopt;
  });
  return complete && !out->id.empty() && !out->token.empty();
}

// A token need not be UTF-8, and is bin then.
bool ReadToken(Reader& reader, std::string* out) {
  std::string_view token;
  if (!reader.ReadStr(&token) && !reader.ReadBin(&token)) return false;
  *out = token;
  return true;
}

bool ReadRevealed(Reader& reader, RevealedToken* out) {
  bool complete = ReadMap(reader, [&](std::string_view key) -> std::optional<bool> {
    if (key == "id") return Read(reader, &out->id);
    if (key == "token") return ReadToken(reader, &out->token);
    if (key == "expires_at") return ReadOrNil(reader, &out->expires_at_ms);
    if (key == "key_id") return Read(reader, &out->key_id);
    return std::nullopt;
  });
  return complete && !out->id.empty() && !out->token.empty();
}

bool ReadRecord(Reader& reader, TokenInfo* out) {
  bool complete = ReadMap(reader, [&](std::string_view key) -> std::optional<bool> {
    if (key == "id") return Read(reader, &out->id);
    if (key == "source_id") return ReadOrNil(reader, &out->source_id);
    if (key == "namespace") return Read(reader, &out->namespace_name);
    if (key == "owner") return ReadOrNil(reader, &out->owner);
    if (key == "name") return ReadOrNil(reader, &out->name);
    if (key == "scopes") return ReadOrNil(reader, &out->scopes);
    if (key == "created_at") return ReadOrNil(reader, &out->created_at_ms);
    if (key == "updated_at") return ReadOrNil(reader, &out->updated_at_ms);
    if (key == "expires_at") return ReadOrNil(reader, &out->expires_at_ms);
    if (key == "last_used_at") return ReadOrNil(reader, &out->last_used_at_ms);
    if (key == "use_count") return ReadOrNil(reader, &out->use_count);
    if (key == "state") return Read(reader, &out->state);
    if (key == "generation") return ReadOrNil(reader, &out->generation);
    if (key == "attributes") return ReadEncoded(reader, &out->attributes);
    return std::nullopt;
  });
  return complete && !out->id.empty() && !out->state.empty();
}

// The frame of every decoder: errors go through, `read` fills a T from a reader over the result.
template <class T, class ReadFn>
Result<T> DecodeAs(const Result<std::string>& answer, std::string_view wanted, ReadFn read) {
  if (!answer) return answer.error();
  Reader reader(*answer);
  T value{};
  if (!read(reader, &value)) return BadAnswer(wanted);
  return value;
}

}  // namespace

Result<Done> DecodeDone(const Result<std::string>& answer) {
  if (!answer) return answer.error();
  return Done();
}

Result<bool> DecodeBool(const Result<std::string>& answer) {
  return DecodeAs<bool>(answer, "true or false",
                        [](Reader& reader, bool* out) { return reader.ReadBool(out); });
}

Result<uint64_t> DecodeUint(const Result<std::string>& answer) {
  return DecodeAs<uint64_t>(answer, "a number",
                            [](Reader& reader, uint64_t* out) { return Read(reader, out); });
}

Result<std::string> DecodeStr(const Result<std::string>& answer) {
  return DecodeAs<std::string>(answer, "a string",
                               [](Reader& reader, std::string* out) { return Read(reader, out); });
}

Result<Verdict> DecodeVerdict(const Result<std::string>& answer) {
  if (!answer && answer.error().source == Error::Source::kServer &&
      answer.error().code == "unavailable") {
    Verdict verdict;
    verdict.reason = "unavailable";
    return verdict;
  }
  return DecodeAs<Verdict>(answer, "a verdict", ReadVerdict);
}

Result<std::vector<Verdict>> DecodeVerdicts(const Result<std::string>& answer) {
  return DecodeAs<std::vector<Verdict>>(answer, "an array of verdicts",
                                        [](Reader& reader, std::vector<Verdict>* out) {
                                          uint32_t count = 0;
                                          if (!reader.ReadArrayHeader(&count)) return false;
                                          for (uint32_t i = 0; i < count; ++i) {
                                            if (!ReadVerdict(reader, &out->emplace_back()))
                                              return false;
                                          }
                                          return true;
                                        });
}

Result<std::vector<InsertOutcome>> DecodeInsertOutcomes(const Result<std::string>& answer) {
  return DecodeAs<std::vector<InsertOutcome>>(
      answer, "an array of ids and errors", [](Reader& reader, std::vector<InsertOutcome>* out) {
        uint32_t count = 0;
        if (!reader.ReadArrayHeader(&count)) return false;
        for (uint32_t i = 0; i < count; ++i) {
          InsertOutcome& outcome = out->emplace_back();
          if (Read(reader, &outcome.id)) continue;
          std::string_view encoded;
          if (reader.PeekType() != Type::kMap || !reader.Skip(&encoded)) return false;
          outcome.error = DecodeError(encoded);
        }
        return true;
      });
}

Result<IssuedToken> DecodeIssued(const Result<std::string>& answer) {
  return DecodeAs<IssuedToken>(answer, "{id, token, expires_at}", ReadIssued);
}

Result<std::optional<RevealedToken>> DecodeRevealed(const Result<std::string>& answer) {
  return DecodeAs<std::optional<RevealedToken>>(
      answer, "{id, token, expires_at, key_id} or nil",
      [](Reader& reader, std::optional<RevealedToken>* out) {
        return reader.ReadNil() || ReadRevealed(reader, &out->emplace());
      });
}

Result<RekeyTotals> DecodeRekeyTotals(const Result<std::string>& answer) {
  return DecodeAs<RekeyTotals>(
      answer, "{resealed, unopened}", [](Reader& reader, RekeyTotals* out) {
        return ReadMap(reader, [&](std::string_view key) -> std::optional<bool> {
          if (key == "resealed") return Read(reader, &out->resealed);
          if (key == "unopened") return Read(reader, &out->unopened);
          return std::nullopt;
        });
      });
}

Result<std::optional<TokenInfo>> DecodeRecord(const Result<std::string>& answer) {
  return DecodeAs<std::optional<TokenInfo>>(
      answer, "a record or nil", [](Reader& reader, std::optional<TokenInfo>* out) {
        return reader.ReadNil() || ReadRecord(reader, &out->emplace());
      });
}

Result<TokenPage> DecodePage(const Result<std::string>& answer) {
  return DecodeAs<TokenPage>(answer, "{items, cursor}", [](Reader& reader, TokenPage* out) {
    return ReadMap(reader, [&](std::string_view key) -> std::optional<bool> {
      if (key == "cursor") return ReadOrNil(reader, &out->cursor);
      if (key != "items") return std::nullopt;
      uint32_t count = 0;
      if (!reader.ReadArrayHeader(&count)) return false;
      for (uint32_t i = 0; i < count; ++i) {
        if (!ReadRecord(reader, &out->items.emplace_back())) return false;
      }
      return true;
    });
  });
}

Result<ImportTotals> DecodeImportTotals(const Result<std::string>& answer) {
  return DecodeAs<ImportTotals>(
      answer, "{taken, replaced, unchanged, refused}", [](Reader& reader, ImportTotals* out) {
        return ReadMap(reader, [&](std::string_view key) -> std::optional<bool> {
          if (key == "taken") return Read(reader, &out->taken);
          if (key == "replaced") return Read(reader, &out->replaced);
          if (key == "unchanged") return Read(reader, &out->unchanged);
          if (key == "refused") return Read(reader, &out->refused);
          return std::nullopt;
        });
      });
}

Result<ServerInfo> DecodeServerInfo(const Result<std::string>& answer) {
  return DecodeAs<ServerInfo>(
      answer, "{server, version, protocol, limits}", [](Reader& reader, ServerInfo* out) {
        return ReadMap(reader, [&](std::string_view key) -> std::optional<bool> {
          if (key == "server") return Read(reader, &out->server);
          if (key == "version") return Read(reader, &out->version);
          if (key == "protocol") return Read(reader, &out->protocol);
          if (key == "limits") return ReadEncoded(reader, &out->limits);
          return std::nullopt;
        });
      });
}

Result<BackupInfo> DecodeBackupInfo(const Result<std::string>& answer) {
  return DecodeAs<BackupInfo>(
      answer, "{id, bytes, directory}", [](Reader& reader, BackupInfo* out) {
        return ReadMap(reader, [&](std::string_view key) -> std::optional<bool> {
          if (key == "id") return Read(reader, &out->id);
          if (key == "bytes") return Read(reader, &out->bytes);
          if (key == "directory") return Read(reader, &out->directory);
          return std::nullopt;
        });
      });
}

Result<ServerStats> DecodeStats(const Result<std::string>& answer) {
  Result<ServerStats> stats =
      DecodeAs<ServerStats>(answer, "a map with a state", [](Reader& reader, ServerStats* out) {
        bool complete = ReadMap(reader, [&](std::string_view key) -> std::optional<bool> {
          if (key == "state") return Read(reader, &out->state);
          return std::nullopt;
        });
        return complete && !out->state.empty();
      });
  if (stats) stats->encoded = *answer;
  return stats;
}

Error DecodeError(std::string_view encoded) {
  Error error{Error::Source::kServer, "internal", "", ""};
  Reader reader(encoded);
  if (Read(reader, &error.message)) return error;
  bool is_map = ReadMap(reader, [&](std::string_view key) -> std::optional<bool> {
    if (key == "code") return Read(reader, &error.code);
    if (key == "message") return Read(reader, &error.message);
    if (key == "id") return Read(reader, &error.id);
    return std::nullopt;
  });
  if (!is_map) error.message = "an error of no known shape";
  return error;
}

}  // namespace tokend::client
