// Where tokenctl takes tokens from, and that it does not show them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/tokenctl_fixture.h"

namespace tokend::tokenctl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class TokenSources : public TokenctlTest {
 protected:
  TokenSources() { Answers("validate", {Valid()}); }
  ~TokenSources() override { std::filesystem::remove(path_); }

  std::string WithFile(const std::string& content) {
    std::ofstream(path_, std::ios::binary) << content;
    return path_;
  }
  void ExpectAsked(const std::vector<std::string>& tokens) {
    std::vector<std::string> expected;
    for (const std::string& token : tokens) expected.push_back("validate [" + AsBin(token) + "]");
    EXPECT_EQ(asked_, expected);
    for (const std::string& token : tokens) {
      EXPECT_THAT(out() + err(), Not(HasSubstr(token)));
    }
  }

 private:
  std::string path_ = ::testing::TempDir() + "tokenctl-tokens-" + std::to_string(getpid());
};

TEST_F(TokenSources, Argument) {
  EXPECT_EQ(Run({"validate", kSecret}), kExitOk);
  ExpectAsked({kSecret});
  // Taken as they are, whatever they look like.
  for (const char* token : {"[a,b]", "{}", "a b", "%%", "'q'", "validate"}) {
    EXPECT_EQ(Run({"validate", token}), kExitOk) << err();
    EXPECT_THAT(asked_, ElementsAre(std::string("validate [") + AsBin(token) + "]"));
  }
  EXPECT_EQ(Run({"validate", "--", "-begins-with-a-dash"}), kExitOk) << err();
  ExpectAsked({"-begins-with-a-dash"});
}

TEST_F(TokenSources, AnArgumentTooManyIsNotShown) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"validate", "a", kSecret},
        std::vector<std::string>{"validate", std::string("-") + kSecret},
        std::vector<std::string>{"validate", std::string("--") + kSecret},
        std::vector<std::string>{kSecret, "validate"}, std::vector<std::string>{"list", kSecret}}) {
    EXPECT_EQ(Run(arguments), kExitUsage);
    if (arguments.front() == kSecret) continue;  // in the place of a command: told as one
    EXPECT_THAT(out() + err(), Not(HasSubstr(kSecret)));
  }
}

TEST_F(TokenSources, StandardInput) {
  in_.str(std::string(kSecret) + "\n");
  EXPECT_EQ(Run({"validate", "-"}), kExitOk);
  ExpectAsked({kSecret});
  in_.clear();
  in_.str(kSecret);  // no newline, no argument, no terminal
  EXPECT_EQ(Run({"validate"}), kExitOk);
  ExpectAsked({kSecret});
  in_.clear();
  in_.str("");
  EXPECT_EQ(Run({"validate"}), kExitUsage);
  EXPECT_THAT(err(), HasSubstr("no token was given"));
}

TEST_F(TokenSources, File) {
  // Only line ends go, nothing else is trimmed.
  std::string path = WithFile(
      "one\n\n two \r\nthr\xff"
      "ee");
  EXPECT_EQ(Run({"validate", "--token-file", path}), kExitOk);
  ExpectAsked({"one", " two ",
               "thr\xff"
               "ee"});
  in_.str("from-input\n");
  EXPECT_EQ(Run({"validate", "--token-file", "-", "--token-file", path}), kExitOk);
  ExpectAsked({"from-input", "one", " two ",
               "thr\xff"
               "ee"});
}

TEST_F(TokenSources, Prompt) {
  environment_.in_is_terminal = true;
  typed_ = kSecret;
  EXPECT_EQ(Run({"validate"}), kExitOk);
  ExpectAsked({kSecret});
  EXPECT_EQ(questions_, 1);
  typed_ = "";
  EXPECT_EQ(Run({"validate"}), kExitUsage);
  EXPECT_THAT(err(), HasSubstr("no token was given"));
}

TEST_F(TokenSources, Key) {
  std::string hex = std::string(62, '0') + "Ff";
  EXPECT_EQ(Run({"validate", "--key", hex}), kExitOk);
  EXPECT_THAT(asked_,
              ElementsAre("validate [{\"ext\":1,\"hex\":\"" + std::string(62, '0') + "ff\"}]"));
}

TEST_F(TokenSources, OneWhereOneIsNeeded) {
  std::string path = WithFile("one\ntwo\n");
  EXPECT_EQ(Run({"rotate", "--token-file", path}), kExitUsage);
  EXPECT_THAT(err(), HasSubstr("one token is needed, 2 were given"));
}

}  // namespace
}  // namespace tokend::tokenctl
