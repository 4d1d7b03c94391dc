// The direct decoders take only what the general ones take, and with the same outcome.
#include "server/validate_frame.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "protocol/rpc.h"
#include "tests/encoded.h"

namespace tokend {
namespace {

using testing::Arr;
using testing::ArrOf;
using testing::Bin;
using testing::ExactBytes;
using testing::Ext;
using testing::Hex;
using testing::Nil;
using testing::Str;
using testing::Uint;

std::string Message(uint64_t msgid, const std::string& params) {
  return Arr({Uint(0), Uint(msgid), Str("validate"), params});
}

std::vector<std::string> CommonForms() {
  std::vector<std::string> forms;
  for (const uint64_t msgid :
       {0ull, 1ull, 127ull, 128ull, 255ull, 256ull, 65535ull, 65536ull, 4294967295ull}) {
    forms.push_back(Message(msgid, Arr({Str("token")})));
  }
  for (const size_t size : {1, 31, 32, 255, 256, 65535, 65536}) {
    forms.push_back(Message(7, Arr({Str(std::string(size, 't'))})));
    forms.push_back(Message(7, Arr({Bin(std::string(size, '\xff'))})));
  }
  forms.push_back(Message(7, Arr({Ext(1, std::string(32, 'k'))})));
  forms.push_back(Message(7, Arr({Str("token"), Str("default")})));
  forms.push_back(Message(7, Arr({Str("token"), Str(std::string(31, 'n'))})));
  forms.push_back(Message(7, Arr({Str("token"), Str(std::string(255, 'n'))})));
  forms.push_back(Message(7, Arr({Ext(1, std::string(32, '\x00')), Str("other")})));
  return forms;
}

std::string ManyMessage(uint64_t msgid, const std::string& params) {
  return Arr({Uint(0), Uint(msgid), Str("validate_many"), params});
}

std::vector<std::string> CommonFormsOfMany() {
  std::vector<std::string> forms;
  for (const uint64_t msgid : {0ull, 127ull, 128ull, 65535ull, 4294967295ull}) {
    forms.push_back(ManyMessage(msgid, Arr({Arr({Str("token")})})));
  }
  for (const size_t size : {1, 31, 32, 255}) {
    forms.push_back(ManyMessage(7, Arr({Arr({Str(std::string(size, 't')), Str("other")})})));
    forms.push_back(ManyMessage(7, Arr({Arr({Str("other"), Bin(std::string(size, '\xff'))})})));
  }
  for (const uint32_t count : {0, 1, 15, 16, 64, 256}) {
    const std::string tokens = ArrOf(count, Str("token"));
    forms.push_back(ManyMessage(7, Arr({tokens})));
    forms.push_back(ManyMessage(7, Arr({tokens, Str("default")})));
  }
  forms.push_back(ManyMessage(7, Arr({Arr({Str("token")}), Str(std::string(255, 'n'))})));
  return forms;
}

// Reads the message in the general way: its params, if it is a request of that method and size.
std::string_view ParamsOf(std::string_view bytes, std::string_view method, size_t size,
                          uint32_t msgid) {
  EXPECT_LE(size, bytes.size());
  const Frame frame = ReadFrame(bytes, RpcLimits());
  EXPECT_EQ(frame.result, FrameResult::kRequest);
  EXPECT_EQ(frame.size, size);
  EXPECT_EQ(frame.msgid, msgid);
  EXPECT_EQ(frame.method, method);
  return frame.params;
}

void ExpectAgreementOfMany(std::string_view bytes) {
  ValidateManyFrame direct;
  const size_t size = ReadValidateManyFrame(bytes, &direct);
  if (size == 0) return;
  TokensParams params;
  const Status status =
      DecodeTokens(ParamsOf(bytes, "validate_many", size, direct.msgid), RpcLimits(), &params);
  if (!status.ok()) {
    // Only a namespace that cannot exist.
    EXPECT_TRUE(status.message().starts_with("namespace")) << status.message();
    return;
  }
  EXPECT_EQ(params.namespace_name,
            direct.has_namespace ? direct.namespace_name : kDefaultNamespace);
  ASSERT_EQ(params.tokens.size(), direct.tokens.size());
  for (size_t i = 0; i < params.tokens.size(); ++i) {
    EXPECT_FALSE(params.tokens[i].is_key);
    EXPECT_EQ(params.tokens[i].token.bytes(), direct.tokens[i]);
  }
}

// If the direct decoder takes the bytes, the general one must, and to the same end.
void ExpectAgreement(std::string_view bytes) {
  ValidateFrame direct;
  const size_t size = ReadValidateFrame(bytes, &direct);
  if (size == 0) return;
  TokenParams params;
  const Status status = DecodeToken(ParamsOf(bytes, "validate", size, direct.msgid), &params);
  if (!status.ok()) {
    // Only a namespace that cannot exist.
    EXPECT_TRUE(status.message().starts_with("namespace")) << status.message();
    return;
  }
  EXPECT_EQ(params.namespace_name,
            direct.has_namespace ? direct.namespace_name : kDefaultNamespace);
  EXPECT_EQ(params.token.is_key, direct.token.is_key);
  if (direct.token.is_key) {
    EXPECT_EQ(params.token.key, direct.token.key);
  } else {
    EXPECT_EQ(params.token.token.bytes(), direct.token.token.bytes());
  }
}

TEST(ValidateFrameTest, TakesTheCommonForms) {
  for (const std::string& form : CommonForms()) {
    const ExactBytes bytes(form);
    ValidateFrame frame;
    EXPECT_EQ(ReadValidateFrame(bytes.view(), &frame), form.size());
    EXPECT_LE(form.size(), kValidateFrameBytesMax);
    ExpectAgreement(bytes.view());
  }
}

TEST(ValidateFrameTest, TakesTheCommonFormsOfMany) {
  ValidateManyFrame frame;  // one for all: what the last one left must not show
  for (const std::string& form : CommonFormsOfMany()) {
    const ExactBytes bytes(form);
    EXPECT_EQ(ReadValidateManyFrame(bytes.view(), &frame), form.size());
    ExpectAgreementOfMany(bytes.view());
  }
  const std::string largest = ManyMessage(
      UINT32_MAX, Arr({ArrOf(256, Str(std::string(255, 't'))), Str(std::string(255, 'n'))}));
  EXPECT_EQ(ReadValidateManyFrame(largest, &frame), largest.size());
  EXPECT_LE(largest.size(), kValidateFrameBytesMax);
}

TEST(ValidateFrameTest, LeavesWhatFollowsAlone) {
  const std::string first = Message(1, Arr({Str("one")}));
  ValidateFrame frame;
  EXPECT_EQ(ReadValidateFrame(first + first, &frame), first.size());
  const std::string many = ManyMessage(1, Arr({Arr({Str("one")})}));
  ValidateManyFrame many_frame;
  EXPECT_EQ(ReadValidateManyFrame(many + first, &many_frame), many.size());
}

TEST(ValidateFrameTest, TakesNothingThatIsCutAtAnyByte) {
  for (const std::string& form : CommonForms()) {
    const size_t step = form.size() > 1000 ? 997 : 1;
    for (size_t size = 0; size < form.size(); size += step) {
      const ExactBytes cut(std::string_view(form).substr(0, size));
      ValidateFrame frame;
      EXPECT_EQ(ReadValidateFrame(cut.view(), &frame), 0u) << "of " << form.size() << ": " << size;
    }
  }
  for (const std::string& form : CommonFormsOfMany()) {
    for (size_t size = 0; size < form.size(); ++size) {
      const ExactBytes cut(std::string_view(form).substr(0, size));
      ValidateManyFrame frame;
      EXPECT_EQ(ReadValidateManyFrame(cut.view(), &frame), 0u) << form.size() << ": " << size;
    }
  }
}

TEST(ValidateFrameTest, LeavesOtherFormsToTheGeneralDecoder) {
  const std::string other[] = {
      Arr({Uint(0), Uint(1), Str("validate_many"), Arr({Arr({Str("a")})})}),
      Arr({Uint(0), Uint(1), Str("revoke"), Arr({Str("token")})}),
      Arr({Uint(2), Str("validate"), Arr({Str("token")})}),
      Message(1, Arr({})),
      Message(1, Arr({Str("")})),
      Message(1, Arr({Str(std::string(65537, 't'))})),
      Message(1, Arr({Ext(2, std::string(32, 'k'))})),
      Message(1, Arr({Ext(1, std::string(31, 'k'))})),
      Message(1, Arr({Str("token"), Nil()})),
      Message(1, Arr({Str("token"), Str("ns"), Nil()})),
      Message(1, Arr({Uint(5)})),
      Hex("94 00 cf 0000000000000007 a8 76616c6964617465 91 a174"),  // a 64-bit msgid
      Hex("94 00 d0 07 a8 76616c6964617465 91 a174"),                // a signed one
      Hex("94 00 d0 87 a8 76616c6964617465 91 a174"),                // a negative one
  };
  for (const std::string& bytes : other) {
    ValidateFrame frame;
    EXPECT_EQ(ReadValidateFrame(bytes, &frame), 0u);
  }
  const std::string other_many[] = {
      Message(1, Arr({Str("a")})),
      Arr({Uint(2), Str("validate_many"), Arr({Arr({Str("a")})})}),
      ManyMessage(1, Arr({})),
      ManyMessage(1, Arr({Str("a")})),
      ManyMessage(1, Arr({Nil()})),
      ManyMessage(1, Arr({Arr({Str("")})})),
      ManyMessage(1, Arr({Arr({Str("a"), Uint(5)})})),
      ManyMessage(1, Arr({Arr({Str(std::string(256, 't'))})})),
      ManyMessage(1, Arr({Arr({Ext(1, std::string(32, 'k'))})})),
      ManyMessage(1, Arr({ArrOf(257, Str("a"))})),
      ManyMessage(1, Arr({Arr({Str("a")}), Nil()})),
      ManyMessage(1, Arr({Arr({Str("a")}), Str("ns"), Nil()})),
  };
  for (const std::string& bytes : other_many) {
    ValidateManyFrame frame;
    EXPECT_EQ(ReadValidateManyFrame(bytes, &frame), 0u);
  }
}

TEST(ValidateFrameTest, AgreesWithTheGeneralDecoderOnDamagedMessages) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  std::vector<std::string> forms = CommonForms();
  for (std::string& form : CommonFormsOfMany()) forms.push_back(std::move(form));
  std::erase_if(forms, [](const std::string& form) { return form.size() > 400; });
  for (int round = 0; round < 200'000; ++round) {
    std::string bytes = forms[random() % forms.size()];
    for (int changes = 1 + random() % 3; changes > 0; --changes) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    ExpectAgreement(ExactBytes(bytes).view());
    ExpectAgreementOfMany(ExactBytes(bytes).view());
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace tokend
