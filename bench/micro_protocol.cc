// Bytes and messages: tokens' digests, a validate and a validate_many decoded, a verdict encoded,
// an insert_many decoded.
#include <benchmark/benchmark.h>
#include <openssl/evp.h>

#include <numeric>
#include <string>
#include <vector>

#include "bench/driver.h"
#include "bench/micro.h"
#include "bench/tokens.h"
#include "protocol/digest.h"
#include "protocol/params.h"
#include "protocol/rpc.h"
#include "server/answers.h"
#include "server/validate_frame.h"

namespace tokend::bench {
namespace {

const TokenSpace& Tokens() {
  static const TokenSpace tokens(1, 1'800'000'000'000);
  return tokens;
}

// --- digest ---

TokenKey ReferenceDigest(std::string_view token) {
  TokenKey key;
  unsigned size = 0;
  Require(
      EVP_Digest(token.data(), token.size(), key.bytes.data(), &size, EVP_sha256(), nullptr) == 1 &&
          size == kTokenKeyBytes,
      "OpenSSL's own SHA-256");
  return key;
}

void BmDigest(benchmark::State& state) {
  Digester digester;
  std::vector<std::string> tokens;
  for (uint64_t i = 0; i < 1024; ++i) tokens.push_back(Tokens().Token(i));
  size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(digester.Digest(DigestScheme::kSha256, tokens[i++ % tokens.size()]));
  }
}

void BmDigestPair(benchmark::State& state) {
  Digester digester;
  std::vector<std::string> tokens;
  for (uint64_t i = 0; i < 1024; ++i) tokens.push_back(Tokens().Token(i));
  size_t i = 0;
  for (auto _ : state) {
    TokenKey a, b;
    digester.Sha256Pair(tokens[i], tokens[i + 1], &a, &b);
    benchmark::DoNotOptimize(a);
    benchmark::DoNotOptimize(b);
    i = (i + 2) % tokens.size();
  }
  state.SetItemsProcessed(state.iterations() * 2);
}

void CheckDigest() {
  Digester digester;
  for (uint64_t i = 0; i < 1000; ++i) {
    const std::string token = Tokens().Token(i);
    const TokenKey reference = ReferenceDigest(token);
    Require(digester.Digest(DigestScheme::kSha256, token) == reference, "Digest");
    TokenKey a, b;
    digester.Sha256Pair(token, Tokens().Token(i + 1), &a, &b);
    Require(a == reference && b == ReferenceDigest(Tokens().Token(i + 1)), "Sha256Pair");
  }
}

// --- decoding a validate ---

// As many as one read brings in, one after the other.
std::string ValidateRequests(size_t count) {
  const std::unique_ptr<Driver> driver = MakeTokendDriver(&Tokens());
  Output output;
  for (uint32_t i = 0; i < count; ++i) driver->AppendRequest({.index = i}, i, &output);
  return std::string(output.view());
}

constexpr uint32_t kRequests = 64;

void BmDecodeValidateGeneral(benchmark::State& state) {
  const std::string bytes = ValidateRequests(kRequests);
  for (auto _ : state) {
    for (std::string_view rest = bytes; !rest.empty();) {
      const Frame frame = ReadFrame(rest, {});
      TokenParams params;
      benchmark::DoNotOptimize(DecodeToken(frame.params, &params).ok());
      rest.remove_prefix(frame.size);
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kRequests));
}

void BmDecodeValidateFast(benchmark::State& state) {
  const std::string bytes = ValidateRequests(kRequests);
  for (auto _ : state) {
    for (std::string_view rest = bytes; !rest.empty();) {
      ValidateFrame frame;
      rest.remove_prefix(ReadValidateFrame(rest, &frame));
      benchmark::DoNotOptimize(frame);
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kRequests));
}

void CheckDecodeValidate() {
  const std::string bytes = ValidateRequests(kRequests);
  std::string_view rest = bytes;
  for (uint32_t i = 0; i < kRequests; ++i) {
    const Frame frame = ReadFrame(rest, {});
    TokenParams params;
    Require(frame.result == FrameResult::kRequest && frame.msgid == i &&
                frame.method == "validate" && DecodeToken(frame.params, &params).ok() &&
                params.token.token.bytes() == Tokens().Token(i),
            "ReadFrame and DecodeToken");
    ValidateFrame fast;
    Require(ReadValidateFrame(rest, &fast) == frame.size && fast.msgid == i &&
                fast.token.token.bytes() == params.token.token.bytes() &&
                fast.has_namespace == (params.namespace_name != kDefaultNamespace),
            "ReadValidateFrame");
    rest.remove_prefix(frame.size);
  }
  Require(rest.empty(), "the end of the requests");
}

// --- decoding a validate_many ---

std::string ValidateManyRequest() {
  std::vector<uint64_t> indexes(kRequests);
  std::iota(indexes.begin(), indexes.end(), 0);
  Output output;
  MakeTokendDriver(&Tokens())->AppendRequest({.count = kRequests, .indexes = indexes.data()}, 1,
                                             &output);
  return std::string(output.view());
}

void BmDecodeValidateManyFast(benchmark::State& state) {
  const std::string bytes = ValidateManyRequest();
  ValidateManyFrame frame;
  for (auto _ : state) {
    benchmark::DoNotOptimize(ReadValidateManyFrame(bytes, &frame));
    benchmark::DoNotOptimize(frame);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kRequests));
}

