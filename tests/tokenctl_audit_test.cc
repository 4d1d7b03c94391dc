// tokenctl audit verify: what it says of files as they were written, and of others.
#include <filesystem>
#include <fstream>

#include "protocol/audit_line.h"
#include "tests/support/temp_dir.h"
#include "tests/tokenctl_fixture.h"

namespace tokend::tokenctl {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class TokenctlAuditTest : public TokenctlTest {
 protected:
  TokenctlAuditTest() {
    AuditHead head;
    for (uint64_t seq = 1; seq <= 9; ++seq) {
      AuditLineWriter line(seq, kNowMs + seq);
      line.Text("op", "revoke");
      line.Text("result", "ok");
      lines_.push_back(line.End(head.hash));
      head = HeadOf(seq, lines_.back());
      heads_.push_back(std::to_string(seq) + ":" + ToHex(head.hash));
    }
  }

  // Lines `first` to `last` as a file.
  std::string File(const std::string& name, size_t first, size_t last) {
    std::ofstream file(dir_.path() + "/" + name, std::ios::binary);
    for (size_t seq = first; seq <= last; ++seq) file << lines_[seq - 1] << '\n';
    return dir_.path() + "/" + name;
  }
  int Verify(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"audit", "verify"});
    return Run(arguments);
  }
  // What it says is wrong, after the name of the directory.
  std::string Wrong(const std::vector<std::string>& arguments) {
    EXPECT_EQ(Verify(arguments), kExitFailed);
    EXPECT_THAT(out(), IsEmpty());
    std::string text = err();
    const std::string directory = dir_.path() + "/";
    for (size_t at; (at = text.find(directory)) != std::string::npos;) {
      text.erase(at, directory.size());
    }
    return text;
  }

  TempDir dir_;
  std::vector<std::string> lines_, heads_;
};

TEST_F(TokenctlAuditTest, FilesAsTheyWereWritten) {
  const std::string old = File("audit.1", 1, 4), now = File("audit", 5, 9);
  EXPECT_EQ(Verify({old, now}), kExitOk);
  EXPECT_EQ(out(),
            "whole: 9 lines, 1 (2030-03-17T17:46:40.001Z) to 9 (2030-03-17T17:46:40.009Z)\n"
            "head:  " +
                heads_[8] + "\n");
  EXPECT_EQ(Verify({now, "--json"}), kExitOk);
  EXPECT_EQ(out(), R"({"lines":5,"first":5,"last":9,"first_at":"2030-03-17T17:46:40.005Z",)"
                   R"("last_at":"2030-03-17T17:46:40.009Z","head":")" +
                       heads_[8] + "\"}\n");
}

TEST_F(TokenctlAuditTest, ALaterBeginningIsSaid) {
  EXPECT_EQ(Verify({File("audit", 5, 9)}), kExitOk);
  EXPECT_THAT(out(), HasSubstr("begins at line 5: those before it were not given\n"));
}

TEST_F(TokenctlAuditTest, StandardInput) {
  in_.str(lines_[0] + "\n" + lines_[1] + "\n");
  EXPECT_EQ(Verify({"-", File("audit", 3, 9)}), kExitOk);
  EXPECT_THAT(out(), HasSubstr("whole: 9 lines"));
}

TEST_F(TokenctlAuditTest, MissingLines) {
  const std::string old = File("audit.1", 1, 4);
  EXPECT_EQ(Wrong({old, File("audit", 6, 9)}),
            "tokenctl: audit:1: after audit.1:4: line 5 is missing\n");
  EXPECT_EQ(Wrong({old, File("audit", 8, 9)}),
            "tokenctl: audit:1: after audit.1:4: lines 5 to 7 are missing\n");
}

TEST_F(TokenctlAuditTest, LinesTwiceOrInTheWrongOrder) {
  EXPECT_THAT(Wrong({File("audit", 5, 9), File("audit.1", 1, 4)}),
              HasSubstr("audit.1:1: line 1 comes after line 9 (audit:5): give the oldest file "
                        "first; else lines were put in or are there twice"));
  EXPECT_THAT(Wrong({File("audit.1", 1, 4), File("audit", 4, 9)}),
              HasSubstr("audit:1: line 4 comes after line 4 (audit.1:4)"));
}

