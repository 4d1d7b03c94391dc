#include "protocol/sealer.h"

#include <gtest/gtest.h>

#include <string>

#include "protocol/digest.h"

namespace tokend {
namespace {

// 00 01 02 ... 1f
const std::string kKey = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const std::string kOtherKey = "ff" + kKey.substr(2);
const std::string kToken = "tk_a-token-to-be-sealed";
// Of kToken by kKey for namespace "pm", made with Python's cryptography.
const std::string kSealedHex =
    "01601f6dbc4b91b946404142434445464748494a4b96d2f1420b48e868a8aa3a42f449713e54"
    "b5373ddb506b1824cbde870435086bf254038cf0e004";

std::shared_ptr<const Sealer> Make(const std::string& text) {
  std::shared_ptr<const Sealer> sealer;
  const Status status = Sealer::Make(SecretView(text), &sealer);
  EXPECT_TRUE(status.ok()) << status.message();
  return sealer;
}

TokenKey KeyOf(const std::string& token) { return Digester().Sha256(token); }

std::string Seal(const Sealer& sealer, const std::string& token) {
  std::string sealed;
  EXPECT_TRUE(sealer.Seal("pm", KeyOf(token), SecretView(token), &sealed).ok());
  return sealed;
}

std::string FromHex(const std::string& hex) {
  std::string bytes;
  for (size_t i = 0; i < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

TEST(SealerTest, OpensWhatAnotherImplementationHasSealed) {
  const auto sealer = Make(kKey);
  Secret token;
  ASSERT_TRUE(sealer->Open("pm", KeyOf(kToken), FromHex(kSealedHex), &token).ok());
  EXPECT_EQ(token.bytes(), kToken);
  EXPECT_EQ(ToHex(sealer->current()), kSealedHex.substr(2, 16));
}

TEST(SealerTest, OpensWhatItHasSealedAndSealsNoTwoAlike) {
  const auto sealer = Make(kKey + "\n");
  for (const std::string& token : {std::string("x"), kToken, std::string(kTokenBytesMax, 'z')}) {
    const std::string sealed = Seal(*sealer, token);
    EXPECT_NE(sealed, Seal(*sealer, token));
    Secret opened;
    ASSERT_TRUE(sealer->Open("pm", KeyOf(token), sealed, &opened).ok());
    EXPECT_EQ(opened.bytes(), token);
  }
}

TEST(SealerTest, AChangeOfAnyByteIsNoticed) {
  const auto sealer = Make(kKey);
  const std::string sealed = FromHex(kSealedHex);
  Secret token;
  for (size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    const Status status = sealer->Open("pm", KeyOf(kToken), changed, &token);
    // Of the key's id: it is that of another key.
    const bool is_id = i >= 1 && i <= kSealKeyIdBytes;
    EXPECT_EQ(status.code(), is_id ? ErrorCode::kUnavailable : ErrorCode::kInternal) << i;
    EXPECT_TRUE(token.empty());
    EXPECT_EQ(status.message().find(kToken), std::string::npos);
    EXPECT_FALSE(sealer->Open("pm", KeyOf(kToken), sealed.substr(0, i), &token).ok()) << i;
  }
}

TEST(SealerTest, OpensNothingInAnotherRecord) {
  const auto sealer = Make(kKey);
  const std::string sealed = Seal(*sealer, kToken);
  Secret token;
  EXPECT_EQ(sealer->Open("pm2", KeyOf(kToken), sealed, &token).code(), ErrorCode::kInternal);
  EXPECT_EQ(sealer->Open("pm", KeyOf("another"), sealed, &token).code(), ErrorCode::kInternal);
}

TEST(SealerTest, TheFirstKeySealsAndAllOpen) {
  const auto before = Make(kKey);
  const auto rotated = Make(kOtherKey + "\n" + kKey + "\n");
  const std::string old = Seal(*before, kToken);
  Secret token;
  ASSERT_TRUE(rotated->Open("pm", KeyOf(kToken), old, &token).ok());
  EXPECT_EQ(token.bytes(), kToken);
  EXPECT_EQ(SealKeyIdOf(old), before->current());
  EXPECT_TRUE(rotated->Has(before->current()));

  const std::string sealed = Seal(*rotated, kToken);
  EXPECT_EQ(SealKeyIdOf(sealed), rotated->current());
  EXPECT_FALSE(before->Has(rotated->current()));
  const Status status = before->Open("pm", KeyOf(kToken), sealed, &token);
  EXPECT_EQ(status.code(), ErrorCode::kUnavailable);
  EXPECT_NE(status.message().find(ToHex(rotated->current())), std::string::npos);
}

TEST(SealerTest, SealsAnewByTheFirstKey) {
  const auto rotated = Make(kOtherKey + "\n" + kKey);
  const std::string old = FromHex(kSealedHex);
  std::string sealed;
  Secret token;
  ASSERT_TRUE(rotated->Reseal("pm", KeyOf(kToken), old, &sealed).ok());
  EXPECT_EQ(SealKeyIdOf(sealed), rotated->current());
  ASSERT_TRUE(Make(kOtherKey)->Open("pm", KeyOf(kToken), sealed, &token).ok());
  EXPECT_EQ(token.bytes(), kToken);
  EXPECT_FALSE(Make(kOtherKey)->Reseal("pm", KeyOf(kToken), old, &sealed).ok());
}

TEST(SealerTest, AWrongKeyFileIsRefusedWithoutShowingIt) {
  for (const std::string& text :
       {std::string(), std::string("\n"), kKey.substr(1), kKey + "0", "g" + kKey.substr(1),
        "-1" + kKey.substr(2), kKey + "\r", kKey + "\n\n" + kOtherKey, kKey + "\n" + kKey}) {
    std::shared_ptr<const Sealer> sealer;
    const Status status = Sealer::Make(SecretView(text), &sealer);
    EXPECT_EQ(status.code(), ErrorCode::kBadParams) << text;
    EXPECT_EQ(sealer, nullptr);
    EXPECT_TRUE(status.message().starts_with("line ")) << status.message();
    EXPECT_EQ(status.message().find(kKey.substr(2, 20)), std::string::npos);
  }
}

}  // namespace
}  // namespace tokend