void BmDecodeValidateManyGeneral(benchmark::State& state) {
  const std::string bytes = ValidateManyRequest();
  for (auto _ : state) {
    const Frame frame = ReadFrame(bytes, {});
    TokensParams params;
    benchmark::DoNotOptimize(DecodeTokens(frame.params, {}, &params).ok());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kRequests));
}

void CheckDecodeValidateMany() {
  const std::string bytes = ValidateManyRequest();
  const Frame frame = ReadFrame(bytes, {});
  TokensParams params;
  Require(frame.method == "validate_many" && frame.size == bytes.size() &&
              DecodeTokens(frame.params, {}, &params).ok() && params.tokens.size() == kRequests,
          "DecodeTokens");
  ValidateManyFrame fast;
  Require(ReadValidateManyFrame(bytes, &fast) == bytes.size() && fast.msgid == frame.msgid &&
              fast.tokens.size() == kRequests,
          "ReadValidateManyFrame");
  for (uint64_t i = 0; i < kRequests; ++i) {
    Require(params.tokens[i].token.bytes() == Tokens().Token(i), "a token of DecodeTokens");
    Require(fast.tokens[i] == Tokens().Token(i), "a token of ReadValidateManyFrame");
  }
}

// --- encoding a verdict ---

struct EncodedOwner {
  std::string bytes;
  Lookup lookup;
};

EncodedOwner ValidLookup(uint64_t index) {
  EncodedOwner valid;
  msgpack_io::Writer(&valid.bytes).Str(Tokens().Owner(index));
  valid.lookup.verdict = Verdict::kValid;
  valid.lookup.expires_at_ms = Tokens().ExpiresAtMs(index);
  valid.lookup.scopes_encoded = Tokens().ScopesEncoded(index);
  return valid;
}

void BmEncodeVerdict(benchmark::State& state) {
  EncodedOwner valid = ValidLookup(3);
  valid.lookup.owner_encoded = valid.bytes;
  std::string out;
  for (auto _ : state) {
    out.clear();
    msgpack_io::Writer writer(&out);
    BeginResponse(123456, &writer);
    WriteVerdict(valid.lookup, &writer);
    benchmark::DoNotOptimize(out.data());
  }
}

