// What tests of tokenctl share: tokenctl as a function, against a server that is told what to say.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "client/client.h"
#include "client/tokenctl/app.h"
#include "tests/encoded.h"
#include "tests/fake_tokend.h"

namespace tokend::tokenctl {

using namespace tokend::testing;

inline constexpr char kId[] = "9f86d081884c7d659a2feaa0";
inline constexpr char kSecret[] = "s3cret-token";
inline constexpr uint64_t kNowMs = 1900000000000;  // 2030-03-17T17:46:40Z

inline std::string Valid() {
  return Arr({Bool(true), Int(1935405015000), Str("alice"), Arr({Str("read"), Str("write")})});
}
inline std::string Invalid(const char* reason) { return Arr({Bool(false), Str(reason)}); }
inline std::string CannotSay() { return Arr({Nil(), Str("unavailable")}); }
inline std::string Failed(const char* code, const char* message) {
  return Map({{"code", Str(code)}, {"message", Str(message)}});
}
inline std::string Record(const char* owner) {
  return Map({{"id", Str(kId)},
              {"namespace", Str("default")},
              {"owner", Str(owner)},
              {"name", Str("laptop")},
              {"scopes", Arr({Str("read")})},
              {"created_at", Int(1700000000123)},
              {"updated_at", Int(1700000000123)},
              {"expires_at", Int(1935405015000)},
              {"last_used_at", Nil()},
              {"use_count", Int(42)},
              {"state", Str("active")},
              {"generation", Int(2)},
              {"attributes", Map({{"team", Str("core")}})}});
}

// A run of tokenctl: what it is given, and what came of it.
class TokenctlTest : public ::testing::Test {
 protected:
  TokenctlTest() {
    environment_.in = &in_;
    environment_.out = &out_;
    environment_.err = &err_;
    environment_.now_ms = [] { return kNowMs; };
    environment_.steady_ms = [this] { return steady_ms_; };
    environment_.sleep_ms = [this](uint64_t ms) { steady_ms_ += ms; };
    environment_.ask_secret = [this](std::string_view) {
      ++questions_;
      return typed_;
    };
    unsetenv("TOKEND_SERVER");
  }

  // Answers the next requests of this method, one after the other, with these results; the last
  // one again and again.
  void Answers(const std::string& method, std::vector<std::string> results) {
    answers_[method] = {std::move(results), false};
  }
  void Fails(const std::string& method, std::vector<std::string> errors) {
    answers_[method] = {std::move(errors), true};
  }

  // Runs with the server above and gives the exit code.
  int Run(std::vector<std::string> arguments) {
    asked_.clear();
    FakeTokend server([this](FakePeer& peer) { Serve(peer); });
    arguments.insert(arguments.begin(), {"--server", server.address()});
    int code = RunAlone(arguments);
    return code;
  }
  // Runs without a server of its own.
  int RunAlone(const std::vector<std::string>& arguments) {
    out_.str("");
    err_.str("");
    return RunTokenctl(arguments, environment_);
  }

  std::string out() const { return out_.str(); }
  std::string err() const { return err_.str(); }

  Environment environment_;
  std::istringstream in_;
  std::ostringstream out_, err_;
  std::optional<std::string> typed_;
  int questions_ = 0;
  uint64_t steady_ms_ = 1'000'000;  // moves where tokenctl sleeps
  std::vector<std::string> asked_;  // "method params"

 private:
  struct Script {
    std::vector<std::string> answers;
    bool are_errors = false;
    size_t next = 0;
  };

  void Serve(FakePeer& peer) {
    while (auto request = peer.Read()) {
      asked_.push_back(request->method + " " + client::MsgpackToJson(request->params));
      auto found = answers_.find(request->method);
      if (found == answers_.end()) {
        peer.AnswerError(request->msgid, ErrorCode::kUnknownMethod, "not in this test");
        continue;
      }
      Script& script = found->second;
      const std::string& answer =
          script.answers[std::min(script.next++, script.answers.size() - 1)];
      std::string head = Arr({Int(1)}).substr(1) + Uint(request->msgid);
      peer.Send("\x94" + head + (script.are_errors ? answer + Nil() : Nil() + answer));
    }
  }

  std::map<std::string, Script> answers_;
};

inline std::string AsBin(std::string_view token) { return client::MsgpackToJson(Bin(token)); }

}  // namespace tokend::tokenctl
