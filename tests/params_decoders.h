// Decodes the params of any method by its name, for the tests of the decoders.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/params.h"
#include "tests/encoded.h"

namespace tokend {

inline const std::string kId = testing::Str("00112233445566778899aabb");
inline const std::string kToken = testing::Str("t0ken");

inline RpcLimits Limits() {
  RpcLimits limits;
  limits.many_max = 3;
  return limits;
}

// Decodes and forgets: what a method says of its params. An element's own error stands for it.
inline Status Decode(const std::string& method, std::string_view params) {
  using Decoder = std::function<Status(std::string_view)>;
  static const std::map<std::string, Decoder> kDecoders = {
      {"hello",
       [](auto p) {
         HelloParams out;
         return DecodeHello(p, &out);
       }},
      {"validate",
       [](auto p) {
         TokenParams out;
         return DecodeToken(p, &out);
       }},
      {"validate_many",
       [](auto p) {
         TokensParams out;
         return DecodeTokens(p, Limits(), &out);
       }},
      {"insert",
       [](auto p) {
         InsertParams out;
         return DecodeInsert(p, &out);
       }},
      {"insert_many",
       [](auto p) {
         std::vector<InsertElement> out;
         Status status = DecodeInsertMany(p, Limits(), &out);
         for (const InsertElement& element : out) {
           if (status.ok()) status = element.status;
         }
         return status;
       }},
      {"issue",
       [](auto p) {
         InsertParams out;
         return DecodeIssue(p, &out);
       }},
      {"revoke",
       [](auto p) {
         TokenParams out;
         return DecodeToken(p, &out);
       }},
      {"revoke_id",
       [](auto p) {
         IdParams out;
         return DecodeRevokeId(p, &out);
       }},
      {"revoke_owner",
       [](auto p) {
         OwnerParams out;
         return DecodeRevokeOwner(p, &out);
       }},
      {"extend",
       [](auto p) {
         ExtendParams out;
         return DecodeExtend(p, &out);
       }},
      {"update",
       [](auto p) {
         UpdateParams out;
         return DecodeUpdate(p, &out);
       }},
      {"rotate",
       [](auto p) {
         RotateParams out;
         return DecodeRotate(p, &out);
       }},
      {"get",
       [](auto p) {
         GetParams out;
         return DecodeGet(p, &out);
       }},
      {"list",
       [](auto p) {
         ListParams out;
         return DecodeList(p, &out);
       }},
      {"count",
       [](auto p) {
         ListParams out;
         return DecodeCount(p, &out);
       }},
      {"reveal",
       [](auto p) {
         RevealParams out;
         return DecodeReveal(p, &out);
       }},
      {"rekey",
       [](auto p) {
         std::optional<std::string_view> out;
         return DecodeRekey(p, &out);
       }},
      {"purge_expired",
       [](auto p) {
         PurgeParams out;
         return DecodePurge(p, &out);
       }},
      {"import_begin",
       [](auto p) {
         ImportBeginParams out;
         return DecodeImportBegin(p, &out);
       }},
      {"import_rows",
       [](auto p) {
         ImportRowsParams out;
         Status status = DecodeImportRows(p, Limits(), &out);
         for (const ImportRowElement& row : out.rows) {
           if (status.ok()) status = row.status;
         }
         return status;
       }},
      {"import_end",
       [](auto p) {
         std::string_view id;
         return DecodeImportEnd(p, &id);
       }},
      {"stats", [](auto p) { return DecodeNoParams(p); }},
      {"ping", [](auto p) { return DecodeNoParams(p); }},
  };
  const testing::ExactBytes exact(params);
  return kDecoders.at(method)(exact.view());
}

inline void ExpectTaken(const std::string& method, const std::string& params) {
  const Status status = Decode(method, params);
  EXPECT_TRUE(status.ok()) << method << ": " << status.message();
}

inline void ExpectRefused(const std::string& method, const std::string& params,
                          const std::string& message) {
  const Status status = Decode(method, params);
  EXPECT_EQ(status.code(), ErrorCode::kBadParams) << method;
  EXPECT_EQ(status.message(), message) << method;
}

}  // namespace tokend