void BmEncodeShortAnswer(benchmark::State& state) {
  EncodedOwner valid = ValidLookup(3);
  valid.lookup.owner_encoded = valid.bytes;
  char out[kShortAnswerBytes];
  for (auto _ : state) {
    benchmark::DoNotOptimize(WriteShortAnswer(123456, valid.lookup, out));
    benchmark::ClobberMemory();
  }
}

void CheckEncodeVerdict() {
  EncodedOwner valid = ValidLookup(3);
  valid.lookup.owner_encoded = valid.bytes;
  // The generator's driver judges it, as it does a server's.
  Window window(1);
  window.Next()->index = 3;
  const uint32_t number = window.OpenNext();
  std::string out;
  msgpack_io::Writer writer(&out);
  BeginResponse(number, &writer);
  WriteVerdict(valid.lookup, &writer);
  const Answer answer = MakeTokendDriver(&Tokens())->Take(out, &window);
  Require(answer.result == Answer::Result::kRight && answer.size == out.size(), "WriteVerdict");
  char short_answer[kShortAnswerBytes];
  Require(HasShortAnswer(valid.lookup), "HasShortAnswer");
  const char* end = WriteShortAnswer(number, valid.lookup, short_answer);
  Require(std::string_view(short_answer, static_cast<size_t>(end - short_answer)) == out,
          "WriteShortAnswer");
}

// --- decoding an insert_many ---

constexpr uint32_t kInserts = 500;

std::string InsertManyRequest() {
  std::vector<uint64_t> indexes(kInserts);
  std::iota(indexes.begin(), indexes.end(), 0);
  Output output;
  MakeTokendDriver(&Tokens())->AppendRequest(
      {.kind = OperationKind::kInsert, .count = kInserts, .indexes = indexes.data()}, 1, &output);
  return std::string(output.view());
}

void BmDecodeInsertMany(benchmark::State& state) {
  const std::string bytes = InsertManyRequest();
  std::vector<InsertElement> elements;
  for (auto _ : state) {
    elements.clear();
    const Frame frame = ReadFrame(bytes, {});
    benchmark::DoNotOptimize(DecodeInsertMany(frame.params, {}, &elements).ok());
  }
  state.SetItemsProcessed(state.iterations() * kInserts);
}

void CheckDecodeInsertMany() {
  const std::string bytes = InsertManyRequest();
  const Frame frame = ReadFrame(bytes, {});
  std::vector<InsertElement> elements;
  Require(DecodeInsertMany(frame.params, {}, &elements).ok() && elements.size() == kInserts,
          "DecodeInsertMany");
  for (uint64_t i = 0; i < kInserts; ++i) {
    Require(elements[i].status.ok() &&
                elements[i].insert.token.token.bytes() == Tokens().Token(i) &&
                elements[i].insert.owner == Tokens().Owner(i),
            "an element of DecodeInsertMany");
  }
}

}  // namespace

void RegisterBenchmarks(size_t /*tokens_max*/) {
  CheckDigest();
  CheckDecodeValidate();
  CheckDecodeValidateMany();
  CheckEncodeVerdict();
  CheckDecodeInsertMany();
  benchmark::RegisterBenchmark("Digest/43_bytes", BmDigest);
  benchmark::RegisterBenchmark("DigestPair/43_bytes", BmDigestPair);
  benchmark::RegisterBenchmark("DecodeValidate/general", BmDecodeValidateGeneral);
  benchmark::RegisterBenchmark("DecodeValidate/fast", BmDecodeValidateFast);
  benchmark::RegisterBenchmark("DecodeValidateMany/64_tokens/general", BmDecodeValidateManyGeneral);
  benchmark::RegisterBenchmark("DecodeValidateMany/64_tokens/fast", BmDecodeValidateManyFast);
  benchmark::RegisterBenchmark("EncodeVerdict/general", BmEncodeVerdict);
  benchmark::RegisterBenchmark("EncodeVerdict/short", BmEncodeShortAnswer);
  benchmark::RegisterBenchmark("DecodeInsertMany", BmDecodeInsertMany);
}

}  // namespace tokend::bench
