// The completion scripts: whether each shell takes them, and what they complete in bash and fish.
#include "client/tokenctl/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "client/tokenctl/app.h"

namespace tokend::tokenctl {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

class CompletionTest : public ::testing::Test {
 protected:
  CompletionTest() : app_(MakeApp(&context_)) { std::filesystem::create_directories(dir_); }
  ~CompletionTest() override { std::filesystem::remove_all(dir_); }

  std::string Write(const std::string& name, const std::string& content) {
    std::ofstream(dir_ / name) << content;
    return (dir_ / name).string();
  }

  // What a command line prints on standard output; adds a line if it fails.
  static std::string Output(const std::string& command) {
    std::string out;
    FILE* pipe = popen((command + " 2>&1").c_str(), "r");
    char bytes[4096];
    while (size_t got = fread(bytes, 1, sizeof bytes, pipe)) out.append(bytes, got);
    int status = pclose(pipe);
    if (status != 0) out += "exit status " + std::to_string(status) + "\n";
    return out;
  }
  static bool Has(const std::string& shell) {
    return std::system(("command -v " + shell + " > /dev/null 2>&1").c_str()) == 0;
  }
  static std::vector<std::string> Lines(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  }

  // What bash offers for the last of the words.
  std::vector<std::string> Bash(const std::string& words) {
    std::string script = Write("complete.bash", BashCompletion(*app_) + "COMP_WORDS=(" + words +
                                                    ")\n"
                                                    "COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n"
                                                    "_tokenctl\n"
                                                    "printf '%s\\n' \"${COMPREPLY[@]}\"\n");
    std::vector<std::string> lines = Lines(Output("cd " + dir_.string() + " && bash " + script));
    if (lines == std::vector<std::string>{""}) lines.clear();
    return lines;
  }

  Context context_;
  std::unique_ptr<CLI::App> app_;
  std::filesystem::path dir_ =
      std::filesystem::path(::testing::TempDir()) / ("completion-" + std::to_string(getpid()));
};

TEST_F(CompletionTest, ShellsTakeTheScripts) {
  EXPECT_EQ(Output("bash -n " + Write("a.bash", BashCompletion(*app_))), "");
  if (Has("zsh")) {
    EXPECT_EQ(Output("zsh -n " + Write("a.zsh", ZshCompletion(*app_))), "");
  }
  if (Has("fish")) {
    EXPECT_EQ(Output("fish -n " + Write("a.fish", FishCompletion(*app_))), "");
  }
}

TEST_F(CompletionTest, BashCompletesCommands) {
  EXPECT_THAT(Bash("tokenctl re"), UnorderedElementsAre("revoke", "restore", "reveal", "rekey"));
  EXPECT_THAT(Bash("tokenctl ''"), IsSupersetOf({"validate", "import", "clock", "completion"}));
  EXPECT_THAT(Bash("tokenctl clock ''"), Contains("accept"));
  EXPECT_THAT(Bash("tokenctl completion ''"), IsSupersetOf({"bash", "zsh", "fish"}));
}

TEST_F(CompletionTest, BashCompletesOptionsOfTheCommand) {
  EXPECT_THAT(Bash("tokenctl list --ex"),
              UnorderedElementsAre("--expires-after", "--expires-before", "--expires-within"));
  EXPECT_THAT(Bash("tokenctl --server x:1 count --ow"), ElementsAre("--owner"));
  // Those that every command takes.
  EXPECT_THAT(Bash("tokenctl clock accept --js"), ElementsAre("--json"));
  EXPECT_THAT(Bash("tokenctl ping --o"), ElementsAre());
  // A value is not mistaken for a command.
  EXPECT_THAT(Bash("tokenctl list --owner import --sta"), ElementsAre("--state"));
}

TEST_F(CompletionTest, BashCompletesValues) {
  EXPECT_THAT(Bash("tokenctl list --state ''"), ElementsAre("active", "expired", "revoked"));
  EXPECT_THAT(Bash("tokenctl list --order -"), ElementsAre("-expires_at"));
  EXPECT_THAT(Bash("tokenctl list --owner ''"), ElementsAre());
  Write("dump.sql.gz", "");
  EXPECT_THAT(Bash("tokenctl import du"), ElementsAre("dump.sql.gz"));
  EXPECT_THAT(Bash("tokenctl import --schema du"), ElementsAre("dump.sql.gz"));
  EXPECT_THAT(Bash("tokenctl import --dry-run --ti"),
              UnorderedElementsAre("--timeout", "--time-zone"));
}

TEST_F(CompletionTest, FishCompletes) {
  if (!Has("fish")) GTEST_SKIP() << "fish is not installed";
  std::string script = Write("a.fish", FishCompletion(*app_));
  auto fish = [&](const std::string& line) {
    return Output("HOME=" + dir_.string() + " fish -c 'source " + script + "; complete -C \"" +
                  line + "\"'");
  };
  EXPECT_THAT(fish("tokenctl rev"), HasSubstr("revoke\tRevoke tokens"));
  EXPECT_THAT(fish("tokenctl list --state "), HasSubstr("expired"));
  EXPECT_THAT(fish("tokenctl clock a"), HasSubstr("accept"));
  EXPECT_THAT(fish("tokenctl count --ow"), HasSubstr("--owner"));
  EXPECT_THAT(fish("tokenctl ping --ow"), Not(HasSubstr("--owner")));
}

}  // namespace
}  // namespace tokend::tokenctl