// Whatever one of its characters becomes.
TEST_F(TokenctlAuditTest, AlteredLines) {
  const std::vector<std::string> lines = lines_;
  for (size_t at = 0; at < lines[3].size(); ++at) {
    lines_ = lines;
    lines_[3][at] = lines_[3][at] == '0' ? '1' : '0';
    ASSERT_EQ(Verify({File("audit", 1, 9)}), kExitFailed) << lines_[3];
    ASSERT_THAT(err(), HasSubstr("audit:")) << lines_[3];
  }
  lines_ = lines;
  lines_[3].replace(lines_[3].find("revoke"), 6, "insert");
  EXPECT_EQ(Wrong({File("audit", 1, 9)}),
            "tokenctl: audit:5: line 5 does not follow on line 4 (audit:4): one of the two was "
            "altered\n");
}

TEST_F(TokenctlAuditTest, LinesThatAreNone) {
  std::ofstream(dir_.path() + "/audit") << lines_[0] << "\nhello\n";
  EXPECT_EQ(Wrong({dir_.path() + "/audit"}),
            "tokenctl: audit:2: this is no line of an audit log: it was altered, or it is another "
            "file\n");
  std::ofstream(dir_.path() + "/audit") << lines_[0] << '\n' << lines_[1].substr(0, 40);
  EXPECT_THAT(Wrong({dir_.path() + "/audit"}),
              HasSubstr("audit:2: it ends in the middle of a line"));
  std::ofstream(dir_.path() + "/audit").flush();
  EXPECT_EQ(Wrong({dir_.path() + "/audit"}), "tokenctl: there is no line\n");
  EXPECT_EQ(Wrong({dir_.path() + "/none"}), "tokenctl: none: it cannot be read\n");
}

TEST_F(TokenctlAuditTest, WhatWasCutOffAtTheEndShowsByAHeadThatWasKept) {
  const std::string file = File("audit", 1, 7);
  EXPECT_EQ(Verify({file, "--head", heads_[4]}), kExitOk);
  EXPECT_EQ(Verify({file, "--head", heads_[6]}), kExitOk);
  EXPECT_THAT(Wrong({file, "--head", heads_[8]}),
              HasSubstr("the last line is 7, but --head knows of line 9"));
  EXPECT_THAT(Wrong({file, "--head", "5" + heads_[5].substr(1)}),
              HasSubstr("line 5 is not the one that --head knows"));
  for (const std::string& head :
       {std::string("7"), "x" + heads_[4], heads_[4] + "0", "0" + heads_[4].substr(1)}) {
    EXPECT_EQ(Verify({file, "--head", head}), kExitUsage) << head;
  }
}

TEST_F(TokenctlAuditTest, WhatWasCutOffAtTheEndShowsByTheServer) {
  const auto says = [&](uint64_t lines, uint64_t written) {
    Answers("stats", {Map({{"state", Str("ready")},
                           {"audit_lines", Int(lines)},
                           {"audit_head", Str(heads_[lines - 1].substr(2))},
                           {"audit_lines_written", Int(written)}})});
  };
  const std::string file = File("audit", 1, 7);
  says(7, 7);
  EXPECT_EQ(Verify({file, "--live"}), kExitOk);
  says(9, 7);
  EXPECT_EQ(Verify({file, "--live"}), kExitOk);
  says(9, 8);
  EXPECT_THAT(Wrong({file, "--live"}),
              HasSubstr("the last line is 7, but the server knows of line 8"));
  Answers("stats", {Map({{"state", Str("ready")},
                         {"audit_lines", Int(6)},
                         {"audit_head", Str(heads_[7].substr(2))},
                         {"audit_lines_written", Int(6)}})});
  EXPECT_THAT(Wrong({file, "--live"}), HasSubstr("line 6 is not the one that the server knows"));
  Answers("stats", {Map({{"state", Str("ready")},
                         {"audit_lines", Int(0)},
                         {"audit_head", Str("")},
                         {"audit_lines_written", Int(0)}})});
  EXPECT_THAT(Wrong({file, "--live"}), HasSubstr("the server keeps no audit log"));
}

}  // namespace
}  // namespace tokend::tokenctl
