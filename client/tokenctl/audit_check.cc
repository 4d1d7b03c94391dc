#include "client/tokenctl/audit_check.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace tokend::tokenctl {
namespace {

std::string Lines(uint64_t first, uint64_t last) {
  return first == last ? fmt::format("line {} is", first)
                       : fmt::format("lines {} to {} are", first, last);
}

}  // namespace

std::string AuditCheck::Read(std::istream& in, const std::string& name) {
  uint64_t number = 0;
  for (std::string line; std::getline(in, line);) {
    const std::string place = fmt::format("{}:{}", name, ++number);
    if (in.eof()) {
      return place +
             ": it ends in the middle of a line; where a server writes to it, try again, else the "
             "line was cut";
    }
    if (std::string wrong = Add(line, place); !wrong.empty()) return wrong;
  }
  return in.bad() ? name + ": it cannot be read to its end" : std::string();
}

std::string AuditCheck::Add(const std::string& line, const std::string& place) {
  const std::optional<AuditLink> link = ReadAuditLink(line);
  if (!link || !nlohmann::json::accept(line)) {
    return place + ": this is no line of an audit log: it was altered, or it is another file";
  }
  if (lines_ == 0) {
    first_seq_ = link->seq;
    first_at_ = link->at;
    if (link->seq == 1 && link->prev != AuditHash{}) {
      return place + ": line 1 follows on a line before it: it was altered";
    }
  } else if (link->seq > head_.seq + 1) {
    return fmt::format("{}: after {}: {} missing", place, head_place_,
                       Lines(head_.seq + 1, link->seq - 1));
  } else if (link->seq <= head_.seq) {
    return fmt::format(
        "{}: line {} comes after line {} ({}): give the oldest file first; else "
        "lines were put in or are there twice",
        place, link->seq, head_.seq, head_place_);
  } else if (link->prev != head_.hash) {
    return fmt::format("{}: line {} does not follow on line {} ({}): one of the two was altered",
                       place, link->seq, head_.seq, head_place_);
  }
  ++lines_;
  last_at_ = link->at;
  head_ = HeadOf(link->seq, line);
  head_place_ = place;
  if (head_.seq == watched_.seq) {
    watched_.hash = head_.hash;
    has_watched_ = true;
  }
  return {};
}

}  // namespace tokend::tokenctl
