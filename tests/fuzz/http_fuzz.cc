// A server's HTTP, over its socket: answers are whole and of the kinds that there are, and whole
// requests get the same in however many pieces the bytes come. The first two bytes choose where
// they are cut.
#include <algorithm>
#include <charconv>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/running_server.h"

namespace {

using namespace tokend;
using fuzz::Require;

struct Answer {
  int status = 0;
  bool closes = false;
  std::string body;
  bool operator==(const Answer&) const = default;
};

std::string_view TakeLine(std::string_view* bytes) {
  const size_t end = bytes->find("\r\n");
  Require(end != std::string_view::npos, "a line has an end");
  const std::string_view line = bytes->substr(0, end);
  bytes->remove_prefix(end + 2);
  return line;
}

std::vector<Answer> Parse(std::string_view bytes) {
  std::vector<Answer> answers;
  while (!bytes.empty()) {
    Require(answers.empty() || !answers.back().closes, "the last answer says that it is the last");
    Answer& answer = answers.emplace_back();
    std::string_view line = TakeLine(&bytes);
    Require(line.starts_with("HTTP/1.1 ") && line.size() > 13, "an answer begins with its status");
    std::from_chars(line.data() + 9, line.data() + 12, answer.status);
    constexpr int kStatuses[] = {100, 200, 400, 401, 403, 404, 405, 413, 417, 421, 431, 501, 503};
    Require(std::ranges::find(kStatuses, answer.status) != std::end(kStatuses), "one of ours");
    size_t length = 0;
    for (line = TakeLine(&bytes); !line.empty(); line = TakeLine(&bytes)) {
      constexpr std::string_view kLength = "Content-Length: ";
      if (line == "Connection: close") answer.closes = true;
      if (!line.starts_with(kLength)) continue;
      line.remove_prefix(kLength.size());
      std::from_chars(line.data(), line.data() + line.size(), length);
    }
    if (answer.status == 100) {
      // It is sent only where the body has not come yet.
      answers.pop_back();
      continue;
    }
    // Of an answer to HEAD the body is not there.
    if (bytes.empty() || bytes.starts_with("HTTP/1.1 ")) continue;
    Require(length <= bytes.size(), "a body is as long as it says");
    answer.body = bytes.substr(0, length);
    bytes.remove_prefix(length);
  }
  return answers;
}

// But for the last where that says that the bytes are no request: how much has to come of one that
// never ends until that is seen depends on the pieces.
std::vector<Answer> AnswersOf(std::string_view bytes) {
  std::vector<Answer> answers = Parse(bytes);
  constexpr int kRefusals[] = {400, 413, 417, 431, 501};
  if (!answers.empty() &&
      std::ranges::find(kRefusals, answers.back().status) != std::end(kRefusals)) {
    answers.pop_back();
  }
  return answers;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static fuzz::RunningServer server;
  std::string_view bytes = fuzz::View(data, size);
  size_t cut = fuzz::TakeByte(&bytes) << 8;
  cut += fuzz::TakeByte(&bytes);
  cut = std::min(bytes.size(), cut);
  const auto whole = AnswersOf(server.Ask(/*http=*/true, bytes, {}));
  const auto cut_in_two =
      AnswersOf(server.Ask(/*http=*/true, bytes.substr(0, cut), bytes.substr(cut)));
  Require(whole == cut_in_two, "the same answers wherever the bytes are cut");
  return 0;
}
